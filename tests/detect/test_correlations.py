"""Claims about correlations: they say what a sliding window says, in whatever order and portions matches come."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import NamedTuple

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kubewitness.detect.correlations import Correlator, Fired
from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.evidence import Place
from kubewitness.rules.ir import CorrelationRule, CorrelationType, RuleId
from tests.detect.scanning import WORDS
from tests.incident.logs import clock, stamp

SPAN = 10
BASES = (RuleId("a"), RuleId("b"), RuleId("c"))


class Hit(NamedTuple):
    """A match: which base rule, when, by whom, which value, which request."""

    base: int
    at: int
    who: str
    value: str
    request: int


def rule(kind: CorrelationType, threshold: int = 3, bases: Sequence[RuleId] = BASES) -> CorrelationRule:
    return CorrelationRule(RuleId("c"), WORDS, WORDS, "high", "high", "intrusion", (), kind, tuple(bases),
                           ("user.username",), SPAN, threshold, "objectRef.name")  # fmt: skip


def event(hit: Hit) -> Event:
    """The request decides time and accessor, as it does in a log."""
    body = {"auditID": f"r{hit.request}", "user": {"username": hit.who}, "objectRef": {"name": hit.value},
            "requestReceivedTimestamp": stamp(clock("12:00", hit.at))}  # fmt: skip
    return Event(msgspec.json.decode(msgspec.json.encode(body), type=AuditRecord), Place("log", hit.request + 1, 0))


def feed(rule: CorrelationRule, hits: Iterable[Hit]) -> Correlator:
    correlator = Correlator([rule])
    for hit in hits:
        correlator.add(BASES[hit.base], event(hit))
    return correlator


@st.composite
def streams(draw: st.DrawFn, most: int = 30) -> list[Hit]:
    """Requests, each matching one or more base rules once or at two stages."""
    hits = []
    for number in range(draw(st.integers(0, most))):
        at, who = draw(st.integers(0, 60)), draw(st.sampled_from("xy"))
        value = draw(st.sampled_from("pqrst"))
        for base in draw(st.sets(st.integers(0, 2), min_size=1)):
            hits += [Hit(base, at, who, value, number)] * draw(st.integers(1, 2))
    return draw(st.permutations(hits))


# -- the naive judge -----------------------------------------------------------------------------------------------


def true_spans(rule: CorrelationRule, hits: Sequence[Hit]) -> list[tuple[int, int]]:
    """Every [first, last] no longer than the time span in which the rule holds and which begins and ends with a hit."""
    times = sorted({hit.at for hit in hits})
    spans = [(a, b) for a in times for b in times if a <= b <= a + SPAN]
    return [(a, b) for a, b in spans if holds(rule, [hit for hit in hits if a <= hit.at <= b])]


def holds(rule: CorrelationRule, hits: Sequence[Hit]) -> bool:
    if rule.type == "event_count":
        return len({hit.request for hit in hits}) >= rule.threshold
    if rule.type == "value_count":
        return len({hit.value for hit in hits}) >= rule.threshold
    orders = [rule.rules] if rule.type == "temporal_ordered" else list(permutations(rule.rules))
    return any(
        chain(order, sorted(set(hits), key=lambda h: (h.at, h.request, h.base)), frozenset()) for order in orders
    )


def chain(order: Sequence[RuleId], hits: Sequence[Hit], used: frozenset[int]) -> bool:
    """Whether different requests match the rules one after the other."""
    if not order:
        return True
    for number, hit in enumerate(hits):
        fits = BASES[hit.base] == order[0] and hit.request not in used
        if fits and chain(order[1:], hits[number + 1 :], used | {hit.request}):
            return True
    return False


def runs(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans joined where they lie no further apart than the time span."""
    out: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if out and first <= max(b for _, b in out[-1:]) + SPAN:
            out[-1] = (out[-1][0], max(out[-1][1], last))
        else:
            out.append((first, last))
    return out


def seconds(fired: Fired) -> tuple[int, int]:
    start = clock("12:00").timestamp()
    return (round(fired.first - start), round(fired.last - start))


def of(found: Sequence[Fired], who: str) -> list[Fired]:
    return [fired for fired in found if fired.group == (who,)]


@settings(max_examples=150, deadline=None)
@given(streams(), st.integers(1, 5))
def test_a_count_fires_in_exactly_the_runs_of_a_sliding_window(hits: list[Hit], threshold: int) -> None:
    found = feed(rule("event_count", threshold), hits).fired()
    for who in "xy":
        own = [hit for hit in hits if hit.who == who]
        expected = runs(true_spans(rule("event_count", threshold), own))
        assert [seconds(fired) for fired in of(found, who)] == expected
        for fired, (first, last) in zip(of(found, who), expected, strict=True):
            assert fired.total == len({hit.request for hit in own if first <= hit.at <= last})


@settings(max_examples=150, deadline=None)
@given(streams(), st.integers(1, 4))
def test_distinct_values_fire_where_a_sliding_window_does(hits: list[Hit], threshold: int) -> None:
    found = feed(rule("value_count", threshold), hits).fired()
    for who in "xy":
        own = [hit for hit in hits if hit.who == who]
        expected = runs(true_spans(rule("value_count", threshold), own))
        told = [seconds(fired) for fired in of(found, who)]
        # Of each value only ends are kept, so a run may begin a little later and end a little earlier than it could.
        for first, last in told:
            assert any(a <= first <= last <= b for a, b in expected)
        for a, b in expected:
            assert any(a <= first <= last <= b for first, last in told)


@settings(max_examples=200, deadline=None)
@given(streams(most=10), st.integers(2, 3), st.booleans())
@example([Hit(0, 0, "x", "p", 0), Hit(1, 0, "x", "p", 0), Hit(0, 1, "x", "p", 1)], 2, False)
def test_a_sequence_fires_where_different_requests_match_in_time(hits: list[Hit], size: int, ordered: bool) -> None:
    kind: CorrelationType = "temporal_ordered" if ordered else "temporal"
    sequence = rule(kind, bases=BASES[:size])
    hits = [hit for hit in hits if hit.base < size]
    found = feed(sequence, hits).fired()
    for who in "xy":
        expected = runs(true_spans(sequence, [hit for hit in hits if hit.who == who]))
        told = [seconds(fired) for fired in of(found, who)]
        assert all(any(a <= first <= last <= b for a, b in expected) for first, last in told)
        assert all(any(a <= first <= last <= b for first, last in told) for a, b in expected)


@settings(max_examples=100, deadline=None)
@given(
    streams(),
    st.sampled_from(("event_count", "value_count", "temporal", "temporal_ordered")),
    st.lists(st.booleans(), min_size=200, max_size=200),
    st.randoms(use_true_random=False),
)
def test_neither_order_nor_division_changes_what_fires(
    hits: list[Hit], kind: CorrelationType, sides: list[bool], random: object
) -> None:
    one = feed(rule(kind), hits).fired()
    shuffled = sorted(hits, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert feed(rule(kind), shuffled).fired() == one
    left = feed(rule(kind), [hit for hit, side in zip(shuffled, sides, strict=False) if side])
    right = feed(rule(kind), [hit for hit, side in zip(shuffled, sides, strict=False) if not side])
    left.absorb(pickle.loads(pickle.dumps(right)))
    assert left.fired() == one


def test_a_correlator_that_was_sent_can_still_be_fed() -> None:
    hits = [Hit(0, number, "x", "p", number) for number in range(3)]
    sent = pickle.loads(pickle.dumps(feed(rule("event_count"), hits[:2])))
    assert sent.fired() == []
    sent.add(BASES[0], event(hits[2]))
    assert len(sent.fired()) == 1


def test_matches_without_an_id_or_at_two_stages_are_counted_for_what_they_are() -> None:
    nameless = [event(Hit(0, 0, "x", "p", number)) for number in range(3)]
    for each in nameless:
        each.audit_id = ""
    correlator = Correlator([rule("event_count")])
    for each in nameless:
        correlator.add(BASES[0], each)
    assert [fired.total for fired in correlator.fired()] == [3]
    assert feed(rule("event_count"), [Hit(0, 0, "x", "p", 1)] * 9).fired() == []


def test_a_flood_is_counted_in_bounded_memory() -> None:
    flood = Correlator([rule("event_count", 40), rule("value_count", 25)])
    for number in range(9_000):
        flood.add(BASES[0], event(Hit(0, number % 10, "x", f"v{number}", number)))
    count, values = flood.fired()
    assert (count.total, values.total) == (9_000, 9_000)
    assert len(count.members) <= 80
    assert len(values.members) <= 50


def test_past_the_last_bucket_nothing_breaks_and_it_is_said() -> None:
    few = Correlator([rule("event_count", 1)], buckets=50)
    for number in range(200):
        few.add(BASES[0], event(Hit(0, 0, f"user-{number}", "p", number)))
    assert few.overflowed
    assert len(few.fired()) == 50
    whole = Correlator([rule("event_count", 1)])
    whole.absorb(few)
    assert whole.overflowed


def test_a_match_without_a_time_or_a_group_takes_no_part() -> None:
    correlator = Correlator([rule("event_count", 1)])
    timeless = event(Hit(0, 0, "x", "p", 1))
    timeless.record.requestReceivedTimestamp = ""
    correlator.add(BASES[0], timeless)
    correlator.add(BASES[0], event(Hit(0, 0, "", "p", 2)))
    assert correlator.fired() == []
