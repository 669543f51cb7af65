"""What is new since an earlier report, what is gone, and what cannot be told."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result, Status, Waiver
from kubewitness.posture.baseline import compared


def result(
    subject: str, status: Status = "fail", severity: Severity = "high", check: str = "c", target: str = "cluster"
) -> Result:
    return Result(status, target, subject, severity=severity, check=check, key=f"{check}|{target}|{subject}|")


def test_a_failure_under_the_same_key_is_known_and_another_is_new() -> None:
    done = compared([result("a"), result("b")], [result("a")])
    assert [(one.subject, one.known) for one in done.results] == [("a", True), ("b", False)]


@pytest.mark.parametrize(
    ("before", "now", "known"), [("high", "critical", False), ("high", "low", True), ("low", "low", True)]
)
def test_a_failure_that_became_more_severe_is_new(before: Severity, now: Severity, known: bool) -> None:
    assert compared([result("a", severity=now)], [result("a", severity=before)]).results[0].known == known


def test_what_was_waived_then_is_not_known_now() -> None:
    waived = replace(result("a"), waiver=Waiver("jane", "r", "2020-01-01"))
    assert not compared([result("a")], [waived]).results[0].known


def test_what_was_looked_for_and_fails_no_more_is_gone() -> None:
    done = compared([result("", "pass")], [result("a")])
    assert [one.subject for one in done.gone] == ["a"]
    assert done.unseen == 0


@pytest.mark.parametrize(
    "now",
    [
        [],  # the check was not run
        [result("", "not_evaluated")],
        [result("a", "not_evaluated"), result("b", "pass")],  # of this very subject nothing is known
        [result("", "pass", target="node/other")],
        [result("x", "pass"), result("", "not_evaluated")],  # some of it passed, the rest was not seen
    ],
)
def test_what_this_evidence_does_not_show_is_not_gone(now: list[Result]) -> None:
    done = compared(now, [result("a")])
    assert (done.gone, done.unseen) == ((), 1)


def test_a_pass_of_the_baseline_says_nothing() -> None:
    done = compared([result("a")], [result("a", "pass"), result("b", "pass")])
    assert (done.results[0].known, done.gone, done.unseen) == (False, (), 0)
