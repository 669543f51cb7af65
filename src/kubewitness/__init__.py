"""Kubewitness: from the evidence a Kubernetes operator still has to one proven attack chain."""

__version__ = "0.1.0"
