"""Stage 8: one result document, many renderings."""
