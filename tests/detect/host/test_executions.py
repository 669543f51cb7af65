"""Programs that only events tell of are judged like processes, and not said to run."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.detect.host.executions import with_executions
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, HostEvent
from tests.detect.host.making import CONTAINER, found, process, rules

MINER = (
    "./.system -o pool.example.net:3333 -u " + "46EPFzvnX5GH61ejkPpNcRNm8kVjs8oHS9VwCkKRCrJX27XEW2y1" + " --coin=monero"
)
TIME = "2026-11-22T03:00:00.000000Z"


def execution(command: str, **more: Any) -> HostEvent:
    told = {"category": "process_creation", "source": "linux_audit", "place": Place("audit.log", 7, 70), "pid": 4411}
    return HostEvent(**{**told, "time": TIME, "command": command, **more})


def machine(*events: HostEvent, **more: Any) -> Host:
    return Host("n", events=list(events), **more)


def test_a_miner_that_only_an_event_tells_of_is_found_and_not_said_to_be_listed() -> None:
    (finding,) = found(machine(execution(MINER)), "miner_process")
    assert finding.process
    assert finding.process.told_by == "linux_audit"
    assert (finding.first, finding.places[0][0]) == (TIME, Place("audit.log", 7, 70))
    assert any("no list of processes shows it" in reason.en for reason in finding.reasons)


def test_what_a_list_shows_too_is_one_process_and_runs() -> None:
    (finding,) = found(machine(execution(MINER), processes=[process(MINER, pid=4411)]), "miner_process")
    assert finding.process
    assert (finding.count, finding.process.told_by) == (1, "")
    assert not any("no list" in reason.en for reason in finding.reasons)


def test_a_command_that_a_list_cut_is_the_same() -> None:
    cut = process(MINER[:60], pid=4411, truncated=True)
    assert with_executions(machine(execution(MINER), processes=[cut])).processes == [cut]


def test_two_sensors_that_tell_of_one_execution_count_once() -> None:
    both = machine(execution(MINER), execution(MINER, source="tetragon", place=Place("tetragon.log", 1, 0)))
    (finding,) = found(both, "miner_process")
    assert finding.count == 1


@pytest.mark.parametrize("length", [12, 31, 64])
def test_a_cut_container_id_is_made_whole_by_the_control_groups(length: int) -> None:
    listed = process("pause", container=CONTAINER, pod_uid="uid-1")
    (finding,) = found(machine(execution(MINER, container=CONTAINER[:length]), processes=[listed]), "miner_process")
    assert (finding.container, finding.pod_uid) == (CONTAINER, "uid-1")


def test_a_cut_id_that_two_containers_begin_with_stays_cut() -> None:
    listed = [process("a", container=CONTAINER), process("b", container=CONTAINER[:-1] + "0")]
    (finding,) = found(machine(execution(MINER, container=CONTAINER[:12]), processes=listed), "miner_process")
    assert finding.container == CONTAINER[:12]


@pytest.mark.parametrize(
    "event",
    [
        execution(MINER, succeeded=False),
        execution(MINER, category="record"),
        execution("", image="/tmp/.x"),
        execution("nginx -g daemon off;", image="/usr/sbin/nginx"),
    ],
)
def test_what_failed_or_is_no_execution_or_ordinary_is_silent(event: HostEvent) -> None:
    assert not rules(machine(event))


def test_a_program_started_from_tmp_once_is_less_than_one_that_stays_there() -> None:
    severities = [
        finding.severity
        for host in (machine(execution("/tmp/setup --now")), machine(processes=[process("/tmp/setup --now")]))
        for finding in found(host, "hidden_program_running")
    ]
    assert severities == ["low", "medium"]


def test_a_forged_kernel_thread_is_known_by_the_program_the_kernel_started() -> None:
    event = execution("[kworker/0:1]", image="/memfd:x (deleted)", ppid=900)
    assert {"kernel_thread_forged", "hidden_program_running"} <= rules(machine(event))


def test_a_socket_of_a_process_that_has_the_number_now_proves_nothing_of_one_then() -> None:
    from kubewitness.model.host import Socket

    socket = Socket("tcp", "ESTAB", "10.0.0.5", 40000, "203.0.113.8", 3333, Place("ss.txt", 1, 0), (("app", 4411),))
    event = execution("./app --coin=zec")
    assert not found(machine(event, sockets=[socket]), "miner_process")
