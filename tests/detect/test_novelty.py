"""What is new is found exactly, in any order and division of the log, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kubewitness.detect.detection import detections
from kubewitness.detect.novelty import New, Novelty, learned_by
from kubewitness.detect.profile import AccessorKey, Profiles
from kubewitness.detect.run import Scan, scan
from kubewitness.evidence.opening import walk
from kubewitness.incident.coverage import coverage
from kubewitness.model.event import Event
from kubewitness.model.evidence import Place
from kubewitness.model.text import Text
from kubewitness.rules.compile import Matcher
from kubewitness.rules.ir import AllOf, FirstSeen, Predicate, Rule, RuleId
from kubewitness.rules.loader import RuleSet
from tests.content.rows import make_event
from tests.rules.writing import error_of, load_one, load_texts, rule_text

WHO_WHERE = FirstSeen(("user.username", "source.network"))
FIRST, LAST = "2026-01-05T09:00:00.000000Z", "2026-01-05T09:16:40.000000Z"  # 1,000 s: learning ends at 200 s


def a_rule(first_seen: FirstSeen) -> Rule:
    return Rule(
        id=RuleId("r"),
        title=Text("t", "t"),
        description=Text("d", "d"),
        severity="low",
        confidence="low",
        kind="activity",
        techniques=(),
        condition=Predicate("verb", "eq", "list"),
        first_seen=first_seen,
    )


def event(at: float, user: str = "alice", network: int = 0, number: int = 0, **more: Any) -> Event:
    made = make_event(
        {"verb": "list", "user": {"username": user}, "sourceIPs": [f"198.51.{network}.7"], **more}, at, number
    )
    made.place = Place("a.log", number + 1, number * 100, 50)
    return made


def noted(rule: Rule, events: Sequence[Event], limit: int = 1000) -> tuple[Novelty, Profiles]:
    novelty, profiles = Novelty([rule], limit), Profiles()
    for one in events:
        key = AccessorKey(one.identity, one.address, one.record.userAgent)
        profile = profiles.of(key)
        profile.first = min(profile.first, one.record.requestReceivedTimestamp)
        if one.verb == "list":
            novelty.add(rule, one, key)
    return novelty, profiles


def new(rule: Rule, events: Sequence[Event]) -> list[New]:
    novelty, profiles = noted(rule, events)
    return novelty.judge(FIRST, LAST, profiles)


def test_what_occurs_first_after_the_learning_part_is_new_and_told_once_by_its_first_event() -> None:
    events = [event(0), event(500, network=1, number=1), event(600, network=1, number=2), event(700, number=3)]
    (one,) = new(a_rule(WHO_WHERE), events)
    assert (one.values, one.first.time, one.requests) == (
        ("alice", "198.51.1.0/24"),
        "2026-01-05T09:08:20.000000Z",
        2,
    )
    assert one.first.place == Place("a.log", 2, 100, 50)
    assert one.first.original == events[1].original


def test_the_edge_of_the_learning_part_belongs_to_it() -> None:
    assert new(a_rule(WHO_WHERE), [event(0), event(200, network=1)]) == []
    assert len(new(a_rule(WHO_WHERE), [event(0), event(200.001, network=1)])) == 1


def test_without_anything_learned_nothing_is_new() -> None:
    assert new(a_rule(WHO_WHERE), [event(500)]) == []


def test_what_must_be_known_is_judged_by_itself() -> None:
    known = replace(WHO_WHERE, known=("user.username",))
    events = [event(0), event(500, "bob", 1), event(500, "alice", 2)]
    assert [one.values[0] for one in new(a_rule(known), events)] == ["alice"]
    assert [one.values[0] for one in new(a_rule(WHO_WHERE), events)] == ["alice", "bob"]


def test_with_requests_whatever_was_asked_is_history() -> None:
    seen = replace(WHO_WHERE, requests=True, known=("user.username",))
    unmatched = event(0, network=1, verb="get")
    assert len(new(a_rule(WHO_WHERE), [event(0), unmatched, event(500, network=1)])) == 1
    assert new(a_rule(seen), [event(0), unmatched, event(500, network=1)]) == []
    assert len(new(a_rule(seen), [event(0), unmatched, event(500, network=2)])) == 1


def test_who_roams_is_no_news() -> None:
    settled = replace(WHO_WHERE, known=("user.username",), settled=2)
    roaming = [event(n, network=n) for n in range(3)]
    assert new(a_rule(settled), [*roaming, event(500, network=9)]) == []
    assert len(new(a_rule(settled), [*roaming[:2], event(500, network=9)])) == 1


def test_history_may_be_wider_than_what_is_a_finding() -> None:
    others = replace(WHO_WHERE, fields=("source.network",), only=Predicate("user.username", "eq", "alice"))
    assert new(a_rule(others), [event(0), event(10, "robot", 1), event(500, network=1)]) == []
    assert new(a_rule(others), [event(0), event(500, "robot", 1)]) == []
    (one,) = new(a_rule(others), [event(0), event(500, "robot", 1), event(600, network=1)])
    assert one.first.accessor.identity == "alice"


def test_each_value_of_a_list_is_a_value_and_events_without_one_take_no_part() -> None:
    registries = replace(WHO_WHERE, fields=("podSpec.registries",))

    def pod(at: float, *images: str) -> Event:
        body = {"kind": "Pod", "spec": {"containers": [{"image": image} for image in images]}}
        return event(at, objectRef={"resource": "pods", "namespace": "a"}, requestObject=body)

    found = new(a_rule(registries), [pod(0, "nginx"), pod(500, "nginx", "quay.io/a", "ghcr.io/b"), event(600)])
    assert [one.values for one in found] == [("ghcr.io",), ("quay.io",)]


def test_a_request_logged_at_two_stages_counts_once() -> None:
    twice = [event(500, network=1, number=1, stage=stage) for stage in ("ResponseStarted", "ResponseComplete")]
    (one,) = new(a_rule(WHO_WHERE), [event(0), *twice])
    assert one.requests == 1


STREAMS = st.lists(
    st.tuples(st.integers(0, 1000), st.sampled_from(["a", "b", "c"]), st.integers(0, 5)), min_size=1, max_size=40
)


@settings(deadline=None, max_examples=60)
@given(STREAMS, st.randoms(use_true_random=False), st.integers(0, 40))
def test_any_order_and_any_division_give_the_same(stream: list[tuple[int, str, int]], order: Any, cut: int) -> None:
    rule = a_rule(replace(WHO_WHERE, known=("user.username",), settled=3))
    events = [event(at, user, network, number) for number, (at, user, network) in enumerate(stream)]
    whole, profiles = noted(rule, events)
    expected = whole.judge(FIRST, LAST, profiles)
    # The plain meaning, in a few lines.
    since: dict[tuple[str, int], int] = {}
    for at, user, network in stream:
        since[user, network] = min(at, since.get((user, network), at))
    usual = [pair for pair, at in since.items() if at <= 200]
    plain = {
        (user, f"198.51.{network}.0/24")
        for (user, network), at in since.items()
        if at > 200 and 0 < sum(u == user for u, _ in usual) <= 3
    }
    assert {one.values for one in expected} == plain
    shuffled = list(events)
    order.shuffle(shuffled)
    one, other = noted(rule, shuffled[:cut])[0], noted(rule, shuffled[cut:])[0]
    other.absorb(one)
    assert other.judge(FIRST, LAST, profiles) == expected


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 60)), max_size=120), st.integers(0, 120))
def test_memory_is_bounded_and_what_came_first_is_kept_exactly(stream: list[tuple[int, int]], cut: int) -> None:
    rule = a_rule(WHO_WHERE)
    events = [event(at, "alice", network, number) for number, (at, network) in enumerate(stream)]
    novelty, profiles = noted(rule, events[:cut], limit=8)
    other, _ = noted(rule, events[cut:], limit=8)
    novelty.absorb(other)
    found = novelty.judge(FIRST, LAST, profiles)
    full = noted(rule, events)[0].judge(FIRST, LAST, profiles)
    assert {(one.values, one.first) for one in found} <= {(one.values, one.first) for one in full}
    assert bool(novelty.overflowed) == (len({network for _, network in stream}) > 8)
    assert len(found) <= 8
    assert novelty.overflowed or found == full


def test_lines_of_a_later_range_are_moved() -> None:
    rule = a_rule(WHO_WHERE)
    novelty, profiles = noted(rule, [event(0)])
    novelty.absorb(noted(rule, [event(500, network=1, number=3)])[0], line_shift=100)
    assert novelty.judge(FIRST, LAST, profiles)[0].first.place.line == 104


@pytest.mark.parametrize(
    ("share", "least", "learned"),
    [(0.2, 0.0, "2026-01-05T09:03:20.000000Z"), (0.2, 600.0, "2026-01-05T09:10:00.000000Z"), (0.2, 1000.0, "")],
)
def test_the_learning_part_is_a_share_of_the_time_and_at_least_so_long(
    share: float, least: float, learned: str
) -> None:
    assert learned_by(FirstSeen(("verb",), learn=share, at_least=least), FIRST, LAST) == learned


# -- through the scanner


def investigated(folder: Path, events: Sequence[Event], first_seen: FirstSeen) -> tuple[Scan, RuleSet]:
    (folder / "a.log").write_bytes(b"\n".join(one.original for one in events) + b"\n")
    rules = RuleSet((a_rule(first_seen),))
    result = scan(list(walk([str(folder / "a.log")], None)), rules, Matcher(rules.rules), 1, lambda _b, _e: None)
    return result, rules


def test_a_match_alone_is_no_finding_and_what_is_new_is_one_with_its_place(tmp_path: Path) -> None:
    events = [
        event(0, number=1),
        event(500, network=1, number=2),
        event(501, network=1, number=3),
        event(1000, number=4),
    ]
    result, rules = investigated(tmp_path, events, WHO_WHERE)
    (one,) = detections(result, rules.rules)
    assert (one.identity, one.address, one.count) == ("alice", "198.51.1.7", 2)
    assert [(place.line, original) for place, original in one.places] == [(2, events[1].original)]
    assert one.audit_ids == {events[1].audit_id}


def test_a_log_too_short_to_learn_from_is_said(tmp_path: Path) -> None:
    events = [event(0), event(1000, network=1, number=1)]
    result, rules = investigated(tmp_path, events, replace(WHO_WHERE, at_least=3600.0))
    assert detections(result, rules.rules) == []
    assert any("too short to know what is usual" in text.en for text in coverage(result, rules).limitations)
    result, rules = investigated(tmp_path, events, WHO_WHERE)
    assert not any("too short" in text.en for text in coverage(result, rules).limitations)


# -- as data


DETECTION = {"list": {"verb": "list"}, "robots": {"user.kind": "serviceaccount"}, "condition": "list and not robots"}


def test_the_block_is_read(tmp_path: Path) -> None:
    block = {
        "fields": ["user.username", "source.network"], "known": ["user.username"], "history": "list", "learn": "25%",
        "at_least": "2h", "settled": 3,
    }  # fmt: skip
    rule = load_one(tmp_path, DETECTION, kubewitness={"first_seen": block})
    assert rule.first_seen is not None
    own = rule.first_seen.only
    assert isinstance(own, AllOf)
    assert replace(rule.first_seen, only=None) == FirstSeen(
        ("user.username", "source.network"), ("user.username",), False, 0.25, 7200.0, 3
    )
    assert "source.network" in rule.fields


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ({}, "first_seen needs fields"),
        ({"fields": ["user.nmae"]}, "no audit event has a field 'user.nmae'"),
        ({"fields": "verb"}, "fields must be a list of field names"),
        ({"fields": ["verb"], "known": ["user.username"]}, "known names user.username, which is none of fields"),
        ({"fields": ["podSpec.images"], "history": "requests"}, "podSpec.images is not about the accessor"),
        ({"fields": ["verb"], "history": "nobody"}, "names 'nobody', which is not defined"),
        ({"fields": ["verb"], "learn": "half"}, "learn must be a share"),
        ({"fields": ["verb"], "at_least": 6}, "at_least must be a time"),
        ({"fields": ["verb"], "settled": -1}, "settled must be a number"),
        ({"fields": ["verb"], "windw": 1}, "unknown key 'windw' in first_seen"),
    ],
)
def test_a_wrong_block_is_a_complaint_with_its_line(block: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    found = error_of(tmp_path, DETECTION, kubewitness={"first_seen": block})
    assert found.startswith("rule.yml:1")
    assert complaint in found


def test_a_correlation_cannot_count_what_is_only_sometimes_a_finding(tmp_path: Path) -> None:
    base = rule_text(DETECTION, name="base", kubewitness={"first_seen": {"fields": ["verb"]}})
    correlation = (
        "title: C\nname: c\ncorrelation: {type: event_count, rules: [base], group-by: [user.username], timespan: 1h, "
        "condition: {gte: 2}}\n"
    )
    loaded = load_texts(tmp_path, base=base, many=correlation)
    assert loaded.correlations == ()
    assert "speaks only of what is new" in str(loaded.errors[0])
