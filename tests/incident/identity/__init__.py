"""Who is the same intruder."""
