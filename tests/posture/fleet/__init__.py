"""All machines side by side."""
