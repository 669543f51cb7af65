"""The engine of checks: nothing is a pass that was not seen, and a check that breaks costs no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pytest
from msgspec.structs import replace

from kubewitness.model.cluster import Cluster
from kubewitness.model.host import Host
from kubewitness.model.posture import CheckInfo, Remedy, Result, Scope
from kubewitness.model.text import Text
from kubewitness.posture.check import (
    Check,
    ClusterCheck,
    FleetCheck,
    Machine,
    NodeCheck,
    Snapshot,
    not_evaluated,
    run,
)

REMEDY = Remedy(Text("mend", "修复"))
WHOLE = Cluster(whole={"ClusterRole"})


def info(name: str, scope: Scope = "cluster") -> CheckInfo:
    return CheckInfo(name, Text(name, name), Text("why", "原因"), "high", "access", scope, REMEDY)


def told(check: Check, snapshot: Snapshot) -> list[tuple[str, str, str]]:
    return [(one.status, one.target, one.subject) for one in run([check], {check.id: info(check.id)}, snapshot)]


def cluster_check(*results: Result, needs: tuple[str, ...] = ()) -> ClusterCheck:
    return ClusterCheck("c", lambda _: results, needs)


def machines(*names: str) -> Snapshot:
    return Snapshot(machines=tuple(Machine(Host(name)) for name in names))


FAIL = Result("fail", "cluster", "x")
PASS = Result("pass", "cluster", "x")


@pytest.mark.parametrize(
    ("cluster", "results", "expected"),
    [
        (WHOLE, (), [("pass", "cluster", "")]),
        (WHOLE, (FAIL,), [("fail", "cluster", "x")]),
        (WHOLE, (PASS,), [("pass", "cluster", "x")]),
        (Cluster(), (), [("not_evaluated", "cluster", "")]),
        (Cluster(), (FAIL,), [("fail", "cluster", "x")]),  # what was seen counts, whatever is missing
        (Cluster(), (PASS,), [("not_evaluated", "cluster", ""), ("pass", "cluster", "x")]),
        (None, (), [("not_evaluated", "cluster", "")]),
    ],
)
def test_silence_is_a_pass_only_over_all_objects_the_check_needs(
    cluster: Cluster | None, results: Sequence[Result], expected: list[tuple[str, str, str]]
) -> None:
    assert told(cluster_check(*results, needs=("ClusterRole",)), Snapshot(cluster)) == expected


def test_why_objects_are_missing_is_told_in_both_languages() -> None:
    check = cluster_check(needs=("ClusterRole", "Pod"))
    snapshot = Snapshot(Cluster(refused={"clusterroles": "Not permitted"}))
    (one,) = run([check], {"c": info("c")}, snapshot)
    assert "ClusterRole (Not permitted), Pod" in one.reason.en
    assert "ClusterRole (Not permitted)、Pod" in one.reason.zh


def test_a_node_check_is_asked_of_every_machine() -> None:
    def one(machine: Machine, _: Snapshot) -> Iterator[Result]:
        if machine.host.name == "b":
            yield Result("fail", machine.target, "kubelet")

    assert told(NodeCheck("n", one), machines("a", "b")) == [("fail", "node/b", "kubelet"), ("pass", "node/a", "")]


def test_without_a_machine_a_node_check_is_not_evaluated() -> None:
    assert told(NodeCheck("n", lambda *_: ()), Snapshot(WHOLE)) == [("not_evaluated", "node", "")]


@pytest.mark.parametrize(
    ("names", "status"), [((), "not_applicable"), (("a",), "not_applicable"), (("a", "b"), "pass")]
)
def test_a_fleet_has_at_least_two_machines(names: tuple[str, ...], status: str) -> None:
    assert [one[0] for one in told(FleetCheck("f", lambda _: ()), machines(*names))] == [status]


def test_a_check_that_breaks_is_not_evaluated_says_so_and_costs_no_other() -> None:
    def broken(_: Snapshot) -> Iterable[Result]:
        yield FAIL
        raise ValueError("x" * 1000)

    checks = [ClusterCheck("broken", broken), ClusterCheck("c", lambda _: (FAIL,))]
    results = run(checks, {"broken": info("broken"), "c": info("c")}, Snapshot(WHOLE))
    assert [(one.check, one.status) for one in results] == [("c", "fail"), ("broken", "not_evaluated")]
    assert "ValueError" in results[1].reason.en
    assert len(results[1].reason.en) < 300


def test_results_stand_worst_first_and_each_key_once() -> None:
    low, high = replace(FAIL, subject="l", severity="low"), replace(FAIL, subject="h", severity="critical")
    twice = replace(FAIL, subject="h", severity="medium")
    check = cluster_check(PASS, low, twice, high, not_evaluated("cluster", "n", Text("?", "?")))
    results = run([check], {"c": info("c")}, Snapshot(WHOLE))
    assert [(one.subject, one.severity) for one in results][:2] == [("h", "critical"), ("l", "low")]
    assert [one.status for one in results] == ["fail", "fail", "not_evaluated", "pass"]


def test_a_result_without_a_severity_has_that_of_its_check_and_a_key_of_what_stays() -> None:
    (one,) = run([cluster_check(replace(FAIL, aspect="a"))], {"c": info("c")}, Snapshot(WHOLE))
    assert (one.severity, one.key, one.check) == ("high", "c|cluster|x|a", "c")


@pytest.mark.parametrize(
    ("version", "minor"),
    [("v1.34.4", 34), ("v1.9.11+icp", 9), ("v1.31", 31), ("", None), ("v2.1", None), ("v1.x", None)],
)
def test_the_minor_version_is_known_or_none(version: str, minor: int | None) -> None:
    assert Snapshot(Cluster(version=version)).minor == minor
