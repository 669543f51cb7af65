"""The writes of roles and bindings in an audit log: of which object, by whom, and what the log tells of its content.

The answer's body is the object as it was stored and counts before the request's; a patch's own body is only applied
where there is no answer. At level Metadata there is no body: the object is known to have changed, not to what. Dry runs
change nothing. A collection that was deleted is listed in the answer; without it, it is known that some may be gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, Literal, NamedTuple

from kubewitness.detect.ledger import KEPT, Entry, Ledger
from kubewitness.detect.reading import event_of
from kubewitness.model.event import Event, parse_time
from kubewitness.model.evidence import Place
from kubewitness.posture.rbac.nouns import GROUP, KINDS, RESOURCES, Key, Resource
from kubewitness.posture.rbac.objects import key_of, version_of

Verb = Literal["create", "change", "delete"]
_WRITES: Final = ("create", "update", "patch", "delete", "deletecollection")


class Change(NamedTuple):
    """One write of one object.

    Attributes:
        time: When it was answered: from then on it counts.
        key: The object; its name is empty if any of the collection may be meant.
        verb: Whether it made, changed or removed the object.
        document: The object after it, None if the log does not hold it.
        patch: A patch to apply where `document` is None.
        uri: Of the request.
        missed: Writes of this object before this one were not kept.
        version: resourceVersion it was stored with, 0 if not known.
    """

    time: datetime
    key: Key
    verb: Verb
    identity: str
    address: str
    audit_id: str
    place: Place
    document: object = None
    patch: object = None
    uri: str = ""
    missed: bool = False
    version: int = 0


def changes_in(ledger: Ledger) -> list[Change]:
    """Every write the ledger kept, in the order in which they were answered."""
    out = list[Change]()
    for resource in RESOURCES:
        for entries in ledger.of_kind(resource).values():
            found = list(_of_object(entries))
            if len(entries) == KEPT and len(found) > 1:
                middle = len(found) // 2
                found[middle] = found[middle]._replace(missed=True)
            out += found
    return sorted(out, key=lambda change: (change.time, change.key, change.audit_id))


def _of_object(entries: Iterable[Entry]) -> Iterator[Change]:
    for entry in entries:
        event = event_of(entry.original, entry.place)
        if event is not None:
            yield from changes_of(event)


def changes_of(event: Event) -> Iterator[Change]:
    """What one event changed; nothing for anything but a successful write of RBAC objects."""
    record, resource = event.record, _resource(event)
    if resource is None or event.verb not in _WRITES or not event.succeeded or "dryRun=" in record.requestURI:
        return
    time = parse_time(record.stageTimestamp) or event.time
    if time is None or event.stage == "RequestReceived":
        return
    answer, sent = event.response_object, event.request_object
    name = event.name or _name(answer) or _name(sent)
    change = Change(
        time, Key(resource, event.namespace, name), "change", event.identity, event.address, event.audit_id,
        event.place, uri=record.requestURI,
    )  # fmt: skip
    if event.verb == "deletecollection":
        yield from _collection(change, answer)
        return
    stored = answer if key_of(answer) == change.key else None
    version = version_of(stored) if stored is not None else 0
    if not name:
        yield change
    elif event.verb == "delete":
        stays = stored is not None and _finalizers(stored)
        yield change._replace(verb="change" if stays else "delete", document=stored if stays else None, version=version)
    elif event.verb == "patch":
        made: Verb = "create" if event.code == 201 else "change"
        patch = sent if stored is None else None
        if made == "create" and isinstance(sent, dict):
            patch, stored = None, stored or sent
        yield change._replace(verb=made, document=stored, patch=patch, version=version)
    else:
        made = "create" if event.verb == "create" or event.code == 201 else "change"
        body = stored if stored is not None else sent if isinstance(sent, dict) else None
        yield change._replace(verb=made, document=body, version=version)


def _collection(change: Change, answer: object) -> Iterator[Change]:
    items = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(items, list):
        yield change
        return
    for item in items:
        if name := _name(item):
            yield change._replace(key=change.key._replace(name=name), verb="delete")


def _resource(event: Event) -> Resource | None:
    if event.subresource or event.object_ref.apiGroup != GROUP:
        return None
    return next((one for one in KINDS if one == event.resource), None)


def _name(document: object) -> str:
    meta = document.get("metadata") if isinstance(document, dict) else None
    name = meta.get("name") if isinstance(meta, dict) else None
    return name if isinstance(name, str) else ""


def _finalizers(document: object) -> bool:
    """Deleted, but kept until somebody else is done with it."""
    meta = document.get("metadata") if isinstance(document, dict) else None
    return isinstance(meta, dict) and bool(meta.get("finalizers")) and bool(meta.get("deletionTimestamp"))
