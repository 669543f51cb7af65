"""The recorded nodes: the one of the second incident fails with its cause, every other has nothing above low."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.evidence.opening import walk
from kubewitness.posture.catalogue import catalogue
from kubewitness.posture.check import Machine, Snapshot, run
from kubewitness.posture.nodes.checks import CHECKS
from kubewitness.sources.host.hosts import read_hosts

RECORDED = Path(__file__).resolve().parents[3] / "scenarios" / "recorded"
NODES = sorted(RECORDED.glob("*/evidence/nodes"))


@pytest.mark.parametrize("nodes", NODES, ids=lambda path: path.parents[1].name)
def test_only_the_node_with_the_commented_line_fails_above_low(nodes: Path) -> None:
    machines = tuple(map(Machine, read_hosts(walk([str(nodes)]), 2026).hosts))
    assert machines
    results = run(CHECKS, catalogue(), Snapshot(machines=machines))
    failing = [one for one in results if one.status == "fail" and one.severity not in {"low", "informational"}]
    assert not [one.reason.en for one in results if "the check itself failed" in one.reason.en]
    if not nodes.parents[1].name.startswith("kubelet_config_commented_out"):
        assert not failing
        assert any(one.status == "pass" and one.check.endswith("/kubelet_anonymous") for one in results)
        return
    names = {one.check.rpartition("/")[2] for one in failing}
    assert names >= {"kubelet_anonymous", "kubelet_reachable_without_credential", "kubelet_config_unread"}
    for one in failing:
        assert (one.where[0].line, one.where[0].text[:13]) == (3, "#Environment=")
        assert one.where[0].item.endswith("10-kubeadm.conf")
