"""Which data an intruder got at, in what detail the evidence can tell."""
