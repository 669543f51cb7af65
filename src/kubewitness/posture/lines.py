"""The lines of a host file, each with its place.

A line ends where systemd ends it: at a newline, a carriage return, both in either order, or a NUL. Lines are
*numbered* by their newlines alone, as every editor and every other place of this program does, so that a stray
carriage return shifts no number.

Source: read_line() of systemd (src/basic/fileio.c).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from kubewitness.model.evidence import Place
from kubewitness.model.host import HostFile

MAX_TEXT: Final = 1024 * 1024  # systemd refuses longer lines; no unit, environment file or configuration is near it
_END: Final = re.compile(r"\r\n|\n\r|[\n\r\x00]")


class Line(Struct, frozen=True, gc=False):
    """A line of a file."""

    text: str
    place: Place
    path: str  # of the file on the machine
    number: int = 0  # in that file: another than that of its place where a listing holds several files


def lines(file: HostFile) -> Iterator[Line]:
    """All lines of `file`; nothing of a file too long to be what it should be."""
    if len(file.text) > MAX_TEXT:
        return
    start, number, offset = 0, file.place.line, file.place.offset
    for end in _END.finditer(file.text):
        text = file.text[start : end.start()]
        length = _size(text)
        yield Line(text, Place(file.place.item, number, offset, length), file.path, number - file.place.line + 1)
        number += end.group().count("\n")
        offset += length + len(end.group())
        start = end.end()
    if start < len(file.text):
        text = file.text[start:]
        place = Place(file.place.item, number, offset, _size(text))
        yield Line(text, place, file.path, number - file.place.line + 1)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
