"""What machines show, judged and joined to an incident."""
