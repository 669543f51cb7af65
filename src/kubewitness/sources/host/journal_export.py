"""Frames the export format of the journal: text with binary fields in between, so that lines are no frame.

    __CURSOR=s=…
    __REALTIME_TIMESTAMP=1711206336670951
    SYSLOG_IDENTIFIER=kubelet
    MESSAGE
    <8 bytes, length, little endian><that many bytes>
    <empty line>

A message may hold anything, also an empty line and what looks like another entry behind it; only its length tells
where it ends. A length has a NUL byte: an entry without one has no such field, and is cut at the empty line
without looking at its lines. What is wanted leaves here as the JSON of the same entry.

Source: https://systemd.io/JOURNAL_EXPORT_FORMATS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from kubewitness.evidence.failures import unreadable
from kubewitness.evidence.opening import Source
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.sources.host.lines import decoded

MAX_VALUE: Final = 64 * 1024
MAX_ENTRY: Final = 8 * 1024 * 1024  # held in memory; systemd takes no field above 768 MiB, and writes none near it
_NAME = re.compile(rb"(?:^|\n)SYSLOG_IDENTIFIER=([^\n]{1,64})")
_COMM = re.compile(rb"(?:^|\n)_COMM=([^\n]{1,64})")
_MESSAGE = re.compile(rb"(?:^|\n)MESSAGE=")
_KEY = re.compile(rb"[A-Z_][A-Z0-9_]{0,63}")

Fields = dict[str, str | list[str]]
Wanted = Callable[[bytes, bytes, re.Pattern[bytes]], bool]


def looks_like(lines: list[str], _: str) -> bool:
    """An entry begins with its cursor and has its time."""
    return lines[0].startswith("__CURSOR=") and any(
        re.fullmatch(r"__REALTIME_TIMESTAMP=\d{10,20}", line) for line in lines[1:6]
    )


class Entries:
    """Iterates the entries that are wanted, as JSON.

    Attributes:
        passed: Entries nobody wanted.
        cut: The first entry that was too long.
        junk: Always None: what is no entry is found when it is read.
    """

    def __init__(self, source: Source, wanted: Wanted) -> None:
        self._source, self._wanted = source, wanted
        self.passed = 0
        self.cut: ParseFailure | None = None
        self.junk: ParseFailure | None = None

    def __iter__(self) -> Iterator[tuple[Place, str]]:
        for place, entry, plain in self._pieces():
            name = _NAME.search(entry) or _COMM.search(entry)
            if plain and not (name and self._wanted(name[1], entry, _MESSAGE)):
                self.passed += 1
                continue
            fields = _fields(entry)
            if not plain and not telling_fields(fields, self._wanted):
                self.passed += 1
                continue
            yield place, msgspec.json.encode(fields).decode()

    def _pieces(self) -> Iterator[tuple[Place, bytes, bool]]:
        """The entries with their places, and whether they have no binary field."""
        buffer, offset, line, skip = b"", 0, 1, 0
        for chunk in self._source.open():
            if skip >= len(chunk):
                skip, offset, line = skip - len(chunk), offset + len(chunk), line + chunk.count(b"\n")
                continue
            buffer, offset, line, skip = buffer + chunk[skip:], offset + skip, line + chunk.count(b"\n", 0, skip), 0
            at = 0
            while (found := _end(buffer, at)) is not None:
                end, plain = found
                entry = buffer[at:end].strip(b"\n") if plain else buffer[at:end]
                if entry:
                    yield Place(self._source.name, line, offset + at, end - at), entry, plain
                line += buffer.count(b"\n", at, end)
                at = end
            buffer, offset = buffer[at:], offset + at
            if len(buffer) > MAX_ENTRY:
                self._cut(Place(self._source.name, line, offset, len(buffer)), "entry too long, left out", buffer)
                # Its length is believed, or whoever writes a field of that size writes the entries behind it too.
                skip = max(_behind_fields(buffer, 0)[0] - len(buffer), 0)
                line, offset, buffer = line + buffer.count(b"\n"), offset + len(buffer), b""
        if skip:
            self._cut(Place(self._source.name, line, offset), "the last field is not there to its end", b"")
        if buffer.strip(b"\n"):
            yield Place(self._source.name, line, offset, len(buffer)), buffer, b"\0" not in buffer

    def _cut(self, place: Place, reason: str, data: bytes) -> None:
        if self.cut is None:
            self.cut = unreadable(place, reason, data[:256])


def telling_fields(fields: Mapping[str, str | list[str]], wanted: Wanted) -> bool:
    """Whether an entry that was taken apart is wanted."""
    name = fields.get("SYSLOG_IDENTIFIER") or fields.get("_COMM")
    message = fields.get("MESSAGE", "")
    if not isinstance(name, str):
        return name is not None
    text = message if isinstance(message, str) else message[0]
    return wanted(name.encode("utf-8", "replace"), b"MESSAGE=" + text.encode("utf-8", "replace"), _MESSAGE)


def _end(buffer: bytes, at: int) -> tuple[int, bool] | None:
    """Behind the empty line that ends the entry at `at`, and whether the entry has no binary field; None: not there."""
    end = buffer.find(b"\n\n", at)
    if end < 0:
        return None
    if buffer.find(b"\0", at, end) < 0:
        # The first bytes of a length may be an empty line themselves; the name before them has no `=`.
        last = max(buffer.rfind(b"\n", at, end), at)
        before = max(buffer.rfind(b"\n", at, last), at)
        if buffer.find(b"=", last, end) >= 0 and (before == last or buffer.find(b"=", before, last) >= 0):
            return end + 2, True
    position, ended = _behind_fields(buffer, at)
    return (position, False) if ended else None


def _behind_fields(buffer: bytes, at: int) -> tuple[int, bool]:
    """How far the fields from `at` on reach, perhaps behind the buffer, and whether the empty line is there."""
    while True:
        stop = buffer.find(b"\n", at)
        if stop < 0:
            return at, False
        if stop == at:
            return at + 1, True
        if b"=" in buffer[at:stop] or not _KEY.fullmatch(buffer, at, stop):
            at = stop + 1
            continue
        if stop + 9 > len(buffer):
            return at, False
        at = stop + 9 + int.from_bytes(buffer[stop + 1 : stop + 9], "little")
        if at >= len(buffer):
            return at, False
        at += buffer[at : at + 1] == b"\n"


def _fields(entry: bytes) -> Fields:
    """All fields of an entry, cut; of those that stand there more than once, all values."""
    fields: Fields = {}
    position = 0
    while position < len(entry):
        stop = entry.find(b"\n", position)
        stop = len(entry) if stop < 0 else stop
        key, equals, value = entry[position:stop].partition(b"=")
        position = stop + 1
        if not equals:
            if not _KEY.fullmatch(key):
                continue
            length = int.from_bytes(entry[position : position + 8], "little")
            value = entry[position + 8 : position + 8 + min(length, MAX_VALUE)]
            position += 9 + length
        name, text = decoded(key[:64]), decoded(value[:MAX_VALUE])
        known = fields.get(name)
        fields[name] = text if known is None else [*([known] if isinstance(known, str) else known), text][:16]
    return fields
