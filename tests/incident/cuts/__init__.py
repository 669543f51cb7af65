"""What would have stopped an intruder."""
