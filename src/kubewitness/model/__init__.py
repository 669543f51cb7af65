"""Frozen nouns, ids and the exception tree. No I/O; imports nothing of ours."""
