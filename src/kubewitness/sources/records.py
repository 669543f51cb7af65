"""From one line or document to the audit events inside it: the slow but complete road.

The text is opened one level at a time. At each level it is an object (an event, a wrapper the registry knows, or
something else), an array, a string of JSON, or text with JSON behind a prefix (the timestamp of an S3 or CloudWatch
export, CRI, syslog). Whatever cannot be opened becomes a `ParseFailure` with a reason; whatever was odd but readable
becomes a `Note`. Nothing raises and nothing is dropped in silence.

Work is bounded: six wrappers deep, 64 MiB a document, and no step looks at a byte more than a few times.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from msgspec import Raw

from kubewitness.evidence.failures import unreadable
from kubewitness.evidence.json_text import INCOMPLETE, Elements, ValueEnd, members
from kubewitness.evidence.plain_text import is_header, name_of_line
from kubewitness.model.event import Event
from kubewitness.model.evidence import Note, ParseFailure, Place
from kubewitness.sources import audit_event, damaged
from kubewitness.sources.duplicates import duplicate_keys
from kubewitness.sources.interface import Foreign, Found, Inner, Known, Rebuilt, Source
from kubewitness.sources.registry import BEFORE_PLAIN, SOURCES
from kubewitness.sources.values import (
    ARRAY,
    OBJECT,
    STRING,
    UNDECODABLE,
    Fields,
    fields_of,
    first_byte,
    string,
)

MAX_DEPTH: Final = 6
MAX_BYTES: Final = 64 * 1024 * 1024
MAX_MEMBERS: Final = 10_000
_LARGE: Final = 1024 * 1024  # objects beyond it are counted before they are opened

Reading = Event | ParseFailure | Note

_BLANK: Final = b" \t\r\n\x1e,"  # \x1e: RFC 7464 record separator; comma: a line out of a JSON array
_BOM: Final = b"\xef\xbb\xbf"
_PREFIX: Final = 2048  # how far into a line its JSON may begin
_CRI = re.compile(rb"^\S+ (?:stdout|stderr) [FP]\S* ")
_STAMPED = re.compile(rb"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^\s,]*[\s,]")
_SYSLOG = re.compile(rb"^(?:<\d{1,3}>|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )")


@dataclass(slots=True)
class Seen:
    """What was learned about one evidence item while reading it."""

    formats: Counter[str] = field(default_factory=Counter)  # events by the name of their outermost format
    told: set[str] = field(default_factory=set)  # notes that are made once per item


class _Level(NamedTuple):
    """Where in the wrappers we are."""

    depth: int = 0
    format: str = ""  # of the outermost wrapper
    time: str = ""  # of the innermost wrapper that gives one
    original: bytes = b""  # the untouched bytes, where `text` had to be changed to be read at all


def read_record(data: bytes, place: Place, seen: Seen | None = None) -> Iterator[Reading]:
    """The audit events in one line or document, with everything that could not be read.

    Args:
        data: The bytes of the piece, with or without its line end.
        place: Where it lies; events unrolled from it get the same place with `element` counted from `place.element`.
        seen: What is already known about the item; pass the same one for all pieces of an item.
    """
    yield from _Record(place, seen or Seen()).read(data, _Level())


class _Record:
    """One piece being read: its place, the running number of its events, the notes already made."""

    def __init__(self, place: Place, seen: Seen) -> None:
        self._at = place
        self._next = place.element
        self._seen = seen
        self._failures = 0

    def read(self, data: bytes, level: _Level) -> Iterator[Reading]:
        """Any text at any level."""
        if len(data) > MAX_BYTES:
            yield self._fail("longer than 64 MiB", data)
            return
        if level.depth > MAX_DEPTH:
            yield self._fail("wrappers nested more than six deep", data)
            return
        text = data.strip(_BLANK)
        if text.startswith(_BOM):
            text = text[3:].strip(_BLANK)
        if b"\0" in text:
            yield from self._with_nuls(text, level)
            return
        if not text:
            return
        if level.depth == 0 and not text.isascii():
            try:
                text.decode()
            except UnicodeDecodeError:
                yield from self._undecodable(text, level)
                return
        yield from self._value(text, level)

    def _undecodable(self, text: bytes, level: _Level) -> Iterator[Reading]:
        """Invalid UTF-8, counted once, also where no event comes of the piece."""
        found = self._value(text.decode("utf-8", "replace").encode(), level._replace(original=text))
        before: list[Reading] = []
        for reading in found:
            before.append(reading)
            if isinstance(reading, Event):
                break
        else:
            others = [reading.reason for reading in before if isinstance(reading, ParseFailure)]
            self._failures -= len(others)
            yield self._fail("; ".join(("invalid UTF-8", *others[:1])), text)
            return
        yield self._fail("invalid UTF-8", text, "everything but the undecodable bytes")
        yield from before
        yield from found

    def _value(self, text: bytes, level: _Level) -> Iterator[Reading]:
        first = text[0]
        if first == OBJECT:
            yield from self._object(text, level)
        elif first == ARRAY and text[1:2] != b"" and text[1] in b'{["] \t\r\n':
            yield from self._array(text, level)
        elif first == STRING and (inner := string(Raw(text))):
            yield from self.read(inner.encode("utf-8", "replace"), level._replace(depth=level.depth + 1))
        else:
            yield from self._prefixed(text, level)

    def _object(self, text: bytes, level: _Level) -> Iterator[Reading]:
        if len(text) > _LARGE and len(members(text, limit=MAX_MEMBERS).found) >= MAX_MEMBERS:
            yield self._fail(f"JSON object with more than {MAX_MEMBERS} members", text)
            return
        try:
            fields = fields_of(text)
        except UNDECODABLE:
            saved = damaged.save_object(text)
            if INCOMPLETE < saved.end < len(text):
                yield from self._glued(text, level)
            else:
                yield from self._damaged_object(saved, text, level)
            return
        for key in duplicate_keys(text, fields):
            yield self._note(f"duplicate key {key}: the last one was taken")
        yield from self._fields(fields, text, level)

    def _glued(self, text: bytes, level: _Level) -> Iterator[Reading]:
        """Several values in one piece: a line end was lost, or a shipper writes none.

        What lies between two readable values is one failure, however many brackets it has.
        """
        at = lost = 0
        reason = ""
        while at < len(text):
            opens = text.find(b"{", at)
            if opens < 0:
                break
            end = ValueEnd(opens).advance(text)
            at = end if end != INCOMPLETE else len(text)
            readings = list(self._object(text[opens:at], level._replace(original=b"")))
            failures = [reading.reason for reading in readings if isinstance(reading, ParseFailure)]
            if failures and not any(isinstance(reading, Event) for reading in readings):
                self._failures -= len(failures)
                reason = reason or failures[0]
                continue
            yield from self._lost(text[lost:opens], reason)
            yield from readings
            lost, reason = at, ""
        yield from self._lost(text[lost:], reason)

    def _lost(self, text: bytes, reason: str) -> Iterator[Reading]:
        if text.strip(_BLANK):
            yield self._fail(reason or "no JSON", text)

    def _fields(self, fields: Fields, text: bytes, level: _Level) -> Iterator[Reading]:
        """An object whose members are known."""
        source = _source(fields)
        if source is not None:
            yield from self._opened(source, fields, text, level)
        elif audit_event.identified(fields):
            named = level._replace(format=level.format or audit_event.format_of(fields))
            yield from self._event(fields, level.original or text, named, text)
        else:
            names = ", ".join(list(fields)[:6])
            yield self._fail(f"JSON object that is no audit event (members: {names or 'none'})", text)

    def _opened(self, source: Source, fields: Fields, text: bytes, level: _Level) -> Iterator[Reading]:
        within = level._replace(depth=level.depth + 1, format=level.format or source.format)
        empty = True
        for found in source.open(fields):
            empty = False
            yield from self._found(found, text, within)
        if empty:
            yield self._fail(f"{source.format} with nothing in it", text)

    def _found(self, found: Found, text: bytes, within: _Level) -> Iterator[Reading]:
        if isinstance(found, Inner):
            yield from self.read(found.data, within._replace(time=found.time or within.time, original=b""))
        elif isinstance(found, Rebuilt):
            if not audit_event.identified(found.fields):
                yield self._fail(f"{within.format} without an audit event", text)
                return
            for reason in found.missing:
                yield from self._once(reason)
            level = within._replace(time=found.time or within.time)
            yield from self._event(found.fields, within.original or text, level)
        elif isinstance(found, Foreign):
            yield self._fail(found.reason, text)
        elif isinstance(found, Known):
            self._seen.formats[found.format] += 0  # named among the formats of the item, without events

    def _event(self, fields: Fields, original: bytes, level: _Level, text: bytes = b"") -> Iterator[Reading]:
        record, odd = audit_event.build(fields, level.time, text)
        place = self._place()
        if odd.lost:
            yield self._fail("; ".join(odd.lost), original, "the rest of the event")
        self._next += 1
        self._seen.formats[level.format] += 1
        for reason in odd.good:
            yield Note(place, reason)
        yield Event(record, place, original)

    def _array(self, text: bytes, level: _Level) -> Iterator[Reading]:
        walk = Elements(text, scalars=False)
        deeper = level._replace(depth=level.depth + 1, original=b"")
        others = 0  # numbers and literals among the events
        for element in walk:
            if first_byte(element) in (OBJECT, ARRAY, STRING):
                yield from self.read(element, deeper)
            else:
                others += 1
        others += walk.skipped
        if others:
            yield self._fail(f"{others} elements of an array are no objects", text)
        if walk.end == INCOMPLETE:
            reason = damaged.reason_of(text, walk.malformed)
            yield from self._cut(walk.cut, reason, text, f"{walk.count} elements before it", deeper)
        elif walk.end < len(text):
            yield from self._glued(text[walk.end :], level)

    def _damaged_object(self, saved: damaged.Saved, text: bytes, level: _Level) -> Iterator[Reading]:
        source = _source(saved.fields)
        known = audit_event.identified(saved.fields) or (source is not None and bool(source.format))
        if known:
            yield from self._fields(saved.fields, text, level._replace(original=level.original or text))
        kept = ", ".join(saved.fields) if known else ""
        if saved.left_out:
            yield self._fail(f"unreadable (nested too deeply or malformed): {', '.join(saved.left_out)}", text, kept)
        if saved.reason:
            deeper = level._replace(depth=level.depth + 1, original=b"")
            yield from self._cut(b"" if known else saved.cut_text, saved.reason, text, kept, deeper)
        elif not saved.left_out:
            yield self._fail("malformed characters in JSON, replaced" if known else "malformed JSON object", text, kept)

    def _cut(self, cut: bytes, reason: str, text: bytes, kept: str, deeper: _Level) -> Iterator[Reading]:
        """Damage inside a wrapper: look into the cut member; whoever finds the damage counts it, once."""
        before = self._failures
        if cut[:1] in (b"{", b"["):
            yield from self.read(cut, deeper)
        elif cut[:1] == b'"' and b"{" in cut:
            yield from self.read(damaged.cut_string(cut), deeper)
        if self._failures == before:
            yield self._fail(reason, text, kept)

    def _prefixed(self, text: bytes, level: _Level) -> Iterator[Reading]:
        """JSON behind a timestamp, a CRI or syslog header, the columns of a CSV export or a shell's quotes."""
        start = text.find(b"{", 0, _PREFIX)
        if start < 0 and level.depth == 0 and is_header(text):
            yield self._note("header line of a CSV export")
            return
        if start < 0:
            yield self._fail(name_of_line(text) or "no JSON", text)
            return
        inner, head = text[start:], text[:start]
        if inner.startswith(b'{""'):  # CSV doubles quotes
            inner = inner[: inner.rfind(b"}") + 1].replace(b'""', b'"')
        elif inner.startswith(b'{\\"'):  # a JSON string inside other text
            inner = damaged.cut_string(b'"' + inner.partition(b'" ')[0].removesuffix(b'"'))
        readings = list(self._object(inner, level._replace(format=level.format or _prefix_format(head))))
        if any(isinstance(reading, Event) for reading in readings):
            yield from readings
            return
        self._failures -= sum(isinstance(reading, ParseFailure) for reading in readings)
        failure = next((reading for reading in readings if isinstance(reading, ParseFailure)), None)
        named = name_of_line(text)
        if not named and failure is None:  # a control message, blank: nothing in it
            yield from readings
        else:
            yield self._fail(named or "text with JSON that is no audit event", text)

    def _with_nuls(self, text: bytes, level: _Level) -> Iterator[Reading]:
        """A crash leaves blocks of NULs in front of or behind a record; the record is read all the same."""
        rest = text.strip(b"\0" + _BLANK)
        bare = rest.replace(b"\0", b"").strip(_BLANK)
        readings = list(self._value(bare, level)) if bare[:1] in (b"{", b"[") else []
        events = sum(isinstance(reading, Event) for reading in readings)
        if not events:
            self._failures -= sum(isinstance(reading, ParseFailure) for reading in readings)
            yield self._fail("NUL bytes", text)
            return
        yield self._fail("NUL bytes", text, "the record without them")
        yield from readings

    def _once(self, reason: str) -> Iterator[Note]:
        if reason not in self._seen.told:
            self._seen.told.add(reason)
            yield self._note(reason)

    def _place(self) -> Place:
        at = self._at
        return Place(at.item, at.line, at.offset, at.length, self._next)

    def _note(self, reason: str) -> Note:
        return Note(self._place(), reason)

    def _fail(self, reason: str, data: bytes, kept: str = "") -> ParseFailure:
        self._failures += 1
        return unreadable(self._place(), reason, data, kept)


def _source(fields: Fields) -> Source | None:
    for source in BEFORE_PLAIN:
        if source.recognises(fields):
            return source
    if audit_event.identified(fields):
        return None
    return next((source for source in SOURCES if source.recognises(fields)), None)


def _prefix_format(head: bytes) -> str:
    if _CRI.match(head):
        return "container log (CRI)"
    if _STAMPED.match(head):
        return "EKS CloudWatch export"
    return "syslog lines" if _SYSLOG.match(head) else "lines with a prefix"
