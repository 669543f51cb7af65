"""RBAC objects as JSON: of a dump (`kubectl get -o json`, an API server's answer, several lists in one) or of a body.

An object whose fields have other types than the API server's is no RBAC object it ever wrote: None, never half of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from kubewitness.model.event import parse_time
from kubewitness.posture.rbac.nouns import (
    GROUP,
    KINDS,
    Binding,
    Key,
    PolicyRule,
    Requirement,
    Resource,
    Role,
    Selector,
    Subject,
)

_RESOURCE_OF: Final[dict[str, Resource]] = {kind: resource for resource, kind in KINDS.items()}
_DEPTH: Final = 4  # lists inside lists
_DIGITS: Final = 20  # of a resourceVersion


class _Meta(Struct, frozen=True):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] | None = None


class _Rule(Struct, frozen=True):
    verbs: tuple[str, ...] | None = None
    apiGroups: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    resourceNames: tuple[str, ...] | None = None
    nonResourceURLs: tuple[str, ...] | None = None


class _Expression(Struct, frozen=True):
    key: str = ""
    operator: str = ""
    values: tuple[str, ...] | None = None


class _Selector(Struct, frozen=True):
    matchLabels: dict[str, str] | None = None
    matchExpressions: tuple[_Expression, ...] | None = None


class _Aggregation(Struct, frozen=True):
    clusterRoleSelectors: tuple[_Selector, ...] | None = None


class _Subject(Struct, frozen=True):
    kind: str = ""
    name: str = ""
    namespace: str = ""


class _RoleRef(Struct, frozen=True):
    kind: str = ""
    name: str = ""


class _Object(Struct, frozen=True):
    metadata: _Meta = _Meta()
    rules: tuple[_Rule, ...] | None = None
    aggregationRule: _Aggregation | None = None
    roleRef: _RoleRef | None = None
    subjects: tuple[_Subject, ...] | None = None


def object_of(document: object, key: Key) -> Role | Binding | None:
    """The role or binding a body describes, in the place `key` the URL gave it (the body's own may be left out)."""
    try:
        wire = msgspec.convert(document, _Object)
    except (msgspec.ValidationError, RecursionError):
        return None
    if key.resource in {"roles", "clusterroles"}:
        aggregation = wire.aggregationRule
        return Role(
            key.namespace,
            key.name,
            tuple(_rule(rule) for rule in wire.rules or ()),
            tuple(sorted((wire.metadata.labels or {}).items())),
            None if aggregation is None else tuple(_selector(one) for one in aggregation.clusterRoleSelectors or ()),
        )
    if wire.roleRef is None or not wire.roleRef.name:
        return None
    subjects = tuple(Subject(one.kind, one.name, one.namespace) for one in wire.subjects or ())
    return Binding(key.namespace, key.name, wire.roleRef.kind, wire.roleRef.name, subjects)


def key_of(document: object) -> Key | None:
    """The place of an object that names itself, None if it is not one of RBAC."""
    if not isinstance(document, dict):
        return None
    version, kind, meta = document.get("apiVersion"), document.get("kind"), document.get("metadata")
    if not isinstance(kind, str) or not isinstance(version, str) or not isinstance(meta, dict):
        return None
    name, namespace = meta.get("name"), meta.get("namespace", "")
    resource = _RESOURCE_OF.get(kind)
    if resource is None or not version.startswith(f"{GROUP}/") or not isinstance(name, str) or not name:
        return None
    namespaced = resource in {"roles", "rolebindings"}
    if not isinstance(namespace, str) or namespaced != bool(namespace):
        return None
    return Key(resource, namespace, name)


class Dump(Struct):
    """What a dump holds.

    Attributes:
        objects: What could be read, by place.
        documents: The same as JSON, for patches that come later.
        unreadable: Objects of other types than the API server's.
        whole: Resources of which it is a list of the entire cluster, as far as it says.
        version: The highest resourceVersion in it, 0 if it has none.
        latest: The last time in it: it is not older than this. None if no object has one.
    """

    objects: dict[Key, Role | Binding]
    documents: dict[Key, object]
    unreadable: set[Key]
    whole: set[Resource]
    version: int = 0
    latest: datetime | None = None


def read_dump(document: object) -> Dump:
    """The RBAC objects of a dump; all else in it is passed over, and so are manifests that no API server has made."""
    out = Dump({}, {}, set(), set())
    for found in _documents(document, out, _DEPTH):
        key = key_of(found)
        if key is None or not isinstance(found, dict) or not _is_live(found["metadata"]):
            continue
        read = object_of(found, key)
        if read is None:
            out.unreadable.add(key)
            continue
        out.objects[key], out.documents[key] = read, found
        out.version = max(out.version, version_of(found))
        for when in _times(found["metadata"]):
            out.latest = max(out.latest or when, when)
    return out


def version_of(document: object) -> int:
    """The resourceVersion of an object or list, 0 if it has none (all counts of one etcd, so they can be compared)."""
    meta = document.get("metadata") if isinstance(document, dict) else None
    text = meta.get("resourceVersion") if isinstance(meta, dict) else None
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < _DIGITS else 0


def _is_live(meta: object) -> bool:
    """Written by an API server: it gives every object a uid and a time."""
    return isinstance(meta, dict) and bool(meta.get("uid") or meta.get("creationTimestamp"))


def _times(meta: dict[str, object]) -> Iterator[datetime]:
    fields = meta.get("managedFields")
    some = [one.get("time") for one in fields if isinstance(one, dict)] if isinstance(fields, list) else []
    for text in (meta.get("creationTimestamp"), meta.get("deletionTimestamp"), *some):
        if isinstance(text, str) and (when := parse_time(text)):
            yield when


def _documents(document: object, out: Dump, depth: int) -> Iterator[object]:
    if depth == 0:
        return
    if isinstance(document, list):
        for one in document:
            yield from _documents(one, out, depth - 1)
    elif isinstance(document, dict):
        kind, items = document.get("kind"), document.get("items")
        if not isinstance(items, list) or not isinstance(kind, str):
            yield document
            return
        resource = _RESOURCE_OF.get(kind.removesuffix("List")) if kind.endswith("List") else None
        if resource is None:
            for one in items:
                yield from _documents(one, out, depth - 1)
            return
        meta = document.get("metadata")
        if not (isinstance(meta, dict) and meta.get("continue")):
            out.whole.add(resource)
        out.version = max(out.version, version_of(document))
        # An API server leaves kind and version out of the items of a typed list.
        for one in items:
            if isinstance(one, dict):
                yield {"kind": KINDS[resource], "apiVersion": document.get("apiVersion"), **one}


def _rule(wire: _Rule) -> PolicyRule:
    return PolicyRule(
        wire.verbs or (), wire.apiGroups or (), wire.resources or (), wire.resourceNames or (),
        wire.nonResourceURLs or (),
    )  # fmt: skip


def _selector(wire: _Selector) -> Selector:
    labels = [Requirement(key, "In", (value,)) for key, value in sorted((wire.matchLabels or {}).items())]
    expressions = [Requirement(one.key, one.operator, one.values or ()) for one in wire.matchExpressions or ()]
    return Selector((*labels, *expressions))
