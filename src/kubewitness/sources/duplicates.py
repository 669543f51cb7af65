"""Finding duplicate keys, which every decoder resolves in silence.

Two parsers that disagree on which of two equal keys counts see two different events; an intruder's chance. Like the API
server's own decoder the last one is taken here, and the reader is told.

An API server writes compact JSON, so a cheap sum tells that nothing was swallowed: the lengths of all keys, values and
marks must add up to the length of the text. Only where they do not, the keys are read one by one.
"""

from __future__ import annotations

from collections.abc import Iterator

from kubewitness.evidence.json_text import members
from kubewitness.sources.values import UNDECODABLE, Fields, fields_of, first_byte, lenient

_PARTS_LIMIT = 4 * 1024 * 1024  # bodies beyond this are not searched


def duplicate_keys(text: bytes, fields: Fields) -> list[str]:
    """Keys that occur twice in the object `text` or in an object directly inside it, dotted, at most eight."""
    found = list(_repeated(text, fields, ""))
    for name, raw in fields.items():
        size = len(memoryview(raw))
        if size > 12 and first_byte(raw) == b"{" and size < _PARTS_LIMIT:
            try:
                found.extend(_repeated(bytes(raw), fields_of(raw), f"{name}."))
            except UNDECODABLE:
                continue
    return found[:8]


def _repeated(text: bytes, fields: Fields, prefix: str) -> Iterator[str]:
    if _accounted(fields) == len(text):
        return
    seen: set[str] = set()
    for key, _ in members(text).found:
        name = lenient(key)
        if not isinstance(name, str):
            continue
        if name in seen:
            yield prefix + name
        seen.add(name)


def _accounted(fields: Fields) -> int:
    """Length of the compact object with exactly these members: braces, quotes, colons and commas included."""
    return 1 + max(len(fields), 1) + sum(len(key) + 3 + len(memoryview(raw)) for key, raw in fields.items())
