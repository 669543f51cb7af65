"""Which events were seen, so that a duplicate (same auditID and stage) counts once.

`Recent` is fast and bets on the ordinary case: duplicates of a retried batch or of overlapping rotated files lie near
each other, and a set of the latest few hundred thousand fingerprints recognises them at once. A full set is frozen
into eight bytes an event and compared, at that moment, with the older frozen ones; if they meet, a duplicate came too
far behind its twin to be noticed in time (`late`), and the evidence must be read again with `Exact`, which never
misses one within the last `CAPACITY` events and costs a few times more for each.

Two different events share a fingerprint with a probability of n / 2**61: below one in a million for a million events.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator
from typing import Protocol

_SET = 250_000  # fingerprints in one set of `Recent`: about 20 MB
_FROZEN = 16  # sets remembered, 32 MB
_SLOTS_START = 1 << 16
_SLOTS_MAX = 1 << 22
_ROOM = 1 << 13  # more than the events added at once, so that a table never fills up between two looks
CAPACITY = _SLOTS_MAX * 3 // 4  # events in one table of `Exact`, 3.1 million


# Events without an id are all different, yet have one fingerprint a stage.
_NAMELESS = frozenset(
    hash(("", stage)) for stage in ("", "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
)


class Seen(Protocol):
    """A memory of fingerprints: hashes of (auditID, stage)."""

    late: bool  # a duplicate was noticed too late to be left out; final once closed
    forgot: bool  # old ones were let go

    def add_all(self, fingerprints: list[int]) -> set[int]:
        """Add them; the indices of those that were there before."""

    def close(self) -> None:
        """Nothing more will be added."""

    def common(self, fingerprints: set[int]) -> set[int]:
        """Those of them that are there."""

    def parts(self) -> Iterator[Collection[int]]:
        """All of them, in portions and in no order; 0 means nothing."""


class Recent:
    """The latest fingerprints as a set, older ones frozen."""

    def __init__(self, limit: int = _SET, frozen: int = _FROZEN) -> None:
        self._limit, self._most = limit, frozen
        self._now: set[int] = set()
        self._previous: set[int] = set()
        self._frozen: list[array[int]] = []
        self.late = self.forgot = False

    def add_all(self, fingerprints: list[int]) -> set[int]:
        """See `Seen`."""
        now, previous = self._now, self._previous
        again: set[int] = set()
        if now.isdisjoint(fingerprints) and previous.isdisjoint(fingerprints):
            before = len(now)
            now.update(fingerprints)
            if len(now) - before != len(fingerprints):
                batch: set[int] = set()
                for index, value in enumerate(fingerprints):
                    if value in batch:
                        again.add(index)
                    batch.add(value)
        else:
            for index, value in enumerate(fingerprints):
                if value in now or value in previous:
                    again.add(index)
                else:
                    now.add(value)
        if len(now) >= self._limit:
            self._freeze()
        return again

    def _freeze(self) -> None:
        self.close()
        if self._previous:
            self._frozen.append(array("q", self._previous))
        if len(self._frozen) > self._most:
            del self._frozen[0]
            self.forgot = True
        self._previous, self._now = self._now, set()

    def close(self) -> None:
        """See `Seen`. Only what is frozen was not looked at when an event came."""
        self._now -= _NAMELESS
        self.late = self.late or any(not self._now.isdisjoint(old) for old in self._frozen)

    def common(self, fingerprints: set[int]) -> set[int]:
        """See `Seen`."""
        return set().union(*(fingerprints.intersection(part) for part in self.parts()))

    def parts(self) -> Iterator[Collection[int]]:
        """See `Seen`."""
        yield self._now
        yield self._previous
        yield from self._frozen


class Exact:
    """Open addressing over one array: 16 bytes an event at most. A full table becomes the previous one."""

    late = False

    def __init__(self, start: int = _SLOTS_START, most: int = _SLOTS_MAX, room: int = _ROOM) -> None:
        self._start, self._most, self._room = start, most, room
        self._table, self._mask, self._count = _empty(start), start - 1, 0
        self._previous: tuple[array[int], int] | None = None
        self.forgot = False

    def add_all(self, fingerprints: list[int]) -> set[int]:
        """See `Seen`."""
        again: set[int] = set()
        table, mask = self._table, self._mask
        for index, fingerprint in enumerate(fingerprints):
            value = fingerprint or 1
            i = value & mask
            while slot := table[i]:
                if slot == value:
                    again.add(index)
                    break
                i = (i + 1) & mask
            else:
                if self._previous is not None and _holds(*self._previous, value):
                    again.add(index)
                else:
                    table[i] = value
                    self._count += 1
        if self._count * 4 > (mask + 1) * 3 - 4 * self._room:
            self._grow()
        return again

    def _grow(self) -> None:
        slots = (self._mask + 1) * 4
        if slots > self._most:
            self.forgot = self.forgot or self._previous is not None
            self._previous = (self._table, self._mask)
            self._table, self._mask, self._count = _empty(self._start), self._start - 1, 0
            return
        old, self._table, self._mask = self._table, _empty(slots), slots - 1
        table, mask = self._table, self._mask
        for value in old:
            if value:
                i = value & mask
                while table[i]:
                    i = (i + 1) & mask
                table[i] = value

    def close(self) -> None:
        """See `Seen`."""

    def common(self, fingerprints: set[int]) -> set[int]:
        """See `Seen`."""
        tables = [(self._table, self._mask)] + ([self._previous] if self._previous else [])
        return {f for f in fingerprints if any(_holds(table, mask, f or 1) for table, mask in tables)}

    def parts(self) -> Iterator[Collection[int]]:
        """See `Seen`."""
        yield self._table
        if self._previous:
            yield self._previous[0]


def meet(one: Seen, other: Seen) -> bool:
    """Whether both hold a fingerprint of the same event. In portions, so that memory stays small."""
    held: set[int] = set()
    portions = list(one.parts())
    for number, part in enumerate(portions, 1):
        held.update(part)
        if len(held) < 2 * _SET and number < len(portions):
            continue
        held -= _NAMELESS | {0}
        if any(not held.isdisjoint(theirs) for theirs in other.parts()):
            return True
        held = set()
    return False


def _empty(slots: int) -> array[int]:
    return array("q", bytes(8 * slots))


def _holds(table: array[int], mask: int, value: int) -> bool:
    i = value & mask
    while slot := table[i]:
        if slot == value:
            return True
        i = (i + 1) & mask
    return False
