"""What a reader is told about the item it reads, and where it puts its remarks.

A process list and a klog line carry no year or no time zone: both are times of the machine's wall clock. What other
evidence of the same machine says settles them: `latest` is a moment near the collection (a klog line cannot be much
later), `zone` the machine's offset as the container runtime writes it. Where nothing tells the zone, UTC is taken and
a note says so; what the year was inferred from is told as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from kubewitness.model.evidence import Note, ParseFailure, Place
from kubewitness.model.host import Component

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_LEEWAY: Final = timedelta(days=1)  # clocks and zones differ
_AFTER: Final = timedelta(days=14)
_FAILURES: Final = 20  # told one by one; the rest are counted


def month(name: str) -> int:
    """The number of an English month as `ps` and `ctime` abbreviate it; 0 if it is none."""
    return _MONTHS.get(name, 0)


def stamp(moment: datetime | None) -> str:
    """RFC 3339 in UTC with microseconds, empty for no moment."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment and moment.year >= 1000 else ""


@dataclass
class Clock:
    """How times of the machine's wall clock are to be taken."""

    year: int
    latest: datetime | None = None
    zone: timedelta | None = None
    collected: datetime | None = None  # when the evidence was gathered, as a collector or `date` beside it says
    reading: str = ""  # what is read now
    told_by: str = ""  # what told `latest`

    def see(self, moment: datetime | None, zone: timedelta | None = None) -> None:
        """Learn from a time that is certain."""
        if moment is not None and (self.latest is None or moment > self.latest):
            self.latest, self.told_by = moment, self.reading
        if zone is not None and self.zone is None:
            self.zone = zone

    def utc(self, local: datetime) -> datetime:
        """A wall-clock time as a moment."""
        return self._shifted(local.replace(tzinfo=UTC))

    def without_year(self, text: str) -> datetime | None:
        """A moment for "mmdd hh:mm:ss.ffffff": the last one of that name that is not later than the collection.

        Where nobody says when that was, a log may go on for a while after the last thing that is dated.
        """
        limit = self.latest + (_LEEWAY if self.collected else _AFTER) if self.latest else None
        first = limit.year if limit else self.year
        for year in range(first, first - 9, -1):  # 29 February exists every fourth year, once every eighth
            try:
                moment = self._shifted(datetime.fromisoformat(f"{year:04d}-{text[:2]}-{text[2:]}+00:00"))
            except ValueError:
                continue
            if limit is None or moment <= limit:
                return moment
        return None

    def inferred(self) -> str:
        """What the years of times without one were taken from."""
        if self.collected:
            return f"the year is inferred from the time of the collection ({self.collected:%Y-%m-%d})"
        if self.latest:
            return (
                f"the year is inferred from {self.told_by or 'the rest'} of the same machine ({self.latest:%Y-%m-%d})"
            )
        return f"nothing of the machine tells the year: {self.year} was taken"

    def _shifted(self, moment: datetime) -> datetime:
        try:
            return moment - (self.zone or timedelta())
        except OverflowError:
            return moment


@dataclass
class Room:
    """How many lines of logs, and how many characters of them, are still kept of one machine."""

    severe: int = 200_000
    informing: int = 200_000
    characters: int = 256 * 1024 * 1024

    def takes(self, informing: bool, size: int) -> bool:
        """Whether there is room for a line, which is then taken."""
        left = self.informing if informing else self.severe
        if left <= 0 or self.characters < size:
            return False
        self.characters -= size
        if informing:
            self.informing -= 1
        else:
            self.severe -= 1
        return True


@dataclass
class Context:
    """One item under its reader."""

    item: str
    clock: Clock
    component: Component = "other"
    room: Room = field(default_factory=Room)
    notes: list[Note] = field(default_factory=list)

    def note(self, place: Place, reason: str) -> None:
        """Remark on something that was read all the same."""
        self.notes.append(Note(place, reason))


class Misfits:
    """Lines that are none of the format: the first ones one by one, the others as one failure."""

    def __init__(self) -> None:
        self._told, self._more, self._last = 0, 0, Place("", 0, 0)

    def add(self, failure: ParseFailure) -> ParseFailure | None:
        """The failure, None once there were enough of them."""
        self._last = failure.place
        if self._told < _FAILURES:
            self._told += 1
            return failure
        self._more += 1
        return None

    def rest(self) -> ParseFailure | None:
        """How many more there were."""
        return ParseFailure(self._last, f"{self._more} more lines that could not be read") if self._more else None
