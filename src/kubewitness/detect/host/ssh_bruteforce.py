"""Passwords tried until one was right: many failures from an address, then its success.

Failures are kept folded (so many of one name and address from then till then), so how many of them fell into the hour
before the success is reckoned as if they had come evenly. A key that opens the door after failed passwords proves no
guess: whoever has it need not try.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from kubewitness.detect.host.execs import seconds_of
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.stating import state
from kubewitness.model.host import Host, HostEvent
from kubewitness.model.text import Text

_ENOUGH: Final = 10  # in the hour before; nobody mistypes that often
_HOUR: Final = 3600.0
_MAX_ADDRESSES: Final = 100
_PASSWORDS: Final = ("password", "keyboard-interactive", "pam password")


def ssh_bruteforce_success(host: Host) -> Iterator[HostFinding]:
    """A finding for each address whose password was accepted after many that were not."""
    tries, entered = dict[str, list[HostEvent]](), dict[str, list[HostEvent]]()
    for event in host.events:
        if event.category == "login" and event.address and event.fields.get("method", "").startswith(_PASSWORDS):
            (entered if event.succeeded else tries).setdefault(event.address, []).append(event)
    found = 0
    for address, successes in entered.items():
        failed = tries.get(address, ())
        got_in = [event for event in successes if _tries_before(event, failed) >= _ENOUGH]
        if got_in and found < _MAX_ADDRESSES:
            found += 1
            yield _finding(host, address, got_in, failed)


def _tries_before(success: HostEvent, failed: Sequence[HostEvent]) -> float:
    """How many tries fell into the hour before."""
    moment, number = seconds_of(success.time), 0.0
    for event in failed:
        first, last = seconds_of(event.time), seconds_of(event.last or event.time)
        if moment is None or first is None or last is None:
            continue
        inside = min(last, moment) - max(first, moment - _HOUR)
        if inside >= 0:
            number += event.count * (inside / (last - first) if last > first else 1)
    return number


def _finding(host: Host, address: str, got_in: Sequence[HostEvent], failed: Sequence[HostEvent]) -> HostFinding:
    number = sum(event.count for event in failed)
    names = len({event.user for event in failed})
    events = [*got_in[:4], *failed[:4]]
    return state(
        "ssh_bruteforce_success",
        host,
        f"{got_in[0].user} from {address}",
        [(event.place, _line(event)) for event in events],
        count=sum(event.count for event in got_in),
        first=got_in[0].time,
        last=max(event.last or event.time for event in got_in),
        addresses=[address],
        reasons=[
            Text(
                f"{number} passwords for {names} names were refused to {address}, then one was accepted",
                f"{address} 对 {names} 个用户名的 {number} 次密码尝试被拒绝，随后有一次通过",
            )
        ],
    )


def _line(event: HostEvent) -> str:
    word = "Accepted" if event.succeeded else "Failed"
    often = f" ({event.count} times)" if event.count > 1 else ""
    return f"{word} {event.fields.get('method', '')} for {event.user} from {event.address}{often}"
