"""Which credentials there are, whom they make, and who used them last."""
