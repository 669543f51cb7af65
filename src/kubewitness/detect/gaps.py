"""Silences: times of which a log that is never silent holds nothing.

The scan knows the first and last event of each granule. A silence between two granules shows at once; one inside a
granule makes it last much longer than the log's rhythm explains, and only such granules, where no other covers the
time, are read again to find it.
Where another file covers the time (several API servers), it is no silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from weakref import WeakKeyDictionary

from kubewitness.detect.collect import within
from kubewitness.detect.run import Scan
from kubewitness.model.event import Event, parse_time
from kubewitness.model.incident import Gap

_QUIET = 300.0  # seconds: a busy API server is never silent for this long
_RHYTHM = 100  # a silence is a gap if it is this many times the usual distance of two events
_GAPS = 50
_READ_AGAIN = 64  # granules, the longest


class Silence(NamedTuple):
    """Nothing was logged from `first` to `last`."""

    first: str
    last: str
    seconds: float
    inside: bool  # both ends lie in one file: not the seam between two


class _Span(NamedTuple):
    first: str
    last: str
    source: int


_known: WeakKeyDictionary[Scan, tuple[Silence, ...]] = WeakKeyDictionary()


def find_gaps(scan: Scan) -> tuple[Gap, ...]:
    """Silences longer than the log's rhythm explains, in time order."""
    return tuple(Gap(silence.first, silence.last, silence.seconds) for silence in silences(scan)[:_GAPS])


def silences(scan: Scan) -> tuple[Silence, ...]:
    """All of them, with what is known of their ends; worked out once for a scan."""
    if scan not in _known:
        _known[scan] = tuple(_silences(scan))
    return _known[scan]


def usual_distance(scan: Scan) -> float:
    """Seconds from one event to the next, on average."""
    return seconds_between(scan.first, scan.last) / max(scan.events, 1)


def _silences(scan: Scan) -> list[Silence]:
    limit = max(_QUIET, _RHYTHM * usual_distance(scan))
    short: list[_Span] = []
    long: dict[int, _Span] = {}
    for number, (source, granule) in enumerate(scan.granules):
        if granule.first and granule.last and granule.first != "~":
            span = _Span(granule.first, granule.last, source)
            if seconds_between(span.first, span.last) > limit:
                long[number] = span
            else:
                short.append(span)
    # Most long granules are long by one late event (a watch that ended), and others cover their time.
    ends = [_Span(time, time, span.source) for span in long.values() for time in (span.first, span.last)]
    suspect = list(_between(short + ends, limit))
    again = [n for n, span in long.items() if any(span.first < s.last and s.first < span.last for s in suspect)]
    again.sort(key=lambda n: (-seconds_between(long[n].first, long[n].last), n))
    unread = [long[number] for number in again[_READ_AGAIN:]]
    by_source: dict[int, list[int]] = {}
    for number in again[:_READ_AGAIN]:
        by_source.setdefault(long[number].source, []).append(number)
    read = [
        span for source, numbers in sorted(by_source.items()) for span in _divided(_times(scan, numbers), source, limit)
    ]
    return list(_between(short + ends + unread + read, limit)) if suspect else []


def _between(spans: Iterable[_Span], limit: float) -> Iterator[Silence]:
    """The times longer than `limit` that no span covers."""
    reached: _Span | None = None
    for span in sorted(spans):
        if reached is not None and span.first > reached.last:
            seconds = seconds_between(reached.last, span.first)
            if seconds > limit:
                yield Silence(reached.last, span.first, seconds, reached.source == span.source)
        if reached is None or span.last > reached.last:
            reached = span


def _times(scan: Scan, numbers: Iterable[int]) -> list[str]:
    times: list[str] = []

    def note(event: Event) -> bool:
        if event.record.requestReceivedTimestamp:
            times.append(event.record.requestReceivedTimestamp)
        return False  # its time is all that is wanted of it

    within(scan, numbers, note)
    return sorted(times)


def _divided(times: list[str], source: int, limit: float) -> Iterator[_Span]:
    start = previous = times[0] if times else ""
    for time in times:
        if seconds_between(previous, time) > limit:
            yield _Span(start, previous, source)
            start = time
        previous = time
    if start:
        yield _Span(start, previous, source)


def seconds_between(first: str, last: str) -> float:
    """From one time to another; 0 where one is unknown."""
    start, end = parse_time(first), parse_time(last)
    return (end - start).total_seconds() if start and end else 0.0
