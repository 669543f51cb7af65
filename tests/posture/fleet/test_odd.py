"""Machines side by side: the odd one out, with the line that makes it so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kubewitness.model.host import Host
from kubewitness.model.posture import Result
from kubewitness.posture.catalogue import catalogue
from kubewitness.posture.check import run
from kubewitness.posture.fleet.checks import CHECKS
from tests.posture.machine import CONFIG, DROP_IN, EXTRA, file, listening, process
from tests.posture.nodes.made import KUBEADM, addressed, clean, commented, filtered, node_object, snapshot

NAMES = ("node1", "node2", "node3", "node4")


def told(machines: Sequence[Host], name: str = "odd_one_out", **more: object) -> list[Result]:
    checks = [one for one in CHECKS if one.id.endswith(name)]
    return list(run(checks, catalogue(), snapshot(*machines, **more)))  # type: ignore[arg-type]


def failures(machines: Sequence[Host], name: str = "odd_one_out") -> dict[tuple[str, str], Result]:
    return {(one.target, one.subject): one for one in told(machines, name) if one.status == "fail"}


def fleet(*odd: Host) -> list[Host]:
    return [*odd, *(clean(name) for name in NAMES[len(odd) :])]


def test_equal_machines_pass() -> None:
    assert [(one.status, one.target) for one in told(fleet())] == [("pass", "fleet")]
    assert [(one.status, one.target) for one in told(fleet(), "file_differs")] == [("pass", "fleet")]


def test_the_machine_with_the_commented_line_is_the_odd_one_and_the_line_is_cited() -> None:
    found = failures(fleet(commented()))
    mode = found["node/node1", "kubelet authorization.mode"]
    assert {target for target, _ in found} == {"node/node1"}
    assert (mode.severity, mode.where[0].path, mode.where[0].line) == ("high", DROP_IN, 4)
    assert "on 3 of 4 machines it is Webhook" in mode.observed.en
    assert "3 台" in mode.observed.zh
    assert found["node/node1", "kubelet --config"].severity == "high"
    assert "listens on: kubelet:10255" in found["node/node1", "listeners"].observed.en
    (same,) = [one for one in failures(fleet(commented()), "file_differs").values() if "10-kubeadm" in one.subject]
    assert (same.where[0].line, same.where[0].text[:1]) == (4, "#")
    assert 'has here: Environment="KUBELET_CONFIG_ARGS' in same.observed.en


def test_the_one_that_is_safer_than_the_others_is_information() -> None:
    machines = [clean("node1"), *(commented(name) for name in NAMES[1:])]
    found = failures(machines)
    assert found["node/node1", "kubelet authorization.mode"].severity == "informational"


def reading_from(path: str, name: str = "node1") -> Host:
    """A clean node whose kubelet takes static pods from this folder."""
    machine = clean(name)
    text = KUBEADM[CONFIG].replace(
        "staticPodPath: /etc/kubernetes/manifests\n", f"staticPodPath: {path}\n" if path else ""
    )
    machine.files = [one for one in machine.files if one.path != CONFIG] + [file(CONFIG, text)]
    return machine


@pytest.mark.parametrize(
    ("path", "severity"), [("/var/tmp/.x", "medium"), ("", "informational"), ("/etc/kubernetes/manifests", None)]
)
def test_a_machine_that_takes_static_pods_from_a_place_of_its_own_is_told(path: str, severity: str | None) -> None:
    found = failures(fleet(reading_from(path)))
    assert [one.severity for one in found.values()] == ([severity] if severity else [])
    for one in found.values():
        assert one.subject == "kubelet staticPodPath"
        assert one.remedy is not None
        assert one.remedy.command == "kubewitness check fleet --like node1 kubewitness-*.tar.zst\n"
        assert ("no API server is asked" in one.reason.en) is (severity == "medium")
        assert not path or (one.where[0].path, one.where[0].text) == (CONFIG, f"staticPodPath: {path}")


def test_machines_of_which_most_take_static_pods_from_an_unusual_place_accuse_none_of_them() -> None:
    machines = [clean("node1"), *(reading_from("/opt/pods", name) for name in NAMES[1:])]
    assert {target for target, _ in failures(machines)} == {"node/node1"}


def test_without_a_majority_nobody_is_the_odd_one() -> None:
    found = failures([clean("node1"), commented("node2")])
    assert {target for target, _ in found} == {"fleet"}
    mode = found["fleet", "kubelet authorization.mode"]
    assert mode.observed.en == "AlwaysAllow: node2; Webhook: node1"
    assert mode.severity == "medium"
    assert mode.remedy is not None
    assert "--like node2 " in mode.remedy.command, "the one with the worse value"


def test_a_filter_that_lets_through_what_the_others_refuse_is_odd() -> None:
    machines = fleet()
    for machine in machines:
        machine.firewalls = [filtered("", "DROP")]
    machines[2].firewalls = [filtered("")]
    found = failures(machines)
    assert list(found) == [("node/node3", "packet filter for port 10250")]
    assert next(iter(found.values())).severity == "medium"
    machines[2].firewalls = []  # not seen: neither odd nor like the others
    assert not failures(machines)


def test_listeners_are_compared_within_a_role() -> None:
    machines = fleet()
    machines[0].processes.append(process("/usr/local/bin/etcd", pid=7))
    machines[0].sockets.append(listening(2379, "*", "etcd", 7))
    assert not failures(machines)
    machines[1].sockets.append(listening(4444, "*", "nc", 9))
    found = failures(machines)
    assert list(found) == [("node/node2", "listeners")]
    assert "nc:4444" in found["node/node2", "listeners"].observed.en


def test_names_and_addresses_of_machines_are_no_difference_of_a_file() -> None:
    machines = fleet()
    for number, machine in enumerate(machines):
        address = f"10.0.0.{number + 1}"
        addressed(machine, address)
        text = f"X=--node-ip={address} --name={machine.name}\n# prose {number}\n"
        machine.files = [one for one in machine.files if one.path != EXTRA] + [file(EXTRA, text)]
    assert not failures(machines, "file_differs")


def test_versions_are_information_and_come_from_the_api_too() -> None:
    nodes = [node_object(name, nodeInfo={"kernelVersion": "6.1" if name == "node4" else "6.2"}) for name in NAMES]
    (one,) = [one for one in told(fleet(), objects=nodes) if one.status == "fail"]
    assert (one.target, one.subject, one.severity) == ("node/node4", "node kernelVersion", "informational")


def test_hostile_values_stay_short() -> None:
    machine = commented()
    machine.processes = [process("/usr/bin/kubelet --authorization-mode=" + "\x1b[31m" * 10_000)]
    for one in told(fleet(machine)):
        assert len(one.observed.en) < 2_000
        assert all(len(place.text) <= 300 for place in one.where)
