"""Finding where JSON values end, without decoding them and without recursion.

A decoder answers all or nothing: a line cut by a log shipper, a body nested ten thousand levels deep or a document of a
gigabyte is an error to it. Here brackets and strings are only counted, so the members in front of a cut can still be
read, depth costs nothing, and a value can be followed through a stream chunk by chunk.

Grammar: RFC 8259. Nothing is validated beyond what is needed to find an end; whoever uses a slice decodes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

# Repetitions are bounded: the matcher keeps a note of each, and evidence decides how many there are.
_RUN = re.compile(rb'[^"{}\[\]]*(?:"[^"\\\n]*"[^"{}\[\]]*){0,1000}')  # up to a bracket or a string with escapes
_OPEN, _CLOSE = re.compile(rb"[{\[]+"), re.compile(rb"[}\]]+")
_ESCAPED = re.compile(rb'[^"\\]*(?:\\.[^"\\]*){0,1000}', re.S)  # up to the closing quote
_SPACE = re.compile(rb"[ \t\r\n]*")
_SCALARS = re.compile(rb'(?:[^\s,:{}\[\]"]+[ \t\r\n]*,[ \t\r\n]*){1,1000}')
_SCALAR = re.compile(rb'[^\s,:{}\[\]"]+')

_QUOTE, _BACKSLASH, _NEWLINE = 0x22, 0x5C, 0x0A
_OPENERS = b"{["

INCOMPLETE = -1


def string_end(data: bytes | bytearray, start: int) -> int:
    """The position behind the string that opens at `start`; INCOMPLETE if its closing quote is not in `data`."""
    at = _in_string(data, start + 1)
    return at + 1 if at < len(data) and data[at] == _QUOTE else INCOMPLETE


def _in_string(data: bytes | bytearray, at: int) -> int:
    """From inside a string to its closing quote, or to where reading can go on when there is more data."""
    size = len(data)
    while match := _ESCAPED.match(data, at):
        at = match.end()
        if at >= size or data[at] == _QUOTE or at + 1 >= size:  # the last: a backslash with nothing behind it yet
            break
    return at


@dataclass(slots=True)
class ValueEnd:
    """Follows one value that opens at `position`; `advance` can be called again when the buffer has grown.

    `broken` is set if a string runs over a line end: JSON forbids that, so a quote is missing and brackets can no
    longer be trusted.
    """

    position: int
    depth: int = 0
    broken: bool = False
    _inside: bool = False  # position is inside a string

    def advance(self, data: bytes | bytearray, stop: int | None = None) -> int:
        """The position behind the value, INCOMPLETE while it is not all there (in front of `stop`, if given)."""
        if self.depth == 0 and not self._inside and data[self.position] not in _OPENERS:
            return self._leaf(data)
        at, size = self.position, len(data) if stop is None else stop
        while True:
            if self._inside:
                start, at = at, _in_string(data, at)
                if data.find(b"\n", start, at) >= 0:
                    self.position, self.broken = start, True
                    return INCOMPLETE
                if at >= len(data) or data[at] != _QUOTE:
                    self.position = at
                    return INCOMPLETE
                self._inside = False
                at += 1
                if self.depth == 0:
                    return at
            match = _RUN.match(data, at, size)
            at = match.end() if match else size
            if at >= size:
                self.position = size
                return INCOMPLETE
            mark = data[at]
            if mark == _QUOTE:
                self._inside = True
                at += 1
                continue
            opening = mark in _OPENERS
            run = (_OPEN if opening else _CLOSE).match(data, at)
            count = run.end() - at if run else 1
            if opening:
                self.depth += count
            elif count < self.depth:
                self.depth -= count
            else:
                self.position = at + self.depth
                self.depth = 0
                return self.position
            at += count

    def _leaf(self, data: bytes | bytearray) -> int:
        if data[self.position] == _QUOTE:
            self._inside = True
            self.position += 1
            return self.advance(data)
        match = _SCALAR.match(data, self.position)
        return match.end() if match and match.end() < len(data) else INCOMPLETE


def skip_space(data: bytes | bytearray, start: int) -> int:
    """The position of the first byte at or behind `start` that is not JSON white space."""
    match = _SPACE.match(data, start)
    return match.end() if match else start


@dataclass(slots=True)
class Members:
    """What could be read of one object or array, in order. Arrays have empty keys."""

    found: list[tuple[bytes, bytes]] = field(default_factory=list)  # key as written, quotes included; value
    cut_key: bytes = b""  # key of the member that has no end
    cut_value: bytes = b""  # its text as far as there is any
    end: int = INCOMPLETE  # behind the closing bracket, INCOMPLETE if it was not reached
    malformed: int = INCOMPLETE  # where the text stops being JSON, INCOMPLETE if it merely ends


def members(data: bytes, start: int = 0, limit: int = 1 << 62) -> Members:
    """The members of the object or array that opens at `start`, as far as they are complete and at most `limit`."""
    read = Members()
    keyed = data[start : start + 1] == b"{"
    closer = b"}" if keyed else b"]"
    at = skip_space(data, start + 1)
    if data[at : at + 1] == closer:
        read.end = at + 1
        return read
    while at < len(data) and len(read.found) < limit:
        key = b""
        if keyed:
            end = string_end(data, at) if data[at] == _QUOTE else INCOMPLETE
            if end == INCOMPLETE:
                read.malformed = INCOMPLETE if data[at] == _QUOTE else at
                return read
            key, at = data[at:end], skip_space(data, end)
            if at < len(data) and data[at : at + 1] != b":":
                read.malformed = at
                return read
            at = skip_space(data, at + 1)
            if at >= len(data):
                read.cut_key = key
                return read
        if data[at] in b",:}]":
            read.malformed = at
            return read
        end = ValueEnd(at).advance(data)
        if end == INCOMPLETE:
            read.cut_key, read.cut_value = key, data[at:]
            return read
        read.found.append((key, data[at:end]))
        at = skip_space(data, end)
        mark = data[at : at + 1]
        if mark == closer:
            read.end = at + 1
            return read
        if mark != b",":
            read.malformed = at if mark else INCOMPLETE
            return read
        at = skip_space(data, at + 1)
    return read


@dataclass(slots=True)
class Elements:
    """The elements of the array `data` opens with, one at a time: there may be more than memory should hold.

    How it ended is known when the iteration is over.
    """

    data: bytes
    scalars: bool = True  # False: numbers and literals are only counted, a thousand at a step
    count: int = 0
    skipped: int = 0
    cut: bytes = b""  # the text of the element that has no end
    end: int = INCOMPLETE  # behind the closing bracket
    malformed: int = INCOMPLETE

    def __iter__(self) -> Iterator[bytes]:
        data, at = self.data, skip_space(self.data, 1)
        if data[at : at + 1] == b"]":
            self.end = at + 1
            return
        while at < len(data):
            if not self.scalars and (run := _SCALARS.match(data, at)):
                self.skipped += data.count(b",", at, run.end())
                at = run.end()
                continue
            if data[at] in b",:}]":
                self.malformed = at
                return
            end = ValueEnd(at).advance(data)
            if end == INCOMPLETE:
                self.cut = data[at:]
                return
            self.count += 1
            yield data[at:end]
            at = skip_space(data, end)
            mark = data[at : at + 1]
            if mark == b"]":
                self.end = at + 1
                return
            if mark != b",":
                self.malformed = at if mark else INCOMPLETE
                return
            at = skip_space(data, at + 1)
