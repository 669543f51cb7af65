"""The kernel's audit (linux_audit): raw records of auditd, or of syslog and journald, joined to events.

Records of one event have one time and serial, but those of several events lie between each other, and nothing says
reliably which is the last: EOE is not always written. An event is complete at EOE, at PROCTITLE (the kernel's last),
if its type is one that comes alone, if a record is two seconds later, or if a thousand others are open. What journald
prints has neither time nor serial; there the records that follow a SYSCALL are taken for its own. Log shippers put a
record into a JSON object's `message`.

Where the audit itself was interrupted, a note says so: auditd ended and came back, it was switched off, the kernel
dropped records. Events that are like are counted here already, because a day of audit is larger than memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import HostEvent
from kubewitness.sources.host import containerd, klog
from kubewitness.sources.host.containerd import instant
from kubewitness.sources.host.context import Context, Misfits, month, stamp
from kubewitness.sources.host.folding import Events
from kubewitness.sources.host.interface import Format
from kubewitness.sources.host.linux_audit_events import AuditEvent
from kubewitness.sources.host.linux_audit_gaps import ABOUT_AUDIT, Gaps
from kubewitness.sources.host.linux_audit_records import BARE, HEAD, KERNEL, KIND, Record, kind_named, parsed
from kubewitness.sources.host.linux_audit_repeats import Repeats
from kubewitness.sources.host.logs import CRI, SYSLOG
from kubewitness.sources.values import lenient

_WINDOW: Final = 2  # seconds
_OPEN: Final = 1000  # events that wait for more records
_ASIDE: Final = ("----", "time->")  # what ausearch writes between events
_FOLLOWS: Final = frozenset(
    ("EXECVE", "CWD", "PATH", "PROCTITLE", "SOCKADDR", "SOCKETCALL", "BPRM_FCAPS", "CAPSET", "MMAP", "FD_PAIR",
     "OBJ_PID", "OPENAT2", "EOE")
)  # fmt: skip
_LAST: Final = frozenset(("EOE", "PROCTITLE"))
_ALONE = re.compile(r"USER_|USYS_|CRED_|SERVICE_|SYSTEM_|DAEMON_|ADD_|DEL_|GRP_|ACCT_|CRYPTO_|VIRT_|SOFTWARE_")
_LOST = re.compile(
    r"audit_lost=(\d{1,12})|backlog limit exceeded|(?:hold|retry|auditd) queue overflow|rate limit exceeded"
)
_ENOUGH: Final = 5  # records that no syslog carries make a log of linux_audit, whatever else is in it
_OTHER_LOGS: Final = (SYSLOG, CRI, klog.HEAD, containerd.HEAD)
_HEADS: Final = 4096
_FRONT = re.compile(rf"(?:node=(\S{{1,255}}) )?type=({KIND})")
_NUMBERS = re.compile(r"([0-9]{1,12})\.([0-9]{1,9}):([0-9]{1,12})")
_NONE: Final[dict[str, str]] = {}


def looks_like(lines: list[str], _name: str) -> bool:
    """At least half of the first lines are records, plain or behind what syslog puts in front.

    Fewer do where they are plain and the rest is no log of others: notes of a colleague, what a terminal printed.
    """
    first = [_unwrapped(line) for line in lines[:60] if not line.startswith(_ASIDE)]
    if 2 * sum(_split(line) is not None for line in first) >= len(first) > 0:
        return True
    if sum(HEAD.match(line) is not None for line in lines) < _ENOUGH:
        return False
    return not any(line[0] == "{" or any(log.match(line) for log in _OTHER_LOGS) for line in lines)


def _unwrapped(line: str) -> str:
    """A record that a log shipper put into an object; any other line as it is."""
    if line[0] != "{" or "audit(" not in line:
        return line
    found = lenient(line.encode("utf-8", "replace"))
    if isinstance(found, dict):
        for name in ("message", "MESSAGE", "log", "msg"):
            if isinstance(text := found.get(name), str) and HEAD.match(text):
                return text.rstrip("\n")
    return line


def _split(line: str) -> tuple[re.Match[str], re.Match[str] | None] | None:
    """The head of a record in a line, and the syslog prefix before it."""
    if found := HEAD.match(line) or KERNEL.match(line):
        return found, None
    prefix = SYSLOG.match(line)
    if prefix is None:
        return None
    program, at = prefix[2], prefix.end()
    if program in ("audispd", "auditd", "audisp-syslog", "kernel", "audit"):
        found = HEAD.match(line, at) or KERNEL.match(line, at)
        if found is None and program == "audit":
            found = BARE.match(line, at)
        return (found, prefix) if found else None
    return None


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[HostEvent | ParseFailure]:
    """The events of a log."""
    misfits, kept, joining = Misfits(), Events(), Joining(context)
    repeats = Repeats(kept)
    for place, line in lines:
        if joining.take(place, line):
            if joining.done:
                repeats.take(joining.done)
                joining.done.clear()
        elif not line.startswith(_ASIDE):
            failure = misfits.add(unreadable(place, "no record of linux_audit", line[:400].encode()))
            if failure:
                yield failure
    joining.end()
    repeats.take(joining.done)
    if failure := misfits.rest():
        yield failure
    joining.tell()
    yield from kept.told(context)


class _Head(NamedTuple):
    """What stands before the colon of a record, but time and serial."""

    node: str
    kind: str
    prefix: str  # of keys
    is_last: bool  # the event is complete
    is_about: bool  # of the audit itself
    is_part: bool  # none of these, nor an end


class Joining:
    """Records of events that are not complete yet.

    Attributes:
        done: The events that are complete; whoever takes them over clears the list.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._open: dict[str, AuditEvent] = {}  # by node, time and serial as written
        self._heads: dict[str, _Head] = {}
        self.done: list[AuditEvent] = []
        self._last: tuple[str, str] = ("", "")  # a second and how it is written
        self._bare: AuditEvent | None = None
        self._gaps = Gaps()
        self._left_out = 0

    def take(self, place: Place, line: str) -> bool:
        """Take in a line; whether it was a record, or a line of the kernel about its audit."""
        front, colon, body = line.partition("): ")
        front, _, number = front.partition(" msg=audit(")
        head = self._heads.get(front) or self._head(front)
        if head is None or not colon:
            return self._take_any(place, line)
        event = self._open.get(head.prefix + number)
        if event is not None and head.is_part:
            event.add(Record(head.kind, _NONE, (), body))
        elif event is None:
            numbers = _NUMBERS.fullmatch(number)
            if numbers is None:
                return self._take_any(place, line)
            self._begin(place, head, numbers, body)
        else:
            self._add(place, head, number, event, body)
        return True

    def end(self) -> None:
        """The log is at its end: what is open is complete."""
        for event in self._open.values():
            self._complete(event)
        self._open.clear()
        if self._bare is not None:
            self._complete(self._bare)

    def tell(self) -> None:
        """Remark on what was interrupted or left out."""
        for place, reason in self._gaps.told():
            self._context.note(place, reason)
        if self._left_out:
            text = f"{self._left_out} more records than are kept of one linux_audit event"
            self._context.note(Place(self._context.item, 0, 0), text)

    def _head(self, front: str) -> _Head | None:
        found = _FRONT.fullmatch(front)
        if found is None:
            return None
        head = _head_of(found[1] or "", found[2])
        if len(self._heads) < _HEADS:
            self._heads[front] = head
        return head

    def _take_any(self, place: Place, line: str) -> bool:
        """A record behind whatever a program wrote before it."""
        line = _unwrapped(line)
        both = _split(line)
        if both is None:
            return self._about_audit(place, line)
        found, prefix = both
        body = line[found.end() :]
        if found.re is BARE:
            self._take_bare(place, kind_named(found[1]), prefix, body)
            return True
        head, number = _head_of(found[1] or "", found[2]), f"{found[3]}.{found[4]}:{found[5]}"
        event = self._open.get(head.prefix + number)
        if event is None:
            self._begin(place, head, found, body)
        else:
            self._add(place, head, number, event, body)
        return True

    def _begin(self, place: Place, head: _Head, numbers: re.Match[str], body: str) -> None:
        """The first record of an event."""
        second, fraction, serial = numbers.groups()[-3:]
        if head.kind == "EOE":
            return
        moment, number = int(second), f"{second}.{fraction}:{serial}"
        self._make_room(moment)
        event = AuditEvent(self._time(second, fraction), place, head.node, moment=moment)
        self._gaps.at(event.time)
        self._open[head.prefix + number] = event
        self._add(place, head, number, event, body)

    def _add(self, place: Place, head: _Head, number: str, event: AuditEvent, body: str) -> None:
        if head.kind != "EOE":
            record = Record(head.kind, _NONE, (), body)
            event.add(record)
            if head.is_about:
                self._gaps.see(place, event.time, parsed(record))
        if head.is_last:
            self._complete(self._open.pop(head.prefix + number))

    def _complete(self, event: AuditEvent) -> None:
        self._left_out += event.left_out
        self.done.append(event)

    def _make_room(self, moment: int) -> None:
        while self._open:
            oldest = next(iter(self._open))
            if len(self._open) < _OPEN and self._open[oldest].moment + _WINDOW >= moment:
                break
            self._complete(self._open.pop(oldest))

    def _time(self, second: str, fraction: str) -> str:
        if second != self._last[0]:
            try:
                written = stamp(datetime.fromtimestamp(int(second), UTC))
            except (ValueError, OverflowError, OSError):
                written = ""
            self._last = second, written.partition(".")[0]
        return f"{self._last[1]}.{fraction[:6]:0<6}Z" if self._last[1] else ""

    def _take_bare(self, place: Place, kind: str, prefix: re.Match[str] | None, body: str) -> None:
        if self._bare is not None and (kind not in _FOLLOWS or not self._bare.records):
            self._complete(self._bare)
            self._bare = None
        if kind == "EOE":
            return
        if self._bare is None:
            self._bare = AuditEvent(self._printed(prefix), place)
        record = Record(kind, _NONE, (), body)
        self._bare.add(record)
        if kind in ABOUT_AUDIT:
            self._gaps.see(place, self._bare.time, parsed(record))
        else:
            self._gaps.at(self._bare.time)
        if kind == "PROCTITLE":
            self._complete(self._bare)
            self._bare = None

    def _printed(self, prefix: re.Match[str] | None) -> str:
        if prefix is None:
            return ""
        if prefix[1]:
            return stamp(instant(prefix[1]))
        words = prefix[0].split(">")[-1].split(None, 3)
        text = f"{month(words[0]):02d}{int(words[1]):02d} {words[2]}" if words[1].isdecimal() else ""
        try:
            return stamp(self._context.clock.without_year(text)) if text else ""
        except ValueError:
            return ""

    def _about_audit(self, place: Place, line: str) -> bool:
        prefix = SYSLOG.match(line)
        if prefix is None or prefix[2] not in ("kernel", "audit", "auditd", "audispd"):
            return False
        if found := _LOST.search(line, prefix.end()):
            self._gaps.lost(place, found[1] or "")
        return True


def _head_of(node: str, kind: str) -> _Head:
    kind = kind_named(kind)
    is_last, is_about = kind in _LAST or _ALONE.match(kind) is not None, kind in ABOUT_AUDIT
    return _Head(node, kind, f"{node} ", is_last, is_about, not is_last and not is_about)


FORMATS: tuple[Format, ...] = (Format("linux_audit log", looks_like, read),)
