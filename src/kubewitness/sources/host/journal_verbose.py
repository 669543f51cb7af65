"""Frames what `journalctl -o verbose` writes: a line with the time and the cursor, the fields below it.

    Sat 2024-03-23 15:05:36.670951 UTC [s=81802d0e8c46…;i=8ea;b=…;m=5a7a9fc10;t=660d7b876f273;x=…]
        SYSLOG_IDENTIFIER=sshd
        MESSAGE=first line
                second line

`t` is the entry's time in microseconds, hexadecimal; so the zone of the printed time does not matter. Fields stand
behind four blanks, further lines of a value under its beginning: no message can write a field or an entry. What is
not printable is left out by journalctl ("[14B blob data]").

Source: systemd src/shared/logs-show.c (output_verbose).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import msgspec

from kubewitness.evidence.opening import Source
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.sources.host.journal_export import MAX_VALUE, Wanted, telling_fields
from kubewitness.sources.host.lines import Lines

MAX_FIELDS: Final = 500
_HEAD = re.compile(
    r"[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})? \S{1,10} "
    r"\[s=[0-9a-f]{1,32};i=[0-9a-f]{1,16};b=[0-9a-f]{1,32};m=[0-9a-f]{1,16};t=([0-9a-f]{1,16});x=[0-9a-f]{1,16}\]$"
)
_FIELD = re.compile(r" {4}([A-Z_][A-Z0-9_]{0,63})=(.*)", re.S)


def looks_like(lines: list[str], _: str) -> bool:
    """An entry's head (perhaps behind a line about the journal), then a field."""
    return any(_HEAD.match(line) and _FIELD.match(following) for line, following in pairwise(lines[:3]))


class Entries:
    """Iterates the entries that are wanted, as JSON.

    Attributes:
        passed: Entries nobody wanted.
        cut: The first line that was too long.
        junk: Lines that are no text.
    """

    def __init__(self, source: Source, wanted: Wanted) -> None:
        self._lines, self._wanted = Lines(source), wanted
        self.passed = 0
        self.cut: ParseFailure | None = None
        self.junk: ParseFailure | None = None

    def __iter__(self) -> Iterator[tuple[Place, str]]:
        place: Place | None = None
        fields = dict[str, str]()
        key, size = "", 0
        for at, line in self._lines:
            if head := _HEAD.match(line):
                yield from self._entry(place, fields)
                place, fields, key, size = at, {"__REALTIME_TIMESTAMP": str(int(head[1], 16))}, "", 0
            elif (found := _FIELD.match(line)) and len(fields) < MAX_FIELDS:
                key = found[1] if found[1] not in fields else ""  # of a field that stands there twice, the first
                if key:
                    fields[key] = found[2]
            elif key and line.startswith(" " * (5 + len(key))) and size < MAX_VALUE:
                text = line[5 + len(key) :]
                fields[key] += "\n" + text
                size += len(text)
        yield from self._entry(place, fields)
        self.cut, self.junk = self._lines.cut, self._lines.junk

    def _entry(self, place: Place | None, fields: dict[str, str]) -> Iterator[tuple[Place, str]]:
        if place is None:
            return
        if telling_fields(fields, self._wanted):
            yield place, msgspec.json.encode(fields).decode()
        else:
            self.passed += 1
