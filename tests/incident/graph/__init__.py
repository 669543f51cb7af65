"""The chain as a graph."""
