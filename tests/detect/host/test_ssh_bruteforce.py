"""A password that was guessed, and people who mistype."""

from __future__ import annotations

import pytest

from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, HostEvent
from tests.detect.host.making import found

ADDRESS = "203.0.113.9"


def login(minute: int, succeeded: bool, *, count: int = 1, until: int = 0, **more: str) -> HostEvent:
    return HostEvent(
        "login",
        "syslog",
        Place("auth.log", minute + 1, 0),
        time=_time(minute),
        last=_time(until) if until else "",
        user=more.get("user", "root"),
        address=more.get("address", ADDRESS),
        succeeded=succeeded,
        count=count,
        fields={"program": "sshd", "method": more.get("method", "password")},
    )


def _time(minute: int) -> str:
    return f"2026-11-22T{minute // 60:02}:{minute % 60:02}:00.000000Z"


@pytest.mark.parametrize(
    "events",
    [
        (login(1, False, count=500, until=20), login(21, True)),
        (*(login(n, False, user=f"u{n}") for n in range(10)), login(11, True, user="u9")),
        (login(1, False, count=500, until=59, method="keyboard-interactive/pam"), login(30, True)),
    ],
)
def test_many_refused_then_one_accepted(events: tuple[HostEvent, ...]) -> None:
    (finding,) = found(Host("n", events=list(events)), "ssh_bruteforce_success")
    assert (finding.severity, finding.addresses, finding.count) == ("medium", (ADDRESS,), 1)
    assert finding.places[0][1].startswith("Accepted password for ")
    assert len(finding.places) > 1


@pytest.mark.parametrize(
    "events",
    [
        (login(1, False), login(2, True)),
        (login(1, False, count=9, until=5), login(6, True)),
        (login(1, False, count=500, until=20), login(21, True, address="203.0.113.10")),
        (login(1, False, count=500, until=20), login(21, True, method="publickey")),
        (login(30, False, count=500, until=50), login(21, True)),
        (login(1, False, count=500, until=20), login(200, True)),
        (login(1, False, count=20, until=1000), login(700, True)),
        (login(1, False, count=500, until=20, method="none"), login(21, True)),
        (login(1, False, count=500, until=20),),
    ],
)
def test_typing_errors_keys_and_others_tries_are_silent(events: tuple[HostEvent, ...]) -> None:
    assert not found(Host("n", events=list(events)), "ssh_bruteforce_success")
