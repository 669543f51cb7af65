"""Pass 1: every event of the evidence is decoded, counted, profiled and matched, in bounded memory.

The fast road: decompressed blocks are cut at line ends into chunks, and `msgspec` decodes a chunk at a time into
`Head`s, the parts of an event that vary little: request line, accessor, outcome. All of them together are one key,
and a bounded memo leads from it to a `Class`: the rules that no part of it refutes (`rules.compile`), the profile,
the counters. Most events are known noise and end there. The others are decoded in full, and what remains of their
rules is run. The slow road: a chunk that does not decode as plain audit events (a broken line, a wrapper, invalid
UTF-8) goes line by line through `sources.records`, which unwraps, salvages or refuses; what it yields is judged by
the same code.

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

from kubewitness.detect.head import Asked, Head, Lines, decode_head, decode_heads, is_plain, line_starts, shallow
from kubewitness.detect.ledger import LEDGER_RULE, made_name
from kubewitness.detect.part import FAILURES_KEPT, Granule, MatchGroup, MatchKey, Part
from kubewitness.detect.profile import AccessorKey, Profile, RequestKind
from kubewitness.detect.reading import PLAIN, readings
from kubewitness.detect.seen import Seen
from kubewitness.evidence.documents import frame_documents, sniff
from kubewitness.evidence.failures import unreadable
from kubewitness.evidence.opening import Source
from kubewitness.model.event import ABSENT, Event
from kubewitness.model.evidence import Note, ParseFailure, Place
from kubewitness.rules.compile import Matcher
from kubewitness.sources.records import MAX_BYTES
from kubewitness.sources.values import UNDECODABLE

_CHUNK = 128  # lines decoded at a time: more fall out of the cache
_CLASSES = 1 << 15
_MEMO_LIMIT = 1 << 14
_PENDING = 20_000
_EXCERPT = 256
_NOWHERE = Place("", 0, 0)


_fingerprints = attrgetter("auditID", "stage", "requestReceivedTimestamp", "requestURI")  # see `head.fingerprint`
Locate = Callable[[int], Event]  # index in a chunk → the event, in full


class Class:
    """Events alike in all the parts of a `Head` but id and time. Counts are moved to the profile in `settle`."""

    __slots__ = ("accessor", "code", "count", "first", "granule", "kind", "last", "mask", "profile", "refused")

    def __init__(self, mask: int, kind: RequestKind, profile: Profile, refused: bool, code: int) -> None:
        self.mask, self.kind, self.profile, self.refused, self.code = mask, kind, profile, refused, code
        self.accessor = profile.key
        self.count = 0
        self.granule = -1
        self.first, self.last = "~", ""  # in this granule

    def settle(self) -> None:
        """Move what was counted to the profile."""
        if self.count:
            table = self.profile.refused if self.refused else self.profile.allowed
            table[self.kind] = table.get(self.kind, 0) + self.count
            self.count = 0
        self.profile.first = min(self.profile.first, self.first)
        self.profile.last = max(self.profile.last, self.last)


class Scanner:
    """Judges the events of one part. `seen` is shared by the parts one worker reads."""

    def __init__(self, matcher: Matcher, part: Part, seen: Seen, classes: int = _CLASSES) -> None:
        self.part = part
        self._limit = classes  # remembered at a time
        self._matcher = matcher
        self._seen = seen
        self._classes: dict[tuple[object, ...], Class] = {}
        self._odd: dict[tuple[object, ...], Class] = {}  # the same for events of the slow road
        self._here: list[Class] = []  # classes with events in this granule
        self._requests: dict[tuple[object, ...], tuple[int, RequestKind]] = {}
        self._outcomes: dict[tuple[bytes, bytes], tuple[int, bool, int]] = {}
        self._accessors: dict[tuple[object, ...], tuple[int, Profile]] = {}
        self._pending: dict[tuple[str, str], tuple[int, Event]] = {}
        bases = part.correlator.base_rules
        self._bases = sum(1 << n for n, rule in enumerate(matcher.rules) if rule.id in bases)
        self._ledger = sum(1 << n for n, rule in enumerate(matcher.rules) if rule.id == LEDGER_RULE)
        self._novel = sum(1 << n for n, rule in enumerate(matcher.rules) if rule.first_seen is not None)
        self._silent = self._novel | sum(1 << n for n, rule in enumerate(matcher.rules) if rule.kind == "context")
        self._granule = 0
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
        first, last = self._leave()
        part.granules.append(Granule(offset, end, first_line, "" if first == "~" else first, last))

    def _leave(self) -> tuple[str, str]:
        """The times of the granule that ends here ("~" and "" if it has none)."""
        part = self.part
        first = min((class_.first for class_ in self._here), default="~")
        last = max((class_.last for class_ in self._here), default="")
        part.first, part.last = min(part.first, first), max(part.last, last)
        self._here.clear()
        return first, last

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
        """The hot loop. An event that is known noise costs a key, a look-up and a counter."""
        plain = isinstance(locate, Lines)  # the fast road: not one of the formats that `sources` brings to this form
        known, granule, literal = (self._classes if plain else self._odd).get, self._granule, self._matcher.literal
        absent, join = ABSENT, b"\0".join
        again = self._seen.add_all(list(map(hash, map(_fingerprints, heads))))
        if again and self._counted == (heads[0].auditID, heads[0].stage):
            again = set()
        if again:
            # Events without an id are all different.
            again = {index for index in again if heads[index].auditID}
        events = len(heads) - len(again)
        for index, head in enumerate(heads):
            if again and index in again:
                continue
            ref, time = head.objectRef, head.requestReceivedTimestamp
            # Paths are few and repeat where there is no resource, and are all different where there is one.
            asked = (ref.resource, ref.subresource, ref.apiGroup) if ref is not None else (head.requestURI,)
            # NUL stands in no JSON text, so the joined parts cannot be mistaken for others.
            if head.impersonatedUser is absent:
                parts = join((head.user, head.sourceIPs, head.responseStatus, head.annotations))
            else:
                parts = join((head.user, head.sourceIPs, head.responseStatus, head.annotations, head.impersonatedUser))
            key = (parts, head.userAgent, head.verb, asked, head.stage, head.level)
            class_ = known(key)
            if class_ is None or not time:
                if isinstance(locate, Lines) and not is_plain(head):
                    # A wrapper among events, an old API version, times of another form.
                    events -= 1
                    self._read_again(head, locate, index)
                    continue
                if class_ is None:
                    class_ = self._new_class(key, head, plain)
            class_.count += 1
            if class_.granule != granule:
                self._entered(class_, granule, time)
            elif time > class_.last:
                class_.last = time
            elif time < class_.first and time:
                class_.first = time
            if class_.mask:
                mask = class_.mask
                if mask & literal and isinstance(locate, Lines):
                    mask = self._matcher.admit(mask, locate.text(index))
                if mask:
                    try:
                        event = locate(index)
                    except UNDECODABLE:  # odd in a part that a head leaves out
                        assert isinstance(locate, Lines)
                        class_.count -= 1
                        events -= 1
                        self._read_again(head, locate, index)
                        continue
                    self._survivor(class_, mask, event)
        if self._pending:
            for head in heads:
                if head.stage != "RequestReceived":
                    self._pending.pop((head.auditID, head.requestReceivedTimestamp), None)
        self.part.events += events
        self.part.duplicates += len(again)

    def _read_again(self, head: Head, lines: Lines, index: int) -> None:
        """The slow road for a line that seemed to be fit for the fast one."""
        place, original = lines.at(index)
        self._counted = (head.auditID, head.stage)
        self.document(original, place)
        self._counted = None

    def _entered(self, class_: Class, granule: int, time: str) -> None:
        """The class's first event in this granule."""
        class_.settle()
        class_.granule = granule
        class_.first, class_.last = time or "~", time
        self._here.append(class_)
        profile = class_.profile
        if profile.last_granule != granule:
            profile.last_granule = granule
            profile.granules.append(granule)

    def _new_class(self, key: tuple[object, ...], head: Head, plain: bool) -> Class:
        classes = self._classes if plain else self._odd
        event = Event(shallow(head), _NOWHERE)
        mask, kind = self._request(key[2:], event)
        who_mask, profile = self._accessor(event)
        outcome_mask, refused, code = self._outcome(event)
        class_ = Class(mask & who_mask & outcome_mask, kind, profile, refused, code)
        if len(classes) >= self._limit:
            for old in classes.values():
                old.settle()
            classes.clear()
        classes[key] = class_
        return class_

    def _request(self, asked: tuple[object, ...], event: Event) -> tuple[int, RequestKind]:
        request = self._requests.get(asked)
        if request is None:
            facets, record, ref = self._matcher.facets, event.record, event.object_ref
            mask = facets["request"].mask(event) & facets["stage"].mask(event)
            if record.objectRef is None:
                mask &= facets["path"].mask(event)
            if len(self._requests) >= _MEMO_LIMIT:
                self._requests.clear()
            kind = RequestKind(event.verb, ref.resource, ref.subresource, ref.apiGroup, record.level, event.stage)
            request = self._requests[asked] = (mask, kind)
        return request

    def _accessor(self, event: Event) -> tuple[int, Profile]:
        record = event.record
        who = (bytes(record.user), bytes(record.impersonatedUser), bytes(record.sourceIPs), record.userAgent)
        accessor = self._accessors.get(who)
        if accessor is None:
            facets = self._matcher.facets
            mask = facets["user"].mask(event) & facets["source"].mask(event) & facets["agent"].mask(event)
            profile = self.part.profiles.of(AccessorKey(event.identity, event.address, record.userAgent))
            if len(self._accessors) >= _MEMO_LIMIT:
                self._accessors.clear()
            accessor = self._accessors[who] = (mask, profile)
        return accessor

    def _outcome(self, event: Event) -> tuple[int, bool, int]:
        record = event.record
        came = (bytes(record.responseStatus), bytes(record.annotations))
        outcome = self._outcomes.get(came)
        if outcome is None:
            if len(self._outcomes) >= _MEMO_LIMIT:
                self._outcomes.clear()
            mask = self._matcher.facets["outcome"].mask(event)
            outcome = self._outcomes[came] = (mask, event.decision == "forbid", event.code)
        return outcome

    def _survivor(self, class_: Class, mask: int, event: Event) -> None:
        facets = self._matcher.facets
        mask &= facets["namespace"].mask(event) & facets["name"].mask(event)
        if mask:
            mask = self._matcher.survivors(mask, event)
        if not mask:
            return
        if event.stage == "RequestReceived":
            if len(self._pending) < _PENDING:
                self._pending[event.request] = (mask, event)
            return
        self._matched(mask, event, class_.kind, class_.accessor, class_.code)

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
        self._leave()
        for class_ in (*self._classes.values(), *self._odd.values()):
            class_.settle()
        part.formats |= part.reading.formats.keys()
        if self._classes:
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
