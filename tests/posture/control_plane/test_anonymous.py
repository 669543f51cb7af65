"""Anonymous requests: the default is no failure, a grant beside it is, and a limit to paths is read from its file."""

from __future__ import annotations

from typing import Any

import pytest

from tests.posture.control_plane.plane import api, asked, file, machine, manifest, pod, told
from tests.posture.made import snapshot

KINDS = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
RBAC = "rbac.authorization.k8s.io/v1"


def role(name: str, *rules: dict[str, Any], kind: str = "ClusterRole", namespace: str = "") -> dict[str, Any]:
    return {
        "kind": kind, "apiVersion": RBAC, "metadata": {"name": name, "namespace": namespace}, "rules": list(rules),
    }  # fmt: skip


def binding(to: str, subject: str, kind: str = "ClusterRole", namespace: str = "") -> dict[str, Any]:
    whom = {"kind": "Group" if subject == "system:unauthenticated" else "User", "name": subject}
    return {
        "kind": f"{kind}Binding", "apiVersion": RBAC, "metadata": {"name": to, "namespace": namespace},
        "roleRef": {"kind": kind, "name": to}, "subjects": [whom],
    }  # fmt: skip


INFO = role("system:public-info-viewer", {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/version"]})
JOIN = role(
    "kubeadm:bootstrap-signer-clusterinfo",
    {"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["cluster-info"]},
    kind="Role", namespace="kube-public",
)  # fmt: skip
OWN = (
    INFO, binding("system:public-info-viewer", "system:unauthenticated"),
    JOIN, binding("kubeadm:bootstrap-signer-clusterinfo", "system:anonymous", "Role", "kube-public"),
)  # fmt: skip
GRANT = (
    role("reader", {"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}),
    binding("reader", "system:anonymous"),
)
HARMLESS = (
    role("status", {"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["status"]},
         kind="Role", namespace="kube-public"),
    binding("status", "system:anonymous", "Role", "kube-public"),
)  # fmt: skip
ADMIN = role("cluster-admin", {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
ALTERED = (role("system:public-info-viewer", {"verbs": ["*"], "nonResourceURLs": ["*"]}), OWN[1])


@pytest.mark.parametrize(
    ("objects", "version", "expected"),
    [
        (OWN, "v1.28.7", ("pass", None)),
        (OWN, "v1.34.4", ("fail", "informational")),  # it could be limited
        ((), "v1.28.7", ("pass", None)),
        ((*OWN, *GRANT), "v1.28.7", ("fail", "high")),
        ((*OWN, *GRANT), "v1.34.4", ("fail", "high")),
        ((*OWN, *HARMLESS), "v1.28.7", ("fail", "low")),  # as the check of grants says of it
        (ALTERED, "v1.28.7", ("fail", "high")),
        ((ADMIN, binding("cluster-admin", "system:anonymous")), "v1.28.7", ("fail", "high")),
        ((binding("gone", "system:anonymous"),), "v1.28.7", ("fail", "low")),  # who makes the role decides
        ((*OWN, binding("cluster-admin", "somebody")), "v1.28.7", ("pass", None)),
    ],
)
def test_anonymous_requests_cost_what_rbac_grants_them(objects: Any, version: str, expected: object) -> None:
    of = snapshot([pod("kube-apiserver", {}, version), *objects], whole=KINDS)
    ((status, _, severity),) = told("anonymous_auth", of)
    assert (status, severity) == expected


def test_a_dump_of_bindings_alone_tells_what_anonymous_requests_cost() -> None:
    of = snapshot([pod("kube-apiserver", {}, "v1.28.7"), binding("cluster-admin", "system:anonymous")])
    assert [one[0::2] for one in told("anonymous_auth", of)] == [("fail", "high")]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"anonymous_auth": "false"}, "pass"),
        ({"authorization_mode": "AlwaysAllow"}, "pass"),  # the API server switches it off then
        ({"anonymous_auth": "$(ANONYMOUS)"}, "not_evaluated"),
        ({"authentication_config": "/etc/kubernetes/authn.yaml"}, "not_evaluated"),
    ],
)
def test_the_flag_decides_where_nothing_else_does(flags: dict[str, str], expected: str) -> None:
    assert [one[0] for one in asked("anonymous_auth", api(**flags))] == [expected]


CONFIG = """apiVersion: apiserver.config.k8s.io/v1beta1
kind: AuthenticationConfiguration
anonymous:
  enabled: {}
"""


@pytest.mark.parametrize(
    ("text", "grants", "expected"),
    [
        (CONFIG.format("false"), GRANT, ("pass", None)),
        (CONFIG.format("true"), GRANT, ("fail", "high")),
        (CONFIG.format("true") + "  conditions:\n  - path: /livez\n  - path: /healthz/ping\n", GRANT, ("pass", None)),
        (
            CONFIG.format("true") + "  conditions:\n  - path: /livez\n  - path: /api/v1/pods\n",
            GRANT,
            ("fail", "medium"),
        ),
        (CONFIG.format("true") + "  conditions:\n  - path: /livez\n  - path: /api/v1/pods\n", (), ("pass", None)),
        (
            "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: []\n",
            GRANT,
            ("fail", "high"),
        ),
    ],
)
def test_paths_are_read_from_the_authentication_configuration(text: str, grants: Any, expected: object) -> None:
    server = api(authentication_config="/etc/kubernetes/authn.yaml")
    host = machine(manifest(server), file("/etc/kubernetes/authn.yaml", text))
    ((status, _, severity),) = told("anonymous_auth", snapshot(grants, [host], whole=KINDS))
    assert (status, severity) == expected
