"""The lines of one item with their places, whatever their number and length.

A log may have gigabytes and a line of it may too: what is longer than the limit is cut there (its place keeps the
true length) and told once as a failure. `wanted` looks at the bytes before anything is decoded, so that the millions
of lines nobody asks for cost little; they are counted in `passed`, unless they are no text: those are told as one
failure. A block of NULs in front of a line, as a machine that lost power leaves it in its logs, costs not that line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from kubewitness.evidence.failures import unreadable
from kubewitness.evidence.opening import Source
from kubewitness.model.evidence import ParseFailure, Place

MAX_LINE: Final = 64 * 1024
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c\x1d\x7f]")
_CONTROLS: Final = bytes(code for code in range(128) if _CONTROL.match(bytes((code,))))
_BOM: Final = b"\xef\xbb\xbf"
_RETURN: Final = ord("\r")


def decoded(data: bytes) -> str:
    """Text of evidence: undecodable bytes stay visible as escapes."""
    return data.decode("utf-8", "backslashreplace")


def is_binary(head: bytes) -> bool:
    """No text: more than a stray control byte (which an intruder may put anywhere) among the first ones."""
    return len(_CONTROL.findall(head[:8192])) * 20 > len(head[:8192])


def is_junk(line: bytes) -> bool:
    """No line of a text in any encoding: a NUL in it, or more than a stray control byte."""
    return b"\0" in line or (len(line) - len(line.translate(None, _CONTROLS))) * 20 > len(line)


class Lines:
    """Iterates the non-empty lines of a source, to its end, so that the source's hash is known afterwards.

    Attributes:
        passed: Lines that `wanted` did not want.
        cut: The first line that was longer than the limit, as a failure.
        junk: The lines that were not wanted and are no text, as one failure at the first of them.
    """

    def __init__(self, source: Source, limit: int = MAX_LINE, wanted: Callable[[bytes], bool] | None = None) -> None:
        self._source, self._limit, self._wanted = source, limit, wanted
        self.passed = 0
        self.cut: ParseFailure | None = None
        self.junk: ParseFailure | None = None
        self._junk = 0

    def __iter__(self) -> Iterator[tuple[Place, str]]:
        name, limit, wanted = self._source.name, self._limit, self._wanted
        offset, number = 0, 0
        for pieces, beyond, is_clean in self._blocks():
            lacks = beyond  # the first piece alone
            for piece in pieces:
                number += 1
                start, length = offset, len(piece) + lacks
                offset += length + 1
                lacks = 0
                line = piece if length <= limit else piece[:limit]
                if start == 0:
                    line = line.removeprefix(_BOM)
                if not line or line.isspace():
                    continue
                if line[-1] == _RETURN:
                    line = line.rstrip(b"\r")
                if length > limit and self.cut is None:
                    reason = f"line of {length} bytes, cut at {limit}"
                    self.cut = unreadable(Place(name, number, start, length), reason, line[:256], "its start")
                if wanted is None or wanted(line):
                    yield Place(name, number, start, length), line.decode("utf-8", "backslashreplace")
                elif line[0] == 0 and (rest := line.lstrip(b"\0")) and wanted(rest):
                    yield Place(name, number, start, length), decoded(rest)
                elif not is_clean and is_junk(line):
                    self._add_junk(Place(name, number, start, length), line)
                else:
                    self.passed += 1

    def _add_junk(self, place: Place, data: bytes) -> None:
        self._junk += 1
        lines = "a line that is" if self._junk == 1 else f"{self._junk} lines that are"
        if self.junk is None:
            self.junk = unreadable(place, f"{lines} no text", data[:256])
        else:
            self.junk = msgspec.structs.replace(self.junk, reason=f"{lines} no text, this is the first")

    def _blocks(self) -> Iterator[tuple[list[bytes], int, bool]]:
        """Lines as they come, how many bytes the first lacks (those beyond the limit), and that all are surely text."""
        held, length, is_clean = b"", 0, True  # the line that goes on
        for chunk in self._source.open():
            lines = chunk.split(b"\n")
            was_clean, is_clean = is_clean, len(chunk.translate(None, _CONTROLS)) == len(chunk)
            held += lines[0][: self._limit - len(held)]
            length += len(lines[0])
            if len(lines) == 1:
                is_clean = is_clean and was_clean
                continue
            lines[0] = held
            rest = lines.pop()
            yield lines, length - len(held), is_clean and was_clean
            held, length = rest[: self._limit], len(rest)
        if length:
            yield [held], length - len(held), False
