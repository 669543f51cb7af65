"""The ledger of bindings and roles: who wrote which, when. Kept for the whole log, bounded for each object.

An intruder deletes the binding that let it in, and an administrator made it hours before; neither need be a suspect's
act near the incident. The rule `LEDGER_RULE` (kind context) picks the events.
"""

from __future__ import annotations

from typing import NamedTuple

from kubewitness.detect.reading import moved
from kubewitness.model.event import Event
from kubewitness.model.evidence import Place
from kubewitness.rules.ir import RuleId

LEDGER_RULE = RuleId("k8s_audit/persistence/rbac_object_written")
_EACH = 20  # first and last entries kept of one object
KEPT = 2 * _EACH  # an object with as many may have had more
_OBJECTS = 20_000


class Entry(NamedTuple):
    """One successful write of a binding or role."""

    time: str
    verb: str
    code: int
    identity: str
    address: str
    audit_id: str
    place: Place
    original: bytes

    @property
    def made(self) -> bool:
        """Whether it created the object (server-side apply answers 201)."""
        return self.verb == "create" or self.code == 201


class Ledger:
    """Entries by (resource, namespace, name)."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str, str], list[Entry]] = {}

    def add(self, event: Event, name: str) -> None:
        """Note a write."""
        key = (event.resource, event.namespace, name)
        if key not in self._entries and len(self._entries) >= _OBJECTS:
            return
        time = event.record.requestReceivedTimestamp
        entry = Entry(
            time, event.verb, event.code, event.identity, event.address, event.audit_id, event.place, event.original
        )
        self._put(key, entry)

    def _put(self, key: tuple[str, str, str], entry: Entry) -> None:
        entries = self._entries.setdefault(key, [])
        if any((known.audit_id, known.time) == (entry.audit_id, entry.time) for known in entries):
            return
        entries.append(entry)
        entries.sort()
        if len(entries) > KEPT:
            del entries[_EACH]

    def absorb(self, other: Ledger, line_shift: int = 0) -> None:
        """Add another part's entries; its lines are moved to where that part begins."""
        for key, entries in other._entries.items():
            for entry in entries:
                self._put(key, entry._replace(place=moved(entry.place, line_shift)))

    def of(self, resource: str, namespace: str, name: str) -> tuple[Entry, ...]:
        """Writes of one object in time order (the first and the last twenty)."""
        return tuple(self._entries.get((resource, namespace, name), ()))

    def of_kind(self, resource: str) -> dict[tuple[str, str], tuple[Entry, ...]]:
        """Writes of all objects of one resource, by (namespace, name)."""
        return {(ns, name): tuple(v) for (r, ns, name), v in sorted(self._entries.items()) if r == resource}


def made_name(event: Event) -> str:
    """The name of an object whose request did not carry it (POST to a collection at old versions, generateName)."""
    for body in (event.response_object, event.request_object):
        meta = body.get("metadata") if isinstance(body, dict) else None
        name = meta.get("name") if isinstance(meta, dict) else None
        if isinstance(name, str):
            return name
    return ""
