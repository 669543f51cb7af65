"""Benchmarks: a deterministic log of any size, peers, one table."""
