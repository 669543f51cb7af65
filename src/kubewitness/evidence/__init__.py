"""Stage 1: open whatever the operator has and frame it into records, with hash, line and offset."""
