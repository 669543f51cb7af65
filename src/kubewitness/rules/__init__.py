"""Stage 3: Sigma in, typed intermediate form, compiled matcher."""
