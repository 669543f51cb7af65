"""Pass 1: every event of the evidence is decoded, counted, profiled and matched, in bounded memory.

The fast road: decompressed bytes are cut at line ends into chunks of about 128 KB, and `msgspec` decodes a chunk at a
time. One tuple each for request line, accessor and outcome leads, through bounded memos, to the masks of rules that this
part of the event does not refute (`rules.compile`); only where their AND leaves rules are names looked at and rules run.
The slow road: a chunk that does not decode as plain audit events (a broken line, a wrapper, invalid UTF-8) goes line by
line through `sources.records`, which unwraps, salvages or refuses; what it yields is judged by the same code.

One request is logged at several stages. Rules judge the stages that carry an outcome; RequestReceived is judged only if
no other stage of that request turns up. A match is kept by auditID, so a request counts once however often it is logged.

Places (line, offset) are worked out only for what is kept. `Part` is what a worker hands back; parts add up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, chain
from typing import Any, NamedTuple

import msgspec

from kubewitness.detect.correlations import Correlator
from kubewitness.detect.ledger import LEDGER_RULE, Ledger
from kubewitness.detect.profile import AccessorKey, Profile, Profiles, RequestKind
from kubewitness.detect.seen import Seen
from kubewitness.evidence.documents import frame_documents, sniff
from kubewitness.evidence.opening import Source
from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.evidence import Note, ParseFailure, Place
from kubewitness.rules.compile import Matcher
from kubewitness.rules.loader import RuleSet
from kubewitness.sources.records import read_record

CHUNK = 128 * 1024
_MEMO_LIMIT = 1 << 15
_SAMPLES = 5  # original events kept of a group of like matches
_AUDIT_IDS = 5_000  # of a group; past it, requests are only counted
_PENDING = 20_000
_HEAD = 5_000
FAILURES_KEPT = 1_000
_LEVELS = frozenset(("Metadata", "Request", "RequestResponse"))
_NOWHERE = Place("", 0, 0)
_ABSENT = AuditRecord().user  # the one Raw that stands for an absent field

_decoder = msgspec.json.Decoder(AuditRecord)


class MatchKey(NamedTuple):
    """Matches are alike if the same rules match the same kind of request by the same accessor with the same status."""

    rules: int  # mask
    accessor: AccessorKey
    request: RequestKind
    code: int
    namespace: str


class MatchGroup:
    """Like matches: how many, when, and the first few originals."""

    __slots__ = ("audit_ids", "count", "first", "last", "names", "samples")

    def __init__(self) -> None:
        self.audit_ids: dict[str, None] = {}
        self.count = 0
        self.first, self.last = "~", ""
        self.names: dict[str, None] = {}
        self.samples: list[tuple[Place, bytes]] = []

    def __getstate__(self) -> tuple[Any, ...]:
        return (self.audit_ids, self.count, self.first, self.last, self.names, self.samples)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.audit_ids, self.count, self.first, self.last, self.names, self.samples = state

    def add(self, event: Event, original: bytes) -> None:
        """Count the event's request, once."""
        if event.audit_id in self.audit_ids:
            return
        self.count += 1
        if len(self.audit_ids) < _AUDIT_IDS:
            self.audit_ids[event.audit_id] = None
        if len(self.samples) < _SAMPLES:
            self.samples.append((event.place, original))
        if len(self.names) < 50 and event.name:
            self.names[event.name] = None
        time = event.record.requestReceivedTimestamp
        self.first, self.last = min(self.first, time), max(self.last, time)

    def absorb(self, other: MatchGroup) -> None:
        """Add another part's matches of the same kind."""
        self.count += other.count - len(self.audit_ids.keys() & other.audit_ids.keys())
        for audit_id in other.audit_ids:
            if len(self.audit_ids) < _AUDIT_IDS:
                self.audit_ids[audit_id] = None
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
        self.failures: list[ParseFailure] = []
        self.failures_total = 0
        self.notes: list[Note] = []
        self.granules: list[Granule] = []
        self.head: list[int] = []  # fingerprints of the first events
        self.events = 0
        self.lines = 0
        self.bytes = 0
        self.duplicates = 0
        self.formats: dict[str, int] = {}
        self.first, self.last = "~", ""


class Scanner:
    """Judges the events of one part. `seen` is shared by the parts one worker reads."""

    def __init__(self, matcher: Matcher, part: Part, seen: Seen) -> None:
        self.part = part
        self._matcher = matcher
        self._seen = seen
        self._requests: dict[tuple[str, ...], tuple[int, RequestKind]] = {}
        self._accessors: dict[tuple[object, ...], tuple[int, Profile]] = {}
        self._outcomes: dict[tuple[bytes, bytes], tuple[int, bool, int]] = {}
        self._pending: dict[str, tuple[int, Event]] = {}
        bases = part.correlator.base_rules
        self._bases = sum(1 << n for n, rule in enumerate(matcher.rules) if rule.id in bases)
        self._ledger = sum(1 << n for n, rule in enumerate(matcher.rules) if rule.id == LEDGER_RULE)
        self._silent = sum(1 << n for n, rule in enumerate(matcher.rules) if rule.kind == "context")
        self._granule = 0

    # -- framing -----------------------------------------------------------------------------------------------------

    def lines(self, chunks: Iterator[bytes], offset: int, progress: Callable[[int, int], None]) -> None:
        """Read a stream of whole-line records. `offset` is where the stream begins in its source."""
        part, rest = self.part, b""
        for block in chunks:
            data = rest + block if rest else block
            cut = data.rfind(b"\n") + 1
            rest = data[cut:]
            start = 0
            while start < cut:
                # A block may be larger than a chunk (decompressors yield what they like).
                end = cut if cut - start <= 2 * CHUNK else data.find(b"\n", start + CHUNK) + 1 or cut
                piece = data if start == 0 and end == len(data) else data[start:end]
                self._chunk(piece, offset)
                offset += len(piece)
                part.bytes += len(piece)
                start = end
            progress(part.bytes, part.events)
        if rest:
            self._chunk(rest, offset)
            part.bytes += len(rest)
            progress(part.bytes, part.events)

    def _chunk(self, chunk: bytes, offset: int) -> None:
        part = self.part
        first_line = part.lines + 1
        self._granule = len(part.granules)
        records: list[AuditRecord] | None = None
        count = chunk.count(b"\n") + (not chunk.endswith(b"\n"))
        try:
            if not chunk.isascii():
                chunk.decode()  # a Raw field would pass unchecked
            records = _decoder.decode_lines(chunk)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            records = None
        if records is not None and len(records) == count:
            self._judge(records, _Lines(part.item, chunk, offset, first_line))
        else:
            self._line_by_line(chunk, offset, first_line)
        part.lines += count
        first = last = ""
        if records and len(part.head) < _HEAD:
            part.head.extend(hash(record.auditID) ^ hash(record.stage) for record in records)
        if records:
            first, last = records[0].requestReceivedTimestamp, records[-1].requestReceivedTimestamp
        part.granules.append(Granule(offset, len(chunk), first_line, first, last))

    def _line_by_line(self, chunk: bytes, offset: int, number: int) -> None:
        for line in chunk.splitlines(keepends=True) if b"\n" not in chunk else _split(chunk):
            text = line.rstrip(b"\r\n")
            if text.strip():
                self.document(text, Place(self.part.item, number, offset, len(text)))
            offset += len(line)
            number += 1

    def document(self, data: bytes, place: Place) -> None:
        """The slow road: one line or document of any known wrapper."""
        try:
            data.decode()
            record = _decoder.decode(data)
            if record.auditID and record.requestReceivedTimestamp and record.level in _LEVELS:
                self._judge([record], _One(Event(record, place, data)))
                return
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        for found in read_record(data, place):
            if isinstance(found, ParseFailure):
                self.fail(found)
            elif isinstance(found, Note):
                self.note(found)
            else:
                self._judge([found.record], _One(found))

    def fail(self, failure: ParseFailure) -> None:
        """Count a piece that could not be read."""
        self.part.failures_total += 1
        if len(self.part.failures) < FAILURES_KEPT:
            self.part.failures.append(failure)

    def note(self, note: Note) -> None:
        """Keep an oddity."""
        if len(self.part.notes) < FAILURES_KEPT:
            self.part.notes.append(note)

    # -- judging -----------------------------------------------------------------------------------------------------

    def _judge(self, records: Sequence[AuditRecord], places: _Lines | _One) -> None:
        """The hot loop: about one microsecond an event besides decoding."""
        part = self.part
        granule = self._granule
        requests_get, accessors_get, outcomes_get = self._requests.get, self._accessors.get, self._outcomes.get
        seen_add, absent, pending = self._seen.add, _ABSENT, self._pending
        duplicates = 0
        for index, record in enumerate(records):
            audit_id, stage, time = record.auditID, record.stage, record.requestReceivedTimestamp
            if not audit_id or not time:
                # Not a plain event: a wrapper line among events, or an old API version's time fields.
                if isinstance(places, _Lines):
                    place, original = places.at(index)
                    self._reread(original, place)
                    continue
            if audit_id and seen_add(hash(audit_id) ^ hash(stage)):
                duplicates += 1
                continue
            ref = record.objectRef
            if ref is None:
                asked: tuple[str, ...] = (record.verb, "", "", "", record.level, stage)
            else:
                asked = (record.verb, ref.resource, ref.subresource, ref.apiGroup, record.level, stage)
            request = requests_get(asked)
            if request is None:
                request = self._new_request(asked, record)
            mask, kind = request
            if record.impersonatedUser is absent:
                who: tuple[object, ...] = (bytes(record.user), bytes(record.sourceIPs), record.userAgent)
            else:
                who = (
                    bytes(record.user),
                    bytes(record.sourceIPs),
                    record.userAgent,
                    bytes(record.impersonatedUser),
                )
            accessor = accessors_get(who)
            if accessor is None:
                accessor = self._new_accessor(who, record)
            came = (bytes(record.responseStatus), bytes(record.annotations))
            outcome = outcomes_get(came)
            if outcome is None:
                outcome = self._new_outcome(came, record)
            mask &= accessor[0] & outcome[0]
            profile = accessor[1]
            table = profile.refused if outcome[1] else profile.allowed
            table[kind] = table.get(kind, 0) + 1
            if time:
                if time < profile.first:
                    profile.first = time
                if time > profile.last:
                    profile.last = time
            if profile.last_granule != granule:
                profile.last_granule = granule
                profile.granules.append(granule)
            if mask:
                self._survivor(record, mask, kind, profile.key, outcome[2], places, index)
            elif pending and stage != "RequestReceived":
                pending.pop(audit_id, None)
        part.events += len(records) - duplicates
        part.duplicates += duplicates
        self._clock(records)

    def _clock(self, records: Sequence[AuditRecord]) -> None:
        """Minutes with events in them, from a chunk's first and last event: enough to see silences."""
        part = self.part
        for record in (records[0], records[-1]) if records else ():
            time = record.requestReceivedTimestamp
            if time:
                part.first, part.last = min(part.first, time), max(part.last, time)

    def _reread(self, original: bytes, place: Place) -> None:
        self.part.events -= 1  # counted by what it turns out to hold
        self.document(original, place)

    def _new_request(self, asked: tuple[str, ...], record: AuditRecord) -> tuple[int, RequestKind]:
        event = Event(record, _NOWHERE)
        facets = self._matcher.facets
        mask = facets["request"].mask(event) & facets["stage"].mask(event)
        if len(self._requests) >= _MEMO_LIMIT:
            self._requests.clear()
        entry = self._requests[asked] = (mask, RequestKind(*asked))
        return entry

    def _new_accessor(self, who: tuple[object, ...], record: AuditRecord) -> tuple[int, Profile]:
        event = Event(record, _NOWHERE)
        facets = self._matcher.facets
        mask = facets["user"].mask(event) & facets["source"].mask(event) & facets["agent"].mask(event)
        profile = self.part.profiles.of(AccessorKey(event.identity, event.address, record.userAgent))
        if len(self._accessors) >= _MEMO_LIMIT:
            self._accessors.clear()
        entry = self._accessors[who] = (mask, profile)
        return entry

    def _new_outcome(self, came: tuple[bytes, bytes], record: AuditRecord) -> tuple[int, bool, int]:
        event = Event(record, _NOWHERE)
        if len(self._outcomes) >= _MEMO_LIMIT:
            self._outcomes.clear()
        mask = self._matcher.facets["outcome"].mask(event)
        entry = self._outcomes[came] = (mask, event.decision == "forbid", event.code)
        return entry

    def _survivor(
        self,
        record: AuditRecord,
        mask: int,
        kind: RequestKind,
        accessor: AccessorKey,
        code: int,
        places: _Lines | _One,
        index: int,
    ) -> None:
        event = Event(record, _NOWHERE)
        facets = self._matcher.facets
        mask &= facets["namespace"].mask(event) & facets["name"].mask(event)
        if mask:
            mask = self._matcher.survivors(mask, event)
        if kind.stage == "RequestReceived":
            if mask and len(self._pending) < _PENDING:
                # Decoded anew from its own bytes: the record's views would keep the whole chunk in memory.
                place, original = places.at(index)
                self._pending[event.audit_id] = (mask, Event(_decoder.decode(original), place, original))
            return
        self._pending.pop(event.audit_id, None)
        if mask:
            event.place, event.original = places.at(index)
            self._matched(mask, event, kind, accessor, code)

    def _matched(self, mask: int, event: Event, kind: RequestKind, accessor: AccessorKey, code: int) -> None:
        bases = mask & self._bases
        if bases:
            for rule in self._matcher.of(bases):
                self.part.correlator.add(rule.id, event)
        if mask & self._ledger:
            self.part.ledger.add(event, event.name or _made_name(event))
        mask &= ~self._silent
        if mask:
            key = MatchKey(mask, accessor, kind, code, event.namespace)
            group = self.part.matches.get(key)
            if group is None:
                group = self.part.matches[key] = MatchGroup()
            group.add(event, event.original)

    def finish(self) -> Part:
        """Judge requests of which only RequestReceived was logged; hand back the part."""
        for mask, event in self._pending.values():
            kind = RequestKind(
                event.verb,
                event.resource,
                event.subresource,
                event.object_ref.apiGroup,
                event.record.level,
                event.stage,
            )
            accessor = AccessorKey(event.identity, event.address, event.record.userAgent)
            self._matched(mask, event, kind, accessor, event.code)
        self._pending.clear()
        return self.part


class _Lines:
    """Places of a chunk's lines, worked out on demand."""

    __slots__ = ("_chunk", "_item", "_line", "_lines", "_offset", "_starts")

    def __init__(self, item: str, chunk: bytes, offset: int, line: int) -> None:
        self._item, self._chunk, self._offset, self._line = item, chunk, offset, line
        self._lines: list[bytes] = []
        self._starts: list[int] = []

    def at(self, index: int) -> tuple[Place, bytes]:
        """Place and original of line `index` of the chunk."""
        if not self._lines:
            self._lines = self._chunk.split(b"\n")
            self._starts = list(accumulate((len(line) + 1 for line in self._lines), initial=self._offset))
        text = self._lines[index].rstrip(b"\r")
        return Place(self._item, self._line + index, self._starts[index], len(text)), text


class _One:
    """The place of an event that came alone, by the slow road."""

    __slots__ = ("_event",)

    def __init__(self, event: Event) -> None:
        self._event = event

    def at(self, index: int) -> tuple[Place, bytes]:
        """Place and original of the event."""
        del index
        return self._event.place, self._event.original


def _made_name(event: Event) -> str:
    """The name of an object whose request did not carry it (POST to a collection at old versions, generateName)."""
    for body in (event.response_object, event.request_object):
        meta = body.get("metadata") if isinstance(body, dict) else None
        name = meta.get("name") if isinstance(meta, dict) else None
        if isinstance(name, str):
            return name
    return ""


def _split(chunk: bytes) -> list[bytes]:
    lines = chunk.split(b"\n")
    tail = lines.pop()
    return [line + b"\n" for line in lines] + ([tail] if tail else [])


def read_source(source: Source, scanner: Scanner, progress: Callable[[int, int], None]) -> None:
    """Scan a whole source, whatever its framing."""
    chunks = iter(source.open())
    head = next(chunks, b"")
    kind = sniff(head)
    whole = chain([head], chunks) if head else chunks
    if kind == "lines":
        scanner.lines(whole, 0, progress)
        return
    for frame in frame_documents(whole, source.name):
        if isinstance(frame, ParseFailure):
            scanner.fail(frame)
        else:
            scanner.document(frame.data, frame.place)
        progress(scanner.part.bytes, scanner.part.events)
