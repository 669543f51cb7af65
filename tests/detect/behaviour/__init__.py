"""What everybody usually does, and what departs from it."""
