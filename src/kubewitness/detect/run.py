"""Runs pass 1 over all evidence, on one core or several, and adds the parts up.

Plain files larger than `SPLIT` are cut at line ends into one range a worker; everything else is read whole by one
worker. Workers are forked, read by themselves and hand back one `Part` a range. Lines are numbered within a range and
moved to their true number afterwards. The parent hashes plain files meanwhile, since a hash needs the whole file in
order.

Each worker knows the events it has seen. If two workers turn out to have read the same event (overlapping files), or
one noticed a duplicate too late, the counts are wrong, and the evidence is read once more by a single worker with an
exact memory: slower, never wrong.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from multiprocessing.connection import Connection, wait
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from kubewitness.detect.correlations import Correlator, Fired
from kubewitness.detect.head import fingerprint
from kubewitness.detect.ledger import Ledger
from kubewitness.detect.novelty import New, Novelty
from kubewitness.detect.part import FAILURES_KEPT, Granule, MatchGroup, MatchKey, Part
from kubewitness.detect.places import Room, renumbered
from kubewitness.detect.profile import AccessorKey, Profile, Profiles
from kubewitness.detect.reading import moved
from kubewitness.detect.scan import Scanner, read_source
from kubewitness.detect.seen import Exact, Recent, Seen, meet
from kubewitness.detect.unpacked import Unpacked
from kubewitness.evidence.documents import sniff
from kubewitness.evidence.opening import Source
from kubewitness.model.event import Event
from kubewitness.model.evidence import EvidenceItem, Note, ParseFailure
from kubewitness.rules.compile import Matcher
from kubewitness.rules.loader import RuleSet

SPLIT = 32 * 1024 * 1024
_READ = 1 << 20
Progress = Callable[[int, int], None]  # bytes and events so far


class Range(NamedTuple):
    """What one worker reads in one go: a source (by number), from `start` to `end` (-1: whole, any format)."""

    source: int
    start: int
    end: int


class Scan:
    """Pass 1's result over all evidence."""

    def __init__(
        self,
        rules: RuleSet,
        sources: Sequence[Source],
        parts: Sequence[tuple[Range, Part]],
        baseline: Scan | None = None,
    ) -> None:
        self.sources = tuple(sources)
        self.baseline = baseline  # of another log, that shows what is usual
        self.matches: dict[MatchKey, MatchGroup] = {}
        self.profiles = Profiles()
        self.granules: list[tuple[int, Granule]] = []  # (source, part of it); profiles name them by number
        self.traces = array("Q")  # see `Part`
        self.pods_made = array("Q")
        self.untraced: set[int] = set()
        self.items = [EvidenceItem(source.name) for source in sources]
        self.failures: list[ParseFailure] = []
        self.failures_total = 0
        self.notes: list[Note] = []
        self.events = self.duplicates = 0
        self.first, self.last = "~", ""
        self.ledger = Ledger()
        self.unpacked = Unpacked()  # for pass 2
        self._correlator = Correlator(rules.correlations)
        self.novelty = Novelty(rules.rules)
        self.overflowed = self.forgot = False
        self._lines: dict[int, int] = {}
        self._formats: list[set[str]] = [set() for _ in sources]
        for range_, part in sorted(parts, key=lambda pair: pair[0]):
            self._add(range_, part)
        self.fired: list[Fired] = self._correlator.fired()
        self.new: list[New] = self._new()
        # Rules for which the log is too short.
        self.unlearned = [] if baseline else self.novelty.unlearned(self.first, self.last)
        self.unjudged = sorted(self.novelty.overflowed)
        self.overflowed = self.overflowed or self._correlator.overflowed
        for item, source in zip(self.items, self.sources, strict=True):
            item.sha256, item.size, item.compression = source.sha256, source.size, source.compression
            item.skipped = source.error

    def _add(self, range_: Range, part: Part) -> None:
        shift = self._lines.get(range_.source, 0)
        self._lines[range_.source] = shift + part.lines
        first_granule = len(self.granules)
        # A source that is framed as documents is one granule: the second pass reads it whole.
        granules = part.granules or [Granule(0, -1, 1, part.first, part.last)]
        self.granules.extend((range_.source, granule._replace(line=granule.line + shift)) for granule in granules)
        for key, profile in part.profiles.by_key.items():
            self.profiles.of(key).absorb(profile, first_granule)
        traces = renumbered(part.traces, first_granule)
        pods_made = renumbered(part.pods_made, first_granule)
        self.untraced.update(granule + first_granule for granule in part.untraced)
        if traces is None or pods_made is None:
            self.untraced.update(range(first_granule, len(self.granules)))
        else:
            self.traces.extend(traces)
            self.pods_made.extend(pods_made)
        for match, group in part.matches.items():
            group.samples = [(moved(place, shift), original) for place, original in group.samples]
            mine = self.matches.get(match)
            if mine is None:
                self.matches[match] = group
            else:
                mine.absorb(group)
        self._correlator.absorb(part.correlator, shift)
        self.ledger.absorb(part.ledger, shift)
        self.novelty.absorb(part.novelty, shift)
        failures = [replace(failure, place=moved(failure.place, shift)) for failure in part.failures]
        self.failures.extend(failures[: FAILURES_KEPT - len(self.failures)])
        self.failures_total += part.failures_total
        notes = [replace(note, place=moved(note.place, shift)) for note in part.notes]
        self.notes.extend(notes[: FAILURES_KEPT - len(self.notes)])
        item = self.items[range_.source]
        item.events += part.events
        item.duplicates += part.duplicates
        item.failures += part.failures_total
        self._formats[range_.source] |= part.formats
        item.format = " + ".join(sorted(self._formats[range_.source]))
        self.events += part.events
        self.duplicates += part.duplicates
        self.first, self.last = min(self.first, part.first), max(self.last, part.last)

    def _new(self) -> list[New]:
        if self.baseline is None:
            return self.novelty.judge(self.first, self.last, self.profiles)
        return self.novelty.judge_by(self.baseline.novelty, self.profiles, self.baseline.profiles)

    def profile(self, key: AccessorKey) -> Profile | None:
        """The profile of one accessor."""
        return self.profiles.by_key.get(key)


def scan(
    sources: Sequence[Source],
    rules: RuleSet,
    matcher: Matcher,
    workers: int,
    progress: Progress,
    *,
    split: int = SPLIT,
    baseline: Scan | None = None,
) -> Scan:
    """Pass 1. `matcher` is compiled of `rules`. `workers` at most; evidence smaller than `split` is read by one.

    `baseline` is the scan of a log that shows what is usual; otherwise the log's own first part does.
    """
    ranges = _plan(sources, workers, split)
    loads = _share(ranges, sources, workers, split)
    if len(loads) > 1:
        parts, seen = _fork(loads, sources, rules, matcher, progress)
        if not any(memory.late for memory in seen) and not _overlap(parts, seen):
            read = [pair for load in parts for pair in load]
            _answer(read, seen, matcher)
            return Scan(rules, sources, read, baseline)
        ranges = [Range(number, 0, -1) for number in range(len(sources))]
    memory: Seen = Recent() if len(loads) == 1 else Exact()
    alone = _Reader(sources, rules, matcher, progress, memory)
    whole = [(range_, alone.read(range_)) for range_ in ranges]
    memory.close()
    if memory.late:
        alone = _Reader(sources, rules, matcher, progress, Exact())
        whole = [(range_, alone.read(range_)) for range_ in ranges]
    _answer(whole, [alone.seen], matcher)
    result = Scan(rules, sources, whole, baseline)
    result.forgot = alone.seen.forgot
    return result


def _answer(parts: Sequence[tuple[Range, Part]], memories: Sequence[Seen], matcher: Matcher) -> None:
    """Judge the requests of which only RequestReceived was logged, in whatever part: now it is known which they are."""
    asked = {number for _, part in parts for _, event in part.unanswered for number in _later(event)}
    ended = set().union(*(memory.common(asked) for memory in memories)) if asked else set()
    for _, part in parts:
        judge = Scanner(matcher, part, Recent())
        for mask, event in part.unanswered:
            if ended.isdisjoint(_later(event)):
                judge.answer(mask, event)
        part.unanswered.clear()


def _later(event: Event) -> list[int]:
    """Fingerprints of the stages that may follow."""
    record = event.record
    time, uri = record.requestReceivedTimestamp, record.requestURI
    return [fingerprint(event.audit_id, stage, time, uri) for stage in ("ResponseStarted", "ResponseComplete", "Panic")]


def _plan(sources: Sequence[Source], workers: int, split: int) -> list[Range]:
    ranges: list[Range] = []
    for number, source in enumerate(sources):
        cuts = [0]
        if workers > 1 and source.path is not None and source.size > split:
            cuts = _cuts(source.path, source.size, workers)
        if len(cuts) == 1:
            ranges.append(Range(number, 0, -1))
        else:
            ranges.extend(Range(number, a, b) for a, b in zip(cuts, [*cuts[1:], source.size], strict=True))
    return ranges


def _cuts(path: Path, size: int, workers: int) -> list[int]:
    """Offsets at line ends that divide the file; only [0] if it is not made of lines."""
    with path.open("rb") as file:
        if sniff(file.read(_READ)) != "lines":
            return [0]
        cuts = [0]
        for k in range(1, workers):
            file.seek(size * k // workers)
            while (line := file.readline(_READ)) and not line.endswith(b"\n"):
                pass
            if cuts[-1] < file.tell() < size:
                cuts.append(file.tell())
    return cuts


def _share(ranges: Sequence[Range], sources: Sequence[Source], workers: int, split: int) -> list[list[Range]]:
    """Ranges shared out, the largest first to whoever has least."""
    weights = {r: (r.end - r.start if r.end >= 0 else sources[r.source].size) for r in ranges}
    if workers < 2 or sum(weights.values()) < split or "fork" not in multiprocessing.get_all_start_methods():
        return [list(ranges)]
    loads: list[list[Range]] = [[] for _ in range(workers)]
    totals = [0] * workers
    for range_ in sorted(ranges, key=lambda r: (-weights[r], r)):
        least = totals.index(min(totals))
        loads[least].append(range_)
        totals[least] += weights[range_]
    return [sorted(load) for load in loads if load]


class _Reader:
    """One worker: reads ranges one after another and remembers what it has seen."""

    def __init__(
        self, sources: Sequence[Source], rules: RuleSet, matcher: Matcher, progress: Progress, seen: Seen
    ) -> None:
        self._sources, self._rules, self._matcher, self._progress = sources, rules, matcher, progress
        self._bytes = self._events = 0
        self.seen = seen
        self._room = Room()

    def read(self, range_: Range) -> Part:
        source = self._sources[range_.source]
        part = Part(source.name, self._rules)
        scanner = Scanner(self._matcher, part, self.seen, room=self._room)
        before_bytes, before_events = self._bytes, self._events

        def progress(done: int, events: int) -> None:
            self._bytes, self._events = before_bytes + done, before_events + events
            self._progress(self._bytes, self._events)

        if range_.end < 0:
            read_source(source, scanner, progress)
        else:
            assert source.path is not None
            scanner.lines(_slice(source.path, range_.start, range_.end), range_.start, progress)
        return scanner.finish()


def _slice(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while start < end:
            block = file.read(min(_READ, end - start))
            if not block:
                return
            start += len(block)
            yield block


def _fork(
    loads: Sequence[Sequence[Range]],
    sources: Sequence[Source],
    rules: RuleSet,
    matcher: Matcher,
    progress: Progress,
) -> tuple[list[list[tuple[Range, Part]]], list[Seen]]:
    context = multiprocessing.get_context("fork")
    counters: list[Synchronized[int]] = [context.Value("Q", 0, lock=False) for _ in range(2 * len(loads))]
    pipes: dict[Connection, int] = {}
    processes = []
    for number, load in enumerate(loads):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(
            target=_work,
            args=(load, sources, rules, matcher, theirs, counters[2 * number : 2 * number + 2]),
            daemon=True,
        )
        process.start()
        theirs.close()
        pipes[ours] = number
        processes.append(process)
    parts: list[list[tuple[Range, Part]]] = [[] for _ in loads]
    seen: list[Seen] = [Recent() for _ in loads]
    try:
        hashing = _hash_files([sources[r.source] for load in loads for r in load if r.end >= 0])
        while pipes:
            ready = wait(list(pipes), timeout=0 if next(hashing, None) else 0.2)
            for pipe in ready:
                assert isinstance(pipe, Connection)
                number = pipes.pop(pipe)
                answer = pipe.recv()
                if isinstance(answer, BaseException):
                    raise answer
                parts[number], seen[number], states = answer
                for source, state in states.items():
                    sources[source].restore(state)
            progress(sum(c.value for c in counters[::2]), sum(c.value for c in counters[1::2]))
        for _ in hashing:
            pass
    finally:
        for process in processes:
            process.terminate()
            process.join()
    return parts, seen


def _work(  # noqa: PLR0917  arguments of a process
    load: Sequence[Range],
    sources: Sequence[Source],
    rules: RuleSet,
    matcher: Matcher,
    pipe: Connection,
    counters: Sequence[Synchronized[int]],
) -> None:
    def progress(done: int, events: int) -> None:
        counters[0].value, counters[1].value = done, events

    reader = _Reader(sources, rules, matcher, progress, Recent())
    try:
        parts = [(range_, reader.read(range_)) for range_ in load]
        reader.seen.close()
        states = {r.source: sources[r.source].state() for r in load if r.end < 0}
        pipe.send((parts, reader.seen, states))
    except BaseException as error:
        pipe.send(error)
        raise
    finally:
        pipe.close()


def _hash_files(sources: Sequence[Source]) -> Iterator[bool]:
    """Hashes split files a block at a time; yields while there is more to do."""
    for source in dict.fromkeys(sources):
        assert source.path is not None
        digest = hashlib.sha256()
        with source.path.open("rb", buffering=0) as file:
            while block := file.read(_READ):
                digest.update(block)
                yield True
        source.sha256 = digest.hexdigest()


def _overlap(parts: Sequence[Sequence[tuple[Range, Part]]], seen: Sequence[Seen]) -> bool:
    """Whether two workers read a common event. Only logs of the same time can hold one."""
    for a, b in combinations(range(len(parts)), 2):
        together = any(x.first <= y.last and y.first <= x.last for _, x in parts[a] for _, y in parts[b])
        if together and meet(seen[a], seen[b]):
            return True
    return False


def default_workers() -> int:
    """As many as there are cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
