"""Sigma correlations over the matches of base rules: counts, distinct values, sequences within a time span.

The log is not sorted and does not fit in memory, so matches are kept in buckets as wide as the rule's time span, and a
bucket keeps only what can still change the answer: of a count with threshold n its n earliest and n latest matches
(with n of them it fires by itself; windows across two buckets need no more), of distinct values the n that began first
and the n that were there last, of a sequence the first and last matches of each base rule. What is earliest or latest
does not depend on the order in which matches come, so buckets of several workers add up to what one would have kept.

Source: Sigma correlation rules specification 2.x.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from kubewitness.detect.profile import AccessorKey
from kubewitness.detect.reading import moved
from kubewitness.model.event import Event
from kubewitness.model.evidence import Place
from kubewitness.rules.compile import as_text
from kubewitness.rules.fields import Values, getter
from kubewitness.rules.ir import CorrelationRule, RuleId

_SEQUENCE_KEPT = 100  # first and last matches of one base rule kept in one bucket of a sequence
_COUNTED = 5_000  # requests of a bucket told apart; past it one logged at two stages counts twice
_BUCKETS = 200_000  # groups x time; past it new groups are not opened and `overflowed` is set


class Member(NamedTuple):
    """A match of a base rule, as far as a correlation needs it."""

    time: float  # seconds since the epoch
    audit_id: str
    rule: RuleId
    value: str
    accessor: AccessorKey
    place: Place

    @property
    def request(self) -> object:
        """What makes one request of several stages; events without an id are all different."""
        return (self.audit_id, self.time) if self.audit_id else self.place


class Fired(NamedTuple):
    """A correlation that came true, from its first to its last member."""

    rule: CorrelationRule
    group: tuple[str, ...]
    first: float
    last: float
    total: int
    members: tuple[Member, ...]  # in time order, at most a few hundred


class _Bucket:
    __slots__ = ("firsts", "lasts", "members", "more", "requests")

    def __init__(self) -> None:
        self.requests: set[object] = set()
        self.more = 0  # matches past `_COUNTED` requests
        self.members: dict[RuleId, list[Member]] = {}  # of counts and sequences, by rule, in time order
        self.firsts: dict[str, Member] = {}  # value → the first member that had it
        self.lasts: dict[str, Member] = {}

    def count(self, request: object) -> bool:
        """Count a request, once. Whether it certainly was not there before."""
        new = request not in self.requests
        if len(self.requests) < _COUNTED:
            self.requests.add(request)
            return new and not self.more
        if new:
            self.more += 1
        return False

    def keep(self, rule: RuleId, member: Member, limit: int, *, new: bool = False) -> None:
        """Keep the `limit` earliest and the `limit` latest members of a rule; a request logged at two stages is one."""
        members = self.members.setdefault(rule, [])
        same = None
        if not new:
            same = next((i for i, known in enumerate(members) if known.request == member.request), None)
        if same is not None:
            members[same] = min(members[same], member)
            return
        insort(members, member)
        if len(members) > 2 * limit:
            del members[limit]

    def keep_value(self, first: Member, last: Member, limit: int) -> None:
        """Keep the `limit` values that began first and the `limit` that were there last."""
        value = first.value
        self.firsts[value] = min(self.firsts.get(value, first), first)
        if len(self.firsts) > limit:
            del self.firsts[max(self.firsts.values()).value]
        self.lasts[value] = max(self.lasts.get(value, last), last)
        if len(self.lasts) > limit:
            del self.lasts[min(self.lasts.values()).value]


class Correlator:
    """Takes matches of base rules, in any order; `fired` judges at the end."""

    def __init__(self, rules: Sequence[CorrelationRule], buckets: int = _BUCKETS) -> None:
        self.rules = tuple(rules)
        self._most = buckets
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
            if len(self._buckets) >= self._most:
                self.overflowed = True
                return
            bucket = self._buckets[key] = _Bucket()
        new = bucket.count(member.request)
        if rule.type == "value_count":
            bucket.keep_value(member, member, max(rule.threshold, 1))
        elif rule.type == "event_count":
            bucket.keep(RuleId(""), member, max(rule.threshold, 1), new=new)
        else:
            bucket.keep(member.rule, member, _SEQUENCE_KEPT, new=new)

    def absorb(self, other: Correlator, line_shift: int = 0) -> None:
        """Add another part's buckets; its lines are moved to where that part begins."""
        self.overflowed = self.overflowed or other.overflowed
        for key, theirs in other._buckets.items():
            rule, mine = self.rules[key[0]], self._buckets.setdefault(key, _Bucket())
            for request in theirs.requests:
                mine.count(request)
            mine.more += theirs.more
            limit = max(rule.threshold, 1) if rule.type == "event_count" else _SEQUENCE_KEPT
            for base, members in theirs.members.items():
                for member in members:
                    mine.keep(base, member._replace(place=moved(member.place, line_shift)), limit)
            limit = max(rule.threshold, 1)
            for member in (*theirs.firsts.values(), *theirs.lasts.values()):
                there = member._replace(place=moved(member.place, line_shift))
                mine.keep_value(there, there, limit)

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
    if rule.type == "value_count":
        kept = [sorted({*bucket.firsts.values(), *bucket.lasts.values()}) for bucket in buckets]
    else:
        kept = [sorted({member for members in bucket.members.values() for member in members}) for bucket in buckets]
    members = sorted(member for ofone in kept for member in ofone)
    judge = {"event_count": _count_windows, "value_count": _value_windows}.get(rule.type, _sequence_windows)
    for first, last in _merge(judge(members, rule), rule.timespan):
        inside = tuple(member for member in members if first <= member.time <= last)
        total = len({member.request for member in inside})
        for bucket, ofone in zip(buckets, kept, strict=True):
            # What a bucket let go lies between what it kept.
            if ofone and first <= ofone[0].time and ofone[-1].time <= last:
                total += len(bucket.requests) + bucket.more - len({member.request for member in ofone})
        yield Fired(rule, group, first, last, total, inside[:300])


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
    if not {member.rule for member in members} >= set(rule.rules):
        return
    complete = _ordered if rule.type == "temporal_ordered" else _unordered
    for i, start in enumerate(members):
        within = (m for m in islice(members, i, None) if m.time - start.time <= rule.timespan)
        last = complete(within, rule.rules)
        if last is not None:
            yield start.time, last


def _ordered(members: Iterable[Member], rules: Sequence[RuleId]) -> float | None:
    """When the sequence that begins with the first of `members` is complete."""
    used: set[object] = set()
    for number, member in enumerate(members):
        if member.rule == rules[len(used)] and member.request not in used:
            used.add(member.request)
            if len(used) == len(rules):
                return member.time
        elif number == 0:
            break
    return None


def _unordered(members: Iterable[Member], rules: Sequence[RuleId]) -> float | None:
    """When each rule has a request of its own: a matching that grows along alternating paths."""
    able: dict[RuleId, list[object]] = {rule: [] for rule in rules}
    taken: dict[object, RuleId] = {}

    def place(rule: RuleId, tried: set[object]) -> bool:
        for request in able[rule]:
            if request not in tried:
                tried.add(request)
                if request not in taken or place(taken[request], tried):
                    taken[request] = rule
                    return True
        return False

    for member in members:
        if member.request not in able[member.rule]:
            able[member.rule].append(member.request)
        for rule in able:
            if rule not in taken.values() and place(rule, set()) and len(taken) == len(able):
                return member.time
    return None


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
