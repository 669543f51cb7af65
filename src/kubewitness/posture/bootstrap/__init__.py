"""The roles and bindings that Kubernetes makes by itself, by version, and what was altered in those of a cluster."""
