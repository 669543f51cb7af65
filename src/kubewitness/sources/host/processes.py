"""Process lists: whatever columns `ps` was asked for, as its header names them.

Formats (procps `ps` 3.x/4.x, BusyBox `ps`): `aux`, `-ef`, `-eo user,pid,ppid,lstart,args`, `-axo
pid,user,lstart,args`. The command is the last column and goes to the end of the line; `lstart` is five words under
one heading. A list that was printed to a terminal is cut at its width: then several lines of different commands end
at the same column, which never happens by itself, and those lines are marked as truncated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
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


def is_header(line: str) -> bool:
    """The headings of a process list with a command at its end."""
    words = line.split()
    if not 2 < len(words) < 30 or "PID" not in words or words[-1] not in _LAST:
        return False
    return "TIME+" not in words and all(word == word.upper() for word in words)  # TIME+: top, which has no arguments


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Process | ParseFailure]:
    """The processes of a list, in its order."""
    columns: list[str] = []
    found: list[tuple[Process, str]] = []
    misfits, over, budget, dated = Misfits(), 0, _BUDGET, False
    for place, line in lines:
        if is_header(line):
            columns = line.split()
            continue
        process = _process(line, columns, place, context) if columns else None
        if process is None:
            reason = "no line of a process list" if columns else "process list without headings"
            if failure := misfits.add(unreadable(place, reason, line.encode())):
                yield failure
        elif len(found) >= MAX_PROCESSES or budget < len(line):
            over += 1
        else:
            budget -= len(line)
            dated = dated or process.started.endswith("Z")
            found.append((process, line))
    if failure := misfits.rest():
        yield failure
    if over:
        context.note(Place(context.item, 0, 0), f"{over} more processes than are kept")
    if dated and context.clock.zone is None:
        context.note(
            Place(context.item, 0, 0), "start times are the machine's wall clock, time zone unknown: taken as UTC"
        )
    yield from _marked(found)


def _process(line: str, columns: list[str], place: Place, context: Context) -> Process | None:
    values: dict[str, str] = {}
    rest = line.strip()
    for name in columns[:-1]:
        value = _dated(rest, name) or rest.split(None, 1)[0] if rest else ""
        if not value:
            return None
        values.setdefault(name, value)
        rest = rest[len(value) :].lstrip()
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
        user=next((values[name] for name in columns if name in _USER and name in values), ""),
        started=_moment(started, context) or started,
        place=place,
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _dated(rest: str, name: str) -> str:
    """The words of a date that stand under one heading."""
    if name not in {"STARTED", "START", "STIME"}:
        return ""
    found = _LSTART.match(rest) or _DAY.match(rest)
    return found[0] if found else ""


def _moment(text: str, context: Context) -> str:
    found = _LSTART.fullmatch(text)
    if not found:
        return ""
    name, *numbers = found.groups()
    day, hour, minute, second, year = map(int, numbers)
    try:
        local = datetime(year, month(name), day, hour, minute, second)  # noqa: DTZ001 (the clock knows the zone)
    except ValueError:
        return ""
    return context.clock.utc(local).strftime("%Y-%m-%dT%H:%M:%SZ")


def _marked(found: list[tuple[Process, str]]) -> Iterator[Process]:
    """The processes, marked where the terminal cut them."""
    width = max((len(line) for _, line in found), default=0)
    tails = {line[-12:] for _, line in found if len(line) == width}
    cut = len(tails) >= (1 if width == _TERMINAL else 3)
    for process, line in found:
        yield msgspec.structs.replace(process, truncated=True) if cut and len(line) == width else process
