"""What machines show."""
