"""Reading one piece in a test: the events, failures and notes apart, and an event to vary."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from kubewitness.model.event import Event
from kubewitness.model.evidence import Note, ParseFailure, Place
from kubewitness.sources.records import Seen, read_record

EVENT: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "Request",
    "auditID": "7f0d9c1e-0001",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/shop/pods/web/exec?command=id",
    "verb": "create",
    "user": {"username": "alice", "groups": ["dev", "system:authenticated"]},
    "sourceIPs": ["203.0.113.9", "10.0.0.7"],
    "userAgent": "kubectl/v1.29.1",
    "objectRef": {"resource": "pods", "namespace": "shop", "name": "web", "apiVersion": "v1", "subresource": "exec"},
    "responseStatus": {"metadata": {}, "code": 101},
    "requestReceivedTimestamp": "2024-05-01T10:00:00.000001Z",
    "stageTimestamp": "2024-05-01T10:00:00.100000Z",
    "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "RBAC: x"},
}


@dataclass
class Read:
    events: list[Event] = field(default_factory=list)
    failures: list[ParseFailure] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    formats: dict[str, int] = field(default_factory=dict)

    @property
    def reasons(self) -> list[str]:
        return [failure.reason for failure in self.failures]

    @property
    def noted(self) -> list[str]:
        return [note.reason for note in self.notes]


def compact(value: Any) -> bytes:
    """As the API server writes it."""
    return json.dumps(value, separators=(",", ":")).encode()


def event(**changes: Any) -> bytes:
    """EVENT with changes; None takes a member away."""
    return compact({key: value for key, value in (EVENT | changes).items() if value is not None})


def read(data: bytes | str | dict[str, Any] | list[Any], seen: Seen | None = None) -> Read:
    """Read one piece; values are written as compact JSON."""
    text = data if isinstance(data, bytes) else data.encode() if isinstance(data, str) else compact(data)
    seen = seen or Seen()
    result = Read()
    for reading in read_record(text, Place("audit.log", 7, 100, len(text)), seen):
        if isinstance(reading, Event):
            result.events.append(reading)
        elif isinstance(reading, ParseFailure):
            result.failures.append(reading)
        else:
            result.notes.append(reading)
    result.formats = dict(seen.formats)
    return result


def only(data: bytes | str | dict[str, Any] | list[Any]) -> Event:
    """The one event of a piece that must read without a failure."""
    result = read(data)
    assert result.reasons == []
    assert len(result.events) == 1
    return result.events[0]


def is_the_event(found: Event) -> None:
    """It is EVENT in every part rules look at."""
    assert found.audit_id == EVENT["auditID"]
    assert found.identity == "alice"
    assert found.user.groups == ("dev", "system:authenticated")
    assert found.address == "10.0.0.7"
    assert (found.verb, found.resource, found.subresource) == ("create", "pods", "exec")
    assert (found.namespace, found.name) == ("shop", "web")
    assert found.code == 101
    assert found.decision == "allow"
    assert found.record.requestURI == EVENT["requestURI"]
    assert found.record.userAgent == EVENT["userAgent"]
    assert found.record.level == "Request"
    assert found.time is not None
    assert found.time.isoformat() == "2024-05-01T10:00:00.000001+00:00"
