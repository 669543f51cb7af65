"""What would have stopped an intruder, and what else would have been refused."""
