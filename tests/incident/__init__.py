"""Tests of stage 6, on logs made by hand."""
