"""What every accessor usually does, and what departs from it, in words."""
