"""The objects of Kubernetes in a document: one, or a list of any kind around them, lists inside lists.

Elements of an API server's list have no kind and no version of their own: those of the list are theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from kubewitness.model.cluster import KubeObject
from kubewitness.model.evidence import Place

AUDIT: Final = "audit.k8s.io/"
_NESTED: Final = 4  # lists inside lists
_WEIGHT: Final = ("conditions", "containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")


class Around(NamedTuple):
    """What lies around an object: where, in which list."""

    place: Place
    kind: str
    version: str
    path: str = ""
    depth: int = 0
    lines: Sequence[Place] = ()  # of the elements of the outermost list, if they could be told

    def within(self, kind: str, version: str, path: str, position: int, count: int) -> Around:
        """What lies around an element of a list, of so many."""
        told = len(self.lines) == count
        place = self.lines[position] if told else self.place
        return Around(place, kind, version, f"{self.path}{path}", self.depth + 1)


def objects_of(document: object, around: Around) -> Iterator[KubeObject]:
    """The objects of a document, lists unrolled."""
    if around.depth > _NESTED:
        return
    if isinstance(document, list):
        for position, one in enumerate(document):
            yield from objects_of(one, around.within("", "", f"[{position}]", position, len(document)))
        return
    if not isinstance(document, dict):
        return
    items, own, told = document.get("items"), document.get("kind"), document.get("apiVersion")
    if isinstance(items, list) and (not isinstance(own, str) or own.endswith("List")):
        kind, version = own if isinstance(own, str) else around.kind, told if isinstance(told, str) else around.version
        dot = "." if around.path else ""
        for position, one in enumerate(items):
            yield from objects_of(one, around.within(kind, version, f"{dot}items[{position}]", position, len(items)))
        return
    found = _object(document, around)
    if found is not None:
        yield found


def _object(document: dict[str, Any], around: Around) -> KubeObject | None:
    kind = text_of(document.get("kind")) or around.kind.removesuffix("List")
    version = text_of(document.get("apiVersion")) or around.version
    meta = document.get("metadata")
    if not kind or not version or not isinstance(meta, dict) or version.startswith(AUDIT):
        return None
    name = text_of(meta.get("name"))
    if not name:
        return None
    _lighten(kind, document)
    return KubeObject(kind, version, text_of(meta.get("namespace")), name, document, around.place, around.path)


def _lighten(kind: str, document: dict[str, Any]) -> None:
    """Without what no check asks and what is most of the weight of ten thousands of pods."""
    document["metadata"].pop("managedFields", None)
    status = document.get("status")
    if kind == "Pod" and isinstance(status, dict):
        for key in _WEIGHT:
            status.pop(key, None)


def text_of(value: object) -> str:
    """The string it is; empty if it is none."""
    return value if isinstance(value, str) else ""


def age_of(metadata: object) -> int:
    """The resourceVersion, which grows with every write to the cluster; 0 if there is none."""
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    return int(version) if isinstance(version, str) and version.isdecimal() and len(version) < 21 else 0


def decoded(data: bytes) -> Any:
    """The value of JSON; None if it is none."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
