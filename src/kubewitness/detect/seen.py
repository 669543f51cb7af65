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
from collections.abc import Iterable
from typing import Protocol

_SET = 250_000  # fingerprints in one set of `Recent`: about 20 MB
_FROZEN = 16  # sets remembered, 32 MB
_SLOTS_START = 1 << 16
_SLOTS_MAX = 1 << 22
_ROOM = 1 << 13  # more than the events added at once, so that a table never fills up between two looks
CAPACITY = _SLOTS_MAX * 3 // 4  # events in one table of `Exact`, 3.1 million


class Seen(Protocol):
    """A memory of fingerprints (any ints)."""

    late: bool  # a duplicate was noticed too late to be left out
    forgot: bool  # old ones were let go

    def add_all(self, fingerprints: list[int]) -> set[int]:
        """Add them; the indices of those that were there before."""

    def holds(self, fingerprint: int) -> bool:
        """Whether it is there."""

    def common(self, fingerprints: set[int]) -> set[int]:
        """Those of them that are there."""

    def values(self) -> Iterable[int]:
        """All of them, in no order."""


class Recent:
    """The latest fingerprints as a set, older ones frozen."""

    def __init__(self) -> None:
        self._now: set[int] = set()
        self._previous: set[int] = set()
        self._frozen: list[array[int]] = []
        self.late = self.forgot = False

    def add_all(self, fingerprints: list[int]) -> set[int]:
        """See `Seen`."""
        now = self._now
        again: set[int] = set()
        if not (now.isdisjoint(fingerprints) and self._previous.isdisjoint(fingerprints)):
            again = {i for i, value in enumerate(fingerprints) if value in now or value in self._previous}
        before = len(now)
        now.update(fingerprints)
        if len(now) - before != len(fingerprints) - len(again):
            batch: set[int] = set()
            for index, value in enumerate(fingerprints):
                if value in batch:
                    again.add(index)
                batch.add(value)
        if len(now) >= _SET:
            self._freeze()
        return again

    def _freeze(self) -> None:
        for old in self._frozen:
            if not self._now.isdisjoint(old):
                self.late = True
        if self._previous:
            self._frozen.append(array("q", self._previous))
        if len(self._frozen) > _FROZEN:
            del self._frozen[0]
            self.forgot = True
        self._previous, self._now = self._now, set()

    def holds(self, fingerprint: int) -> bool:
        """See `Seen`."""
        return fingerprint in self._now or fingerprint in self._previous or any(fingerprint in f for f in self._frozen)

    def common(self, fingerprints: set[int]) -> set[int]:
        """See `Seen`."""
        return fingerprints.intersection(self._now) | fingerprints.intersection(self._previous).union(
            *(fingerprints.intersection(frozen) for frozen in self._frozen)
        )

    def values(self) -> Iterable[int]:
        """See `Seen`."""
        yield from self._now
        yield from self._previous
        for frozen in self._frozen:
            yield from frozen


class Exact:
    """Open addressing over one array: 16 bytes an event at most. A full table becomes the previous one."""

    late = False

    def __init__(self) -> None:
        self._table, self._mask, self._count = _empty(_SLOTS_START), _SLOTS_START - 1, 0
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
        if self._count * 4 > (mask + 1) * 3 - 4 * _ROOM:
            self._grow()
        return again

    def _grow(self) -> None:
        slots = (self._mask + 1) * 4
        if slots > _SLOTS_MAX:
            self.forgot = self.forgot or self._previous is not None
            self._previous = (self._table, self._mask)
            self._table, self._mask, self._count = _empty(_SLOTS_START), _SLOTS_START - 1, 0
            return
        old, self._table, self._mask = self._table, _empty(slots), slots - 1
        table, mask = self._table, self._mask
        for value in old:
            if value:
                i = value & mask
                while table[i]:
                    i = (i + 1) & mask
                table[i] = value

    def holds(self, fingerprint: int) -> bool:
        """See `Seen`."""
        tables = [(self._table, self._mask)] + ([self._previous] if self._previous else [])
        return any(_holds(table, mask, fingerprint or 1) for table, mask in tables)

    def common(self, fingerprints: set[int]) -> set[int]:
        """See `Seen`."""
        return set(filter(self.holds, fingerprints))

    def values(self) -> Iterable[int]:
        """See `Seen`."""
        yield from filter(None, self._table)
        if self._previous:
            yield from filter(None, self._previous[0])


def meet(one: Seen, other: Seen) -> bool:
    """Whether both hold a common fingerprint. Compared in slices, so that memory stays small."""
    for slice_ in range(8):
        mine = {value for value in one.values() if value & 7 == slice_}
        if any(value in mine for value in other.values() if value & 7 == slice_):
            return True
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
