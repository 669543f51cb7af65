"""The lists of Kubernetes objects that one item holds, with care for what is large, cut off or broken.

Huge lists are read an element at a time (`list_pieces`, `yaml_pieces`), the others document by document. A list that
ends too early costs what is missing, said so with its place, and nothing else; half an object is none.

What is no object is a failure only where the item holds some; items that hold none are left to others.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from kubewitness.evidence.documents import frame_documents
from kubewitness.evidence.failures import unreadable
from kubewitness.evidence.json_text import members
from kubewitness.evidence.opening import Source
from kubewitness.model.cluster import KubeObject
from kubewitness.model.evidence import ParseFailure
from kubewitness.sources import list_lines, list_pieces, yaml_pieces
from kubewitness.sources.kube_documents import AUDIT, Around, age_of, decoded, objects_of, text_of

_HEAD: Final = 64 * 1024
_YAML = re.compile(rb"^(?:apiVersion|kind): ", re.M)
_CLOSED = re.compile(
    rb'\](?:\s{0,99},\s{0,99}"\w{1,40}"\s{0,9}:\s{0,9}(?:"[^"]{0,200}"|\{[^{}]{0,999}\})){0,9}\s{0,99}\}\s{0,99}\Z'
)
_CUT_BEHIND: Final = "the list is cut off behind this object"
_CUT_HERE: Final = "the list is cut off in this object"


class Listed(NamedTuple):
    """A list: of what kind, how old, and what is in it."""

    kind: str
    age: int
    objects: list[KubeObject]


class ItemLists(NamedTuple):
    """The lists of an item, and what of it could not be read."""

    lists: list[Listed]
    failures: list[ParseFailure]


def lists_of(source: Source) -> ItemLists | None:
    """The lists of an item, objects in none as the first of them; None if it holds no object of Kubernetes."""
    head = next(iter(source.open()), b"")[:_HEAD]
    if b"apiVersion" not in head and b'"kind"' not in head and not _YAML.search(head):
        return None
    if source.kind == "lines" and _is_audit(head):
        return None  # an audit log, maybe of gigabytes
    kind, version = _list_of(head)
    is_list = bool(version) and b"apiVersion" in head
    failures = list[ParseFailure]()
    try:
        lists = [Listed(kind, age_of(_metadata(head)), _elements(source, kind, version, failures))]
    except list_pieces.NotOfThisFormError:
        failures.clear()
        lists = _framed(source, kind, version, failures)
        if failures and is_list and not any(one.objects for one in lists):
            lists = _saved(source, kind, version, failures)
    if not (failures and is_list) and not any(one.objects for one in lists) and not _empty_list(kind, head):
        return None
    return ItemLists(lists, failures)


def _framed(source: Source, kind: str, version: str, failures: list[ParseFailure]) -> list[Listed]:
    """The lists of an item with their kinds, the first for what lies in none; with care for what is broken."""
    loose = list[KubeObject]()
    lists = [Listed(kind, 0, loose)]
    for frame in frame_documents(source.open(), source.name):
        if isinstance(frame, ParseFailure):
            failures.append(frame)
            continue
        document = decoded(frame.data)
        if isinstance(document, list) or (isinstance(document, dict) and isinstance(document.get("items"), list)):
            lines = list_lines.of_json(frame) if source.kind != "yaml" else list_lines.of_yaml(source, frame.place)
            found = objects_of(document, Around(frame.place, kind, version, lines=lines))
            own = (text_of(document.get("kind")) or "List") if isinstance(document, dict) else kind
            age = age_of(document.get("metadata")) if isinstance(document, dict) else 0
            objects = list(found)
            if source.kind == "yaml" and _lacks_its_end(document):
                cut = objects.pop().place if objects else frame.place  # half an object would be judged as one
                failures.append(unreadable(cut, _CUT_HERE))
            lists.append(Listed(own, age, objects))
        elif isinstance(document, dict):  # an object, or an element of a list that is taken apart
            loose += objects_of(document, Around(frame.place, kind, version))
        elif frame.data.strip():
            failures.append(unreadable(frame.place, "no JSON and no YAML of Kubernetes", frame.data[:256]))
    if kind and loose and source.kind != "yaml" and not _is_closed(source):
        failures.append(unreadable(loose[-1].place, _CUT_BEHIND))
    return lists


def _saved(source: Source, kind: str, version: str, failures: list[ParseFailure]) -> list[Listed]:
    """The objects of a small list of kubectl that does not decode: a disk was full, a copy was cut off."""
    broken = list[ParseFailure]()
    try:
        objects = _elements(source, kind, version, broken, small=True)
    except list_pieces.NotOfThisFormError:
        return []
    failures[:] = broken or failures
    return [Listed(kind, 0, objects)]


def _lacks_its_end(document: object) -> bool:
    """Whether this is a list as kubectl writes it, fields by the alphabet, that ends before it names its kind."""
    return isinstance(document, dict) and list(document) == ["apiVersion", "items"]


def _elements(
    source: Source, kind: str, version: str, failures: list[ParseFailure], *, small: bool = False
) -> list[KubeObject]:
    """The objects of a huge list, or of a small one that is broken.

    Raises:
        NotOfThisFormError: it is none.
    """
    out = list[KubeObject]()
    in_yaml = source.kind == "yaml" and not small
    frames = yaml_pieces.pieces(source) if in_yaml else list_pieces.pieces(source, small=small)
    for number, frame in enumerate(frames):
        document = decoded(frame.data)
        if isinstance(document, dict):
            out += objects_of(document, Around(frame.place, kind, version, f"items[{number}]"))
        else:
            failures.append(unreadable(frame.place, "no object of Kubernetes", frame.data[:256]))
        if frame.data.endswith(b"\n"):
            failures.append(unreadable(frame.place, _CUT_BEHIND))
    if len(failures) * 10 > len(out) and not small:
        raise list_pieces.NotOfThisFormError
    return out


def _is_audit(head: bytes) -> bool:
    """Whether the first record is an audit event."""
    found = dict(members(head.partition(b"\n")[0], limit=64).found)
    return _string(found.get(b'"apiVersion"')).startswith(AUDIT)


def _is_closed(source: Source) -> bool:
    """Whether a list that was taken apart has its end."""
    tail = b""
    for chunk in source.open():
        tail = (tail + chunk)[-4096:]
    return _CLOSED.search(tail) is not None


def _list_of(head: bytes) -> tuple[str, str]:
    """Kind and version of the list an item is; of kubectl's `List`, which says so at its end, ("List", "v1")."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] == b"{":
        values = dict(members(text, limit=64).found)
        kind, version = _string(values.get(b'"kind"')), _string(values.get(b'"apiVersion"'))
        if kind.endswith("List"):
            return kind, version
        cut = members(text, limit=64).cut_key
        return ("List", version) if not kind and (b'"items"' in values or cut == b'"items"') else ("", "")
    found = re.search(rb"^kind: *(\w{1,80})List *$", text, re.M)
    if found:
        return found[1].decode() + "List", "v1"
    return ("List", "v1") if re.search(rb"^items: *$", text, re.M) else ("", "")


def _string(value: bytes | None) -> str:
    found = decoded(value) if value else None
    return found if isinstance(found, str) else ""


def _empty_list(kind: str, head: bytes) -> bool:
    return kind.endswith("List") and kind != "List" and b"apiVersion" in head


def _metadata(head: bytes) -> object:
    """Of a list that begins like this."""
    value = dict(members(head.lstrip(), limit=64).found).get(b'"metadata"')
    return decoded(value) if value else None
