"""Which data an intruder got at."""
