"""Alibaba Cloud Simple Log Service (ACK audit logs) and other stores that turn an event into a flat row of strings.

SLS keeps a log as string values under top-level keys: `auditID`, `verb` … as they are, `user`, `objectRef`,
`responseStatus`, `sourceIPs` … as strings of JSON, its own keys as `__time__`, `__source__`, `__topic__`, `__tag__:…`.
An export may instead carry the raw line as `content` or `__raw__` (see the registry) or one column a leaf
("user.username"), which is how CSV-minded tools flatten events.

Sources: "Use the API server auditing feature" (ACK) and "Reserved fields" (SLS) in the vendor's documentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from kubewitness.sources.aks import loosened
from kubewitness.sources.envelopes import wrapper_time
from kubewitness.sources.interface import Found, Rebuilt
from kubewitness.sources.values import STRING, Fields, encode, first_byte, lenient, string

_PARTS: Final = ("user", "impersonatedUser", "sourceIPs", "objectRef", "responseStatus", "annotations")
_BODIES: Final = ("requestObject.", "responseObject.")
_LISTS: Final = ("groups",)
_MISSING: Final = (
    "this export flattens bodies into columns: requestObject and responseObject were not put back together"
)


@dataclass(frozen=True, slots=True)
class StringRow:
    """An event whose parts are strings."""

    format: str = "Alibaba SLS"

    def recognises(self, fields: Fields) -> bool:
        """An audit ID, and a part written as a string of JSON, or the keys SLS adds."""
        if "auditID" not in fields:
            return False
        if "__time__" in fields or "__source__" in fields:
            return True
        return _stringed(fields, "user") or _stringed(fields, "objectRef") or _stringed(fields, "responseStatus")

    def open(self, fields: Fields) -> Iterator[Found]:
        """The parts taken out of their strings."""
        yield Rebuilt({key: loosened(raw) if key in _PARTS else raw for key, raw in fields.items()}, time=_time(fields))


@dataclass(frozen=True, slots=True)
class DottedRow:
    """An event with one column a leaf: `user.username`, `objectRef.resource`, `sourceIPs[0]`."""

    format: str = "flattened audit columns"

    def recognises(self, fields: Fields) -> bool:
        """By the user's name and something that was asked for."""
        return "user.username" in fields and ("verb" in fields or "requestURI" in fields)

    def open(self, fields: Fields) -> Iterator[Found]:
        """The leaves put back into their parts."""
        parts: dict[str, Any] = {}
        plain: Fields = {}
        for key, raw in fields.items():
            part, _, leaf = key.replace("[", ".", 1).partition(".")
            if part in _PARTS and leaf:
                _put(parts, part, leaf, lenient(loosened(raw)))
            elif part in _PARTS:
                plain[key] = loosened(raw)
            elif "." not in key:
                plain[key] = raw
        flattened = any(key.startswith(_BODIES) for key in fields)
        rebuilt = plain | {part: encode(value) for part, value in parts.items()}
        yield Rebuilt(rebuilt, (_MISSING,) if flattened else (), _time(fields))


def _stringed(fields: Fields, part: str) -> bool:
    return first_byte(fields.get(part)) == STRING and string(fields[part]).lstrip()[:1] in ("{", "[")


def _put(parts: dict[str, Any], part: str, leaf: str, value: Any) -> None:
    if part == "sourceIPs":
        parts.setdefault(part, []).append(value)
        return
    holder = parts.setdefault(part, {})
    if part == "annotations":
        holder[leaf] = value
    elif leaf.startswith("extra."):
        holder.setdefault("extra", {})[leaf.removeprefix("extra.")] = value if isinstance(value, list) else [value]
    elif leaf.replace("[", ".").partition(".")[0] in _LISTS:
        holder.setdefault("groups", []).extend(value if isinstance(value, list) else [value])
    else:
        holder[leaf] = value


def _time(fields: Fields) -> str:
    return wrapper_time(fields)
