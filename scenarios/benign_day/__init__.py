"""The same day without an intruder, with an administrator at work."""
