"""Against a baseline, what it holds is usual, and everything else is new, however short the log is."""

from __future__ import annotations

from collections.abc import Sequence

from kubewitness.detect.novelty import New
from kubewitness.model.event import Event
from kubewitness.rules.ir import FirstSeen
from tests.detect.test_novelty import WHO_WHERE, a_rule, event, noted

KNOWN = FirstSeen(("user.username", "source.network"), known=("user.username",), requests=True, settled=2)


def judged(first_seen: FirstSeen, events: Sequence[Event], usual: Sequence[Event]) -> list[New]:
    rule = a_rule(first_seen)
    novelty, profiles = noted(rule, events)
    before, before_profiles = noted(rule, usual)
    return novelty.judge_by(before, profiles, before_profiles)


def test_what_the_baseline_lacks_is_new_from_the_first_event_on() -> None:
    events = [event(0), event(1, network=1, number=1), event(2, network=1, number=2)]
    (one,) = judged(WHO_WHERE, events, [event(0), event(500, number=3)])
    assert (one.values, one.requests) == (("alice", "198.51.1.0/24"), 2)


def test_it_does_not_matter_whether_the_baseline_is_older_or_younger_than_the_log() -> None:
    log = [event(500), event(600, network=1, number=1)]
    assert judged(WHO_WHERE, log, [event(0)]) == judged(WHO_WHERE, log, [event(900)]) != []


def test_who_is_not_in_the_baseline_has_nothing_to_be_measured_by() -> None:
    assert judged(KNOWN, [event(0, user="eve", network=1)], [event(0)]) == []
    assert len(judged(KNOWN, [event(0, network=1)], [event(0)])) == 1


def test_other_requests_of_the_baseline_count_where_a_rule_says_so() -> None:
    assert judged(KNOWN, [event(0, network=1)], [event(0), event(1, network=1, verb="get", number=1)]) == []


def test_who_roamed_in_the_baseline_may_roam() -> None:
    roaming = [event(n, network=n, number=n) for n in range(3)]
    assert judged(KNOWN, [event(0, network=9)], roaming) == []


def test_a_baseline_that_overflowed_leaves_the_rule_unjudged() -> None:
    rule = a_rule(WHO_WHERE)
    novelty, profiles = noted(rule, [event(0, network=200)])
    before, before_profiles = noted(rule, [event(n, network=n, number=n) for n in range(9)], limit=2)
    assert before.overflowed
    assert novelty.judge_by(before, profiles, before_profiles) == []
    assert novelty.overflowed == {rule.id}
