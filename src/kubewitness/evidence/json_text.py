"""Finding where JSON values end, without decoding them and without recursion.

A decoder answers all or nothing: a line cut by a log shipper, a body nested ten thousand levels deep or a document of a
gigabyte is an error to it. Here brackets and strings are only counted, so the members in front of a cut can still be
read, depth costs nothing, and a value can be followed through a stream chunk by chunk.

Grammar: RFC 8259. Nothing is validated beyond what is needed to find an end; whoever uses a slice decodes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# Repetitions are bounded: the matcher keeps a note of each, and evidence decides how many there are.
_RUN = re.compile(rb'[^"{}\[\]]*(?:"[^"\\\n]*"[^"{}\[\]]*){0,1000}')  # up to a bracket or a string with escapes
_ESCAPED = re.compile(rb'[^"\\]*(?:\\.[^"\\]*){0,1000}', re.S)  # up to the closing quote
_SPACE = re.compile(rb"[ \t\r\n]*")
_SCALAR = re.compile(rb'[^\s,:{}\[\]"]+')

_QUOTE, _BACKSLASH, _NEWLINE = 0x22, 0x5C, 0x0A
_OPENERS = b"{["

INCOMPLETE = -1


def string_end(data: bytes | bytearray, start: int) -> int:
    """The position behind the string that opens at `start`; INCOMPLETE if its closing quote is not in `data`."""
    at, size = start + 1, len(data)
    while match := _ESCAPED.match(data, at):
        at = match.end()
        if at >= size:
            return INCOMPLETE
        if data[at] == _QUOTE:
            return at + 1
        if at + 1 >= size:  # a backslash with nothing behind it yet
            return INCOMPLETE
    return INCOMPLETE


@dataclass(slots=True)
class ValueEnd:
    """Follows one value that opens at `position`; `advance` can be called again when the buffer has grown.

    `broken` is set if a string runs over a line end: JSON forbids that, so a quote is missing and brackets can no
    longer be trusted.
    """

    position: int
    depth: int = 0
    broken: bool = False

    def advance(self, data: bytes | bytearray) -> int:
        """The position behind the value, INCOMPLETE while it is not all there."""
        if self.depth == 0 and data[self.position] not in _OPENERS:
            return self._leaf(data)
        at, size = self.position, len(data)
        while match := _RUN.match(data, at):
            at = match.end()
            if at >= size:
                self.position = size
                return INCOMPLETE
            mark = data[at]
            if mark == _QUOTE:
                end = string_end(data, at)
                if data.find(b"\n", at, end if end != INCOMPLETE else size) >= 0:
                    self.position, self.broken = at, True
                    return INCOMPLETE
                if end == INCOMPLETE:
                    self.position = at
                    return INCOMPLETE
                at = end
                continue
            at += 1
            self.depth += 1 if mark in _OPENERS else -1
            if self.depth <= 0:
                self.position = at
                return at
        return INCOMPLETE

    def _leaf(self, data: bytes | bytearray) -> int:
        if data[self.position] == _QUOTE:
            return string_end(data, self.position)
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


def members(data: bytes, start: int = 0) -> Members:
    """The members of the object or array that opens at `start`, as far as they are complete."""
    read = Members()
    keyed = data[start : start + 1] == b"{"
    closer = b"}" if keyed else b"]"
    at = skip_space(data, start + 1)
    if data[at : at + 1] == closer:
        read.end = at + 1
        return read
    while at < len(data):
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
