"""Saving what is left of a document a decoder refuses.

Three kinds of damage look alike to a decoder and are told apart here: text that ends too early (a shipper's size limit,
a cut file), text that is wrong in the middle, and text that is fine but nested deeper than a recursive decoder goes.
In each case the members in front of the damage are complete and are kept.

The intruder chooses bodies: a pod with ten thousand nested annotations must cost the body, not the event.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from msgspec import Raw

from kubewitness.evidence.json_text import INCOMPLETE, members
from kubewitness.sources.values import UNDECODABLE, Fields, elements_of, encode, lenient, string

_TRUNCATED_MARK = re.compile(rb"\[Truncated\.{3}\]")
_ESCAPE_AT_END = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?$")
_MARKED: Final = 64


@dataclass(frozen=True, slots=True)
class Saved:
    """What could be read of a damaged object."""

    fields: Fields
    left_out: tuple[str, ...]  # complete members whose value is unreadable
    cut_key: str  # the member the damage is in
    cut_text: bytes  # what there is of it
    end: int  # behind the closing bracket, INCOMPLETE if there is none
    reason: str  # empty if nothing but `left_out` is wrong


def save_object(text: bytes) -> Saved:
    """The readable members of the object `text` opens with."""
    read = members(text)
    fields: Fields = {}
    left_out: list[str] = []
    for key, value in read.found:
        name = _key(key)
        kept = _readable(value)
        if kept is None:
            left_out.append(name)
        else:
            fields[name] = kept
    if read.end != INCOMPLETE:
        return Saved(fields, tuple(left_out), "", b"", read.end, "")
    return Saved(
        fields, tuple(left_out), _key(read.cut_key), read.cut_value, INCOMPLETE, reason_of(text, read.malformed)
    )


def cut_string(text: bytes) -> bytes:
    """The content of a string whose end is missing."""
    inner = _ESCAPE_AT_END.sub(b"", text[1:])
    return string(Raw(b'"' + inner + b'"')).encode("utf-8", "replace")


def reason_of(text: bytes, malformed: int) -> str:
    """Cut or wrong: what to call the damage."""
    if _TRUNCATED_MARK.search(text[-_MARKED:]):
        return "truncated by CloudWatch ([Truncated...])"
    return "truncated JSON" if malformed == INCOMPLETE else f"malformed JSON at byte {malformed}"


def _key(key: bytes) -> str:
    value = lenient(key) if key else ""
    return value if isinstance(value, str) else ""


def _readable(value: bytes) -> Raw | None:
    """The value if a decoder accepts it, mended where only characters inside strings are wrong."""
    try:
        elements_of(b"[" + value + b"]")
    except RecursionError:
        return None
    except UNDECODABLE:
        mended = lenient(value)
        return encode(mended) if mended is not None else None
    return Raw(value)
