"""Tests of the readers of host evidence."""
