"""What is written for people is held to the code."""
