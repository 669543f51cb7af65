"""Pass 2: every event of the suspects, not only those a rule matched.

Pass 1 noted where each accessor's events stand (`detect.places`), so only those lines are read again. Of accessors with
too many events it noted only the granules of the evidence; of those the lines that hold its name and address are
decoded. Events that others caused on the suspects' behalf (a controller making the pods of an intruder's DaemonSet) are
found by searching the names of the suspects' objects, as bytes, in the lines of that time in which a controller's work
can show.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Literal, NamedTuple

import msgspec
import re2

from kubewitness.detect.head import line_starts
from kubewitness.detect.part import Granule
from kubewitness.detect.places import GRANULE, granule_of, within_granule
from kubewitness.detect.profile import AccessorKey
from kubewitness.detect.reading import PLAIN, readings
from kubewitness.detect.run import Scan
from kubewitness.detect.unpacked import Stored
from kubewitness.evidence.documents import frame_documents
from kubewitness.evidence.opening import Source
from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.evidence import ParseFailure, Place

KEPT = 20_000  # events kept with their bodies; later ones lose them but are kept
Wanted = Callable[[Event], bool]
Term = tuple[bytes, ...]  # texts that must all be in a line; () is in every line
_MANY = 32  # lines of a granule, of which it is faster to read it whole
_LINE = 4096  # bytes read at first of a line: most are shorter
_FEW = 3  # texts that are faster looked for one after another
_BEGIN = 60  # bytes of a text that are looked for first: an object's name in a log may be of any length
_PLAIN_TEXT = re.compile(r"[A-Za-z0-9:._@-]+")


class Needle(msgspec.Struct, frozen=True):
    """An object's name and namespace to search for, and the time in which to search (RFC 3339 text)."""

    name: str
    namespace: str
    first: str
    last: str


class Wish(NamedTuple):
    """What is wanted of a granule."""

    terms: tuple[Term, ...] | None  # lines that hold one of these; (): all lines; None: only those at `places`
    places: Sequence[int] = ()  # `detect.places`, in order
    held: tuple[Term, ...] = ()  # a line at a place must hold one of these, if there are any


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
        places: dict[int, list[int]] = {}
        for key in keys:
            profile = scan.profile(key)
            if profile is None:
                continue
            if profile.places is not None:
                for place in profile.places:
                    places.setdefault(granule_of(place), []).append(place)
                continue
            for number in profile.granules:
                plain = scan.items[scan.granules[number][0]].format == PLAIN
                terms.setdefault(number, set()).add(_term(key) if plain else ())
        wishes = {number: Wish(None, sorted(found)) for number, found in places.items()}
        for number, some in terms.items():
            # An empty term is in every line.
            wishes[number] = Wish(() if () in some else tuple(sorted(some)), sorted(places.get(number, ())))
        return _gather(scan, wishes, lambda event: _key(event) in keys)


def _key(event: Event) -> AccessorKey:
    return AccessorKey(event.identity, event.address, event.record.userAgent)


def _term(key: AccessorKey) -> Term:
    """What every event of the accessor holds as written: its address and its name, where no encoder escapes them."""
    return tuple(part.encode() for part in (key.address, key.identity) if _PLAIN_TEXT.fullmatch(part))


def within(scan: Scan, numbers: Iterable[int], wanted: Wanted) -> list[Event]:
    """Events of some granules that are `wanted`, each once, in time order."""
    return _gather(scan, dict.fromkeys(numbers, Wish(())), wanted)


def sampled(scan: Scan, spans: Mapping[AccessorKey, tuple[str, str]], each: int) -> list[Event]:
    """A few events of each accessor from the parts of the evidence that touch its span of time, spread over them.

    About `each` an accessor, all read in one go: for questions that any of its events answers, such as which token it
    comes with. Of an accessor whose places are not known the first parts are searched.
    """
    places: dict[int, list[int]] = {}
    terms: dict[int, set[Term]] = {}
    left: dict[AccessorKey, int] = {}
    for key, (first, last) in spans.items():
        profile = scan.profile(key)
        if profile is None:
            continue
        near = {number for number in profile.granules if _touches(scan.granules[number][1], first, last)}
        if profile.places is None:
            left[key] = each
            for number in sorted(near)[:2]:
                plain = scan.items[scan.granules[number][0]].format == PLAIN
                terms.setdefault(number, set()).add(_term(key) if plain else ())
            continue
        known = sorted(place for place in profile.places if granule_of(place) in near)
        for place in known[:: max(1, -(-len(known) // each))]:
            places.setdefault(granule_of(place), []).append(place)
    wishes = {number: Wish(None, sorted(found)) for number, found in places.items()}
    for number, some in terms.items():
        wishes[number] = Wish(() if () in some else tuple(sorted(some)), sorted(places.get(number, ())))

    def wanted(event: Event) -> bool:
        key = _key(event)
        if key in left:
            left[key] -= 1
            return left[key] >= 0
        return key in spans

    return _gather(scan, wishes, wanted)


def _touches(granule: Granule, first: str, last: str) -> bool:
    return granule.length < 0 or not granule.first or (granule.first <= last and granule.last >= first)


def search(
    scan: Scan, needles: Sequence[Needle], wanted: Wanted, *, among: Literal["work", "pods made"] = "work"
) -> list[Event]:
    """Events of controllers' work that name one of `needles` in its time and are `wanted`; each once, in time order.

    `among`: all of that work, or only the requests that made pods, an eighth of it or less.
    """
    places = scan.traces if among == "work" else scan.pods_made
    terms = {needle: _named(needle) for needle in needles}
    wishes: dict[int, Wish] = {}
    for number, (_, granule) in enumerate(scan.granules):
        untimed = granule.length < 0 or not granule.first
        here = {
            term for needle, term in terms.items()
            if untimed or (granule.first <= needle.last and granule.last >= needle.first)
        }  # fmt: skip
        if here and number in scan.untraced:
            wishes[number] = Wish(tuple(here))
        elif here:
            first, end = (bisect_left(places, granule << GRANULE) for granule in (number, number + 1))
            wishes[number] = Wish(None, places[first:end], tuple(here))
    return _gather(scan, wishes, wanted)


def _named(needle: Needle) -> Term:
    """What a line about the object holds: its name and its namespace (in quotes that a wrapper may have escaped)."""
    namespace = needle.namespace.encode() if _PLAIN_TEXT.fullmatch(needle.namespace) else b""
    return (needle.name.encode(), namespace) if namespace else (needle.name.encode(),)


def _gather(scan: Scan, wishes: Mapping[int, Wish], wanted: Wanted) -> list[Event]:
    by_source: dict[int, list[tuple[Granule, Wish]]] = {}
    for number, wish in sorted(wishes.items()):
        source, granule = scan.granules[number]
        by_source.setdefault(source, []).append((granule, wish))
    found: dict[object, Event] = {}
    for source, granules in sorted(by_source.items()):
        for event in _events(scan, source, granules):
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


def _events(scan: Scan, number: int, wishes: Sequence[tuple[Granule, Wish]]) -> Iterator[Event]:
    source = scan.sources[number]
    if any(granule.length < 0 for granule, _ in wishes):
        terms = {term for _, wish in wishes for term in wish.terms or ()}
        every = any(wish.terms == () for _, wish in wishes)
        yield from _documents(source, () if every or () in terms else tuple(terms))
        return
    ordered = sorted(wishes, key=lambda pair: pair[0].offset)
    if source.path is not None:
        with source.path.open("rb") as file:
            yield from _anywhere(source, ordered, Stored(file.fileno(), 0))
        return
    size = max(granule.offset + granule.length for holder, granule in scan.granules if holder == number)
    stored = scan.unpacked.of(number, source, size)
    if stored is not None:
        yield from _anywhere(source, ordered, stored)
        return
    for granule, chunk, wish in _chunks(source, ordered):
        if wish.terms is not None:
            yield from _lines(source, granule, chunk, wish.terms)
        yield from _at(source, granule, wish, _line_cutter(chunk))


def _anywhere(source: Source, ordered: Iterable[tuple[Granule, Wish]], stored: Stored) -> Iterator[Event]:
    """What is wanted of a source that can be read at any place."""
    for granule, wish in ordered:
        offset = stored.start + granule.offset
        if wish.terms is not None:
            yield from _lines(source, granule, _stretch(stored.descriptor, offset, granule.length), wish.terms)
        if len(wish.places) < _MANY:
            yield from _at(source, granule, wish, _line_reader(stored.descriptor, offset, granule.length))
        else:
            yield from _at(source, granule, wish, _line_cutter(_stretch(stored.descriptor, offset, granule.length)))


def _stretch(descriptor: int, offset: int, length: int) -> bytes:
    """All of a stretch of a file, or what the file has of it: one call to the system may give less."""
    out = os.pread(descriptor, length, offset)
    while len(out) < length and (more := os.pread(descriptor, length - len(out), offset + len(out))):
        out += more
    return out


def _at(source: Source, granule: Granule, wish: Wish, line: Callable[[int], bytes]) -> Iterator[Event]:
    """The events at the places of `wish`."""
    places = list(map(within_granule, wish.places))
    texts = [line(start) for start, _ in places]
    passing: Iterable[int] = range(len(places))
    if wish.held:
        passing = _sieve(tuple(sorted(wish.held))).passing(texts)
    for index in passing:
        text, (start, number) = texts[index].rstrip(b"\r\n"), places[index]
        yield from decode(text, Place(source.name, granule.line + number, granule.offset + start, len(text)))


class Sieve:
    """Tells lines that hold all texts of one of `terms`: by one look at them for the first texts, however many."""

    def __init__(self, terms: Sequence[Term]) -> None:
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1  # bytes as they are
        options.never_capture = True
        self._begins = sorted({first[:_BEGIN] for first, *_ in terms})
        self._any = re2.compile(b"|".join(map(re2.escape, self._begins)), options)
        self._terms = terms

    def passing(self, lines: Sequence[bytes]) -> Iterator[int]:
        """Numbers of the lines that hold one. They are searched as one text, for a call takes longer than a line."""
        if not lines:
            return
        ends = list(accumulate(len(line) + 1 for line in lines))
        whole = b"\n".join(lines)
        found = self._one_by_one(whole, ends) if len(self._begins) <= _FEW else self._at_once(whole, ends)
        for number in found:
            if any(all(text in lines[number] for text in term) for term in self._terms):
                yield number

    def _one_by_one(self, whole: bytes, ends: Sequence[int]) -> list[int]:
        found: set[int] = set()
        for begin in self._begins:
            at = whole.find(begin)
            while at >= 0:
                number = bisect_right(ends, at)
                found.add(number)
                at = whole.find(begin, ends[number])
        return sorted(found)

    def _at_once(self, whole: bytes, ends: Sequence[int]) -> Iterator[int]:
        at = 0
        while at <= len(whole) and (found := self._any.search(whole, at)) is not None:
            number = bisect_right(ends, found.start())
            yield number
            at = ends[number]


_sieve = lru_cache(maxsize=16)(Sieve)  # most granules are searched for the same


def _line_reader(descriptor: int, offset: int, length: int) -> Callable[[int], bytes]:
    def line(start: int) -> bytes:
        """The line that begins there, read alone."""
        size, most = _LINE, length - start
        while True:
            text = os.pread(descriptor, min(size, most), offset + start)
            end = text.find(b"\n")
            if end >= 0 or len(text) < size:
                return text[:end] if end >= 0 else text
            size *= 16

    return line


def _line_cutter(chunk: bytes) -> Callable[[int], bytes]:
    return lambda start: chunk[start : chunk.find(b"\n", start) + 1 or len(chunk)]


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


def _chunks(source: Source, wishes: Sequence[tuple[Granule, Wish]]) -> Iterator[tuple[Granule, bytes, Wish]]:
    """The granules' bytes from a stream, in its order."""
    held, start = b"", 0  # a window over the decompressed stream, and where it begins
    blocks = iter(source.open())
    for granule, wish in wishes:
        end = granule.offset + granule.length
        while start + len(held) < end:
            skip = min(len(held), granule.offset - start)
            block = next(blocks, b"")
            if not block:
                break
            held, start = held[skip:] + block, start + skip
        yield granule, held[granule.offset - start : end - start], wish
