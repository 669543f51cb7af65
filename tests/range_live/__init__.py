"""Live tests of the test range: they start real clusters, so `make test-range` runs them and `make test` does not."""
