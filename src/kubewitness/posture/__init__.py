"""State instead of events: what a machine was set to do, where each setting came from, and what that opens."""
