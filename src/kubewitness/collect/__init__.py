"""Collecting: what is on a node, or in a cluster, into one archive that proves itself (`model.collection`)."""
