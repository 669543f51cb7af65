"""Results seen across: machine by machine for a fleet, point by point for a framework."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.posture import CheckInfo, PostureReport, Result, Status
from kubewitness.report.check.fixes import info_of, severity_of

_ORDER: Final[tuple[Status, ...]] = ("fail", "not_evaluated", "pass", "not_applicable")
_NUMBER = re.compile(r"(\d{1,9})")
_NODE: Final = "node/"


@dataclass(frozen=True)
class Cell:
    """What a check says of one machine, the worst of it."""

    status: Status
    severity: Severity | None = None
    accepted: bool = False  # a failure, and a waiver for it


@dataclass(frozen=True)
class Row:
    """A check over all machines."""

    info: CheckInfo
    cells: tuple[Cell | None, ...]

    @property
    def differs(self) -> bool:
        """Whether one machine is not like the others."""
        return len({(one.status, one.severity) if one else None for one in self.cells}) > 1

    @property
    def worst(self) -> int:
        """For the order: of its failures, -1 without one."""
        return max((SEVERITIES.index(one.severity) for one in self.cells if one and one.severity), default=-1)


@dataclass(frozen=True)
class Fleet:
    """Machines side by side."""

    machines: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Point:
    """A point of a framework, and what its checks say."""

    framework: str
    name: str
    status: Status
    checks: tuple[str, ...]


def fleet(report: PostureReport) -> Fleet:
    """The checks of machines, what fails or differs first. Empty rows without two machines."""
    machines = tuple(one.removeprefix(_NODE) for one in report.targets if one.startswith(_NODE))
    if len(machines) < 2:
        return Fleet(machines, ())
    by = dict[tuple[str, str], list[Result]]()
    for one in report.results:
        if one.target.startswith(_NODE):
            by.setdefault((one.check, one.target.removeprefix(_NODE)), []).append(one)
    asked = {check for check, _ in by}
    rows = [
        Row(info, tuple(_cell(by.get((info.id, machine), ())) for machine in machines))
        for info in report.checks
        if info.id in asked
    ]
    return Fleet(machines, tuple(sorted(rows, key=lambda one: (-one.worst, not one.differs, one.info.id))))


def points(report: PostureReport) -> list[Point]:
    """Every point of a framework that a check of this run speaks of."""
    statuses = dict[str, list[Status]]()
    for one in report.results:
        statuses.setdefault(one.check, []).append(one.status)
    speaking = dict[tuple[str, str], list[str]]()
    for info in info_of(report).values():
        for framework, names in info.frameworks.items():
            for name in names:
                speaking.setdefault((framework, name), []).append(info.id)
    out = [
        Point(framework, name, worst([one for check in checks for one in statuses.get(check, ())]), tuple(checks))
        for (framework, name), checks in speaking.items()
    ]
    return sorted(out, key=lambda one: (one.framework, _natural(one.name)))


def worst(statuses: Sequence[Status]) -> Status:
    """The one that decides; nothing said is not evaluated."""
    return min(statuses, key=_ORDER.index, default="not_evaluated")


def _cell(results: Iterable[Result]) -> Cell | None:
    results = list(results)
    if not results:
        return None
    open_ = [one for one in results if one.status == "fail" and one.waiver is None]
    if open_:
        return Cell("fail", max((severity_of(one) for one in open_), key=SEVERITIES.index))
    if any(one.status == "fail" for one in results):
        return Cell("fail", accepted=True)
    return Cell(worst([one.status for one in results]))


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _NUMBER.split(name) if part]
