"""Stage 2: one parser per format, from bytes to typed events or a counted parse failure."""
