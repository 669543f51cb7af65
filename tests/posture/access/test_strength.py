"""Strong rights of those who are named, and bindings that point at nothing."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.posture.access.cluster import WHOLE, Document, Rule, account, binding, cluster, failed, fails, role

RBAC = "rbac.authorization.k8s.io"
WEB = "ServiceAccount shop/web"
CNI = "ServiceAccount kube-system/cni"


@pytest.mark.parametrize(
    ("refers", "subject", "found"),
    [
        ("cluster-admin", "User eve", True),
        ("cluster-admin", "Group ops", True),
        ("cluster-admin", WEB, True),
        ("star", "User eve", True),
        ("admin", "User eve", False),
        ("cluster-admin", "User system:anonymous", False),  # told elsewhere
    ],
)
def test_whoever_has_everything_is_on_the_list(refers: str, subject: str, found: bool) -> None:
    of = cluster(role("star", ("*", "*", "*")), account("shop/web"), binding("b", refers, subject))
    expected = [("ClusterRoleBinding b", subject, "informational")] if found else []
    assert fails("administrators", of) == expected


@pytest.mark.parametrize(
    ("refers", "subject", "check", "severity"),
    [
        ("cluster-admin", "User system:kube-proxy", "administrators", "high"),
        ("cluster-admin", "Group system:nodes", "administrators", "high"),
        ("edit", "Group system:nodes", "escalation", "medium"),
        ("edit", "User system:node:n1", "escalation", "medium"),
        ("system:node", "Group system:nodes", "escalation", "low"),  # as clusters of old have it
        ("edit", "Group nodes", "escalation", "low"),
    ],
)
def test_nobody_else_binds_users_and_groups_of_kubernetes(refers: str, subject: str, check: str, severity: str) -> None:
    assert fails(check, cluster(binding("b", refers, subject))) == [("ClusterRoleBinding b", subject, severity)]


def test_an_operator_is_not_to_be_unbound_but_given_less() -> None:
    of = cluster(role("r", ("list", "", "secrets")), account("shop/web"), binding("b", "r", WEB))
    one = failed("escalation", of)
    assert one.remedy is not None
    assert "delete" not in one.remedy.command
    assert one.remedy.command.endswith("kubectl auth can-i --list --as=system:serviceaccount:shop:web")


def test_a_name_that_begins_like_an_option_is_none() -> None:
    one = failed("administrators", cluster(binding("-x", "cluster-admin", "User eve")))
    assert one.remedy is not None
    assert "kubectl get clusterrolebinding/-x -o yaml" in one.remedy.command
    assert "kubectl delete clusterrolebinding/-x" in one.remedy.command


def test_everything_in_one_namespace_is_not_everything() -> None:
    assert fails("administrators", cluster(binding("b", "cluster-admin", "User eve", namespace="shop"))) == []


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (("escalate", RBAC, "clusterroles"), True),
        (("bind", RBAC, "clusterroles", "view"), True),
        (("impersonate", "", "users", "eve"), True),
        (("get", "", "nodes/proxy"), True),
        (("create", "", "pods/exec"), True),
        (("list", "", "secrets"), True),
        (("create", "", "serviceaccounts/token"), True),
        (("approve", "certificates.k8s.io", "signers"), True),
        (("update", "admissionregistration.k8s.io", "mutatingwebhookconfigurations"), True),
        (("create", "", "persistentvolumes"), True),
        (("create", "batch", "cronjobs"), True),
        (("get", "", "secrets", "one"), False),
        (("create", "", "events"), False),
        (("get", "", "nodes/metrics"), False),
        (("get", "", "nodes/*"), False),
        (("*", "shop.example", "*"), False),
    ],
)
def test_rights_that_gain_others_are_told_of_whoever_has_them(rule: Rule, found: bool) -> None:
    of = cluster(role("r", rule), account("shop/web"), binding("b", "r", WEB))
    assert fails("escalation", of) == ([("ClusterRoleBinding b", WEB, "medium")] if found else [])


def test_of_people_and_of_the_platform_it_is_low() -> None:
    of = cluster(role("r", ("list", "", "secrets")), binding("b", "r", CNI, "User eve"))
    assert [one[2] for one in fails("escalation", of)] == ["low", "low"]


def test_inside_a_namespace_admin_and_edit_are_ordinary_and_escalate_is_not() -> None:
    own = role("r", ("escalate", RBAC, "roles"), namespace="shop")
    of = cluster(
        own, account("shop/web"), binding("a", "admin", WEB, namespace="shop"),
        binding("e", "edit", WEB, namespace="shop"), binding("r", "Role r", WEB, namespace="shop"),
    )  # fmt: skip
    assert fails("escalation", of) == [("RoleBinding shop/r", WEB, "low")]


@pytest.mark.parametrize(
    ("rule", "subject", "severity"),
    [
        (("*", "*", "*"), WEB, "medium"),
        (("*", "", "*"), WEB, "medium"),
        (("*", "*", "*"), CNI, "low"),
        (("*", "apps", "*"), WEB, None),
        (("*", "shop.example", "*"), WEB, None),
        (("*", "", "pods"), WEB, None),
        (("get list watch", "*", "*"), WEB, None),
    ],
)
def test_every_verb_on_everything_is_told_of_the_role(rule: Rule, subject: str, severity: str | None) -> None:
    of = cluster(role("r", rule), binding("b", "r", subject))
    assert fails("wildcard", of) == ([("ClusterRole r", "", severity)] if severity else [])


def test_a_wildcard_that_nobody_has_and_that_of_cluster_admin_are_not_told() -> None:
    assert fails("wildcard", cluster(role("r", ("*", "*", "*")), binding("b", "cluster-admin", "User eve"))) == []


@pytest.mark.parametrize(
    ("subject", "refers", "space", "severity"),
    [
        ("ServiceAccount shop/default", "cluster-admin", "", "high"),
        ("ServiceAccount kube-system/default", "cluster-admin", "", "high"),
        ("User system:serviceaccount:shop:default", "cluster-admin", "", "high"),
        ("ServiceAccount shop/default", "edit", "shop", "medium"),
        ("ServiceAccount shop/default", "reader", "", "low"),
        ("ServiceAccount shop/default", "empty", "", None),
        (WEB, "cluster-admin", "", None),
        ("ServiceAccount default/web", "cluster-admin", "", None),
    ],
)
def test_the_default_account_has_no_rights_of_its_own(
    subject: str, refers: str, space: str, severity: str | None
) -> None:
    of = cluster(role("reader", ("get", "", "pods")), role("empty"), binding("b", refers, subject, namespace=space))
    assert [one[2] for one in fails("default_account", of)] == ([severity] if severity else [])


def test_a_binding_to_masters_is_told_and_kubernetes_own_is_not() -> None:
    assert fails("masters", cluster()) == []
    found = fails("masters", cluster(binding("b", "view", "Group system:masters")))
    assert found == [("ClusterRoleBinding b", "Group system:masters", "low")]


DANGLING: dict[str, tuple[Iterable[Document], list[tuple[str, str, str]]]] = {
    "a role that is not there": (
        [binding("b", "gone", "User eve")],
        [("ClusterRoleBinding b", "role", "low")],
    ),
    "a Role of another namespace": (
        [role("r", namespace="shop"), binding("b", "Role r", "User eve", namespace="ops")],
        [("RoleBinding ops/b", "role", "low")],
    ),
    "an account that is not there": (
        [binding("b", "view", WEB)],
        [("ClusterRoleBinding b", WEB, "low")],
    ),
    "a strong role for an account that is not there": (
        [binding("b", "cluster-admin", WEB)],
        [("ClusterRoleBinding b", WEB, "medium")],
    ),
    "both are there": ([account("shop/web"), binding("b", "view", WEB)], []),
    "users and groups are nowhere": ([binding("b", "view", "User eve", "Group ops")], []),
    "Kubernetes' own for an account that never was": ([], []),
}


@pytest.mark.parametrize("name", DANGLING)
def test_what_points_at_nothing_is_told(name: str) -> None:
    objects, expected = DANGLING[name]
    assert fails("dangling", cluster(*objects)) == expected


def test_where_accounts_or_roles_were_not_all_seen_none_is_missing() -> None:
    whole = [kind for kind in WHOLE if kind not in {"ServiceAccount", "ClusterRole"}]
    assert fails("dangling", cluster(binding("b", "view", WEB), binding("c", "gone", "User x"), whole=whole)) == []


def test_taking_a_dangling_binding_back_breaks_nothing_and_is_one_command() -> None:
    found = failed("dangling", cluster(binding("b", "gone", "User eve", "User mallory")))
    assert found.remedy
    assert found.remedy.command.endswith("kubectl delete clusterrolebinding b")
