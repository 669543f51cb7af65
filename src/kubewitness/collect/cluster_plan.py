"""What is asked of an API server, in the order of volatility: what expires or is deleted first comes first.

Secrets and most ConfigMaps are not here: of them only names are asked for. Events are asked of the core API alone;
events.k8s.io serves the same objects in another spelling. Where an API has had several versions the first one that is
served is taken.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from kubewitness.collect.objects import Trim, definition


class Wanted(Struct, frozen=True):
    """A kind of objects."""

    group: str  # empty: the core group
    resource: str
    namespaced: bool = True
    versions: tuple[str, ...] = ("v1",)
    trim: Trim | None = None

    @property
    def member(self) -> str:
        """Its place in the archive."""
        return f"cluster/{self.group or 'core'}/{self.resource}.json"

    def path(self, version: str, namespace: str = "") -> str:
        """Its path at the API server."""
        root = f"/apis/{self.group}/{version}" if self.group else f"/api/{version}"
        return f"{root}/namespaces/{namespace}/{self.resource}" if namespace else f"{root}/{self.resource}"


_ADMISSION: Final = "admissionregistration.k8s.io"
_RBAC: Final = "rbac.authorization.k8s.io"
_BETA: Final = ("v1", "v1beta1")

PLAN: Final[tuple[Wanted, ...]] = (
    Wanted("", "events"),
    Wanted("certificates.k8s.io", "certificatesigningrequests", namespaced=False, versions=_BETA),
    Wanted("", "pods"),
    Wanted("batch", "jobs"),
    Wanted("batch", "cronjobs", versions=_BETA),
    Wanted("apps", "daemonsets"),
    Wanted("apps", "deployments"),
    Wanted("apps", "statefulsets"),
    Wanted("apps", "replicasets"),
    Wanted("", "replicationcontrollers"),
    Wanted(_RBAC, "clusterrolebindings", namespaced=False),
    Wanted(_RBAC, "rolebindings"),
    Wanted(_RBAC, "clusterroles", namespaced=False),
    Wanted(_RBAC, "roles"),
    Wanted("", "serviceaccounts"),
    Wanted(_ADMISSION, "mutatingwebhookconfigurations", namespaced=False),
    Wanted(_ADMISSION, "validatingwebhookconfigurations", namespaced=False),
    Wanted(_ADMISSION, "mutatingadmissionpolicies", namespaced=False, versions=(*_BETA, "v1alpha1")),
    Wanted(_ADMISSION, "mutatingadmissionpolicybindings", namespaced=False, versions=(*_BETA, "v1alpha1")),
    Wanted(_ADMISSION, "validatingadmissionpolicies", namespaced=False, versions=(*_BETA, "v1alpha1")),
    Wanted(_ADMISSION, "validatingadmissionpolicybindings", namespaced=False, versions=(*_BETA, "v1alpha1")),
    Wanted("apiregistration.k8s.io", "apiservices", namespaced=False),
    Wanted("apiextensions.k8s.io", "customresourcedefinitions", namespaced=False, versions=_BETA, trim=definition),
    Wanted("", "namespaces", namespaced=False),
    Wanted("", "nodes", namespaced=False),
    Wanted("", "services"),
    Wanted("discovery.k8s.io", "endpointslices", versions=_BETA),
    Wanted("networking.k8s.io", "ingresses", versions=_BETA),
    Wanted("networking.k8s.io", "networkpolicies"),
    Wanted("", "persistentvolumes", namespaced=False),
    Wanted("", "persistentvolumeclaims"),
)

# ConfigMaps that say how the cluster is set up; the others by name.
CONFIGMAPS: Final[dict[str, tuple[str, ...]]] = {
    "kube-system": (
        "aws-auth",
        "coredns",
        "extension-apiserver-authentication",
        "kube-proxy",
        "kubeadm-config",
        "kubelet-config",
    ),
    "kube-public": ("cluster-info",),
}
VERSIONED: Final = re.compile(r"kubelet-config-\d{1,3}\.\d{1,3}")  # its name before Kubernetes 1.24
