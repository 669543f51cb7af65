"""Claims about judging a machine."""
