"""Traces of somebody who left a container for its machine."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, HostEvent, Process
from tests.detect.host.making import CONTAINER, file, found, process, rules

HOME, OTHER = "4026531841", "4026532999"
ALL = "000001ffffffffff"


def inside(command: str, **more: Any) -> Process:
    return process(command, container=CONTAINER, **more)


def machine(*processes: Process, **more: Any) -> Host:
    first = process("/sbin/init", pid=1, namespaces=(("mnt", HOME), ("pid", "1"), ("net", "2")))
    return Host("n", processes=[first, *processes], **more)


def severities(host: Host) -> list[str]:
    return [finding.severity for finding in found(host, "escape_trace")]


def test_a_process_of_a_container_in_the_machines_mount_namespace_left_it() -> None:
    (finding,) = found(machine(inside("bash -i", namespaces=(("mnt", HOME),))), "escape_trace")
    assert (finding.severity, finding.container) == ("medium", CONTAINER)


def test_a_hidden_program_there_is_an_intrusion() -> None:
    host = machine(inside("x", executable="/tmp/.x", namespaces=(("mnt", HOME),)))
    assert severities(host) == ["high"]


@pytest.mark.parametrize(
    "process",
    [
        inside("nginx", namespaces=(("mnt", OTHER),)),
        inside("/bin/node_exporter", namespaces=(("mnt", OTHER), ("pid", "1"))),  # hostPID
        inside("kube-proxy", namespaces=(("mnt", OTHER), ("net", "2"))),  # hostNetwork
        inside("runc init", namespaces=(("mnt", HOME),)),
        process("sshd", namespaces=(("mnt", HOME),)),
        inside("nginx"),
    ],
)
def test_agents_that_share_other_namespaces_and_runtimes_are_silent(process: Process) -> None:
    assert not found(machine(process), "escape_trace")


def test_what_storage_agents_start_on_the_machine_is_low() -> None:
    assert severities(machine(inside("/sbin/iscsiadm -m session", namespaces=(("mnt", HOME),)))) == ["low"]
    assert severities(machine(inside("nsenter --mount=/host/proc/1/ns/mnt -- iscsiadm --version"))) == ["low"]


@pytest.mark.parametrize(
    "command",
    [
        "nsenter -t 1 -m -u -i -n sh",
        "nsenter --target 1 --mount --pid -- bash -l",
        "/usr/bin/nsenter --mount=/proc/1/ns/mnt sh",
        "sh -c nsenter -t 1 -a bash",
        "nsenter -a -t 1",
        "chroot /host bash",
        "chroot /mnt /bin/sh -c id",
        "docker -H unix:///var/run/docker.sock ps",
        "curl --unix-socket /run/docker.sock http://x/containers/json",
        "ctr -a /run/containerd/containerd.sock containers ls",
    ],
)
def test_a_command_in_a_container_that_reaches_for_the_machine_is_told(command: str) -> None:
    assert severities(machine(inside(command))) == ["medium"]


@pytest.mark.parametrize(
    "command",
    [
        "sh -c echo /cmd > /tmp/cgrp/release_agent",
        "sh -c echo '|/tmp/x' > /proc/sys/kernel/core_pattern",
        "sh -c echo '|/tmp/x' | tee /host/proc/sys/kernel/core_pattern",
        "sysctl -w kernel.core_pattern=|/tmp/x",
    ],
)
def test_a_helper_of_the_kernel_that_a_container_sets_is_an_intrusion(command: str) -> None:
    (finding,) = found(machine(inside(command)), "escape_trace")
    assert (finding.severity, finding.kind) == ("high", "intrusion")


@pytest.mark.parametrize(
    "command",
    [
        "nsenter -t 4411 -n ss -tanp",
        "nsenter -t 12 -m sh",
        "grep -r release_agent /sys/fs/cgroup",
        "cat /proc/sys/kernel/core_pattern",
        "/cadvisor --docker=unix:///var/run/docker.sock",
        "man nsenter -t 1 x",
        "chroot /var/empty sshd",
        "vi chroot /host",
    ],
)
def test_near_commands_are_silent(command: str) -> None:
    assert not found(machine(inside(command)), "escape_trace")


def test_the_same_by_an_administrator_on_the_machine_is_low_or_nothing() -> None:
    assert severities(machine(process("nsenter -t 1 -m bash"))) == ["low"]
    assert not severities(machine(process("chroot /mnt bash"), process("docker -H unix:///run/docker.sock ps")))


def test_a_sensor_that_saw_it_start_is_enough() -> None:
    event = HostEvent(
        "process_creation", "tetragon", Place("t.log", 1, 0), time="2026-11-22T03:00:00.000000Z", pid=7,
        command="/usr/bin/nsenter -t 1 -m sh", container=CONTAINER[:31],
    )  # fmt: skip
    (finding,) = found(machine(inside("nginx"), events=[event]), "escape_trace")
    assert (finding.container, finding.first) == (CONTAINER, event.time)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("|/var/lib/containerd/x/snapshots/7/fs/run.sh", ["high"]),
        ("|/tmp/.x %p", ["high"]),
        ("|/srv/dump %p", ["medium"]),
        ("|/usr/share/apport/apport -p%p -s%s", []),
        ("|/usr/lib/systemd/systemd-coredump %P %u", []),
        ("|/bin/false", []),
        ("core.%p", []),
        ("/var/crash/core.%p", []),
        ("|", []),
    ],
)
def test_the_kernels_helper_for_crashes_is_judged_by_where_it_lies(pattern: str, expected: list[str]) -> None:
    assert severities(machine(files=[file("/proc/sys/kernel/core_pattern", pattern + "\n")])) == expected


@pytest.mark.parametrize(
    ("capabilities", "told"), [(ALL, True), ("0000003fffffffff", True), ("00000000a80425fb", False)]
)
def test_a_container_with_all_capabilities_is_context(capabilities: str, told: bool) -> None:
    findings = found(machine(inside("x", capabilities=capabilities)), "container_with_all_capabilities")
    assert [finding.kind for finding in findings] == (["context"] if told else [])


def test_the_machines_own_root_processes_and_wrong_values_are_no_containers() -> None:
    assert not rules(machine(process("sshd", capabilities=ALL), inside("x", capabilities="zz")))
