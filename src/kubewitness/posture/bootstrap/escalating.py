"""Rights with which one gains other rights, among what a foreign role may add to admin, edit and view.

Only Kubernetes' own API groups count: over its own resources an addon may give anything.

Source: Kubernetes' page "Role Based Access Control Good Practices", section on privilege escalation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kubewitness.posture.rbac.nouns import GROUP, PolicyRule

_READ: Final = frozenset({"get", "list", "watch"})
_WRITE: Final = frozenset({"create", "update", "patch"})
_CREATE: Final = frozenset({"create"})
_WORKLOADS: Final = ("daemonsets", "deployments", "replicasets", "statefulsets")
# Group and resource: verbs that escalate.
_RIGHTS: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    ("", "secrets"): _READ | _WRITE,
    ("", "pods"): _WRITE,
    ("", "pods/exec"): _CREATE | {"get"},
    ("", "pods/attach"): _CREATE | {"get"},
    ("", "pods/ephemeralcontainers"): _WRITE,
    ("", "replicationcontrollers"): _WRITE,
    ("", "serviceaccounts/token"): _CREATE,
    ("", "serviceaccounts"): frozenset({"impersonate"}),
    ("", "users"): frozenset({"impersonate"}),
    ("", "groups"): frozenset({"impersonate"}),
    ("", "nodes"): _WRITE,
    ("", "nodes/proxy"): _CREATE | {"get"},
    ("", "nodes/status"): _WRITE,
    ("", "namespaces"): frozenset({"patch", "update"}),  # labels that decide on Pod Security
    ("", "persistentvolumes"): _WRITE,  # a path of the host
    **{("apps", workload): _WRITE for workload in _WORKLOADS},
    ("batch", "jobs"): _WRITE,
    ("batch", "cronjobs"): _WRITE,
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"): _WRITE,
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"): _WRITE,
    ("certificates.k8s.io", "certificatesigningrequests"): _CREATE,
    ("certificates.k8s.io", "certificatesigningrequests/approval"): frozenset({"patch", "update"}),
    ("certificates.k8s.io", "signers"): frozenset({"approve", "sign"}),
    **{(GROUP, bound): _WRITE for bound in ("rolebindings", "clusterrolebindings")},
    **{(GROUP, role): _WRITE | {"bind", "escalate"} for role in ("roles", "clusterroles")},
}


_GROUPS: Final = frozenset({"*", *(group for group, _ in _RIGHTS)})


def escalates(piece: PolicyRule) -> bool:
    """Whether a piece of a rule is such a right."""
    return not _GROUPS.isdisjoint(piece.groups) and any(
        ("*" in piece.verbs or verbs.intersection(piece.verbs))
        and ("*" in piece.groups or group in piece.groups)
        and any(wanted in {"*", resource} or _all_of(wanted, resource) for wanted in piece.resources)
        for (group, resource), verbs in _RIGHTS.items()
    )


def _all_of(wanted: str, resource: str) -> bool:
    """`*/exec` is the subresource of everything."""
    return wanted.startswith("*/") and resource.endswith(wanted[1:])
