"""The public SigmaHQ rules for Kubernetes audit logs load unmodified and match the event that each was written for."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.rules.compile import compile_node
from kubewitness.rules.loader import RuleSet, load_rules
from tests.content.rows import make_event
from tests.corpus import CORPUS, needs_corpus
from tests.rules.naive import matches

pytestmark = needs_corpus
FOLDER = CORPUS / "SigmaHQ__sigma/rules/application/kubernetes/audit" if CORPUS else None


def _object(resource: str, group: str = "", **more: Any) -> dict[str, Any]:
    return {"resource": resource, "apiGroup": group, "namespace": "default", "name": "x", **more}


def _pod(spec: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


_CAPABLE = {"name": "c", "image": "i", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}
_SHELL = "/api/v1/namespaces/default/pods/x/exec?command=%2fbin%2fbash&stdin=true"

INTENDED: dict[str, dict[str, Any]] = {
    "change_admission_controller": {
        "verb": "create",
        "objectRef": _object("mutatingwebhookconfigurations", "admissionregistration.k8s.io"),
    },
    "cronjob_modification": {"verb": "update", "objectRef": _object("cronjobs", "batch")},
    "deployment_deleted": {"verb": "delete", "objectRef": _object("deployments", "apps")},
    "events_deleted": {"verb": "delete", "objectRef": _object("events")},
    "exec_into_container": {"verb": "create", "objectRef": _object("pods", subresource="exec")},
    "hostpath_mount": {
        "verb": "create",
        "objectRef": _object("pods"),
        "requestObject": _pod({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
    },
    "pod_in_system_namespace": {"verb": "create", "objectRef": _object("pods", namespace="kube-system")},
    "potential_enumeration_activity": {
        "verb": "create",
        "objectRef": _object("pods", subresource="exec"),
        "requestURI": _SHELL,
        "responseStatus": {"code": "ALLOW"},
    },
    "privileged_pod_creation": {
        "verb": "create",
        "objectRef": _object("pods"),
        "requestObject": _pod({"containers": [_CAPABLE]}),
    },
    "rbac_permisions_listing": {
        "verb": "create",
        "objectRef": _object("selfsubjectrulesreviews", "authorization.k8s.io"),
    },
    "rolebinding_modification": {
        "verb": "patch",
        "objectRef": _object("clusterrolebindings", "rbac.authorization.k8s.io"),
    },
    "secrets_enumeration": {"verb": "list", "objectRef": _object("secrets", name="")},
    "secrets_modified_or_deleted": {"verb": "delete", "objectRef": _object("secrets")},
    "serviceaccount_creation": {"verb": "create", "objectRef": _object("serviceaccounts")},
    "sidecar_injection": {"verb": "patch", "objectRef": _object("deployments", "apps")},
    "unauthorized_unauthenticated_actions": {"verb": "list", "responseStatus": {"code": 403}},
}


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    assert FOLDER is not None
    return load_rules([FOLDER])


def test_all_of_them_load(rules: RuleSet) -> None:
    assert FOLDER is not None
    assert (rules.errors, rules.skipped) == ((), ())
    assert [rule.id for rule in rules.rules] == sorted(path.stem for path in FOLDER.glob("*.yml"))


@pytest.mark.parametrize("name", INTENDED)
def test_each_matches_its_event_and_no_harmless_one(name: str, rules: RuleSet) -> None:
    rule = next((rule for rule in rules.rules if rule.id.endswith(name)), None)
    assert rule is not None, [rule.id for rule in rules.rules]
    intended = make_event(INTENDED[name])
    harmless = make_event({"verb": "get", "objectRef": _object("configmaps")})
    assert matches(rule.condition, intended)
    assert not matches(rule.condition, harmless)
    assert compile_node(rule.condition)(intended)


def test_every_rule_has_its_event(rules: RuleSet) -> None:
    assert len(rules.rules) == len(INTENDED)
