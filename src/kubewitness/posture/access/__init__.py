"""Who may do what in the API, and who should not."""
