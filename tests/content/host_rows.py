"""Rows of rules about machines: an `event` names fields of `HostEvent`; the rest is as if it were not told.

    match: [{why: ..., event: {command: crictl exec -it x sh, parent_command: sshd, container: ...}}]

The category is `process_creation` unless given; `argv` alone gives the command, and a name of the program its path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from kubewitness.detect.host.sigma import HostRules
from kubewitness.model.host import HostEvent
from kubewitness.rules.ir import Rule


def make_host_event(given: Mapping[str, Any], at: float = 0, number: int = 0) -> HostEvent:
    """An event of a machine out of the few keys a row names. Raises ValueError for a key it has not."""
    if strangers := given.keys() - set(HostEvent.__struct_fields__):
        raise ValueError(f"an event of a machine has no {', '.join(sorted(strangers))}")
    told = {"category": "process_creation", "source": "row", "place": {"item": "row", "line": number + 1, "offset": 0}}
    event = msgspec.convert({**told, **given}, HostEvent)
    command = event.command or " ".join(event.argv)
    return msgspec.structs.replace(event, command=command, time=event.time or f"2026-01-05T09:00:{at:09.6f}Z")


def run_host_rule(rule: Rule, event: HostEvent) -> bool:
    """Whether a rule speaks of an event: the engine itself, which tests hold to be equal to the naive one."""
    return bool(HostRules([rule]).match(event))
