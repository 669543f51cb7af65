"""What of a cluster is the platform's own, as kubeadm, K3s, EKS, GKE, AKS and OpenShift ship."""

from __future__ import annotations

from typing import Final

from kubewitness.model.cluster import Cluster

# Namespaces of the platform itself: what lives there is part of it.
_BEGINNINGS: Final = (
    "kube-", "openshift-", "gke-", "gmp-", "aks-", "azure-", "amazon-", "eks-", "calico-", "tigera-", "cattle-",
)  # fmt: skip
_NAMES: Final = frozenset(
    ("openshift", "local-path-storage", "gatekeeper-system", "cilium", "asm-system", "cnrm-system", "kube-flannel")
)
# Networks and storage in namespaces of their own: their pods need their node, their rights are judged as anybody's.
_AGENTS: Final = frozenset({"istio-system", "metallb-system", "longhorn-system", "rook-ceph", "kube-flannel"})


def is_platform(namespace: str) -> bool:
    """Whether a namespace belongs to the platform."""
    return namespace in _NAMES or namespace.startswith(_BEGINNINGS)


def is_platform_or_agent(namespace: str) -> bool:
    """Whether it belongs to the platform, or to the networks and storage that are installed beside it."""
    return namespace in _AGENTS or is_platform(namespace)


def is_openshift(cluster: Cluster) -> bool:
    """OpenShift judges pods by its own constraints and has roles of its own for everybody."""
    return any(
        one.group.endswith(".openshift.io") or (one.kind == "Namespace" and one.name.startswith("openshift-"))
        for one in cluster.objects
    )
