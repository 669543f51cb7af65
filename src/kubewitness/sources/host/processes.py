"""Process lists: whatever columns `ps` or `top` was asked for, as the header names them.

Formats (procps `ps` 3.x/4.x and `top -b`, BusyBox `ps`): `aux`, `-ef`, `-eFlyj`, `-efZ`, `f`, `-eo
user,pid,ppid,lstart,args`, `-axo pid,user,lstart,args`. The command is the last column of `ps` and goes to the end of
the line; `lstart` is five words under one heading, a label of AppArmor two, a state of BusyBox up to three. `top`, `ps`
alone and `-o comm` show names instead of commands, under the same heading: a list of nothing but short words is one of
names, which makes processes with an empty command; `folding` joins them to what another list says.

A list that was printed to a terminal is cut at its width: then several lines of different commands end at the same
column, which never happens by itself, and those lines are marked as truncated.

A start without a date ("03:12") is within a day before the list was made. It becomes a moment, the beginning of that
minute, only if evidence of the same machine tells when the list was made and in which time zone. A day without a time
stays as printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import msgspec

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import Process
from kubewitness.sources.host.context import Context, Misfits, month

MAX_PROCESSES: Final = 100_000
_BUDGET: Final = 64 * 1024 * 1024  # characters of all commands of a list
_LAST: Final = frozenset(("COMMAND", "CMD", "ARGS"))
_USER: Final = frozenset(("USER", "UID", "EUSER", "RUSER"))
_TERMINAL: Final = 80  # what ps falls back to when it knows no terminal
_LSTART = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4})(?= |$)")
_DAY = re.compile(r"[A-Z][a-z]{2} +\d{1,2}(?= )")  # `start` of a process older than a day
_TREE = re.compile(r"(?:[ |]{0,400}\\_ )")  # ps f and --forest
_TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d))?")
_LABEL = re.compile(r"\S{1,256}(?: +\((?:enforce|complain|kill|unconfined|mixed|prompt)\))?(?= )")
_BUSYBOX: Final = ["PID", "USER", "VSZ", "STAT", "COMMAND"]
_STATE = re.compile(r"[RSDZTtXxKWPI](?: [<N](?= )|[W ]?[<N ]?)(?= )")
_NAME = re.compile(r"(?:[^\s/\[]\S{0,62}|[^/\[]{1,15})(?: <defunct>)?")  # comm: 15 characters, more of kernel threads
_ABOVE_TOP = re.compile(
    r"top - \d\d:|(?:Tasks|Threads|Mem|Swap): |%?Cpu\d{0,4}(?: {0,4}:|\(s\))|[KMGTPE]iB (?:Mem|Swap)"
)
_SAMPLE: Final = 8  # processes from which on a list of names can be told from one of commands
_LATER: Final = timedelta(minutes=30)  # between the moment the evidence tells and the list itself


def is_header(line: str) -> bool:
    """The headings of a process list with a command or a name at its end, or of top."""
    words = line.split()
    if "PID" not in words or not 1 < len(words) < 100 or any(map(str.isdecimal, words)):
        return False  # a number: a process that is called like the headings
    if "TIME+" in words:
        return "COMMAND" in words
    return words[-1] in _LAST and len(words) < 30 and all(word == word.upper() for word in words)


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Process | ParseFailure]:
    """The processes of a list, in its order."""
    header: _Header | None = None
    found: list[tuple[Process, str]] = []
    misfits, over, budget = Misfits(), 0, _BUDGET
    for place, line in lines:
        if is_header(line):
            header = _Header(line)
            continue
        process = header.process(line, place, context) if header else None
        if process is None:
            if _ABOVE_TOP.match(line):
                continue
            reason = "no line of a process list" if header else "process list without headings"
            if failure := misfits.add(unreadable(place, reason, line.encode())):
                yield failure
        elif len(found) >= MAX_PROCESSES or budget < len(line):
            over += 1
        else:
            budget -= len(line)
            found.append((process, line))
    if failure := misfits.rest():
        yield failure
    whole = Place(context.item, 0, 0)
    if over:
        context.note(whole, f"{over} more processes than are kept")
    if context.clock.zone is None and any(process.started.endswith("Z") for process, _ in found):
        context.note(whole, "start times are the machine's wall clock, time zone unknown: taken as UTC")
    if header and _of_names([process.command for process, _ in found], header):
        yield from (msgspec.structs.replace(process, name=process.command, command="") for process, _ in found)
        return
    yield from _marked(found)


class _Header:
    """The columns of a list."""

    def __init__(self, line: str) -> None:
        self.columns = line.split()
        self.of_top = "TIME+" in self.columns
        self._busybox = self.columns == _BUSYBOX
        self._last = self.columns.index("COMMAND") if self.of_top else len(self.columns) - 1
        self._parent = self.columns[self._last + 1 : self._last + 2] == ["PPID"]

    def process(self, line: str, place: Place, context: Context) -> Process | None:
        """The process of a line, None if it is none."""
        values: dict[str, str] = {}
        rest = line.strip()
        for name in self.columns[: self._last]:
            value = self._value(rest, name) or rest.split(None, 1)[0] if rest else ""
            if not value:
                return None
            values.setdefault(name, value)
            rest = rest[len(value) :].lstrip()
        if self.of_top:
            rest, *behind = re.split(r"\s{2,}", rest, maxsplit=1)
            if self._parent and behind:
                values["PPID"] = behind[0].split(None, 1)[0]
        pid, ppid = values.get("PID", ""), values.get("PPID", "")
        if not _is_number(pid) or not rest or (ppid and not _is_number(ppid)):
            return None
        if tree := _TREE.match(rest):
            rest = rest[tree.end() :]
        started = next((values[name] for name in ("STARTED", "START", "STIME") if name in values), "")
        return Process(
            pid=int(pid),
            ppid=int(ppid) if ppid else -1,
            command=rest,
            user=next((values[name] for name in self.columns if name in _USER and name in values), ""),
            started=_moment(started, context) or started,
            place=place,
        )

    def _value(self, rest: str, name: str) -> str:
        """The words that stand under one heading, where they may be several."""
        if name in {"STARTED", "START", "STIME"}:
            found = _LSTART.match(rest) or _DAY.match(rest)
        elif name == "LABEL":
            found = _LABEL.match(rest)
        elif name == "STAT" and self._busybox:
            found = _STATE.match(rest)
        else:
            return ""
        return found[0].rstrip() if found else ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _moment(text: str, context: Context) -> str:
    clock = context.clock
    if found := _LSTART.fullmatch(text):
        name, *numbers = found.groups()
        day, hour, minute, second, year = map(int, numbers)
        try:
            local = datetime(year, month(name), day, hour, minute, second)  # noqa: DTZ001 (the clock knows the zone)
        except ValueError:
            return ""
        return _stamp(clock.utc(local))
    found = _TIME.fullmatch(text)
    if not found or clock.collected is None or clock.zone is None:
        return ""
    now = clock.collected + clock.zone  # as the clock on the wall showed it
    hour, minute, second = (int(part or 0) for part in found.groups())
    if hour > 23 or minute > 59 or second > 59:
        return ""
    shown = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
    if shown > now + _LATER:
        shown -= timedelta(days=1)
    return _stamp(shown - clock.zone)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _of_names(commands: list[str], header: _Header) -> bool:
    """Whether the list shows names (comm) instead of commands."""
    if header.of_top:  # unless asked for command lines with -c
        return not any(" -" in command or command.startswith("/") for command in commands)
    if len(commands) < _SAMPLE:
        return False
    return sum(bool(_NAME.fullmatch(command) and " -" not in command) for command in commands) * 10 >= 9 * len(commands)


def _marked(found: list[tuple[Process, str]]) -> Iterator[Process]:
    """The processes, marked where the terminal cut them."""
    width = max((len(line) for _, line in found), default=0)
    tails = {line[-12:] for _, line in found if len(line) == width}
    cut = len(tails) >= (1 if width == _TERMINAL else 3)
    for process, line in found:
        yield msgspec.structs.replace(process, truncated=True) if cut and len(line) == width else process
