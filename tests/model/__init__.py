"""Claims about the nouns."""
