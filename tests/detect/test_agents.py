"""Where one text stands for all clients it accuses nobody of working by hand in the name of the cluster's parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kubewitness.detect.agents import agents_of
from kubewitness.detect.detection import detections
from kubewitness.detect.detectors.crowd import Crowd
from tests.detect.detectors.evidence import Row, account, pack, scanned, secrets

KUBECTL = "kubectl/v1.30.0 (linux/amd64) kubernetes/abc"
PARTS = (
    {"username": "system:kube-scheduler", "groups": ["system:authenticated"]},
    {"username": "system:kube-controller-manager", "groups": ["system:authenticated"]},
    account("kube-system", "node-controller"),
    {"username": "system:node:a", "groups": ["system:nodes"]},
    {"username": "system:apiserver", "groups": ["system:masters"]},
)
JANE = {"username": "jane", "groups": ["system:authenticated"]}


def rows(agents: Sequence[str]) -> list[Row]:
    """Each part reads secrets with the agent in its place; jane always with kubectl."""
    asked: list[dict[str, Any]] = [
        secrets(user, "10.0.0.10", userAgent=agent) for user, agent in zip(PARTS, agents, strict=False)
    ]
    return [(float(n), row) for n, row in enumerate([*asked, secrets(JANE, "198.51.100.20", userAgent=KUBECTL)])]


def by_hand(folder: Path, agents: Sequence[str]) -> list[str]:
    scan = scanned(folder, rows(agents))
    return sorted(d.identity for d in detections(scan, pack()[0].rules) if d.rule.id.endswith("identity_used_by_hand"))


def test_one_text_for_all_clients_accuses_no_part_of_the_cluster(tmp_path: Path) -> None:
    assert by_hand(tmp_path, [KUBECTL] * 5) == []


def test_a_part_worked_by_hand_beside_others_with_their_own_programs_is_told(tmp_path: Path) -> None:
    own = ["kube-scheduler/v1.30.0", KUBECTL, "kube-controller-manager/v1.30.0", "kubelet/v1.30.0"]
    assert by_hand(tmp_path, own) == ["system:kube-controller-manager"]


def test_all_parts_by_hand_are_told_where_they_are_no_more_than_somebody_steals(tmp_path: Path) -> None:
    assert by_hand(tmp_path, [KUBECTL] * 3) == sorted(str(user["username"]) for user in PARTS[:3])


@pytest.mark.parametrize(
    ("agents", "told"),
    [
        ([KUBECTL] * 5, "alike"),
        ([KUBECTL] * 4 + ["kube-apiserver/v1.30.0"], "own"),
        ([KUBECTL] * 4 + [""], "own"),
        (["kubelet/v1.30.0"] * 5, "own"),
        ([KUBECTL] * 3, "own"),
    ],
)
def test_the_clusters_own_parts_show_whose_the_names_of_clients_are(
    agents: Sequence[str], told: str, tmp_path: Path
) -> None:
    assert agents_of(scanned(tmp_path, rows(agents))) == told


def test_a_log_without_any_agent_is_told_as_such_and_a_handful_of_requests_is_not(tmp_path: Path) -> None:
    few = [(float(n), secrets(JANE, "198.51.100.20", userAgent="")) for n in range(5)]
    many = [(float(n), secrets(JANE, "198.51.100.20", userAgent="")) for n in range(60)]
    (tmp_path / "few").mkdir()
    (tmp_path / "many").mkdir()
    assert agents_of(scanned(tmp_path / "few", few)) == "own"
    assert agents_of(scanned(tmp_path / "many", many)) == "none"


def test_an_address_of_the_clusters_parts_is_shared_whatever_one_text_calls_all_clients(tmp_path: Path) -> None:
    alike = Crowd(scanned(tmp_path, [*rows([KUBECTL] * 5), (9.0, secrets(PARTS[3], "10.0.0.31", userAgent=KUBECTL))]))
    assert alike.shared("10.0.0.31")


def test_a_kubelets_name_by_hand_makes_no_machine_of_an_address(tmp_path: Path) -> None:
    own = ["kube-scheduler/v1.30.0", "kube-controller-manager/v1.30.0", "node-controller/v1", "kubelet/v1.30.0"]
    told = Crowd(scanned(tmp_path, [*rows(own), (9.0, secrets(PARTS[3], "203.0.113.31", userAgent=KUBECTL))]))
    assert not told.shared("203.0.113.31")
