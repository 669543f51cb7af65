"""Claims about what a request would grant."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.rules.features.rbac import Permission, Subject, permissions_of, subjects_of
from tests.corpus import CORPUS, needs_corpus
from tests.rules.features.events import event, first_event, read, request

FALCO = "falcosecurity__falco/test/trace_files/k8s_audit"


def role(*rules: dict[str, Any], verb: str = "create", **more: Any) -> Any:
    return request("clusterroles", {"rules": list(rules), **more}, verb)


def test_a_rule_is_multiplied_out_by_itself_only() -> None:
    granted = role(
        {"verbs": ["get", "list"], "resources": ["secrets"], "apiGroups": [""]},
        {"verbs": ["create"], "resources": ["pods", "pods/exec"], "apiGroups": [""]},
    )
    assert set(read("rbac.permissions", granted)) == {"get secrets", "list secrets", "create pods", "create pods/exec"}
    assert "create secrets" not in read("rbac.permissions", granted)


def test_wildcards_stay_as_written() -> None:
    granted = role({"verbs": ["*"], "resources": ["*"], "apiGroups": ["*"]}, {"verbs": ["*"], "nonResourceURLs": ["*"]})
    assert read("rbac.permissions", granted) == ("* *",)
    assert read("rbac.nonResourceURLs", granted) == ("*",)


def test_everything_of_an_api_group_is_told_with_the_group_and_of_one_rule_only() -> None:
    everywhere = {"verbs": ["*"], "resources": ["databases"], "apiGroups": ["*"]}
    apps = {"verbs": ["*"], "resources": ["*"], "apiGroups": ["apps", ""]}
    assert read("rbac.wildcardGroups", role(everywhere, apps)) == ("apps", "core")
    assert read("rbac.wildcardGroups", role({**apps, "apiGroups": ["*"]})) == ("*",)
    named = {**apps, "resourceNames": ["mine"]}
    reads = {**apps, "verbs": ["get", "list"]}
    assert not read("rbac.wildcardGroups", role(everywhere, named, reads, {**apps, "apiGroups": [7, None]}))


def test_permissions_on_named_objects_can_be_told_from_those_on_all() -> None:
    granted = role(
        {"verbs": ["get"], "resources": ["secrets"], "resourceNames": ["mine"]},
        {"verbs": ["list"], "resources": ["pods"]},
    )
    assert permissions_of(granted) == (Permission("get", "secrets", True), Permission("list", "pods", False))
    assert set(read("rbac.permissions", granted)) == {"get secrets", "list pods"}
    assert read("rbac.unnamedPermissions", granted) == ("list pods",)


def test_a_dangerous_permission_is_not_lost_behind_thousands_of_invented_ones() -> None:
    noise = {"verbs": [f"v{n}" for n in range(100)], "resources": [f"r{n}" for n in range(100)]}
    granted = role(noise, {"verbs": ["escalate"], "resources": ["clusterroles"]})
    assert len(read("rbac.permissions", granted)) == 2_000
    assert "escalate clusterroles" in read("rbac.permissions", granted)


def test_a_json_patch_of_a_role_shows_what_it_adds() -> None:
    whole = [{"op": "add", "path": "/rules/-", "value": {"verbs": ["*"], "resources": ["*"]}}]
    assert read("rbac.permissions", request("clusterroles", whole, "patch")) == ("* *",)
    one_verb = [{"op": "add", "path": "/rules/0/verbs/-", "value": "escalate"}]
    assert read("rbac.permissions", request("clusterroles", one_verb, "patch")) == ("escalate ?",)


def test_aggregation_labels_are_read_from_objects_and_patches() -> None:
    label = "rbac.authorization.k8s.io/aggregate-to-admin"
    made = role(metadata={"labels": {label: "true", "app": "x"}})
    assert read("rbac.aggregates", made) == (f"{label}=true",)
    patch = [{"op": "add", "path": "/metadata/labels/" + label.replace("/", "~1"), "value": "true"}]
    assert read("rbac.aggregates", request("clusterroles", patch, "patch")) == (f"{label}=true",)


def test_the_subjects_and_role_of_a_binding() -> None:
    binding = request(
        "rolebindings",
        {
            "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [
                {"kind": "User", "name": "system:anonymous"},
                {"kind": "Group", "name": "system:unauthenticated"},
                {"kind": "ServiceAccount", "namespace": "kube-system", "name": "default"},
                {"kind": "ServiceAccount", "name": "local"},
                {"kind": "Robot", "name": "x"},
            ],
        },
    )
    assert read("rbac.roleKind", binding) == ("ClusterRole",)
    assert read("rbac.roleName", binding) == ("cluster-admin",)
    assert read("rbac.subjects", binding) == (
        "User:system:anonymous",
        "Group:system:unauthenticated",
        "ServiceAccount:kube-system/default",
        "ServiceAccount:default/local",
    )
    assert read("rbac.subjectNamespaces", binding) == ("kube-system", "default")


def test_a_service_account_bound_by_its_user_name_is_that_service_account() -> None:
    subject = {"kind": "User", "name": "system:serviceaccount:dev:builder"}
    bound = subjects_of(request("clusterrolebindings", {"subjects": [subject]}))
    assert Subject("ServiceAccount", "dev", "builder") in bound


def test_a_json_patch_of_a_binding_shows_whom_it_adds() -> None:
    patch = [{"op": "add", "path": "/subjects/-", "value": {"kind": "User", "name": "eve"}}]
    assert read("rbac.subjects", request("clusterrolebindings", patch, "patch")) == ("User:eve",)
    removal = [{"op": "remove", "path": "/subjects/0"}]
    assert read("rbac.subjects", request("clusterrolebindings", removal, "patch")) == ()


def test_rules_of_other_kinds_grant_nothing() -> None:
    rules = {"rules": [{"verbs": ["*"], "resources": ["*"], "operations": ["CREATE"]}]}
    assert read("rbac.permissions", request("validatingadmissionpolicies", rules)) == ()
    assert read("rbac.permissions", request("ingresses", rules)) == ()
    assert read("rbac.permissions", event(requestObject={"kind": "ClusterRole", **rules})) == ("* *",)


@needs_corpus
@pytest.mark.parametrize(
    ("trace", "field", "value"),
    [
        ("attach_cluster_admin_role", "rbac.roleName", "cluster-admin"),
        ("attach_cluster_admin_role", "rbac.subjects", "User:minikube"),
        ("create_cluster_role_wildcard_resources", "rbac.permissions", "get *"),
        ("create_cluster_role_wildcard_verbs", "rbac.permissions", "* pods"),
        ("create_cluster_role_pod_exec", "rbac.permissions", "get pods/exec"),
        ("modify_cluster_role_node_problem_detector", "rbac.permissions", "patch nodes/status"),
    ],
)
def test_real_grants(trace: str, field: str, value: str) -> None:
    assert CORPUS is not None
    assert value in read(field, first_event(CORPUS / FALCO / f"{trace}.json"))


@pytest.mark.parametrize(
    ("by", "subject", "own"),
    [
        ("jane", {"kind": "User", "name": "jane"}, (True,)),
        ("jane", {"kind": "User", "name": "joe"}, (False,)),
        ("jane", {"kind": "Group", "name": "jane"}, (False,)),
        ("system:serviceaccount:shop:web", {"kind": "ServiceAccount", "namespace": "shop", "name": "web"}, (True,)),
        ("system:serviceaccount:shop:web", {"kind": "User", "name": "system:serviceaccount:shop:web"}, (True,)),
        ("system:serviceaccount:shop:web", {"kind": "ServiceAccount", "namespace": "bank", "name": "web"}, (False,)),
        ("jane", None, ()),
    ],
)
def test_a_binding_that_names_its_author_says_so(
    by: str, subject: dict[str, str] | None, own: tuple[bool, ...]
) -> None:
    body = {"kind": "RoleBinding", "roleRef": {"name": "admin"}, "subjects": [subject] if subject else []}
    assert read("rbac.grantsAuthor", request("rolebindings", body, user={"username": by})) == own
