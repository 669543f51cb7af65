"""The request body as objects, whatever form the change took.

Create, update, merge patch, strategic merge patch and server-side apply all send a (possibly partial) object. A JSON
patch sends a list of operations: those that bring a value in (add, replace) are laid out as the sparse object they
describe, so `add /spec/template/spec/containers/-` reads like a merge patch with one container. Everything built on
`documents` therefore sees every form alike.

Sources: RFC 6901, RFC 6902, RFC 7386; "Update API objects in place using kubectl patch" in the Kubernetes docs.
"""

from __future__ import annotations

from typing import Any

from kubewitness.model.event import Event
from kubewitness.rules.features.interface import FieldTable, Values, distinct, once
from kubewitness.rules.features.untyped import MAX_VALUES, items, mapping, mappings, text

_MAX_DEPTH = 32  # steps of one JSON pointer; no field of a built-in object lies deeper
# Below these keys a number is a key, elsewhere the position in a list.
_MAPS = frozenset({"labels", "annotations", "data", "stringData", "binaryData", "matchLabels", "nodeSelector"})


class _Object(dict[str, Any]):
    """A node laid out for an object (a plain dict is a value of the patch and must not be written to)."""


class _Slots(dict[str, Any]):
    """A node laid out for a list: position ("-" made unique) → element."""


@once
def documents(event: Event) -> tuple[dict[str, Any], ...]:
    """The objects a request body holds; none if it was not logged."""
    body = event.request_object
    if isinstance(body, dict):
        listed = body.get("items")
        if isinstance(listed, list) and text(body.get("kind")).endswith("List"):
            return tuple(mappings(listed))
        return (body,)
    return _sparse_objects(body) if isinstance(body, list) else ()


def is_patch(event: Event) -> bool:
    """The body may be a part of the object only, so what it lacks says nothing."""
    return event.verb == "patch" or isinstance(event.request_object, list)


def _sparse_objects(operations: list[Any]) -> tuple[dict[str, Any], ...]:
    """The objects a JSON patch describes: one, or several where a later operation reaches into an earlier value."""
    roots: list[_Object] = []
    whole: list[dict[str, Any]] = []
    for number, operation in enumerate(mappings(operations)):
        if text(operation.get("op")).lower() not in ("add", "replace") or "value" not in operation:
            continue
        parts = pointer_parts(text(operation.get("path")))
        value = operation["value"]
        if parts == ():
            whole.append(mapping(value))
        elif parts and not (roots and _place(roots[-1], parts, value, number)):
            roots.append(_Object())
            _place(roots[-1], parts, value, number)
    return tuple(whole + [_plain(root) for root in roots])


def pointer_parts(pointer: str) -> tuple[str, ...] | None:
    """The steps of a JSON pointer; None if it is none or reaches too deep."""
    if not pointer:
        return ()
    if not pointer.startswith("/") or pointer.count("/") > _MAX_DEPTH:
        return None
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))


def _place(root: _Object, parts: tuple[str, ...], value: object, number: int) -> bool:
    """Puts `value` at its place below `root`; False if an earlier operation's value is in the way."""
    node: dict[str, Any] = root
    for at, part in enumerate(parts):
        key = f"-{number}" if part == "-" and isinstance(node, _Slots) else part
        if at == len(parts) - 1:
            if isinstance(node.get(key), _Object | _Slots):
                return False
            node[key] = value
            return True
        following = parts[at + 1]
        in_list = (following == "-" or following.isdecimal()) and part not in _MAPS
        below = node.setdefault(key, _Slots() if in_list else _Object())
        if not isinstance(below, _Slots if in_list else _Object):
            return False
        node = below
    return False


def _plain(node: object) -> Any:
    """The laid-out nodes as ordinary objects and lists; values of the patch stay as they are."""
    if isinstance(node, _Slots):
        return [_plain(element) for element in node.values()]
    return {key: _plain(below) for key, below in node.items()} if isinstance(node, _Object) else node


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


@once
def patch_paths(event: Event) -> tuple[str, ...]:
    """What a patch touches, as JSON pointers; for a patch that is an object, down to its texts, numbers and lists."""
    body = event.request_object
    if isinstance(body, list):
        return distinct([text(operation.get("path")) for operation in mappings(body)])
    if event.verb != "patch":
        return ()
    found: list[str] = []
    waiting: list[tuple[str, object, int]] = [("", body, 0)]
    while waiting and len(found) < MAX_VALUES:
        pointer, value, depth = waiting.pop()
        if isinstance(value, dict) and value and depth < _MAX_DEPTH:
            waiting.extend((f"{pointer}/{_escaped(key)}", below, depth + 1) for key, below in reversed(value.items()))
        elif pointer:
            found.append(pointer)
    return tuple(found)


def _removed(event: Event) -> Values:
    operations = mappings(items(event.request_object))
    return distinct([text(op.get("path")) for op in operations if text(op.get("op")).lower() == "remove"])


FIELDS: FieldTable = {"patch.paths": patch_paths, "patch.removed": _removed}
