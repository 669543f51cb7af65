"""Pass 2: every event of the suspects, not only those a rule matched.

Pass 1 noted in which granules of the evidence each accessor occurs, so only those are read again, and of those only
the lines that hold its name and address are decoded. Events that others caused on the suspects' behalf (a controller
making the pods of an intruder's DaemonSet) are found by searching the names of the suspects' objects in the granules
of that time, as bytes, before anything is decoded.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from kubewitness.detect.head import line_starts
from kubewitness.detect.part import Granule
from kubewitness.detect.profile import AccessorKey
from kubewitness.detect.reading import PLAIN, readings
from kubewitness.detect.run import Scan
from kubewitness.evidence.documents import frame_documents
from kubewitness.evidence.opening import Source
from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.evidence import ParseFailure, Place

KEPT = 20_000  # events kept with their bodies; later ones lose them but are kept
Wanted = Callable[[Event], bool]
Term = tuple[bytes, ...]  # texts that must all be in a line; () is in every line
_PLAIN_TEXT = re.compile(r"[A-Za-z0-9:._@-]+")


class Needle(msgspec.Struct, frozen=True):
    """An object's name and namespace to search for, and the time in which to search (RFC 3339 text)."""

    name: str
    namespace: str
    first: str
    last: str


class Collector:
    """All events of accessors, each accessor's read once."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._events: dict[AccessorKey, list[Event]] = {}

    def of(self, accessors: Iterable[AccessorKey]) -> list[Event]:
        """All events of `accessors`, each once, in time order. What is missing is read in one go."""
        keys = set(accessors)
        missing = keys - self._events.keys()
        if missing:
            self._events.update((key, []) for key in missing)
            for event in self._read(missing):
                self._events[_key(event)].append(event)
        return sorted((event for key in keys for event in self._events[key]), key=time_order)

    def _read(self, keys: set[AccessorKey]) -> list[Event]:
        scan = self._scan
        terms: dict[int, set[Term]] = {}
        for key in keys:
            profile = scan.profile(key)
            for number in profile.granules if profile is not None else ():
                plain = scan.items[scan.granules[number][0]].format == PLAIN
                terms.setdefault(number, set()).add(_term(key) if plain else ())
        # An empty term is in every line.
        chosen = {number: () if () in found else tuple(sorted(found)) for number, found in terms.items()}
        return _gather(scan, sorted(chosen), lambda event: _key(event) in keys, chosen)


def _key(event: Event) -> AccessorKey:
    return AccessorKey(event.identity, event.address, event.record.userAgent)


def _term(key: AccessorKey) -> Term:
    """What every event of the accessor holds as written: its address and its name, where no encoder escapes them."""
    return tuple(part.encode() for part in (key.address, key.identity) if _PLAIN_TEXT.fullmatch(part))


def within(scan: Scan, numbers: Iterable[int], wanted: Wanted) -> list[Event]:
    """Events of some granules that are `wanted`, each once, in time order."""
    return _gather(scan, sorted(set(numbers)), wanted, {})


def search(scan: Scan, needles: Sequence[Needle], wanted: Wanted) -> list[Event]:
    """Events that name one of `needles` in its time and are `wanted`, each once, in time order."""
    terms = {needle: _named(needle) for needle in needles}
    wanted_in: dict[int, set[Term]] = {}
    for number, (_, granule) in enumerate(scan.granules):
        untimed = granule.length < 0 or not granule.first
        for needle, term in terms.items():
            if untimed or (granule.first <= needle.last and granule.last >= needle.first):
                wanted_in.setdefault(number, set()).add(term)
    return _gather(scan, sorted(wanted_in), wanted, {number: tuple(terms) for number, terms in wanted_in.items()})


def _named(needle: Needle) -> Term:
    """What a line about the object holds: its namespace is a whole text of its own, its name may be part of one."""
    if not _PLAIN_TEXT.fullmatch(needle.namespace):
        return (needle.name.encode(),)
    return (needle.name.encode(), f'"{needle.namespace}"'.encode())


def _gather(scan: Scan, numbers: Sequence[int], wanted: Wanted, needles: dict[int, tuple[Term, ...]]) -> list[Event]:
    by_source: dict[int, list[tuple[Granule, tuple[Term, ...]]]] = {}
    for number in numbers:
        source, granule = scan.granules[number]
        by_source.setdefault(source, []).append((granule, needles.get(number, ())))
    found: dict[object, Event] = {}
    for source, granules in sorted(by_source.items()):
        for event in _events(scan.sources[source], granules):
            key = (*event.request, event.stage, event.record.requestURI) if event.audit_id else event.place
            if key not in found and wanted(event):
                found[key] = event
                if len(found) > KEPT:
                    _strip(event)
    return sorted(found.values(), key=time_order)


def time_order(event: Event) -> tuple[str, str, str, int]:
    """Sort key: when the request arrived, then its stages in order."""
    record = event.record
    return (record.requestReceivedTimestamp, event.place.item, record.stageTimestamp, event.place.line)


def _strip(event: Event) -> None:
    record, empty = event.record, AuditRecord()
    record.requestObject, record.responseObject = empty.requestObject, empty.responseObject
    event.original = b""


def _events(source: Source, granules: Sequence[tuple[Granule, tuple[Term, ...]]]) -> Iterator[Event]:
    if any(granule.length < 0 for granule, _ in granules):
        terms = {term for _, some in granules for term in some}
        yield from _documents(source, () if () in terms else tuple(terms))
        return
    for granule, chunk, terms_here in _chunks(source, granules):
        yield from _lines(source, granule, chunk, terms_here)


def _lines(source: Source, granule: Granule, chunk: bytes, terms: tuple[Term, ...]) -> Iterator[Event]:
    """The events of a granule's lines that hold one of `terms` (of all lines, if there are none)."""
    if terms and not any(first in chunk for first, *_ in terms):
        return
    starts = line_starts(chunk, len(chunk))
    for number in _holding(chunk, starts, terms) if terms else range(len(starts) - 1):
        text = chunk[starts[number] : starts[number + 1]].rstrip(b"\r\n")
        if text:
            offset = granule.offset + starts[number]
            yield from decode(text, Place(source.name, granule.line + number, offset, len(text)))


def _holding(chunk: bytes, starts: list[int], terms: tuple[Term, ...]) -> list[int]:
    """Numbers of the lines that hold all texts of a term. Lines without any cost nothing but the search's own speed."""
    found: set[int] = set()
    for first, *rest in terms:
        position = chunk.find(first)
        while position >= 0:
            number = bisect_right(starts, position) - 1
            start, end = starts[number], starts[number + 1]
            if all(chunk.find(part, start, end) >= 0 for part in rest):
                found.add(number)
            position = chunk.find(first, end)
    return sorted(found)


def decode(text: bytes, place: Place) -> Iterator[Event]:
    """The events of a line or document, of any known wrapper."""
    return (found for found in readings(text, place) if isinstance(found, Event))


def _documents(source: Source, terms: tuple[Term, ...]) -> Iterator[Event]:
    for frame in frame_documents(iter(source.open()), source.name):
        if isinstance(frame, ParseFailure):
            continue
        if not terms or any(all(part in frame.data for part in term) for term in terms):
            yield from decode(frame.data, frame.place)


def _chunks(
    source: Source, granules: Sequence[tuple[Granule, tuple[Term, ...]]]
) -> Iterator[tuple[Granule, bytes, tuple[Term, ...]]]:
    """The granules' bytes, in the order of the source."""
    ordered = sorted(granules, key=lambda pair: pair[0].offset)
    if source.path is not None:
        with source.path.open("rb") as file:
            for granule, names in ordered:
                file.seek(granule.offset)
                yield granule, file.read(granule.length), names
        return
    held, start = b"", 0  # a window over the decompressed stream, and where it begins
    blocks = iter(source.open())
    for granule, names in ordered:
        end = granule.offset + granule.length
        while start + len(held) < end:
            skip = min(len(held), granule.offset - start)
            block = next(blocks, b"")
            if not block:
                break
            held, start = held[skip:] + block, start + skip
        yield granule, held[granule.offset - start : end - start], names
