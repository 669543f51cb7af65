"""Crontabs: the tables of users and of the system, and what `crontab -l` prints.

`17 * * * * root command` in /etc/crontab and /etc/cron.d, without the user elsewhere; `@reboot` and its like for the
five fields; `NAME = value` sets the environment (CRON_TZ shifts the hours, and is remarked on); anacrontab has
`period delay name command`. Files in /etc/cron.hourly and its like are scripts and none of this, and the spool of `at`
holds jobs, no tables.

A line may hide: behind a carriage return a terminal writes over what was before it, and tables of intruders end in
`\\rno crontab for root`. Such a line is read whole and remarked on. From the first `%` that is not escaped on,
the rest is the command's input, where a script for `sh` may stand; the command is kept as it is written.

Source: crontab(5) of cronie, of Debian's cron and of busybox; anacrontab(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from posixpath import basename
from typing import Final

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import CronEntry
from kubewitness.sources.host.context import Context, Misfits
from kubewitness.sources.host.folders import machine_path
from kubewitness.sources.host.interface import Format

MAX_ENTRIES: Final = 20_000
_MAX_COMMAND: Final = 8192
_SYSTEM = re.compile(r"/etc/(?:crontab|cron\.d/.+)")
_USERS = re.compile(r"/var/spool/cron/(?:(?:crontabs|tabs)/)?([^/]+)|/etc/crontabs/([^/]+)|/var/cron/tabs/([^/]+)")
_NO_TABLE = re.compile(r"/var/spool/cron/(?:at(?:jobs|spool)|lastrun|cron\.(?:allow|deny)|FIFO)(?:/.*)?|.*/\.SEQ")
_ANACRON: Final = "/etc/anacrontab"
_NAME = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat)"
_VALUE = rf"(?:\*|~|\d{{1,2}}(?:[-~]\d{{0,2}})?|~\d{{1,2}}|{_NAME}(?:-{_NAME})?)(?:/\d{{1,3}})?"
_FIELD = rf"{_VALUE}(?:,{_VALUE}){{0,60}}"
_FIVE = re.compile(rf"-?({_FIELD}(?:[ \t]+{_FIELD}){{4}})[ \t]+(\S.*)", re.IGNORECASE | re.DOTALL)
_NICKNAME = re.compile(
    r"(@(?:reboot|yearly|annually|monthly|weekly|daily|midnight|hourly|every_minute|every_second|\d{1,6}))[ \t]+(\S.*)",
    re.IGNORECASE | re.DOTALL,
)
_PERIOD = re.compile(r"((?:\d{1,4}|@[a-z]{1,10})[ \t]+\d{1,5})[ \t]+(\S+)[ \t]+(\S.*)", re.DOTALL)
_VARIABLE = re.compile(r"[\"']?[A-Za-z_]\w{0,63}[\"']?[ \t]*=")
_USER = re.compile(r"([A-Za-z_][\w.$:/-]{0,63})[ \t]+(\S.*)", re.DOTALL)
_ZONE = re.compile(r"[\"']?(?:CRON_)?TZ[\"']?[ \t]*=[ \t]*(\S{1,60})")
_KNOWN_USERS: Final = frozenset(("root", "www-data", "nobody", "daemon", "postgres", "mysql", "nginx", "apache"))
_OF_USER = re.compile(r"crontab.{0,20}?-u[_ ]([a-z_][\w-]{0,31})", re.IGNORECASE)


def is_table(path: str) -> bool:
    """Whether a file of that path is a crontab."""
    if _NO_TABLE.fullmatch(path):
        return False
    return path == _ANACRON or _SYSTEM.fullmatch(path) is not None or _USERS.fullmatch(path) is not None


def entry_of(path: str, line: str, place: Place, *, with_user: bool | None = None) -> CronEntry | None:
    """The entry of a line, None if it is none (a comment, a variable, a line cron cannot read).

    Args:
        path: Of the table; it tells whether a user stands before the command, unless `with_user` does.
        line: As it stands in the file.
        place: Of the line.
        with_user: For tables of which only the content is known.
    """
    text = line[:_MAX_COMMAND].strip(" \t\n")
    if not text or text.startswith("#"):
        return None
    if path == _ANACRON and (found := _PERIOD.fullmatch(text)):
        return CronEntry(path, found[1], found[3], place, "root")
    found = _NICKNAME.fullmatch(text) or _FIVE.fullmatch(text)
    if found is None:
        return None
    named = _SYSTEM.fullmatch(path) is not None if with_user is None else with_user
    if named:
        words = _USER.fullmatch(found[2])
        return CronEntry(path, found[1], words[2], place, words[1]) if words else None
    whose = _USERS.fullmatch(path)
    user = next(filter(None, whose.groups()), "") if whose else ""
    return CronEntry(path, found[1], found[2], place, user)


def entries(path: str, lines: Iterable[tuple[Place, str]]) -> Iterator[CronEntry]:
    """The entries of a table."""
    for place, line in lines:
        if entry := entry_of(path, line, place):
            yield entry


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[CronEntry | ParseFailure]:
    """The entries in the order of the table."""
    path = machine_path(context.item)
    misfits, over, number = Misfits(), 0, 0
    held = list[tuple[Place, str]]()
    if not is_table(path):  # what a command printed: the whole of it tells whether a user stands in each line
        path = ""
        for place, line in lines:
            if len(held) < MAX_ENTRIES:
                held.append((place, line))
            else:
                over += 1
    named = None if path else _names_users(line for _, line in held)
    owner = found[1] if not path and (found := _OF_USER.search(basename(context.item))) else ""
    for place, line in held if not path else lines:
        entry = entry_of(path, line, place, with_user=named)
        if entry is None:
            if failure := _unread(line, place, misfits, context):
                yield failure
            continue
        if number >= MAX_ENTRIES:
            over += 1
            continue
        number += 1
        if "\r" in entry.command:
            context.note(place, "a carriage return in the line hides what stands before it from a terminal")
        yield CronEntry(path, entry.schedule, entry.command, place, entry.user or owner)
    if failure := misfits.rest():
        yield failure
    if over:
        context.note(Place(context.item, 0, 0), f"{over} more lines than are kept of a crontab")


def _unread(line: str, place: Place, misfits: Misfits, context: Context) -> ParseFailure | None:
    text = line.strip()
    if zone := _ZONE.match(text):
        context.note(place, f"hours of this crontab are those of the time zone {zone[1][:60]}")
        return None
    if not text or text.startswith("#") or _VARIABLE.match(text) or text.lower().startswith("no crontab for "):
        return None
    return misfits.add(unreadable(place, "no line of a crontab", line.encode("utf-8", "replace")))


def _names_users(lines: Iterable[str]) -> bool:
    """A user everybody has stands in each entry."""
    place = Place("", 0, 0)
    found = [entry.command.split(None, 2) for line in lines if (entry := entry_of("", line, place))]
    return bool(found) and all(len(words) > 1 and words[0] in _KNOWN_USERS for words in found)


def looks_like(lines: list[str], name: str) -> bool:
    """A table by its path; without one, entries and nothing else but comments and variables."""
    if path := machine_path(name):
        return is_table(path)
    good, starred = 0, False
    for line in lines:
        text = line.strip()
        if text.startswith("#") or _VARIABLE.match(text):
            continue
        entry = entry_of("", line, Place("", 0, 0))
        if entry is None or not re.match(r"[A-Za-z/\[({$\"'.:~!]", entry.command):
            return False
        good += 1
        starred = starred or "*" in entry.schedule or entry.schedule.startswith("@")
    return good > 0 and starred


FORMATS: tuple[Format, ...] = (Format("crontab", looks_like, read, whole=True),)
