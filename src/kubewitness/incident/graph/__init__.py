"""The chain as a graph: what came of what, each edge with its link and its evidence."""
