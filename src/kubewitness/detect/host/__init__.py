"""Judging a machine from what was found on it. `judging.judge` is the way in."""
