"""What one worker hands back of one source, or of a byte range of it. Parts add up."""

from __future__ import annotations

from array import array
from typing import Any, NamedTuple

from kubewitness.detect.correlations import Correlator
from kubewitness.detect.ledger import Ledger
from kubewitness.detect.novelty import Novelty
from kubewitness.detect.profile import AccessorKey, Profiles, RequestKind
from kubewitness.detect.reading import Reading
from kubewitness.model.event import Event
from kubewitness.model.evidence import Note, ParseFailure, Place
from kubewitness.rules.loader import RuleSet

FAILURES_KEPT = 1_000
_SAMPLES = 5  # original events kept of a group of like matches
_REQUESTS = 5_000  # known of a group; past it, they are only counted


class MatchKey(NamedTuple):
    """Matches are alike if the same rules match the same kind of request by the same accessor with the same status."""

    rules: int  # mask
    accessor: AccessorKey
    request: RequestKind
    code: int
    namespace: str


class MatchGroup:
    """Like matches: how many, when, and the first few originals."""

    __slots__ = ("count", "first", "last", "names", "requests", "samples")

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str], None] = {}  # as `Event.request`
        self.count = 0
        self.first, self.last = "~", ""
        self.names: dict[str, None] = {}
        self.samples: list[tuple[Place, bytes]] = []

    def __getstate__(self) -> tuple[Any, ...]:
        return (self.requests, self.count, self.first, self.last, self.names, self.samples)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.requests, self.count, self.first, self.last, self.names, self.samples = state

    def add(self, event: Event, original: bytes) -> None:
        """Count the event's request, once."""
        if event.request in self.requests:
            return
        self.count += 1
        if len(self.requests) < _REQUESTS and event.audit_id:
            self.requests[event.request] = None
        if len(self.samples) < _SAMPLES:
            self.samples.append((event.place, original))
        if len(self.names) < 50 and event.name:
            self.names[event.name] = None
        time = event.record.requestReceivedTimestamp
        self.first, self.last = min(self.first, time), max(self.last, time)

    def absorb(self, other: MatchGroup) -> None:
        """Add another part's matches of the same kind."""
        self.count += other.count - len(self.requests.keys() & other.requests.keys())
        for request in other.requests:
            if len(self.requests) < _REQUESTS:
                self.requests[request] = None
        self.names.update(other.names)
        self.samples = sorted(self.samples + other.samples)[:_SAMPLES]
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)


class Granule(NamedTuple):
    """A part of a source that the second pass can read alone."""

    offset: int
    length: int
    line: int  # of its first line, from 1
    first: str  # time of its first and last event
    last: str


class Part:
    """What one worker found in one source, or in a byte range of it."""

    def __init__(self, item: str, rules: RuleSet) -> None:
        self.item = item
        self.profiles = Profiles()
        self.matches: dict[MatchKey, MatchGroup] = {}
        self.correlator = Correlator(rules.correlations)
        self.ledger = Ledger()
        self.novelty = Novelty(rules.rules)
        self.failures: list[ParseFailure] = []
        self.failures_total = 0
        self.notes: list[Note] = []
        self.granules: list[Granule] = []
        self.events = 0
        self.lines = 0
        self.bytes = 0
        self.duplicates = 0
        self.reading = Reading()  # what the slow road learned of the source
        self.formats: set[str] = set()
        self.unanswered: list[tuple[int, Event]] = []  # RequestReceived alone, with the rules that match: see `answer`
        self.first, self.last = "~", ""
        self.traces = array("Q")  # places of events in which a controller's work can show, in order
        self.pods_made = array("Q")  # those of them that make pods
        self.untraced: set[int] = set()  # granules with such events whose places were not noted
