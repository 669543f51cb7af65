"""Logs of components: klog and logfmt, plain or behind what journald, syslog or the container runtime put in front.

A machine's log has millions of lines and few that matter later: warnings and errors are kept, of information only
what says that something was run, created or asked for. The choice is made on the bytes, before anything is decoded. A
line behind a syslog prefix names its program, so the log of a whole machine can be read for the components in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import Component, LogLine
from kubewitness.sources.host import containerd, klog
from kubewitness.sources.host.context import Context, Misfits, stamp

MAX_BLOCK: Final = 64  # lines of one value

# "Nov 22 03:59:12 node1 kubelet[812]: " and the same after an RFC 3339 time (RFC 3164, journalctl, rsyslog).
SYSLOG = re.compile(
    r"(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?"
    r"|(\d{4}-\d\d-\d\dT[\d:.,]{8,20}(?:Z|[+-]\d\d:?\d\d)))"
    r" \S{1,255} ([\w./@-]{1,64})(?:\[\d{1,9}\])?: {0,4}"
)
CRI = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}(?:Z|[+-]\d\d:\d\d)) (?:stdout|stderr) [FP](?::[\w:]*)? ")
_COMPONENTS: Final[dict[str, Component]] = {
    "kubelet": "kubelet", "hyperkube": "kubelet", "containerd": "containerd", "dockerd": "containerd",
    "kube-apiserver": "control_plane", "kube-controller-manager": "control_plane", "kube-scheduler": "control_plane",
    "cloud-controller-manager": "control_plane", "etcd": "control_plane",
}  # fmt: skip
_TELLING: Final = (
    b"ExecSync", b"RunPodSandbox", b"CreateContainer", b"StartContainer", b"PullImage", b"PLEG", b"HTTP", b"Exec for ",
    b"Attach for ", b"PortForward for ", b"Portforward for ", b"Starting to listen", b"Kubelet version", b"FLAG: --",
    b"nodeConfig=",
)  # fmt: skip
_PREFIX = re.compile(rb"(?:%s|%s)" % (SYSLOG.pattern.encode(), CRI.pattern.encode()))
_KLOG = re.compile(rb"[IWEF]\d{4} ")
_INFO_LEVELS: Final = frozenset((b"i", b"d", b"t"))


def component_of(name: str) -> Component:
    """The component a program's or file's name speaks of, "other" if none."""
    return next((component for key, component in _COMPONENTS.items() if key in name), "other")


def wanted(line: bytes) -> bool:
    """Whether a line is worth decoding, told from its bytes: this is done for every line of every log."""
    at = 0
    entry = _KLOG.match(line)
    if not entry and not line.startswith(b"time="):
        if line[:1] == b"\t" or line[:2] == b" >":  # may be a value of several lines
            return True
        if prefix := _PREFIX.match(line):
            at = prefix.end()
            entry = _KLOG.match(line, at)
    if entry:
        if line[at : at + 1] != b"I":
            return True
    else:
        level = line.find(b" level=", at, at + 80)
        if level >= 0 and line[level + 7 : level + 8] not in _INFO_LEVELS:
            return True
    for word in _TELLING:  # noqa: SIM110 (a generator takes three times as long)
        if word in line:
            return True
    return False


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[LogLine | ParseFailure]:
    """The entries of a log, in its order; bounded by the room the host has left."""
    room, misfits, dropped, guessed = context.room, Misfits(), 0, Place("", 0, 0)
    for place, line in _joined(lines):
        found = _entry(line, place, context)
        if found is None:
            continue
        if isinstance(found, ParseFailure):
            if failure := misfits.add(found):
                yield failure
            continue
        entry, certain = found
        if not room.takes(entry.severity == "info", len(line)):
            dropped += 1
            continue
        if not certain and not guessed.item:
            guessed = place
        yield entry
    if failure := misfits.rest():
        yield failure
    if dropped:
        context.note(Place(context.item, 0, 0), f"{dropped} more lines than are kept of one machine")
    if guessed.item and context.clock.zone is None:
        context.note(guessed, "times are the machine's wall clock without year, time zone unknown: taken as UTC")


def _joined(lines: Iterator[tuple[Place, str]]) -> Iterator[tuple[Place, str]]:
    """Lines, with the values that go over several of them put together."""
    held: tuple[Place, list[str]] | None = None
    for place, line in lines:
        inner = line[0] == "\t" or line.startswith(" >")
        if held is not None and inner and len(held[1]) < MAX_BLOCK:
            held[1].append(line)
            continue
        if held is not None:
            yield held[0], "\n".join(held[1])
            held = None
        if klog.opens_block(line):
            held = place, [line]
        elif not inner:
            yield place, line
    if held is not None:
        yield held[0], "\n".join(held[1])


def _entry(line: str, place: Place, context: Context) -> tuple[LogLine, bool] | ParseFailure | None:
    """The entry of a line and whether its time is certain; None for a line of another program."""
    component, moment, text = context.component, None, line
    if prefix := SYSLOG.match(line):
        component = component_of(prefix[2])
        moment, text = containerd.instant(prefix[1] or ""), line[prefix.end() :]
    elif prefix := CRI.match(line):
        moment, text = containerd.instant(prefix[1]), line[prefix.end() :]
    if entry := klog.parse(text):
        time = stamp(moment or context.clock.without_year(entry.stamp))
        found = LogLine(component, time, entry.severity, entry.message, entry.fields, place, entry.source)
        return found, moment is not None
    if other := containerd.parse(text):
        context.clock.see(other.time, other.zone)
        return LogLine(component, stamp(other.time), other.severity, other.message, other.fields, place), True
    if prefix and component == "other":
        return None
    if klog.HEAD.match(text) or containerd.HEAD.match(text) or not prefix:
        return unreadable(place, "no line of a component's log", line.encode())
    return None
