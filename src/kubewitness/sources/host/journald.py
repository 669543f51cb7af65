"""The journal of systemd as `journalctl -o json`, `-o export` and `-o verbose` write it.

    {"__REALTIME_TIMESTAMP":"1711206336670951","_HOSTNAME":"node1","SYSLOG_IDENTIFIER":"kubelet","_COMM":"kubelet",
     "_SYSTEMD_UNIT":"kubelet.service","_PID":"812","MESSAGE":"E0323 15:05:36.670951 812 remote_runtime.go:734] …"}

One object an entry. A value is a string, an array of byte values where it is not printable UTF-8, an array of values
where the field stands there more than once, and null where it was longer than 4096 bytes and `--all` was not given.
Times are the journal's own, in microseconds: certain, and beside a kubelet's line of klog they tell the machine's zone.

Fields that begin with `_` were added by journald; `SYSLOG_IDENTIFIER` is whatever the writer says. `logger -t kubelet`
is not the kubelet: an entry whose writer is known and is another is not taken for what it claims, and told.

Entries of the kubelet, the runtime and the control plane become the lines their plain logs give; of sshd, sudo, su,
cron, the account tools and logind what `logins` makes of them; all others are passed over on their bytes.

Source: systemd.journal-fields(7), https://systemd.io/JOURNAL_EXPORT_FORMATS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec import Raw

from kubewitness.evidence.failures import unreadable
from kubewitness.evidence.opening import Source
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import HostEvent, LogLine
from kubewitness.sources.host import journal_export, journal_verbose, klog, logins, logs
from kubewitness.sources.host.context import Context, Misfits, stamp
from kubewitness.sources.host.interface import Format, Frames
from kubewitness.sources.host.lines import decoded

KIND: Final = "journal"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_LINE: Final = 512 * 1024  # an array of byte values takes four characters a byte
_HEAD: Final = 512  # of a message: what tells of more than the usual says so at once
_TRUSTED: Final = ("_COMM", "_EXE", "_SYSTEMD_UNIT")
_REALTIME = re.compile(r'"__REALTIME_TIMESTAMP"\s?:\s?"?\d{10,20}')
_NAME = re.compile(rb'"SYSLOG_IDENTIFIER"\s?:\s?"([^"\\]{1,64})"')
_COMM = re.compile(rb'"_COMM"\s?:\s?"([^"\\]{1,64})"')
_MESSAGE = re.compile(rb'"MESSAGE"\s?:\s?"')
_PLAIN = re.compile(rb'I\d{4} |time=\\?"[\w.: +-]{10,40}\\?" level=(?:info|debug|trace) ')
_INFO_JSON = re.compile(rb'\\?"(?:v\\?":|level\\?":\\?"(?:info|debug)\\?")')


def wanted(line: bytes) -> bool:
    """Whether an entry may matter, told from its bytes: who wrote it, then how its message begins."""
    name = _NAME.search(line) if b'"SYSLOG_IDENTIFIER"' in line else _COMM.search(line)
    if name is None:
        return False
    return telling(name[1], line, _MESSAGE)


def telling(name: bytes, entry: bytes, message: re.Pattern[bytes]) -> bool:
    """The same for the entry of a program, in any form: `message` ends where the message's text begins."""
    if not (asked := logs.asked_for(name)):
        return False
    if asked == "always":
        return True
    begins = message.search(entry)
    if begins is None:
        return True
    at = begins.end()
    if entry[at : at + 1] == b"{":
        plain = _INFO_JSON.search(entry, at) is not None
    else:
        plain = _PLAIN.match(entry, at) is not None
    return not plain or logs.tells(entry, at, at + _HEAD)


@dataclass
class _Journal:
    """What is remembered from entry to entry."""

    hosts: set[str] = field(default_factory=set)
    forged: list[tuple[Place, str]] = field(default_factory=list)
    falsely: int = 0
    cut: int = 0
    dropped: int = 0


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[LogLine | HostEvent | ParseFailure]:
    """The entries that matter, in the journal's order."""
    misfits, seen = Misfits(), _Journal()
    held: list[_Entry] = []  # an entry whose value goes on in the next ones: the kubelet's output is cut at line ends
    for place, line in lines:
        entry = _entry(line, place)
        if isinstance(entry, ParseFailure):
            if failure := misfits.add(entry):
                yield failure
            continue
        goes_on = entry.text.startswith(("\t", " >"))
        if held and goes_on and entry.pid == held[0].pid and len(held) < logs.MAX_BLOCK:
            held.append(entry)
            continue
        if held:
            yield from _facts(held, context, seen)
            held = []
        if klog.opens_block(entry.text):
            held = [entry]
        elif not goes_on:
            yield from _facts([entry], context, seen)
    if held:
        yield from _facts(held, context, seen)
    if failure := misfits.rest():
        yield failure
    _remark(seen, context)


@dataclass(frozen=True)
class _Entry:
    place: Place
    moment: datetime
    program: str
    writer: str  # who wrote it, where that is not the program
    text: str
    pid: int
    host: str
    absent: bool


def _entry(line: str, place: Place) -> _Entry | ParseFailure:
    try:
        raw = msgspec.json.decode(line.encode("utf-8", "backslashreplace"), type=dict[str, Raw])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return unreadable(place, "no entry of a journal: not one JSON object", line.encode())
    time = _text(raw.get("__REALTIME_TIMESTAMP"))
    try:
        moment = _EPOCH + timedelta(microseconds=int(time[:40]))
    except ValueError:
        return unreadable(place, "no entry of a journal: no __REALTIME_TIMESTAMP", line.encode())
    except OverflowError:
        return unreadable(place, "__REALTIME_TIMESTAMP is no time: behind the year 9999 (damaged?)", line.encode())
    name = _text(raw.get("SYSLOG_IDENTIFIER")) or _text(raw.get("_COMM"))
    program = logs.program_of(name[:128])
    pid = _text(raw.get("_PID"))
    return _Entry(
        place=place,
        moment=moment,
        program=program,
        writer=_writer(program, [_text(raw.get(key))[:256] for key in _TRUSTED]),
        text=_text(raw.get("MESSAGE")),
        pid=int(pid) if pid.isdecimal() and len(pid) < 10 else -1,
        host=_text(raw.get("_HOSTNAME"))[:255],
        absent=bytes(raw.get("MESSAGE", b"null")) == b"null",
    )


def _text(raw: Raw | None) -> str:
    """A field's text; of a field that stands there more than once, the first."""
    if raw is None:
        return ""
    try:
        value: object = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
    if isinstance(value, list) and value and isinstance(value[0], str | list):
        value = value[0]
    if isinstance(value, list):
        numbers = [one for one in value if isinstance(one, int) and 0 <= one < 256]
        return decoded(bytes(numbers)) if len(numbers) == len(value) else ""
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def _writer(program: str, trusted: list[str]) -> str:
    """Who wrote an entry that calls itself `program`, empty if it was the program or journald does not say.

    A unit alone accuses nobody: it is not called like its program (Debian's ssh.service runs sshd, session-1.scope
    runs whatever somebody types), and `journalctl --output-fields` may have left the program's name out.
    """
    comm, exe, unit = trusted
    if not comm and not exe:
        return ""
    whose = logs.component_of(program)
    for one in (comm, logs.program_of(exe), unit.partition(".")[0]):
        if one and (
            one.casefold().startswith(program.casefold()[:15]) or (whose != "other" and logs.component_of(one) == whose)
        ):
            return ""
    return comm or exe


def _facts(entries: list[_Entry], context: Context, seen: _Journal) -> Iterator[LogLine | HostEvent]:
    first = entries[0]
    text = "\n".join(entry.text for entry in entries)
    component = logs.component_of(first.program)
    known = first.program in logins.PROGRAMS
    if not known and component == "other":
        return
    if first.writer:
        seen.falsely += 1
        if len(seen.forged) < 3:
            seen.forged.append((first.place, f"{first.writer} writes as {first.program}"))
        return
    if len(seen.hosts) < 10:
        seen.hosts.add(first.host)
    context.clock.see(first.moment)
    if first.absent:
        seen.cut += 1
    elif known:
        start = HostEvent("record", KIND, first.place, stamp(first.moment), first.pid)
        if event := logins.event_of(first.program, text, start):
            yield event
    else:
        if component == "kubelet" and (entry := klog.HEAD.match(text)):
            logs.learn_zone(context.clock, entry[2], first.moment)
        if found := logs.entry_of(text, first.place, component, first.moment, context.clock):
            if context.room.takes(found[0].severity == "info", len(text)):
                yield found[0]
            else:
                seen.dropped += 1


def _remark(seen: _Journal, context: Context) -> None:
    whole = Place(context.item, 0, 0)
    if seen.dropped:
        context.note(whole, f"{seen.dropped} more lines than are kept of one machine")
    if seen.cut:
        context.note(whole, f"{seen.cut} messages left out by journalctl for their length: export with --all")
    if seen.falsely:
        place, text = seen.forged[0]
        context.note(place, f"{seen.falsely} entries name a program that did not write them: {text}")
    if len(seen.hosts - {""}) > 1:
        names = ", ".join(sorted(seen.hosts - {""})[:5])
        context.note(whole, f"a journal of several machines, taken for one: {names}")


def _is_json(lines: list[str], _: str) -> bool:
    first = lines[:20]
    return all(line.startswith("{") for line in first) and 2 * sum(
        _REALTIME.search(line) is not None and ('"__CURSOR"' in line or '"_BOOT_ID"' in line) for line in first
    ) >= len(first)


def _exported(source: Source) -> Frames:
    return journal_export.Entries(source, telling)


def _verbose(source: Source) -> Frames:
    return journal_verbose.Entries(source, telling)


FORMATS: tuple[Format, ...] = (
    Format(KIND, _is_json, read, wanted, _MAX_LINE, first=True),
    Format("journal (export)", journal_export.looks_like, read, first=True, frames=_exported),
    Format("journal (verbose)", journal_verbose.looks_like, read, first=True, frames=_verbose),
)
