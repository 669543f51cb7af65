"""Small machines for tests, built by hand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.judging import judge
from kubewitness.model.evidence import Place
from kubewitness.model.host import Firewall, FirewallRule, Host, HostFile, LogLine, Process, Socket

CONTAINER = "ab" * 32
_lines = count(1)


def process(command: str, **more: Any) -> Process:
    number = next(_lines)
    return Process(**{"pid": number + 1000, "command": command, "place": Place("ps.txt", number, number * 100), **more})


def host(*commands: str, **more: Any) -> Host:
    return Host(name="node1", processes=[process(command) for command in commands], **more)


def file(path: str, text: str) -> HostFile:
    return HostFile(path, text, Place(f"root{path}", 1, 0))


def listening(address: str, port: int) -> Socket:
    return Socket("tcp", "LISTEN", address, port, "*", 0, Place("ss.txt", next(_lines), 0), (("kubelet", 60),))


def exec_line(second: int, argv: Sequence[str], container: str = CONTAINER) -> LogLine:
    """A failed ExecSync as kubelets since 1.20 log it."""
    cmd = "[" + ",".join(f'"{word}"' for word in argv) + "]"
    fields = {"err": "executable file not found in $PATH", "containerID": container, "cmd": cmd}
    time = f"2026-11-22T03:{second // 60:02}:{second % 60:02}.000000Z"
    message = "ExecSync cmd from runtime service failed"
    return LogLine("kubelet", time, "error", message, fields, Place("kubelet.log", next(_lines), 0), "log.go:32")


def iptables(rules: str, policy: str = "ACCEPT", family: str = "ip", **more: Any) -> Firewall:
    """A dump of the filter table with these lines of `-A`."""
    place = Place("iptables-save.txt", 1, 0)
    lines = [line.strip() for line in rules.splitlines() if line.strip()]
    kept = tuple(FirewallRule("filter", line.split()[1], line, place) for line in lines)
    return Firewall(family, "iptables-save", place, (("filter", "INPUT", policy),), kept, **more)


def found(machine: Host, rule: str) -> list[HostFinding]:
    return [finding for finding in judge(machine) if finding.rule == f"host/{rule}"]


def rules(machine: Host) -> set[str]:
    return {finding.rule.removeprefix("host/") for finding in judge(machine)}
