"""Rights with which one gains others, out of a role's rules.

What a rule says in verbs, groups and resources comes down to some thirty rights, each for every object or for some by
name. What they lead to, alone or together, is `gains`. A right to create that is given by name is none, but for a
subresource: a request to create has no name. `nodes/*` is no pattern of RBAC and grants nothing.

Source: Kubernetes' page "Role Based Access Control Good Practices"; kubernetes/pkg/registry/rbac (escalate, bind);
apiserver's filters/impersonation.go; certificates' signer names (a domain with `/*` stands for all of its signers).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from kubewitness.posture.rbac.nouns import GROUP, PolicyRule

EVERY: Final = "*"
Names = frozenset[str] | None  # None: every name
Rights = Mapping[str, Names]

_WRITE: Final = ("create", "update", "patch")
_CHANGE: Final = ("update", "patch")
_READ: Final = ("get", "list", "watch")
_TEMPLATES: Final = ("deployments", "daemonsets", "statefulsets", "replicasets")
_ADMISSION: Final = "admissionregistration.k8s.io"
_CERTIFICATES: Final = "certificates.k8s.io"


class _Test(NamedTuple):
    right: str
    verbs: tuple[str, ...]
    group: str
    resource: str


_TESTS: Final = (
    _Test("escalate_clusterroles", ("escalate",), GROUP, "clusterroles"),
    _Test("change_clusterroles", _CHANGE, GROUP, "clusterroles"),
    _Test("escalate_roles", ("escalate",), GROUP, "roles"),
    _Test("change_roles", _CHANGE, GROUP, "roles"),
    _Test("bind_clusterroles", ("bind",), GROUP, "clusterroles"),
    _Test("write_clusterrolebindings", _WRITE, GROUP, "clusterrolebindings"),
    _Test("write_rolebindings", _WRITE, GROUP, "rolebindings"),
    _Test("impersonate_users", ("impersonate",), "", "users"),
    _Test("impersonate_groups", ("impersonate",), "", "groups"),
    _Test("impersonate_accounts", ("impersonate",), "", "serviceaccounts"),
    _Test("create_tokens", ("create",), "", "serviceaccounts/token"),
    _Test("read_secrets", _READ, "", "secrets"),
    _Test("create_secrets", ("create",), "", "secrets"),
    _Test("create_pods", ("create",), "", "pods"),
    _Test("create_pods", _WRITE, "", "replicationcontrollers"),
    *(_Test("create_pods", _WRITE, "apps", one) for one in _TEMPLATES),
    *(_Test("create_pods", _WRITE, "batch", one) for one in ("jobs", "cronjobs")),
    _Test("change_pods", _CHANGE, "", "pods"),
    _Test("change_pods", _CHANGE, "", "pods/ephemeralcontainers"),
    _Test("exec", ("create",), "", "pods/exec"),
    _Test("exec", ("create",), "", "pods/attach"),
    _Test("exec_by_get", ("get",), "", "pods/exec"),
    _Test("exec_by_get", ("get",), "", "pods/attach"),
    _Test("nodes_proxy", ("get", "create"), "", "nodes/proxy"),
    _Test("create_requests", ("create",), _CERTIFICATES, "certificatesigningrequests"),
    _Test("approve_requests", _CHANGE, _CERTIFICATES, "certificatesigningrequests/approval"),
    _Test("approve_for_signers", ("approve",), _CERTIFICATES, "signers"),
    _Test("sign_for_signers", ("sign",), _CERTIFICATES, "signers"),
    _Test("write_mutating", _WRITE, _ADMISSION, "mutatingwebhookconfigurations"),
    _Test("write_validating", _WRITE, _ADMISSION, "validatingwebhookconfigurations"),
    _Test("create_volumes", ("create",), "", "persistentvolumes"),
    _Test("create_claims", ("create",), "", "persistentvolumeclaims"),
    _Test("change_namespaces", _CHANGE, "", "namespaces"),
    _Test("change_configmaps", _CHANGE, "", "configmaps"),
)  # fmt: skip
_NAMES: Final = 300  # of one rule
_DECIDING: Final = frozenset(
    ("system:masters", "cluster-admin", "admin", "edit", "aws-auth", "kubernetes.io/kube-apiserver-client",
     "kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/*")
)  # fmt: skip
_NAMELESS: Final = frozenset({"create"})
_GROUPS: Final = frozenset({EVERY, *(test.group for test in _TESTS)})


def rights_of(rules: Iterable[PolicyRule]) -> Rights:
    """What the rules come down to; for every name, or for some."""
    out = dict[str, Names]()
    for rule in rules:
        if _GROUPS.isdisjoint(rule.groups):
            continue
        verbs, groups, resources = set(rule.verbs), set(rule.groups), set(rule.resources)
        if EVERY in verbs and EVERY in groups and EVERY in resources and not rule.names:
            return {"everything": None}
        named = _some(rule.names)
        for test in _TESTS:
            if (test.right in out and out[test.right] is None) or not _fits(test, verbs, groups, resources):
                continue
            if not rule.names:
                out[test.right] = None
            elif EVERY in verbs or "/" in test.resource or verbs.intersection(test.verbs) - _NAMELESS:
                out[test.right] = (out.get(test.right) or frozenset()) | named
    return out


def _some(names: tuple[str, ...]) -> frozenset[str]:
    """The names; of very many those that decide, and the first ones."""
    found = frozenset(names)
    return found if len(found) <= _NAMES else found & _DECIDING | frozenset(sorted(found)[:_NAMES])


def _fits(test: _Test, verbs: set[str], groups: set[str], resources: set[str]) -> bool:
    if EVERY not in groups and test.group not in groups:
        return False
    if EVERY not in resources and test.resource not in resources:
        _, slash, subresource = test.resource.partition("/")
        if not slash or f"*/{subresource}" not in resources:
            return False
    return EVERY in verbs or not verbs.isdisjoint(test.verbs)
