"""Silences: times of which a log that is never silent holds nothing.

The scan knows the first and last event of each granule. A silence between two granules shows at once; one inside a
granule makes it last much longer than the log's rhythm explains, and only such granules are read again to find it.
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


def _silences(scan: Scan) -> Iterator[Silence]:
    limit = max(_QUIET, _RHYTHM * usual_distance(scan))
    reached: _Span | None = None
    for span in sorted(_spans(scan, limit)):
        if reached is not None and span.first > reached.last:
            seconds = seconds_between(reached.last, span.first)
            if seconds > limit:
                yield Silence(reached.last, span.first, seconds, reached.source == span.source)
        if reached is None or span.last > reached.last:
            reached = span


def _spans(scan: Scan, limit: float) -> Iterable[_Span]:
    """The times in which something was logged: granules, the long ones divided at their silences."""
    whole: list[_Span] = []
    long: list[tuple[float, int]] = []
    for number, (source, granule) in enumerate(scan.granules):
        if not granule.first or not granule.last or granule.first == "~":
            continue
        length = seconds_between(granule.first, granule.last)
        if length > limit:
            long.append((-length, number))
        else:
            whole.append(_Span(granule.first, granule.last, source))
    again = {number for _, number in sorted(long)[:_READ_AGAIN]}
    for _, number in long:
        if number not in again:
            source, granule = scan.granules[number]
            whole.append(_Span(granule.first, granule.last, source))
    by_source: dict[int, list[int]] = {}
    for number in sorted(again):
        by_source.setdefault(scan.granules[number][0], []).append(number)
    for source, numbers in by_source.items():
        whole.extend(_divided(_times(scan, numbers), source, limit))
    return whole


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
