"""Objects of any shape cost no check its answer about the others, and nothing enormous is told at length."""

from __future__ import annotations

import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.posture.access.checks import CHECKS
from kubewitness.posture.catalogue import catalogue
from kubewitness.posture.check import run
from tests.posture.access.cluster import binding, cluster, failed, made, role

RBAC = "rbac.authorization.k8s.io/v1"
KINDS = (
    "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Pod", "ServiceAccount", "Secret", "Service", "Ingress",
    "Namespace", "ConfigMap", "Deployment", "PodSecurityPolicy",
)  # fmt: skip
KEYS = (
    "rules", "subjects", "roleRef", "spec", "status", "kind", "name", "verbs", "resources", "apiGroups", "labels",
    "type", "aggregationRule", "containers", "volumes", "selector", "command", "args", "hostPath", "secrets",
    "resourceNames", "clusterRoleSelectors", "matchLabels", "template",
)  # fmt: skip
WORDS = (
    "*", "", "get", "secrets", "pods", "cluster-admin", "ClusterRole", "Group", "system:anonymous", "{x}", "\x1b[2J",
    "\x00", "a" * 300, "rbac.authorization.k8s.io", "system:serviceaccount:a:b", "system:serviceaccount:",
)  # fmt: skip
leaf = st.none() | st.booleans() | st.integers(-2, 1 << 40) | st.floats(allow_nan=False) | st.sampled_from(WORDS)
junk = st.recursive(
    leaf,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=20,
)
objects = st.builds(
    lambda kind, name, space, more: made(kind, name, space, RBAC if "Role" in kind else "v1") | more,
    st.sampled_from(KINDS),
    st.sampled_from(("x", "system:node", "{x}", "a\x1b[2J")),
    st.sampled_from(("", "shop", "kube-system")),
    st.dictionaries(st.sampled_from([key for key in KEYS if key not in {"kind", "name"}]), junk, max_size=4),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(objects, max_size=6))
def test_no_check_fails_itself_and_a_good_grant_is_still_seen(some: list[dict[str, Any]]) -> None:
    of = cluster(*some, start=[binding("open", "cluster-admin", "User system:anonymous")])
    told = run(CHECKS, catalogue(), of)
    assert [one.reason.en for one in told if "the check itself failed" in one.reason.en] == []
    assert ("fail", "ClusterRoleBinding open") in {(one.status, one.subject) for one in told}


def test_rules_of_enormous_products_are_told_shortly_and_soon() -> None:
    big = role("big")
    words = [f"r{number}" for number in range(20_000)]
    big["rules"] = [{"verbs": ["get", "list"] * 2_000, "apiGroups": ["", "apps"] * 2_000, "resources": words}] * 10
    begun = time.process_time()
    found = failed("everybody_grant", cluster(big, binding("b", "big", "Group system:authenticated")))
    assert len(found.observed.en) < 1_000
    assert time.process_time() - begun < 5


def test_impersonation_of_many_names_ends_soon_and_keeps_the_one_that_counts() -> None:
    names = " ".join([f"u{number}" for number in range(20_000)] + ["system:masters"])
    rules = role("n", ("impersonate", "", "users", "me"), ("impersonate", "", "groups", names))
    begun = time.process_time()
    found = failed("attack_path", cluster(rules, binding("b", "n", "User system:anonymous")))
    assert found.hops[-1].target == "ClusterRole cluster-admin"
    assert time.process_time() - begun < 5


def test_a_name_that_could_be_obeyed_has_no_command_and_it_is_said_why() -> None:
    found = failed("anonymous_grant", cluster(binding("a\x1b[2J", "cluster-admin", "User system:anonymous")))
    assert found.remedy is not None
    assert found.remedy.command == ""
    assert "no command is given" in found.remedy.detail.en
    assert "手动" in found.remedy.detail.zh
    plain = failed("anonymous_grant", cluster(binding("a", "cluster-admin", "User system:anonymous")))
    assert plain.remedy is not None
    assert "kubectl delete clusterrolebinding a" in plain.remedy.command
    assert not plain.remedy.detail.en
