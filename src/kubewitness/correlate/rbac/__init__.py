"""Who could do what: Kubernetes RBAC asked away from the cluster, at any moment of the evidence, with and without."""
