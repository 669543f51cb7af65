"""Scanners: this machine looks for others to attack.

Either the program is one whose only purpose that is, or the command has the grammar of one: an address range, ports
and a rate. Ranges alone are everywhere on a node (`--cluster-cidr=10.0.0.0/8`, `ip route add`).

Source: the option lists of masscan, zmap, zgrab and pnscan.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_network
from itertools import pairwise

from kubewitness.detect.host.commands import MAX_COMMAND, READERS, Segment, segments_of
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.stating import Suspicion, about_processes
from kubewitness.model.host import Host
from kubewitness.model.text import Text

_SCANNERS = frozenset({"masscan", "zmap", "zgrab", "zgrab2", "pnscan", "rustscan", "fscan", "naabu", "unicornscan"})
EVERYDAY = frozenset({"nmap", "nping", "hping3"})
_PORTS = re.compile(r"(?:-p|--ports?=?|--target-ports?=?)(?:[TU]:)?\d{1,5}(?:[-,]\d{1,5}){0,50}")
_PORT_LIST = re.compile(r"(?:[TU]:)?\d{1,5}(?:[-,]\d{1,5}){0,50}")
_MARKS = re.compile(r"scan|zmap|zgrab|naabu|rate|packets-per|bandwidth", re.IGNORECASE)  # no scan lacks all of them
_RATE = ("--rate", "--max-rate", "--min-rate", "-rate", "--packets-per-second", "--bandwidth")


def scanner_process(host: Host) -> Iterator[HostFinding]:
    """Processes that scan networks."""
    yield from about_processes("scanner_process", host, _suspicions(host))


def _suspicions(host: Host) -> Iterator[Suspicion]:
    for process in host.processes:
        if not _MARKS.search(process.command[:MAX_COMMAND]):
            continue
        for segment in segments_of(process.command):
            reasons, sure = scan_signs(segment)
            if reasons and segment.program.lower() in EVERYDAY and not process.container:
                # An administrator's tool, on a host and not in a container: worth a look, no accusation.
                yield Suspicion(process, reasons, severity="medium", confidence="low", kind="activity")
                break
            if reasons:
                yield Suspicion(process, reasons, confidence="high" if sure else "medium")
                break


def scan_signs(segment: Segment) -> tuple[tuple[Text, ...], bool]:
    """Why a simple command is a scan, and whether nothing else has its form."""
    words = segment.words[:200]
    if not words or segment.program in READERS:
        return (), False
    named = segment.program.lower() in _SCANNERS
    ranges = [word for word in words[1:] if _is_range(word)]
    ports = next((word for word in words[1:] if _PORTS.fullmatch(word)), "") or next(
        (after for word, after in pairwise(words) if word in _PORT_OPTIONS and _PORT_LIST.fullmatch(after)),
        "",
    )
    rate = any(word.partition("=")[0] in _RATE for word in words)
    if not named and not (ranges and ports and rate):
        return (), False
    reasons = [Text(f"the program is called {segment.program}", f"程序名为 {segment.program}")] if named else []
    if ranges:
        listed = ", ".join(ranges[:3])
        reasons.append(Text(f"it searches {listed}", f"扫描范围为 {listed}"))
    if ports:
        shown = ports.removeprefix("-p").removeprefix("--ports=").removeprefix("--port=")[:60]
        reasons.append(Text(f"for ports {shown}", f"扫描端口 {shown}"))
    return tuple(reasons), bool(ranges and ports) or (named and rate)


_PORT_OPTIONS = ("-p", "--ports", "--port", "--target-port", "--target-ports")


def _is_range(word: str) -> bool:
    if "/" not in word or len(word) > 50 or not (word[0].isdigit() or ":" in word):
        return False
    try:
        return ip_network(word, strict=False).num_addresses > 1
    except ValueError:
        return False
