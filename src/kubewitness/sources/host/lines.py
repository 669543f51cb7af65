"""The lines of one item with their places, whatever their number and length.

A log may have gigabytes and a line of it may too: what is longer than the limit is cut there (its place keeps the
true length) and told once as a failure. `wanted` looks at the bytes before anything is decoded, so that the millions
of lines nobody asks for cost little; they are counted in `passed`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from kubewitness.evidence.failures import unreadable
from kubewitness.evidence.opening import Source
from kubewitness.model.evidence import ParseFailure, Place

MAX_LINE: Final = 64 * 1024
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c\x1d\x7f]")
_BOM: Final = b"\xef\xbb\xbf"


def decoded(data: bytes) -> str:
    """Text of evidence: undecodable bytes stay visible as escapes."""
    return data.decode("utf-8", "backslashreplace")


def is_binary(head: bytes) -> bool:
    """No text: more than a stray control byte (which an intruder may put anywhere) among the first ones."""
    return len(_CONTROL.findall(head[:8192])) * 20 > len(head[:8192])


class Lines:
    """Iterates the non-empty lines of a source, to its end, so that the source's hash is known afterwards.

    Attributes:
        passed: Lines that `wanted` did not want.
        cut: The first line that was longer than the limit, as a failure.
    """

    def __init__(self, source: Source, limit: int = MAX_LINE, wanted: Callable[[bytes], bool] | None = None) -> None:
        self._source, self._limit, self._wanted = source, limit, wanted
        self.passed = 0
        self.cut: ParseFailure | None = None

    def __iter__(self) -> Iterator[tuple[Place, str]]:
        offset, number = 0, 1
        for line, length, ended in self._pieces():
            data = line.rstrip(b"\r")
            if offset == 0:
                data = data.removeprefix(_BOM)
            if data and not data.isspace():
                place = Place(self._source.name, number, offset, length)
                if length > self._limit and self.cut is None:
                    self.cut = unreadable(
                        place, f"line of {length} bytes, cut at {self._limit}", data[:256], "its start"
                    )
                if self._wanted is None or self._wanted(data):
                    yield place, decoded(data)
                else:
                    self.passed += 1
            offset += length + ended
            number += 1

    def _pieces(self) -> Iterator[tuple[bytes, int, bool]]:
        """Each line's first bytes, its true length and whether a line end follows."""
        held, length = b"", 0
        for chunk in self._source.open():
            first, *others = chunk.split(b"\n")
            held += first[: self._limit - len(held)]
            length += len(first)
            if not others:
                continue
            yield held, length, True
            for line in others[:-1]:
                yield line[: self._limit], len(line), True
            held, length = others[-1][: self._limit], len(others[-1])
        if length:
            yield held, length, False
