"""Finding duplicate keys, which every decoder resolves in silence.

Two parsers that disagree on which of two equal keys counts see two different events; an intruder's chance. Like the API
server's own decoder the last one is taken here, and the reader is told.

An API server writes compact JSON, so a cheap sum tells that nothing was swallowed: the lengths of all keys, values and
marks must add up to the length of the text. Only where they do not, the keys are read one by one.
"""

from __future__ import annotations

from kubewitness.evidence.json_text import members
from kubewitness.sources.values import OBJECT, UNDECODABLE, Fields, fields_of, lenient

_PARTS_LIMIT = 1024 * 1024  # bodies beyond this are not searched


def duplicate_keys(text: bytes, fields: Fields) -> list[str]:
    """Keys that occur twice in the object `text` or in an object directly inside it, dotted, at most eight."""
    found = [] if _accounted(text, fields) else _repeated(text, "")
    for name, raw in fields.items():
        inner = bytes(raw)
        if 12 < len(inner) < _PARTS_LIMIT and inner[0] == OBJECT:
            try:
                part = fields_of(inner)
            except UNDECODABLE:
                continue
            if not _accounted(inner, part):
                found += _repeated(inner, f"{name}.")
    return found[:8]


def repeated_keys(original: bytes) -> list[str]:
    """The same for an event as found; empty if it is no single JSON object."""
    try:
        return duplicate_keys(original, fields_of(original))
    except UNDECODABLE:
        return []


def _accounted(text: bytes, fields: Fields) -> bool:
    """The text is as long as an object of these members, written compactly or with a space behind each mark."""
    count = len(fields)
    if not count:
        return len(text) == 2
    length = 1 + 4 * count + len("".join(fields)) + len(b"".join(fields.values()))
    if len(text) == length:
        return True
    spaced = text.startswith(b'": ', 2 + len(next(iter(fields))))
    return spaced and len(text) == length + 2 * count - 1


def _repeated(text: bytes, prefix: str) -> list[str]:
    names = [lenient(key) for key, _ in members(text).found]
    seen: set[object] = set()
    twice = [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
    return [f"{prefix}{name}" for name in twice if isinstance(name, str)]
