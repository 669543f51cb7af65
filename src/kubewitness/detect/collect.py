"""Pass 2: every event of the suspects, not only those a rule matched.

Pass 1 noted in which granules of the evidence each accessor occurs, so only those are read again. Events that others
caused on the suspects' behalf (a controller making the pods of an intruder's DaemonSet) are found by searching the
names of the suspects' objects in the granules of that time, as bytes, before anything is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from kubewitness.detect.part import Granule
from kubewitness.detect.profile import AccessorKey
from kubewitness.detect.reading import readings
from kubewitness.detect.run import Scan
from kubewitness.evidence.documents import frame_documents
from kubewitness.evidence.opening import Source
from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.evidence import ParseFailure, Place

KEPT = 20_000  # events kept with their bodies; later ones lose them but are kept
Wanted = Callable[[Event], bool]


class Needle(msgspec.Struct, frozen=True):
    """A name to search for, and the time in which to search (RFC 3339 text)."""

    name: str
    first: str
    last: str


def collect(scan: Scan, suspects: Iterable[AccessorKey]) -> list[Event]:
    """All events of the accessors in `suspects`, each once, in time order."""
    keys = set(suspects)
    numbers: set[int] = set()
    for key in keys:
        profile = scan.profile(key)
        if profile is not None:
            numbers.update(profile.granules)

    def wanted(event: Event) -> bool:
        return AccessorKey(event.identity, event.address, event.record.userAgent) in keys

    return _gather(scan, sorted(numbers), wanted, {})


def within(scan: Scan, numbers: Iterable[int], wanted: Wanted) -> list[Event]:
    """Events of some granules that are `wanted`, each once, in time order."""
    return _gather(scan, sorted(set(numbers)), wanted, {})


def search(scan: Scan, needles: Sequence[Needle], wanted: Wanted) -> list[Event]:
    """Events that name one of `needles` in its time and are `wanted`, each once, in time order."""
    wanted_in: dict[int, set[bytes]] = {}
    for number, (_, granule) in enumerate(scan.granules):
        for needle in needles:
            untimed = granule.length < 0 or not granule.first
            if untimed or (granule.first <= needle.last and granule.last >= needle.first):
                wanted_in.setdefault(number, set()).add(needle.name.encode())
    return _gather(scan, sorted(wanted_in), wanted, {number: tuple(names) for number, names in wanted_in.items()})


def _gather(scan: Scan, numbers: Sequence[int], wanted: Wanted, needles: dict[int, tuple[bytes, ...]]) -> list[Event]:
    by_source: dict[int, list[tuple[Granule, tuple[bytes, ...]]]] = {}
    for number in numbers:
        source, granule = scan.granules[number]
        by_source.setdefault(source, []).append((granule, needles.get(number, ())))
    found: dict[object, Event] = {}
    for source, granules in sorted(by_source.items()):
        for event in _events(scan.sources[source], granules):
            key = (event.audit_id, event.stage) if event.audit_id else event.place
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


def _events(source: Source, granules: Sequence[tuple[Granule, tuple[bytes, ...]]]) -> Iterator[Event]:
    if any(granule.length < 0 for granule, _ in granules):
        yield from _documents(source, tuple({name for _, names in granules for name in names}))
        return
    for granule, chunk, names in _chunks(source, granules):
        if not names:
            yield from _lines(source, granule, chunk)
            continue
        present = tuple(name for name in names if name in chunk)
        if present:
            yield from _lines(source, granule, chunk, present)


def _lines(source: Source, granule: Granule, chunk: bytes, names: tuple[bytes, ...] = ()) -> Iterator[Event]:
    offset = granule.offset
    for number, line in enumerate(chunk.split(b"\n")):
        text = line.rstrip(b"\r")
        if text and (not names or any(name in text for name in names)):
            yield from decode(text, Place(source.name, granule.line + number, offset, len(text)))
        offset += len(line) + 1


def decode(text: bytes, place: Place) -> Iterator[Event]:
    """The events of a line or document, of any known wrapper."""
    return (found for found in readings(text, place) if isinstance(found, Event))


def _documents(source: Source, names: tuple[bytes, ...]) -> Iterator[Event]:
    for frame in frame_documents(iter(source.open()), source.name):
        if not isinstance(frame, ParseFailure) and (not names or any(name in frame.data for name in names)):
            yield from decode(frame.data, frame.place)


def _chunks(
    source: Source, granules: Sequence[tuple[Granule, tuple[bytes, ...]]]
) -> Iterator[tuple[Granule, bytes, tuple[bytes, ...]]]:
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
