"""Claims about derived fields, one concept a file."""
