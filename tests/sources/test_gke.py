"""GKE: what a LogEntry tells is put back, what it does not tell stays away."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.sources.records import Seen
from tests.sources.reading import only, read


def entry(
    method: str = "io.k8s.core.v1.pods.create", target: str = "core/v1/namespaces/shop/pods/web", **more: Any
) -> dict[str, Any]:
    payload = {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        "authenticationInfo": {"principalEmail": "alice@example.com"},
        "requestMetadata": {"callerIp": "203.0.113.9", "callerSuppliedUserAgent": "kubectl/v1.29"},
        "serviceName": "k8s.io",
        "methodName": method,
        "resourceName": target,
        "status": {},
    }
    return {
        "insertId": "i1",
        "operation": {"id": "op-1", "producer": "k8s.io"},
        "labels": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "RBAC: y"},
        "protoPayload": payload | more,
        "timestamp": "2024-05-01T10:00:00.5Z",
    }


def test_who_what_when_and_from_where_are_put_back() -> None:
    found = only(entry())
    assert (found.audit_id, found.identity, found.address) == ("op-1", "alice@example.com", "203.0.113.9")
    assert (found.verb, found.resource, found.namespace, found.name) == ("create", "pods", "shop", "web")
    assert found.record.requestURI == "/api/v1/namespaces/shop/pods/web"
    assert (found.decision, found.reason, found.succeeded) == ("allow", "RBAC: y", True)
    assert found.record.requestReceivedTimestamp == "2024-05-01T10:00:00.500000Z"
    assert found.record.userAgent == "kubectl/v1.29"


@pytest.mark.parametrize(
    ("method", "target", "reference", "path"),
    [
        ("io.k8s.core.v1.pods.exec.create", "core/v1/namespaces/shop/pods/web/exec/web",
         ("", "pods", "shop", "web", "exec"), "/api/v1/namespaces/shop/pods/web/exec"),
        ("io.k8s.core.v1.pods.list", "core/v1/namespaces/shop/pods",
         ("", "pods", "shop", "", ""), "/api/v1/namespaces/shop/pods"),
        ("io.k8s.core.v1.secrets.list", "core/v1/secrets", ("", "secrets", "", "", ""), "/api/v1/secrets"),
        ("io.k8s.core.v1.namespaces.create", "core/v1/namespaces/shop",
         ("", "namespaces", "shop", "shop", ""), "/api/v1/namespaces/shop"),
        ("io.k8s.core.v1.namespaces.finalize.update", "core/v1/namespaces/shop/finalize",
         ("", "namespaces", "shop", "shop", "finalize"), "/api/v1/namespaces/shop/finalize"),
        ("io.k8s.authorization.rbac.v1.clusterrolebindings.create",
         "rbac.authorization.k8s.io/v1/clusterrolebindings/x",
         ("rbac.authorization.k8s.io", "clusterrolebindings", "", "x", ""),
         "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/x"),
        ("io.cert-manager.v1.certificates.patch", "cert-manager.io/v1/namespaces/a/certificates/c",
         ("cert-manager.io", "certificates", "a", "c", ""), "/apis/cert-manager.io/v1/namespaces/a/certificates/c"),
    ],
)  # fmt: skip
def test_names_become_reference_and_path(method: str, target: str, reference: tuple[str, ...], path: str) -> None:
    found = only(entry(method, target))
    ref = found.object_ref
    assert (ref.apiGroup, ref.resource, ref.namespace, ref.name, ref.subresource) == reference
    assert found.record.requestURI == path
    assert found.verb == method.rpartition(".")[2]


def test_a_request_for_no_resource_has_no_reference() -> None:
    found = only(entry("io.k8s.get", "healthz"))
    assert found.record.objectRef is None
    assert (found.verb, found.record.requestURI) == ("get", "/healthz")


@pytest.mark.parametrize(("rpc", "http"), [(0, 200), (5, 404), (6, 409), (7, 403), (16, 401), (13, 500), (99, 500)])
def test_the_rpc_code_becomes_the_http_status(rpc: int, http: int) -> None:
    assert only(entry(status={"code": rpc, "message": "m"})).code == http


def test_a_status_body_is_better_than_the_rpc_code() -> None:
    body = {"@type": "core.k8s.io/v1.Status", "code": 422, "reason": "Invalid", "status": "Failure"}
    assert only(entry(status={"code": 3}, response=body)).code == 422


def test_a_refused_permission_is_a_refusal_without_labels() -> None:
    refused = entry(status={"code": 7}, authorizationInfo=[{"permission": "io.k8s.core.v1.pods.create"}])
    del refused["labels"]
    assert only(refused).decision == "forbid"


def test_an_internal_caller_has_no_address() -> None:
    assert only(entry(requestMetadata={"callerIp": "private"})).source_ips == ()


def test_bodies_tell_the_level() -> None:
    assert only(entry()).record.level == "Metadata"
    assert only(entry(request={"@type": "k8s.io/Patch", "spec": {}})).record.level == "Request"
    found = only(entry(request={"kind": "Pod"}, response={"kind": "Pod"}))
    assert (found.record.level, found.request_object) == ("RequestResponse", {"kind": "Pod"})


def test_what_is_missing_is_said_once_per_item() -> None:
    seen = Seen()
    assert len(read(entry(), seen).notes) == 2
    assert read(entry(), seen).notes == []


def test_nothing_is_invented() -> None:
    found = only(entry(authenticationInfo={}))
    assert (found.identity, found.user.groups) == ("", ())


def test_other_services_are_named() -> None:
    result = read(entry("google.container.v1.ClusterManager.CreateCluster", serviceName="container.googleapis.com"))
    assert result.events == []
    assert "google.container.v1.ClusterManager.CreateCluster" in result.reasons[0]


SHIPPED = {"insertId": "i2", "logName": "projects/p/logs/audit", "timestamp": "2024-05-01T10:00:00.5Z"}


def test_an_audit_event_that_an_agent_shipped_from_ones_own_cluster_is_read() -> None:
    """Cloud Logging keeps what an agent sends as jsonPayload; such a cluster is not GKE."""
    event = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "a-1", "stage": "ResponseComplete", "verb": "list",
        "user": {"username": "alice"}, "requestURI": "/api/v1/pods", "requestReceivedTimestamp": "2024-05-01T10:00:00Z",
    }  # fmt: skip
    found = only(SHIPPED | {"jsonPayload": event, "resource": {"type": "gce_instance"}})
    assert (found.audit_id, found.identity, found.verb) == ("a-1", "alice", "list")


def test_what_an_application_logs_is_named_as_no_audit_event() -> None:
    found = read(SHIPPED | {"jsonPayload": {"message": "auditID", "stage": "x"}})
    assert found.events == []
    assert ["Google Cloud log entry" in reason for reason in found.reasons] == [True]
