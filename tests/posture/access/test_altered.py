"""What somebody altered in Kubernetes' own is weighed by what it adds; what Kubernetes did itself is no failure."""

from __future__ import annotations

import pytest

from tests.posture.access.cluster import Document, binding, cluster, failed, fails, made, role
from tests.posture.access.test_grants import altered, more
from tests.posture.made import results

GET_SECRETS: Document = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["secrets"]}
GET_PODS: Document = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
PROTECTED = {"rbac.authorization.kubernetes.io/autoupdate": "false"}
BOOTSTRAPPING = {"kubernetes.io/bootstrapping": "rbac-defaults"}


def protected(document: Document) -> Document:
    return document | {"metadata": document["metadata"] | {"annotations": PROTECTED}}


def into(name: str) -> dict[str, str]:
    return {f"rbac.authorization.k8s.io/aggregate-to-{name}": "true"}


NODE = "ClusterRole system:node-problem-detector"
CASES: dict[str, tuple[Document, list[tuple[str, str, str]]]] = {
    "a rule that gains others": (
        more("system:node-problem-detector", GET_SECRETS), [(NODE, "extra_rule", "high")],
    ),
    "a rule that reads": (more("system:node-problem-detector", GET_PODS), [(NODE, "extra_rule", "low")]),
    "a subject of the strongest role": (
        binding("cluster-admin", "cluster-admin", "Group system:masters", "User eve"),
        [("ClusterRoleBinding cluster-admin", "extra_subject", "high")],
    ),
    "a subject of a harmless role": (
        binding("system:discovery", "system:discovery", "Group system:authenticated", "User eve"),
        [("ClusterRoleBinding system:discovery", "extra_subject", "low")],
    ),
    "another role": (
        binding("system:kube-dns", "cluster-admin", "ServiceAccount kube-system/kube-dns"),
        [("ClusterRoleBinding system:kube-dns", "swapped_role", "high")],
    ),
    "shut off from repair": (
        protected(altered("system:discovery")), [("ClusterRole system:discovery", "protected", "low")],
    ),
    "altered and shut off from repair": (
        protected(more("system:node-problem-detector", GET_SECRETS)),
        [(NODE, "extra_rule", "high"), (NODE, "protected", "medium")],
    ),
    "the label of Kubernetes' own": (
        role("helper", ("create", "", "pods"), labels=BOOTSTRAPPING),
        [("ClusterRole helper", "foreign_label", "medium")],
    ),
    "the label on what is harmless": (
        role("helper", ("get", "", "pods"), labels=BOOTSTRAPPING), [("ClusterRole helper", "foreign_label", "low")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_an_alteration_is_weighed_by_what_it_gives(name: str) -> None:
    document, expected = CASES[name]
    assert fails("altered_default", cluster(document)) == expected


def test_what_was_added_and_where_is_told() -> None:
    found = failed("altered_default", cluster(more("system:node-problem-detector", GET_SECRETS)))
    assert "secrets" in found.observed.en
    assert found.where[0].object == NODE


@pytest.mark.parametrize(
    "document",
    [
        role("system:node-problem-detector", ("get", "", "nodes"), labels=BOOTSTRAPPING),  # rules taken away
        # as 1.13 made it
        binding("system:discovery", "system:discovery", "Group system:authenticated", "Group system:unauthenticated"),
        role("system:metrics-server", ("get", "", "nodes/metrics")),
        binding("mine", "cluster-admin", "User eve"),
    ],
)
def test_what_is_missing_or_left_or_nobody_elses_is_no_alteration(document: Document) -> None:
    assert fails("altered_default", cluster(document)) == []


@pytest.mark.parametrize(
    ("document", "severity"),
    [
        (role("shop", ("get list", "", "secrets"), labels=into("view")), "high"),
        (role("shop", ("*", "*", "*"), labels=into("admin")), "high"),
        (role("shop", ("create", "", "serviceaccounts/token", "boss"), labels=into("admin")), None),  # admin has it
        (role("shop", ("get", "", "nodes/proxy"), labels=into("edit")), "medium"),
        (role("shop", ("*", "shop.example", "*"), labels=into("edit")), None),
        (role("shop", ("get list", "", "secrets"), labels={"to": "view"}), None),
    ],
)
def test_foreign_rights_in_admin_edit_and_view_are_told(document: Document, severity: str | None) -> None:
    told = [one[2] for one in fails("injected_rights", cluster(document))]
    assert told == ([severity] if severity else [])


def test_on_openshift_its_own_names_are_low() -> None:
    mark = made("ClusterVersion", "version", version="config.openshift.io/v1")
    own = role("system:openshift:aggregate-to-view", ("get list", "", "secrets"), labels=into("view"))
    assert [one[2] for one in fails("injected_rights", cluster(mark, own))] == ["low"]
    assert [one[2] for one in fails("injected_rights", cluster(own))] == ["high"]


@pytest.mark.parametrize(
    ("document", "severity"),
    [
        (role("system:controller:kube-controller", ("*", "*", "*")), "high"),
        (binding("system:controller:kube-controller", "cluster-admin", "User x"), "high"),
        (role("system:controller:kube-controller", ("update", "", "configmaps")), "medium"),
        (role("system:controller:kube-controller", ("get", "", "pods")), "low"),
        (role("system:controller:glbc", ("*", "*", "*")), None),
        (role("system:kube-controller", ("*", "*", "*")), None),
        (role("shop:controller:x", ("*", "*", "*")), None),
    ],
)
def test_only_kubernetes_controllers_have_such_names(document: Document, severity: str | None) -> None:
    assert [one[2] for one in fails("disguised", cluster(document))] == ([severity] if severity else [])


def test_a_role_of_an_older_version_passes_with_the_reason() -> None:
    left = altered("system:csi-external-attacher", version="v1.16.0")
    told = results("access/altered_default", cluster(left), "pass")
    assert any("left from" in one.observed.en for one in told)
    assert fails("disguised", cluster(left)) == []
