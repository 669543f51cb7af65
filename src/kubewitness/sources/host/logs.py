"""Logs of components: klog and logfmt, plain or behind what journald, syslog or the container runtime put in front.

A machine's log has millions of lines and few that matter later: warnings and errors are kept, of information only
what says that something was run, created or asked for. The choice is made on the bytes, before anything is decoded. A
line behind a syslog prefix names its program, so the log of a whole machine can be read for the components in it and
for those who logged in. A time that is certain in front of a kubelet's line of klog tells the machine's zone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import Component, HostEvent, LogLine
from kubewitness.sources.host import containerd, json_entry, klog, logins
from kubewitness.sources.host.context import Clock, Context, Misfits, month, stamp

MAX_BLOCK: Final = 64  # lines of one value

# "Nov 22 03:59:12 node1 kubelet[812]: " and the same after an RFC 3339 time (RFC 3164, journalctl, rsyslog).
SYSLOG = re.compile(
    r"(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?"
    r"|(\d{4}-\d\d-\d\dT[\d:.,]{8,20}(?:Z|[+-]\d\d:?\d\d)))"
    r" \S{1,255} ([\w./@-]{1,64})(?:\[(\d{1,9})\])?: {0,4}"
)
CRI = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}(?:Z|[+-]\d\d:\d\d)) (?:stdout|stderr) [FP](?::[\w:]*)? ")
_COMPONENTS: Final[dict[str, Component]] = {
    "kubelet": "kubelet", "hyperkube": "kubelet", "kubelite": "kubelet", "k3s": "kubelet",
    "containerd": "containerd", "dockerd": "containerd", "crio": "containerd",
    "kube-apiserver": "control_plane", "kube-controller-manager": "control_plane", "kube-scheduler": "control_plane",
    "cloud-controller-manager": "control_plane", "etcd": "control_plane",
}  # fmt: skip
_TELLING = re.compile(  # in this form twice as quick as one look-up a word
    rb"ExecSync|RunPodSandbox|CreateContainer|StartContainer|PullImage|PLEG|HTTP|Exec for |Attach for |PortForward for "
    rb"|Portforward for |Starting to listen|Kubelet version|FLAG: --|nodeConfig="
)
_PREFIX = re.compile(rb"(?:%s|%s)" % (SYSLOG.pattern.encode(), CRI.pattern.encode()))
_KLOG = re.compile(rb"[IWEF]\d{4} ")
_INFO_LEVELS: Final = frozenset((b"i", b"d", b"t"))
_INFO_JSON: Final = (b'"v":', b'"level":"info"', b'"level":"debug"')
_STAMP = re.compile(r"(?:<\d{1,3}>)?([A-Z][a-z]{2}) ([ \d]\d) (\d\d:\d\d:\d\d(?:\.\d{1,6})?)")
_ZONES: Final = timedelta(minutes=15)  # all offsets of the world are multiples of it


@lru_cache(4096)
def component_of(name: str) -> Component:
    """The component a program's or file's name speaks of, "other" if none."""
    return next((component for key, component in _COMPONENTS.items() if key in name), "other")


def program_of(name: str) -> str:
    """A program's name without its folder."""
    return name.rpartition("/")[2]


@lru_cache(4096)
def asked_for(name: bytes) -> str:
    """Of a program's lines: "always", "if it tells" or, of a program that is not read, ""."""
    program = program_of(name.decode("latin-1"))
    if program in logins.PROGRAMS:
        return "always"
    return "" if component_of(program) == "other" else "if it tells"


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
            if (program := prefix[2]) and (asked := asked_for(program)) != "if it tells":
                return asked == "always" or (entry is not None and line[at : at + 1] != b"I")
    if entry:
        if line[at : at + 1] != b"I":
            return True
    elif line[at : at + 1] == b"{":
        if not any(word in line for word in _INFO_JSON):
            return True
    else:
        level = line.find(b" level=", at, at + 80)
        if level >= 0 and line[level + 7 : level + 8] not in _INFO_LEVELS:
            return True
    return tells(line)


def tells(line: bytes, at: int = 0, end: int = sys.maxsize) -> bool:
    """A line of mere information says that something was run, created or asked for."""
    return _TELLING.search(line, at, end) is not None


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[LogLine | HostEvent | ParseFailure]:
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
        if isinstance(entry, LogLine) and not room.takes(entry.severity == "info", len(line)):
            dropped += 1
            continue
        if not certain and not guessed.item:
            guessed = place
        yield entry
    if failure := misfits.rest():
        yield failure
    if dropped:
        context.note(Place(context.item, 0, 0), f"{dropped} more lines than are kept of one machine")
    if guessed.item:
        zone = "; the time zone is not known either: taken as UTC" if context.clock.zone is None else ""
        context.note(guessed, f"times are the machine's wall clock without year: {context.clock.inferred()}{zone}")


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


def _entry(line: str, place: Place, context: Context) -> tuple[LogLine | HostEvent, bool] | ParseFailure | None:
    """The entry of a line and whether its time is certain; None for a line of another program."""
    component, moment, text = context.component, None, line
    if prefix := SYSLOG.match(line):
        program = program_of(prefix[2])
        moment, text = containerd.instant(prefix[1] or ""), line[prefix.end() :]
        if program in logins.PROGRAMS:
            return _event(line, prefix, place, context)
        component = component_of(program)
    elif prefix := CRI.match(line):
        moment, text = containerd.instant(prefix[1]), line[prefix.end() :]
    if found := entry_of(text, place, component, moment, context.clock):
        if prefix and prefix.re is SYSLOG and moment and component == "kubelet" and (entry := klog.HEAD.match(text)):
            learn_zone(context.clock, entry[2], moment)
        return found
    if prefix and component == "other":
        return None
    if klog.HEAD.match(text) or containerd.HEAD.match(text) or not prefix:
        return unreadable(place, "no line of a component's log", line.encode())
    return None


def entry_of(
    text: str, place: Place, component: Component, moment: datetime | None, clock: Clock
) -> tuple[LogLine, bool] | None:
    """The entry a component wrote, and whether its time is certain.

    Args:
        text: What the component wrote, without what others put in front.
        place: Of the line.
        component: Whose line it is, as far as known.
        moment: The time in front, which is worth more than the line's own.
        clock: The machine's.
    """
    if entry := klog.parse(text):
        time = stamp(moment or clock.without_year(entry.stamp))
        found = LogLine(component, time, entry.severity, entry.message, entry.fields, place, entry.source)
        return found, moment is not None
    if other := containerd.parse(text):
        clock.see(other.time, other.zone)
        return LogLine(component, stamp(other.time), other.severity, other.message, other.fields, place), True
    if written := json_entry.parse(text):
        whose = json_entry.component_of(written) if component == "other" else component
        if whose == "other" and written.form != "klog":  # any program in Go writes the other two
            return None
        time = stamp(written.time)
        return LogLine(whose, time, written.severity, written.message, written.fields, place, written.source), True
    return None


def learn_zone(clock: Clock, local: str, moment: datetime) -> None:
    """The machine's zone, out of a klog time ("mmdd hh:mm:ss.ffffff") that was taken down at a known moment."""
    try:
        told = datetime.fromisoformat(f"{moment.astimezone(UTC).year:04d}-{local[:2]}-{local[2:13]}+00:00")
    except ValueError:
        return
    steps = round((told - moment) / _ZONES)
    if abs(steps) <= 56 and abs(told - moment - steps * _ZONES) < timedelta(seconds=30):
        clock.see(moment, steps * _ZONES)


def _event(line: str, prefix: re.Match[str], place: Place, context: Context) -> tuple[HostEvent, bool] | None:
    """What a program says of those who log in."""
    moment = containerd.instant(prefix[1] or "")
    certain = moment is not None
    if moment is None and (found := _STAMP.match(line)):
        clock, _, fraction = found[3].partition(".")
        text = f"{month(found[1]):02d}{int(found[2]):02d} {clock}.{fraction or '0':0<6}"
        moment = context.clock.without_year(text)
    start = HostEvent("record", "syslog", place, stamp(moment), int(prefix[3] or -1))
    event = logins.event_of(program_of(prefix[2]), line[prefix.end() :], start)
    return (event, certain) if event else None
