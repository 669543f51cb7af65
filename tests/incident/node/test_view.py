"""A machine with what was found on it: the same open port is told once."""

from __future__ import annotations

from kubewitness.incident.node.joined import look_at_nodes
from kubewitness.incident.node.view import told_once
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, Process, Socket
from kubewitness.sources.host.hosts import HostEvidence

RULE = "host/kubelet_read_only_port"


def listening(line: int, address: str, *owners: tuple[str, int]) -> Socket:
    return Socket("tcp", "LISTEN", address, 10255, "", 0, Place("ss.txt", line, 0), owners=owners)


def machine(*sockets: Socket) -> HostEvidence:
    kubelet = Process(60, "/usr/bin/kubelet --read-only-port=10255", Place("ps.txt", 2, 0), name="kubelet")
    return HostEvidence([Host("n", processes=[kubelet], sockets=[*sockets])])


def test_an_open_read_only_port_is_told_once_with_what_both_saw() -> None:
    first, second = listening(1, "*", ("kubelet", 60)), listening(2, "0.0.0.0")
    (view,) = look_at_nodes(machine(first, second))
    assert [one.id for one in view.exposures if "read_only" in one.id] == ["kubelet_read_only_port"]
    assert RULE not in {one.rule for one in view.findings}
    places = [place for one in view.exposures if "read_only" in one.id for place, _ in one.places]
    assert {first.place, second.place} <= set(places)
    assert len(places) == len(set(places))


def test_a_port_that_no_exposure_tells_of_stays_a_finding() -> None:
    stranger = HostEvidence([Host("n", sockets=[listening(1, "*")])])  # nobody knows whose it is
    (view,) = look_at_nodes(stranger)
    assert [one.rule for one in view.findings if one.rule == RULE] == [RULE]
    assert told_once(view.findings, view.exposures) == (view.findings, view.exposures)
