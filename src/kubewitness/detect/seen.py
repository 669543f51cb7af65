"""Which (auditID, stage) pairs were seen: exact and compact, bounded however long the log is.

Open addressing over one array of 64-bit fingerprints (16 bytes an event at most, where a set of strings takes 150). When a
table is full it becomes the previous generation and a new one begins, so an event is recognised as a duplicate if it
comes again within the last `CAPACITY` to twice that many events; `forgot` says that older ones were let go.
Two different pairs share a fingerprint with a probability of n / 2**63: below one in a million for ten million events.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

_SLOTS_START = 1 << 16
_SLOTS_MAX = 1 << 22
_ROOM = 1 << 13  # more than the events of one chunk, so that a table never fills up between two looks
CAPACITY = _SLOTS_MAX * 3 // 4  # events in one full generation, 3.1 million


class Seen:
    """A set of fingerprints. `add` says whether one was already there."""

    def __init__(self) -> None:
        self._table, self._mask, self._count = _empty(_SLOTS_START), _SLOTS_START - 1, 0
        self._previous: tuple[array[int], int] | None = None
        self.forgot = False

    def add_all(self, fingerprints: Iterable[int]) -> set[int]:
        """Add fingerprints (any ints); the indices of those that were there before."""
        again: set[int] = set()
        table, mask = self._table, self._mask
        added = 0
        for index, value in enumerate(fingerprints):
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
                    table[i] = value or 1
                    added += 1
        self._count += added
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
        """Whether `fingerprint` is there, without adding it."""
        tables = [(self._table, self._mask)] + ([self._previous] if self._previous else [])
        return any(_holds(table, mask, fingerprint) for table, mask in tables)

    def meets(self, other: Seen) -> bool:
        """Whether both hold a common fingerprint. Compared in slices, so that memory stays small."""
        for slice_ in range(8):
            mine = {v for table in self._tables() for v in table if v and v & 7 == slice_}
            if any(v in mine for table in other._tables() for v in table if v and v & 7 == slice_):
                return True
        return False

    def _tables(self) -> list[array[int]]:
        return [self._table] + ([self._previous[0]] if self._previous else [])


def _empty(slots: int) -> array[int]:
    return array("q", bytes(8 * slots))


def _holds(table: array[int], mask: int, value: int) -> bool:
    i = value & mask
    while slot := table[i]:
        if slot == value:
            return True
        i = (i + 1) & mask
    return False
