"""Stage 5: what is tied to what, by which link, and how surely."""
