"""Exposed data: each grade claims what the log can tell and no more."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kubewitness.incident.exposure.pod_contents import contents_of
from kubewitness.model.incident import Exposure
from tests.incident.conftest import Investigate
from tests.incident.identity.test_attribution import INTRUDER, only
from tests.incident.logs import KUBECTL, Log, account, allowed_by

DEPLOYER = account("ci", "deployer")
STOLEN: dict[str, Any] = {
    "by": DEPLOYER, "address": INTRUDER, "agent": KUBECTL,
    "reason": allowed_by("ci-view", "ClusterRole view-plus", "ServiceAccount deployer/ci"),
}  # fmt: skip
SECRET = {"kind": "Secret", "metadata": {"name": "db", "namespace": "shop"}, "data": {"password": "eA=="}}
SPEC = {
    "serviceAccountName": "web", "nodeName": "node1",
    "containers": [{"name": "c", "image": "a", "envFrom": [{"secretRef": {"name": "gateway"}}],
                    "env": [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "db", "key": "p"}}}]}],
    "volumes": [{"name": "v", "secret": {"secretName": "tls"}}, {"name": "c", "configMap": {"name": "db-credentials"}},
                {"name": "k", "configMap": {"name": "kube-root-ca.crt"}}],
}  # fmt: skip
CURL = STOLEN | {"agent": "curl/8.5.0"}


def _log() -> Log:
    log = Log()
    log.quiet_day()
    for hour in range(6, 20):
        log.request("list", "endpoints", at=f"{hour:02}:10", by=DEPLOYER, address="10.0.1.7", namespace="ci")
    log.request("create", "selfsubjectrulesreviews", at="14:00", body={"spec": {"namespace": "default"}}, **STOLEN)
    log.request("list", "pods", at="14:00:05", namespace="shop", **STOLEN)
    # What makes it an incident, without a word about data.
    log.request("create", "mutatingwebhookconfigurations", at="14:00:10", name="hook", body={}, **STOLEN)
    log.request("delete", "events", at="14:00:20", namespace="shop", name="e", **STOLEN)
    log.request("deletecollection", "events", at="14:00:30", namespace="shop", **STOLEN)
    return log


def found(judged: Investigate, log: Log) -> dict[tuple[str, str, str], Exposure]:
    shown = only(judged(log)).exposures
    return {(one.object.kind, one.object.namespace, one.object.name): one for one in shown}


def test_values_in_the_answer_are_content(judged: Investigate) -> None:
    log = _log()
    log.request("get", "secrets", at="14:01", namespace="shop", name="db", response=SECRET, **STOLEN)
    assert found(judged, log)["secrets", "shop", "db"].detail == "content"


def test_every_object_of_a_list_in_the_answer_is_named(judged: Investigate) -> None:
    log = _log()
    log.request("list", "secrets", at="14:01", namespace="shop", response={"kind": "SecretList", "items": [SECRET]},
                **STOLEN)  # fmt: skip
    shown = found(judged, log)
    assert shown["secrets", "shop", "db"].detail == "content"
    assert ("secrets", "shop", "") not in shown


def test_a_table_in_the_answer_is_names_alone(judged: Investigate) -> None:
    log = _log()
    row = {
        "cells": ["db"],
        "object": {"kind": "PartialObjectMetadata", "metadata": {"name": "db", "namespace": "shop"}},
    }
    log.request("list", "secrets", at="14:01", namespace="shop", response={"kind": "Table", "rows": [row]}, **STOLEN)
    assert found(judged, log)["secrets", "shop", "db"].detail == "names"


def test_without_the_answer_a_read_is_likely_and_kubectl_is_said_to_be_in_doubt(judged: Investigate) -> None:
    log = _log()
    log.request("list", "secrets", at="14:01", namespace="shop", **STOLEN)
    log.request("list", "secrets", at="14:02", namespace="ci", **CURL)
    shown = found(judged, log)
    assert shown["secrets", "shop", ""].detail == shown["secrets", "ci", ""].detail == "likely_content"
    assert "names alone as a plain table" in shown["secrets", "shop", ""].description.en
    assert "table" not in shown["secrets", "ci", ""].description.en


def test_a_refused_read_exposes_nothing(judged: Investigate) -> None:
    log = _log()
    log.request("get", "secrets", at="14:01", namespace="shop", name="db", code=403, **STOLEN)
    log.request("get", "secrets", at="14:02", namespace="shop", name="dbx", code=404, **STOLEN)
    assert not {key for key in found(judged, log) if key[0] == "secrets" and key[2]}


def test_a_configmap_counts_where_it_holds_a_credential(judged: Investigate) -> None:
    log = _log()
    for name, key in (("app", "DB_PASSWORD"), ("theme", "colour")):
        body = {"kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, "data": {key: "x"}}
        log.request("get", "configmaps", at="14:01", namespace="shop", name=name, response=body, **STOLEN)
    log.request("get", "configmaps", at="14:02", namespace="shop", name="kubeconfig-ci", **STOLEN)
    log.request("get", "configmaps", at="14:02:01", namespace="shop", name="theme2", **STOLEN)
    shown = found(judged, log)
    assert {key[2]: one.detail for key, one in shown.items() if key[0] == "configmaps"} == {
        "app": "content", "kubeconfig-ci": "likely_content",
    }  # fmt: skip


def test_an_issued_token_was_in_the_answer_whatever_the_log_holds(judged: Investigate) -> None:
    log = _log()
    log.request("create", "serviceaccounts", at="14:01", namespace="shop", name="web", subresource="token", **STOLEN)
    assert found(judged, log)["serviceaccounts", "shop", "web"].detail == "content"


def _enter(log: Log, command: str = "id", pod: str = "web-1") -> None:
    log.request("create", "pods", at="14:03", namespace="shop", name=pod, subresource="exec", code=101,
                query=f"?command={command}", **STOLEN)  # fmt: skip


def test_what_an_entered_pod_mounts_is_told_from_its_spec(judged: Investigate) -> None:
    log = _log()
    body = {"kind": "Pod", "metadata": {"name": "web-1", "namespace": "shop"}, "spec": SPEC}
    log.request("get", "pods", at="14:02", namespace="shop", name="web-1", response=body, **STOLEN)
    _enter(log)
    shown = found(judged, log)
    mounted = {key for key, one in shown.items() if one.detail == "mounted"}
    assert mounted == {
        ("secrets", "shop", "gateway"), ("secrets", "shop", "db"), ("secrets", "shop", "tls"),
        ("configmaps", "shop", "db-credentials"), ("serviceaccounts", "shop", "web"),
    }  # fmt: skip


def test_a_pod_of_unknown_spec_is_told_as_such(judged: Investigate) -> None:
    log = _log()
    _enter(log)
    one = found(judged, log)["pods", "shop", "web-1"]
    assert (one.detail, one.requests) == ("mounted", 1)
    assert "no body in the evidence tells" in one.description.en


def test_a_command_that_names_the_tokens_file_makes_it_likely_read(judged: Investigate) -> None:
    log = _log()
    body = {"kind": "Pod", "metadata": {"name": "web-1", "namespace": "shop"}, "spec": SPEC}
    log.request("get", "pods", at="14:02", namespace="shop", name="web-1", response=body, **STOLEN)
    _enter(log, "cat&command=/var/run/secrets/kubernetes.io/serviceaccount/token")
    assert found(judged, log)["serviceaccounts", "shop", "web"].detail == "likely_content"


def test_a_secret_put_into_a_workload_is_mounted(judged: Investigate) -> None:
    log = _log()
    log.request(
        "patch",
        "deployments",
        at="14:02",
        namespace="shop",
        name="web",
        body=[{"op": "add", "path": "/spec/template/spec/containers/-", "value": SPEC["containers"][0]}],
        **STOLEN,
    )
    assert found(judged, log)["secrets", "shop", "gateway"].detail == "mounted"


def test_a_right_that_was_not_used_is_one_possible_entry(judged: Investigate) -> None:
    log = _log()
    for one in (
        {"kind": "ClusterRole", "metadata": {"name": "view-plus"},
         "rules": [{"apiGroups": [""], "resources": ["secrets", "pods"], "verbs": ["get", "list"]}]},
        {"kind": "ClusterRoleBinding", "metadata": {"name": "ci-view"},
         "subjects": [{"kind": "ServiceAccount", "namespace": "ci", "name": "deployer"}],
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view-plus"}},
    ):  # fmt: skip
        kind = f"{str(one['kind']).lower()}s"
        log.admin("create", kind, at="06:01", name=str(one["metadata"]["name"]), body=one, response=one)  # type: ignore[index]
    shown = found(judged, log)
    assert [key for key, one in shown.items() if one.detail == "possible"] == [("secrets", "", "")]
    assert "is not seen to have read others than those listed" in shown["secrets", "", ""].description.en


def test_a_right_that_is_not_there_is_not_possible(judged: Investigate) -> None:
    assert not found(judged, _log())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["secret", "secretName", "secretRef", "imagePullSecrets", "spec", "name", "configMap"]),
            inner,
        )
    ),
    max_leaves=30,
)


@given(_JSON)
def test_no_body_breaks_the_walk_and_names_are_names(body: object) -> None:
    contents = contents_of(body)
    assert all(0 < len(name) <= 253 for name in (*contents.secrets, *contents.configs))


def test_a_body_of_great_depth_is_walked() -> None:
    body: object = {"secretRef": {"name": "deep"}}
    for _ in range(5_000):
        body = {"a": body}
    assert contents_of(body).secrets == {"deep"}


def test_a_pod_that_no_kubelet_knows_was_not_entered_though_one_is_called_alike(judged: Investigate) -> None:
    log = _log()
    at = {"namespace": "", "name": "node-a", "subresource": "proxy", **CURL}
    for second, (pod, code) in enumerate((("web", 404), ("web-0", 200))):
        log.request("create", "nodes", at=f"14:01:0{second}", code=code,
                    uri=f"/api/v1/nodes/node-a/proxy/run/shop/{pod}/web?cmd=id", **at)  # fmt: skip
    shown = found(judged, log)
    assert ("pods", "shop", "web") not in shown
    assert ("pods", "shop", "web-0") in shown


def test_a_credential_of_the_machine_that_a_command_read_is_told_and_one_that_was_listed_is_not(
    judged: Investigate,
) -> None:
    log = _log()
    body = {"kind": "Pod", "metadata": {"name": "web-1", "namespace": "shop"},
            "spec": {"nodeName": "node-a", "containers": [{"name": "c", "image": "a"}],
                     "volumes": [{"name": "h", "hostPath": {"path": "/"}}]}}  # fmt: skip
    log.request("create", "pods", at="14:02", namespace="shop", name="web-1", body=body, response=body, **STOLEN)
    for command in ("cat%20/host/etc/shadow", "ls%20/host/etc/kubernetes/kubelet.conf", "cat%20/host/etc/shadowed.md"):
        _enter(log, command)
    files = {key[2]: one.detail for key, one in found(judged, log).items() if key[0] == "files"}
    assert [(name.rpartition(":")[2], detail) for name, detail in files.items()] == [("/etc/shadow", "likely_content")]
