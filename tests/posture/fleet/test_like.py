"""Is any other machine like this one?"""

from __future__ import annotations

from kubewitness.posture.fleet.like import like
from tests.posture.machine import listening
from tests.posture.nodes.made import PUBLIC, addressed, clean, commented, filtered, snapshot


def test_machines_that_share_what_fails_come_first_and_say_what() -> None:
    half = commented("node3")
    half.sockets = [listening(10250, "127.0.0.1"), listening(10255, "127.0.0.1")]
    found = like(snapshot(commented("node1"), clean("node2"), half, commented("node4")), "node1")
    assert [(one.target, one.status) for one in found] == [
        ("node/node4", "fail"), ("node/node3", "fail"), ("node/node2", "pass"),
    ]  # fmt: skip
    assert "6 of 6 fail here too" in found[0].observed.en
    assert "5 of 6" in found[1].observed.en  # nobody reaches it
    assert found[0].severity == "critical"
    assert found[0].where[0].text.startswith("#Environment")
    assert "commands" not in found[2].observed.en
    assert "6 项中有 6 项" in found[0].observed.zh


def test_low_failures_that_most_machines_have_make_none_like_another() -> None:
    machines = [commented("node1"), clean("node2")]
    for machine in machines:
        machine.firewalls = [filtered("")]
        machine.sockets.append(listening(2379, owner="etcd"))
    (found,) = like(snapshot(*machines), "node1")
    assert found.status == "pass"


def test_what_the_other_machine_does_not_show_is_no_pass() -> None:
    blind = clean("node2")
    blind.processes, blind.files = [], []
    (found,) = like(snapshot(commented("node1"), blind), "node1")
    assert found.status == "not_evaluated"
    assert "not evaluated" in found.reason.en


def test_a_machine_with_lesser_failures_is_compared_by_those() -> None:
    machines = [clean("node1"), clean("node2")]
    for machine in machines:
        machine.firewalls = [filtered("")]
    assert [one.status for one in like(snapshot(*machines), "node1")] == ["fail"]


def test_alone_or_unknown_or_clean() -> None:
    assert [one.status for one in like(snapshot(commented("node1")), "node1")] == ["not_applicable"]
    assert [one.status for one in like(snapshot(commented("node1")), "node9")] == ["not_evaluated"]
    safe = addressed(clean("node1"), "10.0.0.5")
    safe.firewalls = [filtered("", "DROP")]
    assert [one.status for one in like(snapshot(safe, addressed(clean("node2"), PUBLIC)), "node1")] == ["pass"]
