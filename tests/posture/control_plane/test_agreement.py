"""What runs is held against what the same machine would start."""

from __future__ import annotations

import pytest

from tests.posture.control_plane.plane import api, command, machine, manifest, process, told
from tests.posture.made import results, snapshot


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, ("pass", None)),
        ({"anonymous-auth": "true"}, ("fail", "medium")),
        ({"authorization-mode": "AlwaysAllow"}, ("fail", "medium")),
        ({"audit-log-path": "/dev/null"}, ("fail", "medium")),
        ({"v": "4"}, ("fail", "low")),
        ({"allow-privileged": "True"}, ("pass", None)),  # the same truth
    ],
)
def test_a_process_that_was_started_otherwise_is_told(flags: dict[str, str | None], expected: object) -> None:
    host = machine(manifest(api()), processes=(process(command("kube-apiserver", flags)),))
    ((status, _, severity),) = told("started_otherwise", snapshot(hosts=[host]))
    assert (status, severity) == expected


def test_both_sides_are_named() -> None:
    host = machine(manifest(api()), processes=(process(command("kube-apiserver", {"authorization-mode": "ABAC"})),))
    (one,) = results("control_plane/started_otherwise", snapshot(hosts=[host]))
    assert "--authorization-mode: runs ABAC, written Node,RBAC" in one.observed.en
    assert "--authorization-mode：运行中为 ABAC，写明的为 Node,RBAC" in one.observed.zh
    assert [where.item for where in one.where] == ["ps", "cp1/etc/kubernetes/manifests/kube-apiserver.yaml"]


def test_variables_of_the_manifest_differ_from_nothing() -> None:
    host = machine(manifest(api(advertise_address="$(HOST_IP)")), processes=(process(command("kube-apiserver", {})),))
    assert [one[0] for one in told("started_otherwise", snapshot(hosts=[host]))] == ["pass"]


def test_a_dump_of_another_time_is_not_compared() -> None:
    host = machine(processes=(process(command("kube-apiserver", {"anonymous-auth": "true"})),))
    assert [one[0] for one in told("started_otherwise", snapshot([api()], [host]))] == ["not_evaluated"]


def test_a_command_line_that_was_cut_is_not_compared() -> None:
    cut = process(command("kube-apiserver")[:3], truncated=True)
    assert [
        one[0] for one in told("started_otherwise", snapshot(hosts=[machine(manifest(api()), processes=(cut,))]))
    ] == ["not_evaluated"]
