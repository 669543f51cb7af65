"""The nodes of the recorded scenarios: one was started without its configuration, and no other is accused."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.evidence.opening import walk
from kubewitness.posture.exposed import judge
from kubewitness.posture.kubelet import effective
from kubewitness.sources.host.hosts import read_hosts

RECORDED = Path(__file__).resolve().parents[2] / "scenarios" / "recorded"
NODES = sorted(RECORDED.glob("*/evidence/nodes"))


@pytest.mark.parametrize("nodes", NODES, ids=lambda path: path.parents[1].name)
def test_only_the_node_with_the_commented_line_is_open(nodes: Path) -> None:
    hosts = read_hosts(walk([str(nodes)]), 2026).hosts
    assert hosts
    found = {exposure.id for host in hosts for exposure in judge(host, effective(host))}
    commented = nodes.parents[1].name.startswith("kubelet_config_commented_out")
    assert found == ({"kubelet_anonymous_always_allow", "kubelet_read_only_port"} if commented else set())


def test_the_recorded_line_is_cited_as_it_stands_in_the_file() -> None:
    nodes = RECORDED / "kubelet_config_commented_out" / "evidence" / "nodes"
    (host,) = read_hosts(walk([str(nodes)]), 2026).hosts
    place, text = next(judge(host, effective(host))).places[0]
    assert text == '#Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"'
    assert Path(place.item).read_bytes()[place.offset :].startswith(text.encode())
    assert place.line == 3
