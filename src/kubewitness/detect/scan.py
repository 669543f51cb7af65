"""Pass 1: every event of the evidence is decoded, counted, profiled and matched, in bounded memory.

The fast road: decompressed blocks are cut at line ends into chunks, and `msgspec` decodes a chunk at a time into
`Head`s. Who asked, what was asked and how it ended (`aspects`) are each known from a bounded memo, with the rules
they do not refute. Most events are refuted for every rule, counted, and end there. The others are decoded in full,
and what remains of their rules is run. The slow road: a chunk that does not decode as plain audit events (a broken
line, a wrapper, invalid UTF-8) goes line by line through `sources.records`, which unwraps, salvages or refuses; what
it yields is judged by the same code.

One request is logged at several stages. Rules judge the stages that carry an outcome; RequestReceived is judged only
if no other stage of that request turns up. A match is kept by auditID, so a request counts once however often it is
logged.

What is found goes into a `Part`; parts of several workers add up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from operator import attrgetter

import msgspec
from msgspec.structs import replace

from kubewitness.detect.aspects import Aspects
from kubewitness.detect.head import Asked, Head, Lines, decode_head, decode_heads, is_plain, line_starts, shallow
from kubewitness.detect.ledger import LEDGER_RULE, made_name
from kubewitness.detect.part import FAILURES_KEPT, Granule, MatchGroup, MatchKey, Part
from kubewitness.detect.places import GRANULE, GRANULES, START, Room
from kubewitness.detect.profile import EACH, AccessorKey, RequestKind
from kubewitness.detect.reading import PLAIN, readings
from kubewitness.detect.seen import Seen
from kubewitness.evidence.documents import frame_documents, sniff
from kubewitness.evidence.failures import unreadable
from kubewitness.evidence.opening import Source
from kubewitness.model.event import ABSENT, Event, parse_time
from kubewitness.model.evidence import Note, ParseFailure, Place
from kubewitness.rules.compile import Matcher
from kubewitness.sources.records import MAX_BYTES
from kubewitness.sources.values import UNDECODABLE

_CHUNK = 128  # lines decoded at a time: more fall out of the cache
_MEMORY = 1 << 14  # accessors, request lines and outcomes remembered at a time
_PENDING = 20_000
_EXCERPT = 256
_NOWHERE = Place("", 0, 0)


_fingerprints = attrgetter("auditID", "stage", "requestReceivedTimestamp", "requestURI")  # see `head.fingerprint`
Locate = Callable[[int], Event]  # index in a chunk → the event, in full


class Scanner:
    """Judges the events of one part. `seen` and `room` are shared by the parts one worker reads."""

    def __init__(
        self, matcher: Matcher, part: Part, seen: Seen, memory: int = _MEMORY, room: Room | None = None
    ) -> None:
        self.part = part
        self._matcher = matcher
        self._seen = seen
        self._plain = Aspects(matcher, part.profiles, memory)
        self._odd = Aspects(matcher, part.profiles, memory)  # of events of the slow road: they vouch for no line's form
        self._first, self._last = "~", ""  # times of the granule
        self._pending: dict[tuple[str, str], tuple[int, Event]] = {}
        bases = part.correlator.base_rules
        self._bases = sum(1 << n for n, rule in enumerate(matcher.rules) if rule.id in bases)
        self._ledger = sum(1 << n for n, rule in enumerate(matcher.rules) if rule.id == LEDGER_RULE)
        self._novel = sum(1 << n for n, rule in enumerate(matcher.rules) if rule.first_seen is not None)
        self._silent = self._novel | sum(1 << n for n, rule in enumerate(matcher.rules) if rule.kind == "context")
        self._late = (matcher.facets["namespace"], matcher.facets["name"])  # too varied to be part of an aspect
        self._granule = 0
        self._room = room or Room()
        self._counted: tuple[str, str] | None = None  # an event read again, known to be no duplicate

    # -- framing -----------------------------------------------------------------------------------------------------

    def lines(self, blocks: Iterator[bytes], offset: int, progress: Callable[[int, int], None]) -> None:
        """Read a stream of whole-line records. `offset` is where the stream begins in its source."""
        part, rest = self.part, b""
        for block in blocks:
            end = block.rfind(b"\n") + 1
            if not end:
                rest += block
                if len(rest) <= MAX_BYTES:
                    continue
                offset, block = self._overlong(rest, blocks, offset)  # noqa: PLW2901  goes on with what follows it
                rest, end = b"", block.rfind(b"\n") + 1
                if not end:
                    rest = block
                    continue
            data = rest + block if rest else block
            end += len(rest)
            self._block(data, end, offset)
            rest = data[end:]
            offset += end
            part.bytes += end
            progress(part.bytes, part.events)
        if rest:
            self._block(rest, len(rest), offset)
            part.bytes += len(rest)
            progress(part.bytes, part.events)

    def _overlong(self, head: bytes, blocks: Iterator[bytes], offset: int) -> tuple[int, bytes]:
        """Pass over a line that is longer than any record, without keeping it; what follows it, and where."""
        length, rest = len(head), b""
        for block in blocks:
            end = block.find(b"\n") + 1
            length += end or len(block)
            if end:
                rest = block[end:]
                break
        self.part.lines += 1
        self.part.bytes += length
        place = Place(self.part.item, self.part.lines, offset, length)
        self.fail(unreadable(place, "longer than 64 MiB", head[:_EXCERPT]))
        return offset + length, rest

    def _block(self, data: bytes, end: int, offset: int) -> None:
        """Whole lines: `data[:end]`, which begin at `offset` of the source. A block is a granule."""
        part = self.part
        self._granule = len(part.granules)
        self._first, self._last = "~", ""
        first_line = part.lines + 1
        starts = line_starts(data, end)
        plain = data.isascii()
        if not plain:
            try:
                data[:end].decode()  # a Raw field would pass unchecked
                plain = True
            except UnicodeDecodeError:
                plain = False
        view = memoryview(data)
        for index in range(0, len(starts) - 1, _CHUNK):
            lines = Lines(part.item, data, starts[index : index + _CHUNK + 1], offset, first_line + index)
            heads: list[Head] | None = None
            if plain:
                try:
                    heads = decode_heads(view[lines.starts[0] : lines.starts[-1]])
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    heads = None
            if heads is not None and len(heads) == len(lines) and lines.are_objects():
                self._judge(heads, lines)
            else:
                # A broken line, or what the decoder takes without a word: blank lines, two objects in one line, one
                # over two lines.
                self._line_by_line(lines)
        part.lines += len(starts) - 1
        first = "" if self._first == "~" else self._first
        part.granules.append(Granule(offset, end, first_line, first, self._last))

    def _reach(self, times: list[str]) -> None:
        """Stretch the granule's and the part's time over these. What is no time says nothing about it."""
        if not times:
            return
        first, last = min(times), max(times)
        if parse_time(first) is None or parse_time(last) is None:
            self._reach([time for time in times if parse_time(time) is not None])
            return
        part = self.part
        self._first, self._last = min(self._first, first), max(self._last, last)
        part.first, part.last = min(part.first, first), max(part.last, last)

    def _line_by_line(self, lines: Lines) -> None:
        """Each line by itself takes the road it would have taken among sound ones: results do not depend on the cut."""
        for index in range(len(lines)):
            place, text = lines.at(index)
            if not text.strip():
                continue
            try:
                text.decode()
                head = decode_head(text)
            except UNDECODABLE:
                self.document(text, place)
            else:
                self._judge([head], lines.only(index))

    def document(self, data: bytes, place: Place) -> None:
        """The slow road: one line or document, of any known wrapper."""
        for found in readings(data, place, self.part.reading):
            if isinstance(found, ParseFailure):
                self.fail(found)
            elif isinstance(found, Note):
                self.note(found)
            else:
                self._alone(found)

    def _alone(self, event: Event) -> None:
        record, ref = event.record, event.object_ref
        head = Head(
            record.auditID,
            record.stage,
            record.verb,
            record.level,
            record.requestURI,
            record.user,
            record.impersonatedUser,
            record.sourceIPs,
            record.userAgent,
            Asked(ref.resource, ref.subresource, ref.apiGroup) if record.objectRef else None,
            record.responseStatus,
            record.requestReceivedTimestamp,
            record.annotations,
        )
        self._judge([head], lambda _: event)

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

    def _judge(self, heads: list[Head], locate: Locate) -> None:
        """The hot loop. An event that is known noise costs three look-ups and a counter."""
        lines = locate if isinstance(locate, Lines) else None  # the fast road: not brought to this form by `sources`
        aspects = self._odd if lines is None else self._plain
        who_of, what_of, end_of = aspects.who.get, aspects.what.get, aspects.end.get
        granule, literal, absent, join = self._granule, self._matcher.literal, ABSENT, b"\0".join
        again = self._seen.add_all(list(map(hash, map(_fingerprints, heads))))
        if again and self._counted == (heads[0].auditID, heads[0].stage):
            again = set()
        if again:
            # Events without an id are all different.
            again = {index for index in again if heads[index].auditID}
        elsewhere: set[int] = set()  # lines that went the slow road
        here, starts = -1, [0] * len(heads)  # see `detect.places`; -1: places cannot be told
        if lines is not None and granule < GRANULES:
            here, starts = (granule << GRANULE) + lines.line - self.part.lines - 1, lines.starts
        traces, room, left = self.part.traces, self._room.events, self._room.traces
        for index, head in enumerate(heads):
            if again and index in again:
                continue
            ref, time = head.objectRef, head.requestReceivedTimestamp
            # NUL stands in no JSON text, so the joined parts cannot be mistaken for others.
            if head.impersonatedUser is absent:
                who_key = (join((head.user, head.sourceIPs)), head.userAgent)
            else:
                who_key = (join((head.user, head.sourceIPs, head.impersonatedUser)), head.userAgent)
            end_key = join((head.responseStatus, head.annotations))
            what_key: tuple[str, ...]
            if ref is None:
                what_key = (head.verb, head.requestURI, head.level, head.stage)
            else:
                what_key = (head.verb, ref.resource, ref.subresource, ref.apiGroup, head.level, head.stage)
            who, what, end = who_of(who_key), what_of(what_key), end_of(end_key)
            if who is None or what is None or end is None or not time:
                if lines is not None and not is_plain(head):
                    # A wrapper among events, an old API version, times of another form.
                    elsewhere.add(index)
                    self._read_again(head, lines, index)
                    continue
                event = Event(shallow(head), _NOWHERE)
                who = who or aspects.add_who(who_key, event)
                what = what or aspects.add_what(what_key, event)
                end = end or aspects.add_end(end_key, event)
            mask = who.mask & what.mask & end.mask
            if mask:
                if mask & literal and lines is not None:
                    mask = self._matcher.admit(mask, lines.text(index))
                if mask:
                    try:
                        event = locate(index)
                    except UNDECODABLE:  # odd in a part that a head leaves out
                        assert lines is not None
                        elsewhere.add(index)
                        self._read_again(head, lines, index)
                        continue
                    self._survivor(mask, event, what.kind, who.profile.key, end.code)
            profile = who.profile
            if (noted := profile.places) is not None:
                if here >= 0 and room and len(noted) < EACH:
                    noted.append(here + (starts[index] << START) + index)
                    room -= 1
                else:
                    profile.places = None
            if what.traced:
                if here >= 0 and left:
                    traces.append(here + (starts[index] << START) + index)
                    left -= 1
                    if what.makes_pods:
                        self.part.pods_made.append(traces[-1])
                else:
                    self.part.untraced.add(granule)
            slot, counts = what.slot + end.refused, who.counts
            counts[slot] = counts.get(slot, 0) + 1
            who.last = max(who.last, time)
            if time < who.first and time:
                who.first = time
            if who.granule != granule:
                who.granule = granule
                if profile.last_granule != granule:
                    profile.last_granule = granule
                    profile.granules.append(granule)
        self._room.events, self._room.traces = room, left
        if self._pending:
            for head in heads:
                if head.stage != "RequestReceived":
                    self._pending.pop((head.auditID, head.requestReceivedTimestamp), None)
        times = [head.requestReceivedTimestamp for head in heads]
        self._reach([time for index, time in enumerate(times) if index not in elsewhere] if elsewhere else times)
        self.part.events += len(heads) - len(again) - len(elsewhere)
        self.part.duplicates += len(again)

    def _read_again(self, head: Head, lines: Lines, index: int) -> None:
        """The slow road for a line that seemed to be fit for the fast one."""
        place, original = lines.at(index)
        self._counted = (head.auditID, head.stage)
        self.document(original, place)
        self._counted = None

    def _survivor(self, mask: int, event: Event, kind: RequestKind, accessor: AccessorKey, code: int) -> None:
        for facet in self._late:
            if mask & facet.deciding:
                mask &= facet.mask(event)
        if mask:
            mask = self._matcher.survivors(mask, event)
        if not mask:
            return
        if event.stage == "RequestReceived":
            if len(self._pending) < _PENDING:
                self._pending[event.request] = (mask, event)
            return
        self._matched(mask, event, kind, accessor, code)

    def _matched(self, mask: int, event: Event, kind: RequestKind, accessor: AccessorKey, code: int) -> None:
        bases = mask & self._bases
        if bases:
            for rule in self._matcher.of(bases):
                self.part.correlator.add(rule.id, event)
        if mask & self._ledger:
            self.part.ledger.add(event, event.name or made_name(event))
        if mask & self._novel:
            for rule in self._matcher.of(mask & self._novel):
                self.part.novelty.add(rule, event, accessor)
        mask &= ~self._silent
        if mask:
            key = MatchKey(mask, accessor, kind, code, event.namespace)
            group = self.part.matches.get(key)
            if group is None:
                group = self.part.matches[key] = MatchGroup()
            group.add(event, event.original)

    def answer(self, mask: int, event: Event) -> None:
        """Judge a request of which only RequestReceived was logged, once that is certain."""
        ref = event.object_ref
        kind = RequestKind(event.verb, ref.resource, ref.subresource, ref.apiGroup, event.record.level, event.stage)
        accessor = AccessorKey(event.identity, event.address, event.record.userAgent)
        self._matched(mask, event, kind, accessor, event.code)

    def finish(self) -> Part:
        """Hand back the part. Its unanswered requests are judged when all parts have been read."""
        part = self.part
        self._plain.settle()
        self._odd.settle()
        part.formats |= part.reading.formats.keys()
        if self._plain.who:
            part.formats.add(PLAIN)
        part.unanswered = list(self._pending.values())
        return part


def read_source(source: Source, scanner: Scanner, progress: Callable[[int, int], None]) -> None:
    """Scan a whole source, whatever its framing."""
    chunks = iter(source.open())
    head = next(chunks, b"")
    kind = sniff(head)
    whole = chain([head], chunks) if head else chunks
    if kind == "lines":
        scanner.lines(whole, 0, progress)
    else:
        for frame in frame_documents(whole, source.name):
            if isinstance(frame, ParseFailure):
                scanner.fail(frame)
            else:
                scanner.document(frame.data, frame.place)
            progress(scanner.part.bytes, scanner.part.events)
    if source.failure is not None:  # the stream broke: known now that it was read to where it did
        place = source.failure.place
        scanner.fail(replace(source.failure, place=Place(place.item, scanner.part.lines, place.offset, place.length)))
