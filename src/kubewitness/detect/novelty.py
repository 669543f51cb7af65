"""What never occurred before: the state of rules with `first_seen` (`rules.ir.FirstSeen` tells what they mean).

While the log is read nobody knows yet where its learning part ends, and events do not come in the order of time. So
for each combination of values only its earliest occurrence is kept, and the earliest that can be a finding; which of
them are new is judged at the end, when the log's time span is known. Minima add up exactly, whatever the order and
however the log was divided.

Memory is bounded: of the combinations of one rule, those that came first are kept (what is usual is among them), the
latest are let go and `overflowed` says so. A minimum of the first ones stays exact, since a combination that was let
go can only come back by an occurrence earlier than all that made it go. With `requests`, the profiles are the memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import islice, product
from typing import NamedTuple

import msgspec

from kubewitness.detect.ledger import made_name
from kubewitness.detect.profile import MANY, AccessorKey, Profiles
from kubewitness.model.event import AuditRecord, Event, parse_time
from kubewitness.model.evidence import Place
from kubewitness.rules.compile import Test, as_text, compile_node
from kubewitness.rules.fields import getter, of_accessor
from kubewitness.rules.ir import FirstSeen, Rule, RuleId

LIMIT = 2_000  # combinations kept of one rule
_EACH = 64  # combinations of one event
_TEXT = 256
_ORIGINAL = 8_192  # bytes; a larger original is cited by its place

Combination = tuple[str, ...]


class Sighting(NamedTuple):
    """An event that had a combination of values."""

    time: str
    item: str
    offset: int
    element: int
    line: int
    length: int
    accessor: AccessorKey
    audit_id: str
    resource: str  # with its subresource
    group: str
    namespace: str
    name: str
    original: bytes

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.item, self.line, self.offset, self.length, self.element)


class New(NamedTuple):
    """A combination that occurred for the first time after the learning part."""

    rule: Rule
    values: Combination
    first: Sighting
    requests: int  # that had it


class _Kept:
    """One combination: since when, its earliest occurrence that can be a finding, how many of those."""

    __slots__ = ("count", "first", "since")

    def __init__(self) -> None:
        self.since = "~"
        self.first: Sighting | None = None
        self.count = 0

    def absorb(self, since: str, first: Sighting | None, count: int) -> None:
        self.since = min(self.since, since)
        self.count += count
        if first is not None and (self.first is None or first < self.first):
            self.first = first


class Novelty:
    """Takes matches of rules with `first_seen`, in any order; `judge` tells at the end which are new."""

    def __init__(self, rules: Sequence[Rule], limit: int = LIMIT) -> None:
        self.rules = {rule.id: rule for rule in rules if rule.first_seen is not None}
        self.overflowed: set[RuleId] = set()
        self._limit = limit
        self._tests = self._compiled()
        self._kept: dict[RuleId, dict[Combination, _Kept]] = {rule: {} for rule in self.rules}

    def _compiled(self) -> dict[RuleId, Test]:
        first_seen = {rule.id: rule.first_seen for rule in self.rules.values()}
        return {rule: compile_node(seen.only) for rule, seen in first_seen.items() if seen and seen.only is not None}

    def __getstate__(self) -> dict[str, object]:
        """Tests are functions and stay behind."""
        return {key: value for key, value in self.__dict__.items() if key != "_tests"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._tests = self._compiled()

    def add(self, rule: Rule, event: Event, accessor: AccessorKey) -> None:
        """Note one match. Events without a time cannot take part."""
        first_seen, time = rule.first_seen, event.record.requestReceivedTimestamp
        if first_seen is None or not time:
            return
        test = self._tests.get(rule.id)
        finding = test is None or test(event)
        # Each request has one stage that counts it; one of which only another was logged counts as one at the end.
        once = event.stage not in ("RequestReceived", "ResponseStarted")
        sighting: Sighting | None = None
        table = self._kept[rule.id]
        for values in _values(first_seen.fields, event):
            kept = table.get(values)
            if kept is None:
                kept = table[values] = _Kept()
            kept.since = min(kept.since, time)
            if not finding:
                continue
            kept.count += once
            if kept.first is None or time <= kept.first.time:
                sighting = sighting or _sighting(event, accessor)
                kept.first = sighting if kept.first is None else min(kept.first, sighting)
        if len(table) > 2 * self._limit:
            self._shrink(rule.id)

    def absorb(self, other: Novelty, line_shift: int = 0) -> None:
        """Add another part's combinations; its lines are moved to where that part begins."""
        self.overflowed |= other.overflowed
        for rule, theirs in other._kept.items():
            mine = self._kept[rule]
            for values, kept in theirs.items():
                first = kept.first
                if first is not None and line_shift:
                    first = first._replace(line=first.line + line_shift)
                mine.setdefault(values, _Kept()).absorb(kept.since, first, kept.count)
            if len(mine) > 2 * self._limit:
                self._shrink(rule)

    def _shrink(self, rule: RuleId) -> None:
        """Keep the combinations that came first."""
        if len(self._kept[rule]) > self._limit:
            ordered = sorted(self._kept[rule].items(), key=lambda pair: (pair[1].since, pair[0]))
            self._kept[rule] = dict(ordered[: self._limit])
            self.overflowed.add(rule)

    def judge(self, first: str, last: str, profiles: Profiles) -> list[New]:
        """What is new in a log that reaches from `first` to `last`; in the order of rules, then time."""
        out: list[New] = []
        for rule_id, rule in sorted(self.rules.items()):
            assert rule.first_seen is not None
            self._shrink(rule_id)
            learned = learned_by(rule.first_seen, first, last)
            table = self._kept[rule_id]
            if not learned or not table:
                continue
            if rule.first_seen.requests and MANY in {key.address for key in profiles.by_key}:
                self.overflowed.add(rule_id)  # the history of some is lost: everything of theirs would look new
                continue
            out.extend(_new(rule, rule.first_seen, table, learned, profiles))
        return out

    def judge_by(self, usual: Novelty, profiles: Profiles, usual_profiles: Profiles) -> list[New]:
        """What is new against another log: all that `usual` and `usual_profiles` hold is older than anything here."""
        out: list[New] = []
        shared = MANY in {key.address for key in (*profiles.by_key, *usual_profiles.by_key)}
        for rule_id, rule in sorted(self.rules.items()):
            first_seen = rule.first_seen
            assert first_seen is not None
            self._shrink(rule_id)
            if rule_id in usual.overflowed or (shared and first_seen.requests):
                self.overflowed.add(rule_id)  # what is usual is not known in full
            elif self._kept[rule_id]:
                before = usual._kept.get(rule_id, {})
                found = _new(rule, first_seen, self._kept[rule_id], "", profiles, usual_of=(before, usual_profiles))
                out.extend(found)
        return out

    def unlearned(self, first: str, last: str) -> list[Rule]:
        """Rules that could not be judged because the log is too short to show what is usual."""
        return [
            rule
            for _, rule in sorted(self.rules.items())
            if rule.first_seen and not learned_by(rule.first_seen, first, last)
        ]


def learned_by(first_seen: FirstSeen, first: str, last: str) -> str:
    """When the learning part ends, as text; empty if the log ends before."""
    start, end = parse_time(first), parse_time(last)
    if start is None or end is None:
        return ""
    learning = max((end - start) * first_seen.learn, timedelta(seconds=first_seen.at_least))
    return (start + learning).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if learning < end - start else ""


def _new(
    rule: Rule,
    first_seen: FirstSeen,
    table: Mapping[Combination, _Kept],
    learned: str,
    profiles: Profiles,
    *,
    usual_of: tuple[Mapping[Combination, _Kept], Profiles] | None = None,
) -> list[New]:
    """What of `table` began after `learned`; `usual_of` another log, which is older than any time."""
    older = usual_of[0].keys() if usual_of else ()
    known_before = _of_profiles(first_seen.fields, usual_of[1]) if usual_of else {}
    since = {values: kept.since for values, kept in table.items()} | dict.fromkeys(older, "")
    history = since
    if first_seen.requests:
        history = _of_profiles(first_seen.fields, profiles) | dict.fromkeys(known_before, "")
    known = [first_seen.fields.index(field) for field in first_seen.known]
    if all(map(of_accessor, first_seen.known)) and known:
        owners = _of_profiles(first_seen.known, profiles)
        if usual_of:
            owners |= dict.fromkeys(_of_profiles(first_seen.known, usual_of[1]), "")
        usual = {owner for owner, when in owners.items() if when <= learned}
    else:
        usual = {_part(values, known) for values, when in history.items() if when <= learned}
    spread = Counter(_part(values, known) for values, when in history.items() if when <= learned)
    found = []
    for values, kept in table.items():
        owner = _part(values, known)
        # What only a merged or shared profile saw is no older than the match itself.
        old = min(since[values], history.get(values, "~")) <= learned
        roams = first_seen.settled and spread[owner] > first_seen.settled
        if kept.first is not None and not old and owner in usual and not roams:
            found.append(New(rule, values, kept.first, max(kept.count, 1)))
    return sorted(found, key=lambda new: (new.first, new.values))


def _part(values: Combination, known: Sequence[int]) -> Combination:
    return tuple(values[index] for index in known)


def _of_profiles(fields: Sequence[str], profiles: Profiles) -> dict[Combination, str]:
    """Since when each combination was there, in all requests."""
    out: dict[Combination, str] = {}
    for key, profile in profiles.by_key.items():
        record = AuditRecord(
            user=msgspec.Raw(msgspec.json.encode({"username": key.identity})),
            sourceIPs=msgspec.Raw(msgspec.json.encode([key.address] if key.address else [])),
            userAgent=key.agent,
        )
        for values in _values(fields, Event(record, Place("", 0, 0))):
            out[values] = min(out.get(values, "~"), profile.first)
    return out


def _values(fields: Sequence[str], event: Event) -> list[Combination]:
    """The combinations an event has: one value of each field; none if a field has none."""
    texts = ([t[:_TEXT] for value in getter(field)(event) if (t := as_text(value)) is not None] for field in fields)
    return list(dict.fromkeys(islice(product(*texts), _EACH)))


def _sighting(event: Event, accessor: AccessorKey) -> Sighting:
    place = event.place
    return Sighting(
        event.record.requestReceivedTimestamp,
        place.item,
        place.offset,
        place.element,
        place.line,
        place.length,
        accessor,
        event.audit_id,
        event.resource + (f"/{event.subresource}" if event.subresource else ""),
        event.object_ref.apiGroup,
        event.namespace,
        event.name or made_name(event),
        event.original if len(event.original) <= _ORIGINAL else b"",
    )
