"""Tests of stage 1: opening and framing."""
