"""Reading documents of other people: whatever is not of the type that was asked for is not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Node = Mapping[str, Any]
_NOTHING: Node = {}


def at(document: object, *keys: str) -> object:
    """The value at a path of keys; None if there is none."""
    for key in keys:
        if not isinstance(document, Mapping):
            return None
        document = document.get(key)
    return document


def node(document: object, *keys: str) -> Node:
    """The object there; an empty one if there is none."""
    found = at(document, *keys)
    return found if isinstance(found, Mapping) else _NOTHING


def text(document: object, *keys: str) -> str:
    """The string there; empty if there is none."""
    found = at(document, *keys)
    return found if isinstance(found, str) else ""


def flag(document: object, *keys: str) -> bool | None:
    """The boolean there; None if there is none."""
    found = at(document, *keys)
    return found if isinstance(found, bool) else None


def number(document: object, *keys: str) -> int | None:
    """The whole number there; None if there is none."""
    found = at(document, *keys)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def nodes(document: object, *keys: str) -> Iterator[tuple[int, Node]]:
    """The objects of the list there, each with its position."""
    found = at(document, *keys)
    if isinstance(found, list):
        yield from ((position, one) for position, one in enumerate(found) if isinstance(one, Mapping))


def texts(document: object, *keys: str) -> tuple[str, ...]:
    """The strings of the list there."""
    found = at(document, *keys)
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def mapping(document: object, *keys: str) -> dict[str, str]:
    """The strings of the object there, by name: labels, annotations, data."""
    return {
        key: value for key, value in node(document, *keys).items() if isinstance(key, str) and isinstance(value, str)
    }
