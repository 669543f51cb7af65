"""Claims about the typed detectors."""
