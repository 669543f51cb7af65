"""The kube-controller mining campaign inside a benign day."""
