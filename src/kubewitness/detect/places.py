"""Where single events stand, in eight bytes each: the granule, where in it the line begins, which of its lines it is.

Pass 1 notes the places of two sorts of events, as long as there is room: those of accessors that ask for little (most
intruders do), and those in which a controller's work can show. The second pass then reads these lines alone. Whatever
is not noted (events of the slow road, too many of them) is found by reading whole granules.
"""

from __future__ import annotations

from array import array

ROOM = 1 << 20  # places that one worker notes of either sort
GRANULES = 1 << 16  # of which places can be noted
_LINE, _START = 21, 27  # bits; a granule is at most one line longer than a block
GRANULE = _LINE + _START  # granule n begins at n << GRANULE
START = _LINE
FARTHEST = 1 << _START


class Room:
    """How many places may still be noted. One for all that a worker reads, so it does not grow with the log."""

    __slots__ = ("events", "traces")

    def __init__(self, places: int = ROOM) -> None:
        self.events = places  # of accessors
        self.traces = places


def granule_of(place: int) -> int:
    """The granule's number."""
    return place >> GRANULE


def within_granule(place: int) -> tuple[int, int]:
    """Where the line begins in its granule, and its number there, from 0."""
    return (place >> START) & (FARTHEST - 1), place & ((1 << _LINE) - 1)


def renumbered(places: array[int] | None, granules: int) -> array[int] | None:
    """Places of a part whose first granule has the number `granules`; None if they cannot be told any more."""
    if places is None or not granules or not places:
        return places
    if granule_of(max(places)) + granules >= GRANULES:
        return None
    shift = granules << GRANULE
    return array("Q", [place + shift for place in places])
