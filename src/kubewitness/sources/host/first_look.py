"""What the first bytes of an item tell beside what it is: whether its times are dated, and whose machine it names.

Logs without a year (syslog, klog) are read after those that have one, because a year is inferred, and from what is
dated. Host names are taken where the writer is the machine itself: the column of syslog, `_HOSTNAME` of the journal,
`node=` of linux_audit, `uname -a`. They may be lies of whoever wrote the log, so nothing is decided by them; they only
show that files of several machines were laid into one folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from kubewitness.model.host import HostEvent, LogLine, Process
from kubewitness.sources.host import falco, laurel, osquery, tetragon, tracee

_SENSORS: Final = frozenset(one.kind for module in (falco, laurel, osquery, tetragon, tracee) for one in module.FORMATS)
_DATED = re.compile(
    rb"^(?:<\d{1,3}>)?\d{4}-\d\d-\d\dT\d\d:|\baudit\(\d{9,11}\.\d"
    rb'|^\{.{0,200}?"(?:ts|time|timestamp)"\s?:\s?"?(?:1\d{9}|\d{4}-\d\d-\d\dT)',
    re.M,
)
_NAMES: Final = tuple(
    re.compile(form, re.M)
    for form in (
        rb"^(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?"
        rb"|\d{4}-\d\d-\d\dT[\d:.,]{8,20}(?:Z|[+-]\d\d:?\d\d)) ([\w.-]{1,253}) [\w./@-]{1,64}(?:\[\d{1,9}\])?: ",
        rb"^node=([\w.-]{1,253}) type=",
        rb'"_HOSTNAME"\s?:\s?"([\w.-]{1,253})"',
        rb"^\s{0,8}_HOSTNAME=([\w.-]{1,253})$",
        rb"\ALinux ([\w.-]{1,253}) \d{1,2}\.\d{1,3}\S{0,64} #\d",
    )
)
_TELLING: Final = ("log", "journal", "listing, not read")  # ends or begins of kinds whose lines name their machine
_NO_NAMES: Final = frozenset(("", "localhost", "none", "kernel"))
_MOST: Final = 20  # names of one item
_SHARED: Final = 20  # processes by number in both lists: fewer say nothing
_AGREE: Final = 0.3


class Look(NamedTuple):
    """What an item is, whether its lines have dates, and the machines it names."""

    kind: str
    dated: bool = False
    names: frozenset[str] = frozenset()


def look(kind: str, head: bytes) -> Look:
    """What the first bytes of an item of this kind tell."""
    names = frozenset[str]()
    if kind.endswith(_TELLING) or kind.startswith(_TELLING):
        told = (_plain(found[1].decode()) for form in _NAMES for found in form.finditer(head))
        names = frozenset(sorted(set(told) - _NO_NAMES)[:_MOST])
    return Look(kind, kind in _SENSORS or _DATED.search(head) is not None, names)


def _plain(name: str) -> str:
    """A host name without its domain; an address stays whole."""
    return name if name.replace(".", "").isdecimal() else name.partition(".")[0].lower()


class Dates:
    """The times of an item's facts."""

    def __init__(self) -> None:
        self._count: dict[str, int] = {}
        self._last: dict[str, str] = {}

    def add(self, fact: object) -> None:
        """Take a fact's time into account."""
        if isinstance(fact, HostEvent | LogLine) and fact.time:
            year = fact.time[:4]
            self._count[year] = self._count.get(year, 0) + 1
            self._last[year] = max(self._last.get(year, ""), fact.time)

    def last(self) -> datetime | None:
        """The last one; years that hardly any fact has are clocks gone wrong, or lies, and tell nothing."""
        total = sum(self._count.values())
        years = [year for year, count in self._count.items() if count * 100 >= total]
        try:
            return datetime.fromisoformat(self._last[max(years)].replace("Z", "+00:00")) if years else None
        except ValueError:
            return None


def apart(lists: Sequence[Iterable[Process]], named: Iterable[frozenset[str]]) -> str:
    """Why items of one folder seem to be of several machines, "" if they do not.

    Two process lists of one machine have the same long-lived processes under the same numbers, whenever they were made;
    after a restart they have not, so that is said too. Threads of the kernel have the same numbers on all machines of
    one kernel: they count only where there is little else.
    """
    programs = [{one.pid: _program(one) for one in some} for some in lists]
    for number, one in enumerate(programs):
        for other in programs[number + 1 :]:
            shared = one.keys() & other.keys()
            own = [pid for pid in shared if not (one[pid].startswith("[") and other[pid].startswith("["))]
            judged = own if len(own) * 2 >= _SHARED else shared
            alike = sum(one[pid].strip("[]") == other[pid].strip("[]") for pid in judged)
            if len(judged) * (2 if judged is own else 1) >= _SHARED and alike < _AGREE * len(judged):
                return f"{len(judged) - alike} of {len(judged)} process numbers are other programs in another list"
    told = [names for names in named if names]
    for number, names in enumerate(told):
        for others in told[number + 1 :]:
            if names.isdisjoint(others):
                return f"they name {', '.join([min(names), min(others)])}"
    return ""


def _program(process: Process) -> str:
    """The name that every form of list shows: without folder, as long as the kernel keeps it."""
    first = (process.command.split(None, 1) or [process.name])[0]
    if first.startswith("["):
        return first.partition("/")[0][:16].rstrip("]") + "]"
    return first.rpartition("/")[2].rstrip(":").lstrip("-")[:15]
