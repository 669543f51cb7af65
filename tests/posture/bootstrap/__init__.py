"""What of a cluster's own roles and bindings is as Kubernetes makes it."""
