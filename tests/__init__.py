"""Tests state claims about the package; they mirror its folders."""
