"""Silences and lost bodies: what was done to the log itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kubewitness.detect.detectors.audit_silence import audit_silence
from kubewitness.detect.detectors.audit_weakened import audit_weakened
from kubewitness.detect.gaps import find_gaps
from tests.detect.detectors.evidence import Row, scanned


def traffic(times: Sequence[float]) -> list[Row]:
    ref = {"resource": "pods", "apiVersion": "v1"}
    return [(at, {"verb": "list", "objectRef": ref}) for at in times]


DENSE = [second * 0.5 for second in range(7200)]  # an hour, two a second


def test_lines_cut_out_of_a_dense_log_are_a_gap_and_a_finding(tmp_path: Path) -> None:
    result = scanned(tmp_path, traffic([at for at in DENSE if not 1000 < at < 2200]))
    (gap,) = find_gaps(result)
    assert (gap.first, gap.last, gap.seconds) == ("2026-01-05T09:16:40.000000Z", "2026-01-05T09:36:40.000000Z", 1200)
    (one,) = audit_silence(result)
    assert (one.rule.id, one.rule.severity) == ("detectors/audit_silence", "medium")
    assert (one.first, one.last) == (gap.first, gap.last)
    assert one.places[0][0].line == 2002  # the event with which the log goes on


def test_a_silence_between_two_files_may_be_a_lost_file(tmp_path: Path) -> None:
    result = scanned(tmp_path, traffic([at for at in DENSE if at < 1000]), traffic([at for at in DENSE if at > 2200]))
    assert [(one.rule.id, one.rule.severity) for one in audit_silence(result)] == [
        ("detectors/audit_silence_between_files", "low")
    ]


@pytest.mark.parametrize(
    "times",
    [DENSE, [at for at in DENSE if not 1000 < at < 1700], [at * 20 for at in DENSE[:600]] + [20_000.0]],
    ids=["none", "twelve minutes", "a quiet cluster"],
)
def test_no_finding_without_a_long_silence_in_a_dense_log(times: list[float], tmp_path: Path) -> None:
    assert list(audit_silence(scanned(tmp_path, traffic(times)))) == []


def test_a_second_api_server_fills_the_silence_of_the_first(tmp_path: Path) -> None:
    result = scanned(
        tmp_path, traffic([at for at in DENSE if not 1000 < at < 2200]), traffic([at + 0.1 for at in DENSE])
    )
    assert find_gaps(result) == ()
    assert list(audit_silence(result)) == []


WRITES = (("create", "pods"), ("patch", "deployments"), ("update", "configmaps"), ("create", "services"))


def write(number: int, body: bool) -> dict[str, Any]:
    verb, resource = WRITES[number % len(WRITES)]
    event: dict[str, Any] = {
        "verb": verb,
        "objectRef": {"resource": resource, "namespace": "shop", "name": f"n{number}"},
    }
    more: dict[str, Any] = {"requestObject": {"spec": {}}} if body else {"level": "Metadata"}
    return event | more


def test_bodies_that_are_gone_from_one_moment_on_mean_a_weaker_policy(tmp_path: Path) -> None:
    rows: list[Row] = [(n * 60, write(n, n < 40)) for n in range(80)]
    (one,) = audit_weakened(scanned(tmp_path, rows))
    assert one.rule.id == "detectors/audit_weakened"
    assert one.first < one.last == "2026-01-05T09:40:00.000000Z"
    assert one.count == len(WRITES)


@pytest.mark.parametrize(
    "rows",
    [
        [(n * 60, write(n, True)) for n in range(80)],
        [(n * 60, write(n, n % 3 > 0)) for n in range(80)],
        [(n * 60, write(n, n >= 40)) for n in range(80)],
        [(n * 60, write(n, n < 40 or n % 4 > 1)) for n in range(80)],
        [(n * 60, write(n, n < (20, 36, 52, 68)[n % 4])) for n in range(88)],
    ],
    ids=["all with bodies", "side by side", "made stronger", "two kinds only", "not together"],
)
def test_levels_that_the_policy_tells_apart_are_none(rows: list[Row], tmp_path: Path) -> None:
    assert list(audit_weakened(scanned(tmp_path, rows))) == []
