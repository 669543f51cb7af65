"""Claims about exports of providers: what is cited is the audit event inside, in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.document import Document
from kubewitness.model.incident import Evidence
from kubewitness.rules.loader import RuleSet
from tests.incident.logs import Log
from tests.incident.test_intrusions import anonymous_intrusion, open_the_door

Wrap = Callable[[list[bytes]], list[bytes]]


def gke(lines: list[bytes]) -> list[bytes]:
    """Cloud Audit LogEntries: the event is told in other words."""
    return [msgspec.json.encode(_entry(msgspec.json.decode(line))) for line in lines]


def _entry(event: dict[str, Any]) -> dict[str, Any]:
    ref = event.get("objectRef", {})
    group = ref.get("apiGroup", "core")
    parts = ["namespaces", ref["namespace"]] if "namespace" in ref else []
    parts += [ref[key] for key in ("resource", "name", "subresource") if key in ref]
    method = f"io.k8s.{group.removesuffix('.k8s.io')}.v1.{ref.get('resource', 'x')}.{event['verb']}"
    notes = event["annotations"]
    payload = {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        "serviceName": "k8s.io",
        "methodName": method,
        "resourceName": "/".join([group, "v1", *parts]),
        "authenticationInfo": {"principalEmail": event["user"].get("username", "")},
        "requestMetadata": {"callerIp": event["sourceIPs"][-1], "callerSuppliedUserAgent": event["userAgent"]},
        "authorizationInfo": [{"granted": notes["authorization.k8s.io/decision"] == "allow"}],
        "status": {"code": 0 if event["responseStatus"]["code"] < 400 else 5},
        "request": event.get("requestObject", {}),
        "response": event.get("responseObject", {}),
    }
    return {
        "protoPayload": payload,
        "insertId": event["auditID"],
        "operation": {"id": event["auditID"], "producer": "k8s.io", "first": True, "last": True},
        "timestamp": event["requestReceivedTimestamp"],
        "logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity",
        "resource": {"type": "k8s_cluster", "labels": {"cluster_name": "c"}},
        "labels": notes,
    }


def messages(lines: list[bytes]) -> list[bytes]:
    return [msgspec.json.encode({"@timestamp": "2026-03-02T12:00:00Z", "message": line.decode()}) for line in lines]


def batches(lines: list[bytes]) -> list[bytes]:
    head = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":['
    return [head + b",".join(lines[at : at + 5]) + b"]}" for at in range(0, len(lines), 5)]


def prefixed(lines: list[bytes]) -> list[bytes]:
    return [b"2026-03-02T12:00:00.000Z " + line for line in lines]


WRAPS: dict[str, Wrap] = {"GKE": gke, "message": messages, "EventList": batches, "prefix": prefixed}


def cited(document: Document) -> list[Evidence]:
    out: list[Evidence] = [e for finding in document.findings for e in finding.evidence]
    for incident in document.incidents:
        out += incident.entry_point.evidence if incident.entry_point else ()
        out += [e for cause in incident.root_causes for e in cause.evidence]
        out += [e for step in incident.steps for e in step.evidence]
        out += [e for secret in incident.secrets for e in secret.evidence]
    return out


@pytest.mark.recordings
@pytest.mark.parametrize("name", WRAPS)
def test_an_intrusion_in_wrapped_events_is_told_and_cited_like_any(name: str, tmp_path: Path, rules: RuleSet) -> None:
    log = Log()
    log.quiet_day(8, 14)
    door = open_the_door(log)
    own = anonymous_intrusion(log)
    lines = WRAPS[name](log.lines())
    (tmp_path / "audit.log").write_bytes(b"\n".join(lines) + b"\n")
    data = (tmp_path / "audit.log").read_bytes()
    document = investigate([str(tmp_path)], rules=rules, options=Options())
    assert document.coverage.events == len(log.events)
    (incident,) = document.incidents
    assert set(incident.audit_ids) == set(own)
    (cause,) = incident.root_causes
    assert (cause.name, cause.created_by) == ("anonymous-admin", "kubernetes-admin")
    evidence = cited(document)
    assert door in {e.audit_id for e in evidence}
    for e in evidence:
        assert e.audit_id
        assert e.audit_id.encode() in lines[e.line - 1]
        assert data[e.offset :].startswith(lines[e.line - 1][:40])
        if e.original:
            assert e.audit_id in e.original
            assert " by " in e.summary
            assert e.time
