"""Sigma correlations over the matches of base rules: counts, distinct values, sequences within a time span.

The log is not sorted and does not fit in memory, so matches are kept in buckets as wide as the rule's time span, and a
bucket keeps only what can still change the answer: `threshold` times for a count (with that many the bucket fires by
itself; with fewer, all are there, so a window across two buckets is judged exactly), first and last time of each
value for distinct values, the first few matches of each base rule for sequences. Buckets of several workers add up.

Source: Sigma correlation rules specification 2.x.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from kubewitness.detect.profile import AccessorKey
from kubewitness.model.event import Event
from kubewitness.model.evidence import Place
from kubewitness.rules.compile import as_text
from kubewitness.rules.fields import Values, getter
from kubewitness.rules.ir import CorrelationRule, RuleId

_SEQUENCE_KEPT = 200  # matches of one base rule kept in one bucket of a sequence
_BUCKETS = 200_000  # groups x time; past it new groups are not opened and `overflowed` is set


class Member(NamedTuple):
    """A match of a base rule, as far as a correlation needs it."""

    time: float  # seconds since the epoch
    audit_id: str
    rule: RuleId
    value: str
    accessor: AccessorKey
    place: Place


class Fired(NamedTuple):
    """A correlation that came true, from its first to its last member."""

    rule: CorrelationRule
    group: tuple[str, ...]
    first: float
    last: float
    total: int
    members: tuple[Member, ...]  # in time order, at most a few hundred


class _Bucket:
    __slots__ = ("count", "members", "values")

    def __init__(self) -> None:
        self.count = 0
        self.members: list[Member] = []
        self.values: dict[str, tuple[Member, Member]] = {}  # value → its first and last member


class Correlator:
    """Takes matches of base rules, in any order; `fired` judges at the end."""

    def __init__(self, rules: Sequence[CorrelationRule]) -> None:
        self.rules = tuple(rules)
        self.overflowed = False
        self._buckets: dict[tuple[int, tuple[str, ...], int], _Bucket] = {}
        self._by_rule: dict[RuleId, list[int]] = {}
        for number, rule in enumerate(self.rules):
            for base in rule.rules:
                self._by_rule.setdefault(base, []).append(number)
        self._read_fields()

    def _read_fields(self) -> None:
        self._readers = {
            (number, base): tuple(getter(rule.aliases.get(field, {}).get(base, field)) for field in rule.group_by)
            for number, rule in enumerate(self.rules)
            for base in rule.rules
        }
        self._values = {n: getter(rule.value_field) for n, rule in enumerate(self.rules) if rule.value_field}

    def __getstate__(self) -> dict[str, object]:
        """Readers are functions and stay behind."""
        return {key: value for key, value in self.__dict__.items() if key not in ("_readers", "_values")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._read_fields()

    @property
    def base_rules(self) -> frozenset[RuleId]:
        """Rules whose matches must be handed in."""
        return frozenset(self._by_rule)

    def add(self, base: RuleId, event: Event) -> None:
        """Count one match of a base rule. Events without a time cannot take part."""
        when = event.time
        if when is None:
            return
        time = when.timestamp()
        for number in self._by_rule.get(base, ()):
            rule = self.rules[number]
            group = _group(self._readers[number, base], event)
            if group is None:
                continue
            who = AccessorKey(event.identity, event.address, event.record.userAgent)
            for value in _texts(self._values[number](event)) if rule.type == "value_count" else ("",):
                self._put(number, group, Member(time, event.audit_id, base, value, who, event.place))

    def _put(self, number: int, group: tuple[str, ...], member: Member) -> None:
        rule = self.rules[number]
        key = (number, group, int(member.time // rule.timespan))
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= _BUCKETS:
                self.overflowed = True
                return
            bucket = self._buckets[key] = _Bucket()
        bucket.count += 1
        if rule.type == "value_count":
            first, last = bucket.values.get(member.value, (member, member))
            if member.value in bucket.values or len(bucket.values) < 4 * rule.threshold:
                bucket.values[member.value] = (min(first, member), max(last, member))
        elif rule.type == "event_count":
            _keep(bucket, member, rule.threshold)
        else:
            same = sum(m.rule == member.rule for m in bucket.members)
            if same < _SEQUENCE_KEPT:
                bucket.members.append(member)

    def absorb(self, other: Correlator) -> None:
        """Add another worker's buckets."""
        self.overflowed = self.overflowed or other.overflowed
        for key, theirs in other._buckets.items():
            mine = self._buckets.setdefault(key, _Bucket())
            mine.count += theirs.count
            if self.rules[key[0]].type == "event_count":
                for member in theirs.members:
                    _keep(mine, member, self.rules[key[0]].threshold)
            else:
                mine.members.extend(theirs.members)
            for value, (first, last) in theirs.values.items():
                known = mine.values.get(value, (first, last))
                mine.values[value] = (min(known[0], first), max(known[1], last))

    def fired(self) -> list[Fired]:
        """Every correlation that came true, one entry for each uninterrupted run in a group; in time order."""
        groups: dict[tuple[int, tuple[str, ...]], list[tuple[int, _Bucket]]] = {}
        for (number, group, slot), bucket in self._buckets.items():
            groups.setdefault((number, group), []).append((slot, bucket))
        out: list[Fired] = []
        for (number, group), slots in groups.items():
            rule = self.rules[number]
            buckets = [bucket for _, bucket in sorted(slots, key=lambda pair: pair[0])]
            out.extend(_runs(rule, group, buckets))
        return sorted(out, key=lambda fired: (fired.first, fired.rule.id, fired.group))


def _keep(bucket: _Bucket, member: Member, limit: int) -> None:
    """Keep the earliest `limit` requests; a request logged at two stages is one."""
    if any(known.audit_id == member.audit_id for known in bucket.members):
        bucket.count -= 1
        return
    bucket.members.append(member)
    if len(bucket.members) > limit:
        # The bucket fires by itself; what is kept are its ends, so that a run's bounds are right.
        bucket.members.sort()
        del bucket.members[-2]


def _texts(values: Values) -> tuple[str, ...]:
    return tuple(text for value in values if (text := as_text(value)) is not None)


def _group(readers: tuple[Callable[[Event], Values], ...], event: Event) -> tuple[str, ...] | None:
    group = []
    for read in readers:
        values = _texts(read(event))
        if not values:
            return None
        group.append(values[0])
    return tuple(group)


def _runs(rule: CorrelationRule, group: tuple[str, ...], buckets: list[_Bucket]) -> Iterable[Fired]:
    if rule.type == "event_count":
        members = sorted(member for bucket in buckets for member in bucket.members)
        windows = _count_windows(members, rule)
    elif rule.type == "value_count":
        members = sorted({member for bucket in buckets for pair in bucket.values.values() for member in pair})
        windows = _value_windows(members, rule)
    else:
        members = sorted({member for bucket in buckets for member in bucket.members})
        windows = _sequence_windows(members, rule)
    for first, last in _merge(windows, rule.timespan):
        inside = tuple(member for member in members if first <= member.time <= last)
        count = len({member.audit_id for member in inside})
        if rule.type == "event_count":
            low, high = int(first // rule.timespan), int(last // rule.timespan)
            counted = sum(b.count for b in buckets if b.members and low <= b.members[0].time // rule.timespan <= high)
            count = max(count, counted)
        yield Fired(rule, group, first, last, count, inside[:300])


def _count_windows(members: list[Member], rule: CorrelationRule) -> Iterable[tuple[float, float]]:
    need = max(rule.threshold, 1)
    for i in range(len(members) - need + 1):
        if members[i + need - 1].time - members[i].time <= rule.timespan:
            yield members[i].time, members[i + need - 1].time


def _value_windows(members: list[Member], rule: CorrelationRule) -> Iterable[tuple[float, float]]:
    inside: dict[str, int] = {}
    start = 0
    for member in members:
        inside[member.value] = inside.get(member.value, 0) + 1
        while member.time - members[start].time > rule.timespan:
            gone = members[start].value
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
            start += 1
        if len(inside) >= rule.threshold:
            yield members[start].time, member.time


def _sequence_windows(members: list[Member], rule: CorrelationRule) -> Iterable[tuple[float, float]]:
    """Windows in which every base rule matched, by different requests; for `temporal_ordered`, in the rule's order."""
    ordered = rule.type == "temporal_ordered"
    for i, start in enumerate(members):
        if ordered and start.rule != rule.rules[0]:
            continue
        used, wanted = {start.audit_id}, [base for base in rule.rules if base != start.rule]
        if ordered:
            wanted = list(rule.rules[1:])
        last = start.time
        for member in members[i + 1 :]:
            if not wanted or member.time - start.time > rule.timespan:
                break
            fits = member.rule == wanted[0] if ordered else member.rule in wanted
            if fits and member.audit_id not in used:
                wanted.remove(member.rule)
                used.add(member.audit_id)
                last = member.time
        if not wanted:
            yield start.time, last


def _merge(windows: Iterable[tuple[float, float]], timespan: float) -> Iterable[tuple[float, float]]:
    """Overlapping or touching windows are one run."""
    current: tuple[float, float] | None = None
    for first, last in windows:
        if current is None:
            current = (first, last)
        elif first <= current[1] + timespan:
            current = (current[0], max(current[1], last))
        else:
            yield current
            current = (first, last)
    if current is not None:
        yield current
