"""Somebody made the kernel's audit blind."""

from __future__ import annotations

import pytest

from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import EventCategory, Host, HostEvent
from kubewitness.sources.host import linux_audit
from tests.detect.host.making import found
from tests.sources.host.reading import context, lines

NOON = 1783425600


def machine(*records: tuple[int, str, str]) -> Host:
    """A machine whose audit log has these records: seconds after noon, type, text."""
    text = "\n".join(
        f"type={kind} msg=audit({NOON + at}.000:{number}): {body}" for number, (at, kind, body) in enumerate(records)
    )
    facts = [fact for fact in linux_audit.read(lines(text), context()) if not isinstance(fact, ParseFailure)]
    return Host("n1", events=facts)


def ran(command: str, category: EventCategory = "process_creation", **more: object) -> Host:
    argv = () if category == "command" else tuple(command.split(" "))
    return Host("n1", events=[HostEvent(category, "x", Place("x", 1, 0), command=command, argv=argv, **more)])  # type: ignore[arg-type]


OFF = "op=set audit_enabled=0 old=1 auid=1000 ses=3 res=1"
REMOVED = 'auid=1000 ses=3 op=remove_rule key="exec" list=4 res=1'
ADDED = 'auid=1000 ses=3 op=add_rule key="exec" list=4 res=1'
BOOT_ADDED = ADDED.replace("1000", "4294967295")
ENDED = "op=terminate auid=0 pid=1 res=success"


def test_switched_off_is_found_with_its_time() -> None:
    [finding] = found(machine((0, "CONFIG_CHANGE", OFF)), "audit_stopped")
    assert (finding.severity, finding.first) == ("medium", "2026-07-07T12:00:00.000000Z")
    assert finding.techniques == ("T1562.012",)
    assert "audit_enabled=0" in finding.places[0][1]


def test_rules_that_are_gone_are_found_by_their_key() -> None:
    machine_ = machine(
        (0, "CONFIG_CHANGE", BOOT_ADDED), (900, "CONFIG_CHANGE", REMOVED), (4000, "CONFIG_CHANGE", BOOT_ADDED)
    )
    [finding] = found(machine_, "audit_stopped")
    assert [reason.en for reason in finding.reasons] == ["rules of linux_audit were removed and not added again: exec"]


def test_a_daemon_that_ended_and_stayed_away_is_low() -> None:
    [finding] = found(machine((0, "DAEMON_START", "op=start res=success"), (900, "DAEMON_END", ENDED)), "audit_stopped")
    assert finding.severity == "low"


@pytest.mark.parametrize(
    "records",
    [
        [(0, "CONFIG_CHANGE", "op=set audit_enabled=1 old=0 auid=4294967295 res=1"), (0, "CONFIG_CHANGE", BOOT_ADDED)],
        [(0, "CONFIG_CHANGE", "op=set audit_backlog_limit=8192 old=64 auid=4294967295 res=1")],
        [(0, "CONFIG_CHANGE", "op=set audit_enabled=0 old=0 auid=0 res=1")],
        [(0, "CONFIG_CHANGE", OFF.replace("res=1", "res=0"))],  # locked by -e 2: refused
        [(0, "CONFIG_CHANGE", REMOVED), (2, "CONFIG_CHANGE", ADDED)],
        [(0, "DAEMON_END", ENDED), (2, "DAEMON_START", "op=start res=success")],
        [(0, "SYSTEM_SHUTDOWN", "pid=9 uid=0 msg='res=success'"), (1, "CONFIG_CHANGE", OFF), (1, "DAEMON_END", ENDED)],
        [
            (0, "SERVICE_STOP", "pid=1 msg='unit=auditbeat res=success'"),
            (1, "SERVICE_START", "pid=1 msg='unit=auditbeat'"),
        ],
    ],
)
def test_boot_reload_restart_and_shutdown_are_routine(records: list[tuple[int, str, str]]) -> None:
    assert not found(machine(*records), "audit_stopped")


@pytest.mark.parametrize(
    "command",
    ["auditctl -e 0", "/sbin/auditctl -e0", "sudo auditctl -D", "sh -c id; auditctl -D", "systemctl stop auditd",
     "service auditd stop", "systemctl disable --now auditd.service", "pkill -9 auditd"],
)  # fmt: skip
def test_a_command_that_stops_it_is_found(command: str) -> None:
    for host in (ran(command), ran(command.removeprefix("sh -c "), "command")):
        [finding] = found(host, "audit_stopped")
        assert finding.severity == "medium"


@pytest.mark.parametrize(
    "command",
    ["auditctl -e 1", "auditctl -e 2", "auditctl -l", "auditctl -s", "auditctl -R /etc/audit/audit.rules",
     "auditctl -d always,exit -k x", "systemctl restart auditd", "systemctl status auditd", "systemctl stop auditbeat",
     "grep -r auditctl\\ -D /etc", "man auditctl -D", "augenrules --load", "pkill -f kauditd_test"],
)  # fmt: skip
def test_a_command_that_looks_or_reloads_is_not(command: str) -> None:
    assert not found(ran(command), "audit_stopped")
    assert not found(ran(command, "command"), "audit_stopped")


def test_a_command_that_failed_stopped_nothing() -> None:
    assert not found(ran("auditctl -D", succeeded=False), "audit_stopped")
