"""Grants to anybody: every way of giving them is seen and weighed by the role, and benign ones pass by content."""

from __future__ import annotations

import json

import pytest

from tests.posture.access.cluster import (
    Document,
    Rule,
    binding,
    cluster,
    failed,
    fails,
    fresh,
    made,
    role,
)
from tests.posture.made import results

ANONYMOUS = "User system:anonymous"
NOBODY = "Group system:unauthenticated"
EVERYBODY = "Group system:authenticated"
ACCOUNTS = "Group system:serviceaccounts"
INFO = "kubeadm:bootstrap-signer-clusterinfo"
SECRETS: Rule = ("get list", "", "secrets")


def altered(name: str, kind: str = "ClusterRole", version: str = "v1.34.4", **changed: object) -> Document:
    """An object of Kubernetes' own, changed."""
    (found,) = (one for one in fresh(version) if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return found | changed


def more(name: str, *rules: Document, version: str = "v1.34.4") -> Document:
    """A role of Kubernetes' own with further rules."""
    found = altered(name, version=version)
    return found | {"rules": [*found["rules"], *rules]}


ALL = {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}


@pytest.mark.parametrize("subject", [ANONYMOUS, NOBODY])
@pytest.mark.parametrize(
    ("rule", "severity"),
    [
        (("*", "*", "*"), "critical"),
        (("create", "", "pods"), "critical"),
        (SECRETS, "critical"),
        (("get", "", "secrets", "one"), "critical"),
        (("update", "", "configmaps"), "critical"),
        (("get", "", "services/proxy"), "critical"),
        (("get", "", "nodes/proxy"), "critical"),
        (("get list", "", "pods"), "high"),
        (("get", "", "configmaps", "logo"), "low"),
        (("create", "authorization.k8s.io", "selfsubjectaccessreviews"), "low"),
        (("get", "shop.example", "offers"), "low"),
    ],
)
def test_a_grant_to_nobody_is_as_bad_as_its_role(subject: str, rule: Rule, severity: str) -> None:
    of = cluster(role("r", rule), binding("b", "r", subject))
    assert fails("anonymous_grant", of) == [("ClusterRoleBinding b", subject, severity)]
    assert fails("everybody_grant", of) == []


@pytest.mark.parametrize("subject", [EVERYBODY, ACCOUNTS])
@pytest.mark.parametrize(
    ("rule", "severity"),
    [
        (("*", "*", "*"), "critical"),
        (SECRETS, "critical"),
        (("update", "", "configmaps"), "high"),
        (("get list", "", "pods"), "medium"),
        (("get list", "", "namespaces"), "informational"),
        (("get", "shop.example", "offers"), "informational"),
        (("use", "policy", "podsecuritypolicies", "privileged"), "informational"),
    ],
)
def test_a_grant_to_everybody_is_a_step_milder(subject: str, rule: Rule, severity: str) -> None:
    of = cluster(role("r", rule), binding("b", "r", subject))
    assert fails("everybody_grant", of) == [("ClusterRoleBinding b", subject, severity)]
    assert fails("anonymous_grant", of) == []


def test_a_binding_of_a_namespace_counts_with_a_role_and_with_a_cluster_role() -> None:
    of = cluster(
        role("r", SECRETS, namespace="shop"),
        binding("a", "Role r", ANONYMOUS, namespace="shop"),
        binding("b", "edit", NOBODY, namespace="shop"),
    )
    assert fails("anonymous_grant", of) == [
        ("RoleBinding shop/a", ANONYMOUS, "critical"),
        ("RoleBinding shop/b", NOBODY, "critical"),
    ]


def test_a_role_that_aggregates_is_worth_what_it_selects() -> None:
    whole = role("all", aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"to": "all"}}]})
    of = cluster(whole, role("part", SECRETS, labels={"to": "all"}), binding("b", "all", NOBODY))
    assert fails("anonymous_grant", of) == [("ClusterRoleBinding b", NOBODY, "critical")]
    none = cluster(whole, role("part", SECRETS, labels={"to": "none"}), binding("b", "all", NOBODY))
    assert fails("anonymous_grant", none) == [("ClusterRoleBinding b", NOBODY, "low")]


def test_a_role_changed_under_an_ordinary_binding_is_seen() -> None:
    of = cluster(more("system:public-info-viewer", ALL))
    assert fails("anonymous_grant", of) == [("ClusterRoleBinding system:public-info-viewer", NOBODY, "critical")]
    assert fails("everybody_grant", of) == [("ClusterRoleBinding system:public-info-viewer", EVERYBODY, "critical")]


@pytest.mark.parametrize(
    ("objects", "version"),
    [
        ((), "v1.34.4"),
        ((), "v1.20.2"),
        (
            (
                role(INFO, ("get", "", "configmaps", "cluster-info"), namespace="kube-public"),
                binding(INFO, f"Role {INFO}", ANONYMOUS, namespace="kube-public"),
            ),
            "v1.34.4",
        ),
        # left from 1.13 and older by upgrades
        ((binding("system:discovery", "system:discovery", EVERYBODY, NOBODY),), "v1.28.0"),
        ((binding("system:basic-user", "system:basic-user", EVERYBODY, NOBODY),), "v1.28.0"),
    ],
)
def test_what_kubernetes_and_kubeadm_make_passes_and_says_why(objects: tuple[Document, ...], version: str) -> None:
    told = results("access/anonymous_grant", cluster(*objects, version=version))
    assert {one.status for one in told} == {"pass"}
    assert all("by content" in one.reason.en for one in told)
    assert told


@pytest.mark.parametrize(
    "near",
    [
        # of the name of kubeadm's, with another name of a ConfigMap, another verb, another namespace
        (role(INFO, ("get", "", "configmaps", "kubeadm-config"), namespace="kube-public"), "kube-public"),
        (role(INFO, ("get list", "", "configmaps"), namespace="kube-public"), "kube-public"),
        (role(INFO, ("get", "", "configmaps", "cluster-info"), namespace="kube-system"), "kube-system"),
    ],
)
def test_a_name_alone_makes_nothing_benign(near: tuple[Document, str]) -> None:
    of = cluster(near[0], binding(INFO, f"Role {INFO}", ANONYMOUS, namespace=near[1]))
    assert [one[1] for one in fails("anonymous_grant", of)] == [ANONYMOUS]


def test_a_benign_binding_with_another_role_or_a_further_subject_fails_for_that() -> None:
    swapped = cluster(binding("system:public-info-viewer", "view", EVERYBODY, NOBODY))
    assert fails("anonymous_grant", swapped) == [("ClusterRoleBinding system:public-info-viewer", NOBODY, "high")]
    joined = cluster(binding("system:public-info-viewer", "system:public-info-viewer", EVERYBODY, NOBODY, ANONYMOUS))
    assert fails("anonymous_grant", joined) == [("ClusterRoleBinding system:public-info-viewer", ANONYMOUS, "low")]


@pytest.mark.parametrize(
    "subject", ["User eve", "Group ops", "ServiceAccount shop/anonymous", "Group system:anonymous"]
)
def test_whoever_is_named_otherwise_is_not_anybody(subject: str) -> None:
    of = cluster(binding("b", "cluster-admin", subject))
    assert fails("anonymous_grant", of) == fails("everybody_grant", of) == []


def test_accounts_of_one_namespace_that_work_in_it_are_milder_than_those_that_reach_out() -> None:
    group = f"{ACCOUNTS}:shop"
    inside = cluster(binding("b", "view", group, namespace="shop"))
    outside = cluster(binding("b", "cluster-admin", group))
    assert fails("everybody_grant", inside) == [("RoleBinding shop/b", group, "informational")]
    assert fails("everybody_grant", outside) == [("ClusterRoleBinding b", group, "high")]


def test_both_names_of_nobody_in_one_binding_are_taken_out_at_once() -> None:
    of = cluster(binding("b", "cluster-admin", ANONYMOUS, "User eve", NOBODY))
    first, second = results("access/anonymous_grant", of, "fail")
    assert first.remedy
    assert second.remedy
    assert first.remedy.fix == second.remedy.fix
    assert first.remedy.command == second.remedy.command
    patch = json.loads(first.remedy.command.partition("-p '")[2].removesuffix("'"))
    assert [one["path"] for one in patch if one["op"] == "remove"] == ["/subjects/2", "/subjects/0"]


def test_a_role_that_the_evidence_has_not_is_no_pass() -> None:
    of = cluster(
        start=[binding("b", "shop", NOBODY), binding("c", "cluster-admin", NOBODY)], whole=["ClusterRoleBinding"]
    )
    told = {one.subject: one.status for one in results("access/anonymous_grant", of)}
    assert told["ClusterRoleBinding b"] == "not_evaluated"
    assert told["ClusterRoleBinding c"] == "fail"  # what every version makes is known without


@pytest.mark.parametrize("document", [{"rules": "all"}, {"rules": [{"verbs": {"a": 1}}]}, {"rules": [7]}])
def test_what_cannot_be_read_is_said(document: Document) -> None:
    of = cluster(made("ClusterRole", "x", version="rbac.authorization.k8s.io/v1", **document))
    assert [one.subject for one in results("access/anonymous_grant", of, "not_evaluated")] == ["ClusterRole x"]


def test_where_it_was_read_is_told() -> None:
    found = failed("anonymous_grant", cluster(binding("b", "cluster-admin", "User eve", ANONYMOUS)))
    assert (found.where[0].object, found.where[0].path) == ("ClusterRoleBinding b", "subjects[1]")
    assert found.where[0].line > 0
    assert found.where[1].object == "ClusterRole cluster-admin"
