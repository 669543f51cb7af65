"""Which level admits which pod."""
