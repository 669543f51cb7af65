"""Tests of stage 2: formats."""
