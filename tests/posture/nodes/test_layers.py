"""A machine is lost where address, packet filter, listener and setting are all open, and only there."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.model.host import Firewall, Host
from kubewitness.model.judgement import SEVERITIES
from kubewitness.model.posture import PostureReport
from kubewitness.posture.catalogue import catalogue
from kubewitness.posture.check import run
from kubewitness.posture.nodes.checks import CHECKS
from kubewitness.report.check.fixes import open_failures
from tests.posture.machine import NODE, host, listening
from tests.posture.nodes.made import (
    PRIVATE,
    PUBLIC,
    WITH,
    WITHOUT,
    addressed,
    clean,
    commented,
    filtered,
    judged,
    node_object,
    one,
    said,
    snapshot,
)

CHECK = "kubelet_reachable_without_credential"
MODE = "kubelet_authorization"
OPEN, SHUT = filtered(""), filtered("-A INPUT -p tcp -m tcp --dport 10250 -j DROP")


def machine(made: Host, address: str, *filters: Firewall) -> Host:
    made.firewalls = list(filters)
    return addressed(made, address)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (machine(commented(), PUBLIC, OPEN), "fail critical"),
        (machine(commented(), PUBLIC), "fail critical"),  # the packet filter was not seen: nothing else holds
        (machine(commented(), PRIVATE, OPEN), "fail high"),  # every pod reaches it
        (machine(commented(), PUBLIC, SHUT), "pass"),  # and `only_firewall` fails
        (machine(clean(), PUBLIC, OPEN), "pass"),
        (machine(host(NODE, f"{WITHOUT} --address=127.0.0.1", listening(10250, "127.0.0.1")), PUBLIC, OPEN), "pass"),
        (machine(host(NODE, WITHOUT, listening(22, owner="sshd")), PUBLIC, OPEN), "pass"),  # listens nowhere
        (machine(host(NODE, WITHOUT), PUBLIC, OPEN), "fail critical"),  # sockets not seen: the setting counts
    ],
)
def test_all_layers_together_decide(made: Host, expected: str) -> None:
    assert said(CHECK, made) == expected


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (machine(commented(), PUBLIC, OPEN), ("critical", "critical")),
        (machine(commented(), PRIVATE, OPEN), ("high", "high")),
        (commented(), ("critical", "critical")),  # no address is known: nothing tells that it is private
        (machine(commented(), PUBLIC, SHUT), ("high", None)),  # held by the packet filter, which may go
        (machine(host(NODE, WITHOUT, listening(10250, "127.0.0.1")), PUBLIC, OPEN), ("medium", None)),
        (machine(host(NODE, WITHOUT, listening(22, owner="sshd")), PUBLIC, OPEN), ("high", None)),  # not running
    ],
)
def test_one_door_is_rated_the_same_whichever_check_is_asked(made: Host, expected: tuple[str, str | None]) -> None:
    setting, together = one("kubelet_anonymous", made), one(CHECK, made)
    assert (setting.severity, together.severity if together.status == "fail" else None) == expected
    mode = one("kubelet_authorization", made)
    assert SEVERITIES.index(mode.severity or "critical") <= SEVERITIES.index(setting.severity or "low")


def told(made: Host) -> list[str]:
    """The checks a person reads as failed."""
    snapshot_, infos = snapshot(made), catalogue()
    report = PostureReport("1.0", "", "", (), "", "", tuple(infos.values()), run(CHECKS, infos, snapshot_))
    door = {CHECK, "kubelet_anonymous", "kubelet_authorization", "only_firewall"}
    return [name for found in open_failures(report) if (name := found.check.rpartition("/")[2]) in door]


def test_one_open_door_is_one_failure_with_its_cause() -> None:
    made = machine(commented(), PUBLIC, OPEN)
    assert told(made) == [CHECK]
    result = one(CHECK, made)
    assert "commented out" in result.observed.en
    assert "被注释" in result.observed.zh


def test_a_door_that_the_packet_filter_alone_holds_is_one_failure_too() -> None:
    made = machine(commented(), PUBLIC, filtered("", "DROP"))
    assert told(made) == ["kubelet_anonymous", "only_firewall"]  # the latter of the read-only port
    assert "packet filter alone" in one("kubelet_anonymous", made).reason.en
    assert told(machine(commented(), PUBLIC, SHUT)) == ["kubelet_anonymous"]


@pytest.mark.parametrize(
    ("made", "objects", "node"),
    [
        (machine(commented(), PUBLIC, OPEN), (), PUBLIC),
        (commented(), (), "node1"),
        (commented(), (node_object("node1", addresses=[{"type": "InternalIP", "address": "fd00::5"}]),), "'[fd00::5]'"),
        (host(NODE, f"{WITHOUT} --node-ip=10.1.2.3", listening(10250)), (), "10.1.2.3"),
        (host(NODE, f"{WITHOUT} --node-ip=10.1.2.3;id", listening(10250)), (), "node1"),
    ],
)
def test_what_to_ask_afterwards_is_the_address_of_this_machine(made: Host, objects: Any, node: str) -> None:
    remedy = one(CHECK, made, *objects).remedy
    assert remedy is not None
    assert f"https://{node}:10250/pods" in remedy.command
    assert remedy.blanks == ("NETWORKS",)


def test_a_machine_that_is_named_like_a_command_is_not_named_in_one() -> None:
    made = commented()
    made.name = "$(id)"
    assert one(CHECK, made).remedy is None


def test_each_of_the_two_settings_alone_is_a_failure_of_its_own() -> None:
    for flag, name in (("anonymous-auth=true", "kubelet_anonymous"), ("authorization-mode=AlwaysAllow", MODE)):
        assert told(machine(host(NODE, f"{WITH} --{flag}", listening(10250)), PUBLIC, OPEN)) == [name]


def test_every_layer_is_named_and_cited() -> None:
    result = one(CHECK, machine(commented(), PUBLIC, OPEN))
    for part in (PUBLIC, "lets port 10250 through", "listens on *:10250", "AlwaysAllow"):
        assert part in result.observed.en
    assert "公网地址" in result.observed.zh
    assert {place.item for place in result.where} >= {"ss.txt", "ip_-j_addr.txt", "iptables-save.txt", "ps.txt"}
    assert result.where[0].text.startswith("#Environment=")


def test_what_the_packet_filter_alone_holds_back_is_a_result_of_its_own() -> None:
    results = {one.subject: one for one in judged("only_firewall", machine(commented(), PUBLIC, SHUT))}
    assert list(results) == ["kubelet"]  # the read-only port is let through: not held back
    assert (results["kubelet"].status, results["kubelet"].severity) == ("fail", "medium")
    assert "--dport 10250" in results["kubelet"].where[0].text
    both = machine(commented(), PUBLIC, filtered("", "DROP"))
    assert {one.subject for one in judged("only_firewall", both)} == {"kubelet", "kubelet read-only port"}


@pytest.mark.parametrize("made", [machine(clean(), PUBLIC, SHUT), machine(commented(), PUBLIC, OPEN)])
def test_a_safe_machine_behind_a_filter_and_an_open_one_without_are_not_held_by_it(made: Host) -> None:
    assert said("only_firewall", made) == "pass"


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ([{"type": "InternalIP", "address": "10.0.0.5"}, {"type": "ExternalIP", "address": PUBLIC}], "fail high"),
        ([{"type": "InternalIP", "address": PUBLIC}], "fail critical"),
        ([{"type": "InternalIP", "address": 7}, 8, {"type": "Hostname", "address": PUBLIC}], "fail high"),
    ],
)
def test_an_address_of_the_api_counts_as_own_only_where_it_is_not_translated(
    addresses: list[object], expected: str
) -> None:
    made = commented()
    made.firewalls = [OPEN]
    assert said(CHECK, made, node_object(made.name, addresses=addresses)) == expected


def test_what_was_not_seen_is_not_held_by_nothing() -> None:
    assert said("only_firewall", Host("n")) == "not_evaluated"
    assert said("only_firewall", Host("n", sockets=[listening(22, owner="sshd")])) == "pass"


def test_an_open_connection_from_a_public_address_shows_it() -> None:
    made = commented()
    made.sockets.append(listening(22, PUBLIC, "sshd"))
    made.firewalls = [OPEN]
    assert said(CHECK, made) == "fail critical"
