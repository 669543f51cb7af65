"""Real machines: the recorded scenarios' nodes, and clean hosts of others."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.judging import judge
from kubewitness.evidence.opening import walk
from kubewitness.model.host import Host
from kubewitness.sources.host.hosts import read_hosts
from tests.corpus import CORPUS, needs_corpus
from tests.detect.host.making import file

RECORDED = Path(__file__).resolve().parents[3] / "scenarios" / "recorded"
BENIGN = sorted(path.parent.name for path in RECORDED.glob("*/scenario.yaml") if "\nkind: benign\n" in path.read_text())
FIXTURES = "kellyjonbrazil__jc/tests/fixtures"


@cache
def machines(scenario: str) -> list[Host]:
    nodes = RECORDED / scenario / "evidence" / "nodes"
    return read_hosts(walk([str(nodes)]), 2026).hosts if nodes.is_dir() else []


def findings(scenario: str) -> list[HostFinding]:
    return [finding for machine in machines(scenario) for finding in judge(machine)]


def loud(scenario: str) -> set[str]:
    """The rules that speak above low."""
    quiet = ("informational", "low")
    return {f.rule.removeprefix("host/") for f in findings(scenario) if f.severity not in quiet}


@pytest.mark.parametrize("scenario", BENIGN)
def test_nothing_above_low_on_a_benign_node(scenario: str) -> None:
    assert not loud(scenario)


def test_there_are_benign_nodes() -> None:
    assert sum(bool(machines(scenario)) for scenario in BENIGN) >= 5


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("anonymous_cluster_admin", {"miner_process"}),
        (
            "kubelet_config_commented_out",
            {
                "miner_process",
                "hidden_program_running",
                "scanner_process",
                "download_and_run",
                "kubelet_exec_fan_out",
                "exec_download",
                "kubelet_read_only_port",
            },
        ),
        ("lookalike_cronjob", {"miner_process", "hidden_program_running", "download_and_run"}),
        ("malicious_webhook", {"environment_sent"}),
        ("nodes_proxy", {"exec_download"}),
        ("pod_token_theft", {"cron_persistence"}),
        ("two_intruders", {"miner_process", "hidden_program_running"}),
        ("impersonating_controller", {"hidden_program_running"}),
        ("kube_system_exec", set()),  # the intruder left nothing on the node
    ],
)
def test_what_an_attack_left_on_its_nodes(scenario: str, expected: set[str]) -> None:
    assert loud(scenario) == expected


def test_the_second_incident_in_numbers() -> None:
    by_rule = {finding.rule: finding for finding in findings("kubelet_config_commented_out")}
    fan_out = by_rule["host/kubelet_exec_fan_out"]
    assert (len(fan_out.containers), fan_out.count, len(fan_out.commands)) == (3, 33, 11)
    assert fan_out.commands[0] == "apt update --fix-missing"
    assert by_rule["host/exec_download"].addresses == ("203.0.113.35",)
    miners = [f for f in findings("kubelet_config_commented_out") if f.rule == "host/miner_process"]
    assert len({miner.pod_uid for miner in miners} - {""}) == 3


@needs_corpus
@pytest.mark.parametrize(("system", "processes"), [("centos-7.7", 100), ("ubuntu-18.04", 150)])
def test_nothing_is_said_of_a_clean_host(system: str, processes: int) -> None:
    assert CORPUS
    (machine,) = read_hosts(walk([str(CORPUS / FIXTURES / system)]), 2020).hosts
    assert len(machine.processes) > processes
    said = [finding for finding in judge(machine) if finding.rule != "host/firewall_unprotected"]
    assert not said


@needs_corpus
def test_a_clean_host_whose_packet_filter_refuses_nobody_hears_so_once_and_low() -> None:
    assert CORPUS
    (machine,) = read_hosts(walk([str(CORPUS / FIXTURES / "ubuntu-18.04")]), 2020).hosts
    (finding,) = judge(machine)
    assert (finding.rule, finding.severity, finding.kind) == ("host/firewall_unprotected", "low", "exposure")
    assert any(reason.en.startswith("22 rules of its own") for reason in finding.reasons)  # shown by three lists


@needs_corpus
@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("crontab-u*.out", "/etc/crontab"),
        ("crontab.out", "/var/spool/cron/root"),
        ("history.out", "/root/.bash_history"),
    ],
)
def test_nothing_is_said_of_clean_crontabs_and_histories(pattern: str, path: str) -> None:
    assert CORPUS
    files = [file(path, sample.read_text()) for sample in (CORPUS / FIXTURES).rglob(pattern)]
    assert files
    assert not judge(Host("n", files=files))
