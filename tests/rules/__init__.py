"""Claims about rules: loading, meaning, engines."""
