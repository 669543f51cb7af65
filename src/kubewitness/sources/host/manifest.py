"""The manifest of our own archive: one record a line, the collection's header first (`kubewitness.model.collection`).

It tells the machine's clock, so it is read before the rest, and which commands ran and how they ended: that a packet
filter was asked and said nothing is knowledge, that the program was not there is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import msgspec

from kubewitness.evidence.failures import unreadable
from kubewitness.model.collection import FORMAT, Command, End, Header, Item, Omitted, Record
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import KeyFile
from kubewitness.sources.host.collected import KIND, Collection, decoded_line
from kubewitness.sources.host.context import Context, Misfits
from kubewitness.sources.host.interface import Format

MAX_ITEMS: Final = 200_000
_COMMANDS: Final = 5_000
_REASONS: Final = 100
_KEYS: Final = 2_000
_SUBJECTS: Final = 4_000  # characters
_MAX_LINE: Final = 256 * 1024
_CREDENTIAL: Final = re.compile("private key|credentials")
_RECORD: Final = msgspec.json.Decoder(Record)


class _Read:
    """The manifest while it is read."""

    def __init__(self, context: Context) -> None:
        self.header: Header | None = None
        self.place = self.end_place = Place(context.item, 0, 0)
        self.items: dict[str, Item] = {}
        self.commands: list[tuple[Command, Place]] = []
        self.omitted: dict[str, int] = {}
        self.keys: list[KeyFile] = []
        self.end: End | None = None
        self.over = 0

    def take(self, record: Record, place: Place) -> str:
        """What is wrong with the record, "" if nothing."""
        if self.end is not None:
            return "behind the manifest's last line: added later"
        if isinstance(record, Header):
            if self.header is not None:
                return "a second header"
            self.header, self.place = record, place
        elif isinstance(record, Item):
            if record.path in self.items:
                return "an item that was named before"
            if len(self.items) < MAX_ITEMS:
                self.items[record.path] = record
            else:
                self.over += 1
        elif isinstance(record, Command):
            if len(self.commands) < _COMMANDS:
                self.commands.append((record, place))
        elif isinstance(record, Omitted):
            reason = record.reason if record.reason in self.omitted or len(self.omitted) < _REASONS else "other"
            self.omitted[reason] = self.omitted.get(reason, 0) + 1
            if _CREDENTIAL.search(record.reason) and len(self.keys) < _KEYS:
                self.keys.append(KeyFile(record.path[:4096], place, record.sha256[:64], record.subject[:_SUBJECTS]))
        else:
            self.end = record
            self.end_place = place
        return ""


def looks_like(lines: list[str], name: str) -> bool:
    """Its first line is a collection's header."""
    del name
    record = decoded_line(_RECORD, lines[0]) if '"collection"' in lines[0][:4096] else None
    return isinstance(record, Header) and record.format.startswith("kubewitness-node/")


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Collection | ParseFailure]:
    """The one collection a manifest tells of."""
    misfits, manifest = Misfits(), _Read(context)
    for place, line in lines:
        record = decoded_line(_RECORD, line)
        reason = "no record of a manifest" if record is None else manifest.take(record, place)
        manifest.end_place = place if manifest.end is None else manifest.end_place
        if reason and (failure := misfits.add(unreadable(place, reason, line.encode()))):
            yield failure
    if failure := misfits.rest():
        yield failure
    header = manifest.header
    if header is None:
        return
    if header.format != FORMAT:
        context.note(manifest.place, f"archive of another version ({header.format[:40]}), read as {FORMAT}")
    if manifest.over:
        context.note(manifest.place, f"{manifest.over} more items than are verified")
    context.clock.see(moment(header.started), _offset(header.zone))
    context.clock.collected = context.clock.collected or moment(header.started)
    yield Collection(
        header, manifest.place, manifest.items, tuple(manifest.commands), manifest.omitted, manifest.end,
        manifest.end_place, tuple(manifest.keys),
    )  # fmt: skip


def moment(text: str) -> datetime | None:
    """An RFC 3339 time with its zone; None if it is none."""
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return time if time.tzinfo else None


def _offset(zone: str) -> timedelta | None:
    """The offset that is written as +0800."""
    if len(zone) != 5 or zone[0] not in "+-" or not (zone[1:].isascii() and zone[1:].isdecimal()):
        return None
    size = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:]))
    return -size if zone[0] == "-" else size


FORMATS: tuple[Format, ...] = (Format(KIND, looks_like, read, max_line=_MAX_LINE, first=True),)
