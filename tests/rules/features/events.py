"""Audit events for the tests of fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.evidence import Place
from kubewitness.rules.fields import Values, getter


def event(**keys: Any) -> Event:
    """The event with these keys, through the same decoding as a real one."""
    return from_line(msgspec.json.encode(keys))


def from_line(line: bytes) -> Event:
    return Event(msgspec.json.decode(line, type=AuditRecord), Place("test", 1, 0), line)


def first_event(path: Path) -> Event:
    return from_line(path.read_bytes().splitlines()[0])


def request(resource: str, body: object, verb: str = "create", subresource: str = "", **keys: Any) -> Event:
    """A request on a resource with a body."""
    ref = {"resource": resource, "namespace": "default", "name": "thing", "subresource": subresource}
    return event(verb=verb, objectRef=ref, requestObject=body, **keys)


def read(field: str, of: Event) -> Values:
    return getter(field)(of)
