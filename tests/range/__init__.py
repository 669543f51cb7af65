"""Tests of the test range; what needs a running range is marked and skips without one."""
