"""In which line each element of a list stands: what a person who mends a dump or a manifest has to find.

JSON: the elements are taken as undecoded bytes, in order, so each is found right behind the one before it. YAML: the
entries of a block sequence begin with a dash in one and the same column, in which nothing inside an entry can stand.
Where the count does not come out (flow style, tabs, a trick), no line is told rather than a wrong one.

Source: YAML 1.2.2, 8.2.1 (block sequences; content of an entry is indented more than its dash).
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import Raw, Struct

from kubewitness.evidence.frame import Frame
from kubewitness.evidence.opening import Source
from kubewitness.model.evidence import Place

_MOST: Final = 16 * 1024 * 1024  # bytes of YAML that are looked at
_ITEMS = re.compile(rb"^items:[ \t]*(?:#[^\n]{0,200})?\r?$", re.M)
_DASH = re.compile(rb"^( {0,8})-(?=[ \t\r]|$)", re.M)
_TOP = re.compile(rb"^[^\s#-]", re.M)  # the next key of the document


class _List(Struct):
    items: list[Raw] = []


def of_json(frame: Frame) -> list[Place]:
    """Places of the elements of a list of objects, or of `items` of one; empty if the record is neither."""
    data, place = frame.data, frame.place
    try:
        if data[:1] == b"[":
            elements = msgspec.json.decode(data, type=list[Raw])
        else:
            elements = msgspec.json.decode(data, type=_List).items
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    out = list[Place]()
    at = counted = 0
    line = place.line
    for number, one in enumerate(elements):
        text = bytes(one)
        at = data.find(text, at)
        if at < 0:
            return []
        line += data.count(b"\n", counted, at)
        counted = at
        out.append(Place(place.item, line, place.offset + at, len(text), number))
        at += len(text)
    return out


def of_yaml(source: Source, place: Place) -> list[Place]:
    """Places of the elements of `items`, or of the sequence the document is; empty if they cannot be told."""
    if place.offset + place.length > _MOST:
        return []
    text = _text(source, place)
    named = _ITEMS.search(text)
    begin = named.end() if named else 0
    first = _DASH.search(text, begin)
    if first is None or (named is None and first.start() != 0) or text[begin : first.start()].strip():
        return []
    top = _TOP.search(text, first.end())
    end = top.start() if top else len(text)
    dash = re.compile(rb"^" + first[1] + rb"-(?=[ \t\r]|$)", re.M)
    out = list[Place]()
    line, counted = place.line, 0
    for number, one in enumerate(dash.finditer(text, first.start(), end)):
        line += text.count(b"\n", counted, one.start())
        counted = one.start()
        out.append(Place(place.item, line, place.offset + one.start(), 0, number))
    return out


def _text(source: Source, place: Place) -> bytes:
    """The document's own text."""
    kept, passed = bytearray(), 0
    for chunk in source.open():
        if passed < place.offset + place.length:
            start = max(0, place.offset - passed)
            kept += chunk[start : place.offset + place.length - passed]
        passed += len(chunk)
    return bytes(kept)
