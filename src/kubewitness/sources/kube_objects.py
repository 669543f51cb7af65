"""Kubernetes objects as evidence: dumps of kubectl, answers of an API server, our own archive of a cluster.

They hold no events and are not judged here; they are known, so that a dump beside an audit log is no unreadable piece.
An item is taken as a whole if its beginning has the form of such a list and nothing in it looks like an audit event;
whatever is less certain goes record by record through `records`, which knows objects too (`foreign`).

Three spellings: the API server writes kind and version first (`PodList`), kubectl sorts the members (`apiVersion`,
`items`, and `kind: List` at the very end), others put several lists into one array. A list of Kube Events is one of
objects, a batch of the audit webhook (`EventList` of audit.k8s.io, or without a version) is none.

The archive of `kubewitness collect --cluster` proves itself by its manifest: what was changed, added or removed is a
failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec import Raw

from kubewitness.evidence.json_text import members
from kubewitness.evidence.opening import Source
from kubewitness.model.collection import FORMAT_CLUSTER, Header
from kubewitness.model.evidence import Note, ParseFailure
from kubewitness.sources import command_lines
from kubewitness.sources.host import manifest
from kubewitness.sources.host.collected import Collection, below, verified
from kubewitness.sources.host.context import Clock, Context
from kubewitness.sources.host.lines import Lines

KIND: Final = "Kubernetes objects"
MANIFEST_KIND: Final = "manifest of a cluster's archive"
_HEAD: Final = 64 * 1024
_MARK: Final = b"auditID"
_AUDIT: Final = "audit.k8s.io/"
_BLANK: Final = b" \t\r\n"
_YEAR: Final = 2000  # a cluster's manifest has times with years
_MEMBERS: Final = 64
_MANIFEST_LINE: Final = 256 * 1024


@dataclass
class KubeObjects:
    """What was known as a whole.

    Attributes:
        items: What each item is, by its name.
    """

    items: dict[str, str] = field(default_factory=dict)
    failures: list[ParseFailure] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def read_objects(sources: Sequence[Source]) -> KubeObjects:
    """Take the items that hold Kubernetes objects out of `sources`; each is read to its end, so its hash is known."""
    out = KubeObjects()
    manifests = []
    for source in sources:
        if source.kind == "text" and not source.is_archive and _is_command_lines(source):
            out.items[source.name] = command_lines.KIND
        if source.kind not in {"lines", "documents"} or source.is_archive:
            continue
        kind = kind_of(_head(source))
        if kind == MANIFEST_KIND:
            manifests.append(source)
        elif not kind or not _only_objects(source):
            continue
        out.items[source.name] = kind
    for source in manifests:
        _verify(source, sources, out)
    return out


def kind_of(head: bytes) -> str:
    """What an item that begins like this is; empty if it has to be read record by record."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(_BLANK)
    if text.startswith(b'{"record":"collection"'):
        return MANIFEST_KIND if _is_manifest(text.partition(b"\n")[0]) else ""
    if text[:1] == b"[":
        text = text[1:].lstrip(_BLANK)
    return KIND if text[:1] == b"{" and _is_list(text) else ""


def is_objects(kind: str, version: str, items: bytes | Raw) -> bool:
    """A list of Kubernetes objects by its kind and apiVersion, not one of audit events, nor a `List` around some."""
    if (kind == "EventList" and not version) or not kind.endswith("List") or version.startswith(_AUDIT):
        return False
    return bool(items) and not _first(items)[0].startswith(_AUDIT)


def _first(items: bytes | Raw) -> tuple[str, str]:
    """Version and kind of the first object of a list, which may be cut."""
    start = bytes(memoryview(items)[:_HEAD])[1:].lstrip(_BLANK)
    inner = dict(members(start, limit=_MEMBERS).found) if start[:1] == b"{" else {}
    return _string(inner.get(b'"apiVersion"')), _string(inner.get(b'"kind"'))


def _is_list(text: bytes) -> bool:
    """Told from the members that are there; the list itself mostly runs over the end."""
    found = members(text, limit=_MEMBERS)
    values = dict(found.found)
    items = values.get(b'"items"') or (found.cut_value if found.cut_key == b'"items"' else b"")
    kind, version = _string(values.get(b'"kind"')), _string(values.get(b'"apiVersion"'))
    if items[:1] != b"[" or not version:
        return False
    if kind:
        return is_objects(kind, version, items)
    version, kind = _first(items)
    return bool(version and kind) and not version.startswith(_AUDIT)


def _string(value: bytes | None) -> str:
    try:
        return msgspec.json.decode(value, type=str) if value else ""
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _is_manifest(line: bytes) -> bool:
    try:
        return msgspec.json.decode(line, type=Header).format == FORMAT_CLUSTER
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _head(source: Source) -> bytes:
    head = b""
    for chunk in source.open():
        head += chunk
        if len(head) >= _HEAD:
            break
    return head[:_HEAD]


def _is_command_lines(source: Source) -> bool:
    """What the control plane was started with stands beside a dump of the cluster; short enough to be seen whole."""
    head = _head(source)
    return len(head) < _HEAD and source.failure is None and command_lines.is_command_lines(head)


def _only_objects(source: Source) -> bool:
    """Nothing of an audit event up to the end, and the end is there."""
    rest = b""
    found = False
    for chunk in source.open():
        text = rest + chunk
        found = found or _MARK in text
        rest = text[-len(_MARK) :]
    return not found and source.failure is None and rest.rstrip(_BLANK)[-1:] in {b"}", b"]"}


def _verify(source: Source, sources: Iterable[Source], out: KubeObjects) -> None:
    context = Context(source.name, Clock(_YEAR))
    lines = Lines(source, _MANIFEST_LINE)
    stream = iter(lines)
    collection: Collection | None = None
    for read in manifest.read(stream, context):
        if isinstance(read, ParseFailure):
            out.failures.append(read)
        else:
            collection = read
    out.failures += filter(None, (lines.cut, lines.junk))
    if collection is None:
        return
    for problem in verified(collection, [one for one in sources if below(one.name, collection.top)]):
        if isinstance(problem, ParseFailure):
            out.failures.append(problem)
        else:
            out.notes.append(problem)
    if collection.omitted:
        count, some = sum(collection.omitted.values()), sorted(collection.omitted)[:3]
        reasons = "; ".join(reason[:160] for reason in some)
        out.notes.append(Note(collection.place, f"{count} things are not in the collection: {reasons}"))
