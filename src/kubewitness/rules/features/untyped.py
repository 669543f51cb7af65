"""Typed access to JSON of unknown shape: a wrong type reads as "nothing there", so one odd value hides nothing else.

Bodies are hostile. The API server takes requests of up to 3 MiB and the bytes are already in memory, so work linear in
a body is bounded; the caps here bound what is kept and handed on (values of a field, length of one text).
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import msgspec

from kubewitness.rules.features.interface import Scalar, Values

MAX_VALUES = 10_000  # values of one field, elements of one list: far beyond any object a cluster would accept and run
MAX_TEXT = 65_536  # characters of one joined or re-encoded text

_NOTHING: dict[str, Any] = {}


def mapping(value: object) -> dict[str, Any]:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else _NOTHING


def items(value: object) -> list[Any]:
    """`value` if it is a list (cut at `MAX_VALUES`), else an empty one."""
    if not isinstance(value, list):
        return []
    return value if len(value) <= MAX_VALUES else value[:MAX_VALUES]


def mappings(value: object) -> list[dict[str, Any]]:
    """The objects of a list."""
    return [item for item in items(value) if isinstance(item, dict)]


def text(value: object) -> str:
    """`value` if it is a string (cut at `MAX_TEXT`), else an empty one."""
    return value[:MAX_TEXT] if isinstance(value, str) else ""


def texts(value: object) -> tuple[str, ...]:
    """The non-empty strings of a list."""
    return tuple(item[:MAX_TEXT] for item in items(value) if isinstance(item, str) and item)


def flag(value: object) -> bool | None:
    """`value` if it is a boolean, None if it says nothing."""
    return value if isinstance(value, bool) else None


def number(value: object) -> int | None:
    """`value` if it is an integer (a boolean is not), else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def pairs(value: object) -> tuple[str, ...]:
    """Lists "k=v" for the entries of an object whose values are texts, such as labels."""
    entries = islice(mapping(value).items(), MAX_VALUES)
    return tuple(f"{key}={entry}"[:MAX_TEXT] for key, entry in entries if isinstance(entry, str))


def as_text(value: object) -> str:
    """An object as its JSON text, so that it exists for a rule and can be searched; empty if it cannot be written."""
    try:
        return msgspec.json.encode(value).decode()[:MAX_TEXT]
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        return ""


def flatten(value: object) -> Values:
    """The values of a JSON value as rules see them: a list counts as its elements, an object as its JSON text."""
    if isinstance(value, str | int | float) or value is None:
        return (value,)
    found: list[Scalar] = []
    waiting: list[object] = [value]
    while waiting and len(found) < MAX_VALUES:
        head = waiting.pop()
        if isinstance(head, list):
            waiting.extend(reversed(head[:MAX_VALUES]))
        elif isinstance(head, str | int | float) or head is None:
            found.append(head)
        else:
            found.append(as_text(head))
    return tuple(found)


def at_path(value: object, parts: tuple[str, ...]) -> Values:
    """All values at a dotted path. Lists are walked; a key that holds dots itself matches several parts.

    A part of digits picks an element of a list; `[*]` or `[]` after a name say what happens anyway and are ignored.
    """
    found: list[Scalar] = []
    waiting: list[tuple[object, int]] = [(value, 0)]
    steps = 0
    while waiting and len(found) < MAX_VALUES and steps < 20 * MAX_VALUES:
        steps += 1
        head, at = waiting.pop()
        if at == len(parts):
            found.extend(flatten(head))
        elif isinstance(head, dict):
            for end in range(len(parts), at, -1):
                key = parts[at] if end == at + 1 else ".".join(parts[at:end])
                if key in head:
                    waiting.append((head[key], end))
        elif isinstance(head, list):
            if parts[at].isdecimal() and len(parts[at]) < 6:
                index = int(parts[at])
                waiting.extend((element, at + 1) for element in head[index : index + 1])
            waiting.extend((element, at) for element in reversed(head[:MAX_VALUES]))
    return tuple(found[:MAX_VALUES])
