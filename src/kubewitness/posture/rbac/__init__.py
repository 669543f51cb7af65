"""Who may do what: Kubernetes RBAC asked away from the cluster."""
