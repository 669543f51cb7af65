"""Histories of shells: what somebody typed. Whether it worked nobody knows.

    #1616461801        bash with HISTTIMEFORMAT: the time of the line that follows (lines after that have none)
    wget …             bash, ash, ksh, dash without
    : 1616461801:0;ls  zsh with EXTENDED_HISTORY; a command of several lines has a backslash at their ends
    - cmd: ls          fish, with `  when: 1616461801` after it and `\\n` in it for a line end
      12  ls           what the builtin `history` prints

Which one a file is tells its name; without a telling name only the forms that nothing else has are recognised. Times
are seconds since 1970 in UTC. Histories of other programs (python, mysql, less) are left alone.

Source: bash(1) HISTORY, zshoptions(1), fish's history file as it writes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import HostEvent
from kubewitness.sources.host.context import Context, stamp
from kubewitness.sources.host.folders import machine_path
from kubewitness.sources.host.interface import Format

MAX_COMMANDS: Final = 200_000
_MAX_COMMAND: Final = 8192
_MAX_JOINED: Final = 64
_NAME = re.compile(r"(?:^|[/!._-])(bash|zsh|ash|sh|ksh|mksh|dash|fish)_history(?:[.-][\w-]{1,20}){0,2}$|/\.histfile$")
_HOME = re.compile(r"/home/([^/]+)/|/(root)/|/var/lib/([^/]+)/\.")
_EPOCH = re.compile(r"#(\d{9,10})\s*")
_ZSH = re.compile(r": {1,3}(\d{9,10}):\d{1,9};(.*)", re.DOTALL)
_FISH = re.compile(r"- cmd: (.*)", re.DOTALL)
_WHEN = re.compile(r"  when: (\d{9,10})\s*")
_NUMBERED = re.compile(r" {0,6}(\d{1,6})[* ] (\S.*)", re.DOTALL)
_PRINTED = re.compile(r"(?:^|[/!_.-])history(?:\.(?:txt|out|log))?$")


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[HostEvent | ParseFailure]:
    """The commands in the order of the file."""
    whose = _HOME.match(machine_path(context.item))
    user = next(filter(None, whose.groups()), "") if whose else ""
    number = over = 0
    for place, command, time in _commands(lines, fish="fish" in context.item, printed=_is_printed_name(context.item)):
        if number >= MAX_COMMANDS:
            over += 1
            continue
        number += 1
        yield HostEvent("command", "shell_history", place, time, user=user, command=command[:_MAX_COMMAND])
    if over:
        context.note(Place(context.item, 0, 0), f"{over} more commands than are kept of a history")


def _commands(lines: Iterator[tuple[Place, str]], *, fish: bool, printed: bool) -> Iterator[tuple[Place, str, str]]:
    """Each command with its place and time, whatever the form of its line."""
    time = ""
    held: tuple[Place, str, str] | None = None  # waits for its time, or for the rest of it
    joined = 0
    for place, line in lines:
        if fish:
            if found := _FISH.match(line):
                if held:
                    yield held
                held = place, _unescaped(found[1]), ""
            elif held and (found := _WHEN.fullmatch(line)):
                held = held[0], held[1], _moment(found[1])
            continue
        if held and joined < _MAX_JOINED:
            held = held[0], f"{held[1]}\n{line.removesuffix(chr(92))}", held[2]
            joined += 1
            if not _continues(line):
                yield held
                held = None
            continue
        if held:
            yield held
            held = None
        if found := _EPOCH.fullmatch(line):
            time = _moment(found[1])
            continue
        if found := _ZSH.fullmatch(line):
            if _continues(line):
                held, joined = (place, found[2].removesuffix("\\"), _moment(found[1])), 0
            else:
                yield place, found[2], _moment(found[1])
            continue
        if printed and (found := _NUMBERED.fullmatch(line)):
            yield place, found[2], time
        else:
            yield place, line, time
        time = ""
    if held:
        yield held


def _continues(line: str) -> bool:
    """It ends in a backslash that stands for a line end."""
    return line.endswith("\\")


def _unescaped(text: str) -> str:
    return re.sub(r"\\([\\n])", lambda found: "\n" if found[1] == "n" else "\\", text)


def _moment(seconds: str) -> str:
    return stamp(datetime.fromtimestamp(int(seconds), UTC))


def _is_printed_name(name: str) -> bool:
    return _PRINTED.search(re.split("[/!]", name)[-1]) is not None and _NAME.search(name) is None


def looks_like(lines: list[str], name: str) -> bool:
    """A history by its name, or by a form nothing else has."""
    if _NAME.search(name):
        return True
    first = lines[:60]
    if _is_printed_name(name):
        numbers = [int(found[1]) for line in first if (found := _NUMBERED.fullmatch(line))]
        if len(numbers) * 4 >= len(first) * 3 and all(a < b for a, b in pairwise(numbers)):
            return True
    if machine_path(name):
        return False
    if sum(_ZSH.fullmatch(line) is not None for line in first) * 2 >= len(first):
        return True
    if first[0].startswith("- cmd: ") and any(_WHEN.fullmatch(line) for line in first):
        return True
    epochs = sum(_EPOCH.fullmatch(line) is not None for line in first)
    return epochs >= 2 and epochs * 3 >= len(first) and _EPOCH.fullmatch(first[0]) is not None


FORMATS: tuple[Format, ...] = (Format("shell history", looks_like, read, whole=True),)
