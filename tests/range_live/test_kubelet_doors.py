"""Pods really run, and port 10250 lets in whom the kubelet's configuration lets in: the second incident, live."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.range_live.played import Played


def test_all_three_nodes_are_ready_and_the_phases_are_played_in_order(doors: Played) -> None:
    said = doors.said
    assert "3 nodes ready" in said
    assert said.index("phase: knocks") < said.index("phase: gets in") < said.index("recorded: ")


def test_exec_through_the_api_server_works_and_is_in_the_audit_log(doors: Played) -> None:
    """What `kubectl exec one -- echo` printed was put into the name of the config map's value."""
    execs = [
        event
        for event, _ in doors.of("ops")
        if event["requestURI"].startswith("/api/v1/namespaces/default/pods/one/exec")
    ]
    assert execs
    assert execs[-1]["responseStatus"]["code"] == 101
    assert "command=through-the-api-server" in execs[-1]["requestURI"]


@pytest.mark.parametrize(("node", "config"), [("node1", True), ("node2", False), ("node3", True)])
def test_the_kubelet_has_its_configuration_file_unless_the_line_is_commented_out(
    doors: Played, node: str, config: bool
) -> None:
    (kubelet,) = re.findall(r".* /usr/bin/kubelet .*", doors.text(f"nodes/{node}/ps.txt"))
    assert ("--config=/var/lib/kubelet/config.yaml" in kubelet) == config
    drop_in = doors.text(f"nodes/{node}/etc/systemd/system/kubelet.service.d/10-kubeadm.conf")
    assert bool(re.search(r'^Environment="KUBELET_CONFIG_ARGS=', drop_in, re.M)) == config


def test_the_audit_log_hears_nothing_of_it(doors: Played) -> None:
    assert doors.of("worm") == []
    assert not [event for event in doors.events if "203.0.113.9" in event["sourceIPs"]]


def test_commands_that_cannot_start_are_in_kubelet_and_containerd_logs_and_labelled_as_the_intruders(
    doors: Played,
) -> None:
    for service in ("kubelet", "containerd"):
        file = f"nodes/node2/{service}.log.gz"
        lines = doors.text(file).splitlines()
        failed = [number for number, line in enumerate(lines, 1) if "ExecSync" in line and '\\"yum\\"' in line]
        labelled = {(one.line, one.actor, one.step) for one in doors.labels.lines if one.file == file}
        assert failed
        assert {(number, "worm", "runs what fails") for number in failed} <= labelled


def test_the_nodes_that_refused_have_no_labelled_line_and_no_failed_command(doors: Played) -> None:
    for node in ("node1", "node3"):
        assert "ExecSync" not in doors.text(f"nodes/{node}/kubelet.log.gz")
        assert not [one for one in doors.labels.lines if node in one.file]


def test_the_program_that_was_fetched_runs_and_is_labelled_with_its_command_line(doors: Played) -> None:
    (miner, scanner) = sorted(doors.labels.processes, key=lambda process: process.command)
    assert scanner.command.startswith("/tmp/masscan ")
    assert (miner.node, miner.actor, miner.step) == ("node2", "worm", "fetches and mines")
    assert miner.command == "/tmp/.system -o 203.0.113.80:3333 --donate-level 1"
    assert re.search(rf"^{miner.pid} /tmp/\.system$", doors.text("nodes/node2/exe.txt"), re.M)
    assert re.search(rf"^{miner.pid} .*kubepods", doors.text("nodes/node2/cgroups.txt"), re.M)


def test_the_steps_are_labelled_in_the_order_played(doors: Played) -> None:
    assert [step.step for step in doors.labels.steps] == [
        "is refused", "asks for pods", "runs what works", "runs what fails", "fetches and mines",
    ]  # fmt: skip


def test_the_node_has_no_firewall_but_what_the_kubelet_makes_itself(doors: Played) -> None:
    rules = [line for line in doors.text("nodes/node2/iptables-save.txt").splitlines() if line.startswith("-A ")]
    assert rules
    assert all("KUBE-FIREWALL" in rule for rule in rules)


def test_nothing_of_this_machine_is_in_the_evidence(doors: Played) -> None:
    for path in doors.folder.rglob("*"):
        if path.is_file():
            name = str(path.relative_to(doors.folder / "evidence")) if "evidence" in path.parts else ""
            text = doors.text(name) if name else path.read_text()
            assert not re.search(r"/var/tmp/kubewitness|kubewitness-range|/\.cache/", text), path
            assert str(Path.home() / ".cache") not in text
