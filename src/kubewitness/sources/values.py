"""Looking into undecoded JSON values. Nothing here raises: what cannot be read is absent.

Wrappers are opened one level at a time with `msgspec.Raw`: the bytes of the innermost event stay exactly as found and
large bodies are never turned into Python objects only to be thrown away.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from kubewitness.evidence.json_text import Elements

Fields = dict[str, Raw]  # the members of one JSON object, undecoded

ABSENT = Raw(b"")

_fields: msgspec.json.Decoder[Fields] = msgspec.json.Decoder(Fields)
_elements: msgspec.json.Decoder[list[Raw]] = msgspec.json.Decoder(list[Raw])
_string: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)
_anything: msgspec.json.Decoder[Any] = msgspec.json.Decoder()

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_LENIENT = 2 * 1024 * 1024  # larger values are not worth the memory of a second try

OBJECT, ARRAY, STRING, NULL = b'{["n'  # first bytes

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def fields_of(data: bytes | Raw) -> Fields:
    """The members of an object; raises one of UNDECODABLE."""
    return _fields.decode(data)


def elements_of(data: bytes | Raw) -> list[Raw]:
    """The elements of an array; raises one of UNDECODABLE."""
    return _elements.decode(data)


def first_byte(raw: bytes | Raw | None) -> int:
    """The byte that tells the type: OBJECT, ARRAY, STRING, or one of `t f n -` and the digits; 0 if absent."""
    if raw is None:
        return 0
    view = memoryview(raw)
    return view[0] if view else 0


def is_null(raw: bytes | Raw | None) -> bool:
    """Absent, or JSON null."""
    return first_byte(raw) in (0, NULL)


def lenient(text: bytes | Raw) -> Any:
    """The value, also where only escapes or control characters inside strings are wrong; None if unreadable.

    Lone surrogates (`"\\ud800"`, which Go replaces on reading) become the replacement character.
    """
    try:
        return _anything.decode(text)
    except RecursionError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        if len(memoryview(text)) > _LENIENT:
            return None
    try:
        value = json.loads(bytes(text).decode("utf-8", "replace"), strict=False, parse_constant=lambda _: None)
        return json.loads(_LONE_SURROGATE.sub("\ufffd", json.dumps(value, ensure_ascii=False)))
    except (ValueError, RecursionError):
        return None


def string(raw: Raw | None) -> str:
    """The text of a JSON string; empty if absent or of another type."""
    if first_byte(raw) != STRING or raw is None:
        return ""
    try:
        return _string.decode(raw)
    except UNDECODABLE:
        value = lenient(raw)
        return value if isinstance(value, str) else ""


def scalar(raw: Raw | None) -> str:
    """The text of a JSON string or number; empty otherwise."""
    if first_byte(raw) == STRING:
        return string(raw)
    value = lenient(raw) if raw is not None and not is_null(raw) else None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def inside(raw: Raw | None) -> Fields:
    """The members of an object, or of an object written inside a string; empty if it is neither."""
    if first_byte(raw) == STRING:
        text = string(raw).strip().encode("utf-8", "replace")
        raw = Raw(text)
    if raw is None or first_byte(raw) != OBJECT:
        return {}
    try:
        return _fields.decode(raw)
    except UNDECODABLE:
        return {}


def listed(raw: Raw | None, *, scalars: bool = False) -> Iterator[Raw]:
    """The elements of an array, or of an array written inside a string; none if it is neither.

    One at a time, and numbers and literals only on demand: hostile arrays have millions.
    """
    if first_byte(raw) == STRING:
        raw = Raw(string(raw).strip().encode("utf-8", "replace"))
    if raw is not None and first_byte(raw) == ARRAY:
        yield from map(Raw, Elements(bytes(raw), scalars))


def encode(value: Any) -> Raw:
    """`value` as an undecoded JSON value."""
    return Raw(msgspec.json.encode(value))
