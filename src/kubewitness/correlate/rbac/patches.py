"""What an object is after a patch, from the patch alone: for logs that hold requests and no answers.

An audit event does not say which kind of patch its body is. A list is a JSON patch. All kinds that are written as an
object come to the same for RBAC: fields that are given replace, null deletes, maps are merged; the lists of rules and
subjects have no merge key and are replaced as they stand. Two things cannot be known and give None: directives of a
strategic merge ("$patch"), and what a server-side apply takes away by leaving it out.

Source: RFC 6902, RFC 7386; rbac/v1 types.go (no patchMergeKey; listType=atomic); "Server-Side Apply" in the
Kubernetes documentation.
"""

from __future__ import annotations

import copy
from typing import Any, Final
from urllib.parse import parse_qs

_DEPTH: Final = 50
_OPERATIONS: Final = 10_000
_COPIES: Final = 8  # each may double the object
_CONTENT: Final = ("rules", "subjects", "aggregationRule")


class _CannotTellError(Exception):
    """The outcome is not known."""


def patched(document: object, patch: object, uri: str) -> Any:
    """`document` after `patch`; None if that cannot be told. `uri` tells a server-side apply by its field manager."""
    if not isinstance(document, dict):
        return None
    try:
        if isinstance(patch, list):
            return _json_patch(document, patch)
        if isinstance(patch, dict):
            if _is_apply(patch, uri) and any(field in document and field not in patch for field in _CONTENT):
                return None
            return _merged(document, patch, 0)
    except (_CannotTellError, RecursionError):
        return None
    return None


def _is_apply(patch: dict[str, Any], uri: str) -> bool:
    return "kind" in patch and "apiVersion" in patch and "fieldManager" in parse_qs(uri.partition("?")[2])


def _merged(target: object, patch: object, depth: int) -> Any:
    if not isinstance(patch, dict):
        return patch
    if depth > _DEPTH or any(key.startswith("$") for key in patch):
        raise _CannotTellError
    out = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = _merged(out.get(key), value, depth + 1)
    return out


def _json_patch(document: dict[str, Any], operations: list[Any]) -> Any:
    copies = sum(isinstance(one, dict) and one.get("op") == "copy" for one in operations)
    if len(operations) > _OPERATIONS or copies > _COPIES:
        raise _CannotTellError
    root: Any = {"": copy.deepcopy(document)}  # so that the whole document has a parent as well
    for one in operations:
        if not isinstance(one, dict):
            raise _CannotTellError
        path = _pointer(one.get("path"))
        match one.get("op"):
            case "add":
                _add(root, path, one.get("value"))
            case "replace":
                _get(root, path)
                _remove(root, path)
                _add(root, path, one.get("value"))
            case "remove":
                _remove(root, path)
            case "move":
                source = _pointer(one.get("from"))
                value = _get(root, source)
                _remove(root, source)
                _add(root, path, value)
            case "copy":
                _add(root, path, copy.deepcopy(_get(root, _pointer(one.get("from")))))
            case "test":
                pass  # the request succeeded, so it held
            case _:
                raise _CannotTellError
    return root[""]


def _pointer(text: object) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise _CannotTellError
    parts = text.split("/")[1:]
    if len(parts) > _DEPTH:
        raise _CannotTellError
    return ["", *(part.replace("~1", "/").replace("~0", "~") for part in parts)]


def _get(root: Any, path: list[str]) -> Any:
    value = root
    for part in path:
        value = _child(value, part)
    return value


def _child(value: Any, part: str) -> Any:
    if isinstance(value, dict) and part in value:
        return value[part]
    if isinstance(value, list):
        return value[_index(part, len(value) - 1)]
    raise _CannotTellError


def _index(part: str, last: int) -> int:
    if not (part.isascii() and part.isdigit() and len(part) < 9) or int(part) > last:
        raise _CannotTellError
    return int(part)


def _add(root: Any, path: list[str], value: object) -> None:
    parent, part = _get(root, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[part] = value
    elif isinstance(parent, list):
        parent.insert(len(parent) if part == "-" else _index(part, len(parent)), value)
    else:
        raise _CannotTellError


def _remove(root: Any, path: list[str]) -> None:
    parent, part = _get(root, path[:-1]), path[-1]
    if isinstance(parent, dict) and part in parent:
        del parent[part]
    elif isinstance(parent, list):
        del parent[_index(part, len(parent) - 1)]
    else:
        raise _CannotTellError
