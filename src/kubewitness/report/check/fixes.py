"""Failures grouped by what mends them: a tired person does one thing once, and sees what it mends.

Failures whose remedy names the same `fix` belong together, across checks; without such a name it is the check. Inside a
fix, failures that say the same of several subjects are one entry. What is waived or known from the baseline is no work
to do and stands apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.posture import CheckInfo, PostureReport, Remedy, Result, Status
from kubewitness.model.text import Text
from kubewitness.report.check.commands import Command, commands


@dataclass(frozen=True)
class Entry:
    """What one check says of one or several subjects in the same words."""

    info: CheckInfo
    results: tuple[Result, ...]

    @property
    def first(self) -> Result:
        """The one to show."""
        return self.results[0]


@dataclass(frozen=True)
class Fix:
    """One thing to do, and what it mends."""

    key: str
    severity: Severity  # of the worst it mends
    remedy: Remedy
    entries: tuple[Entry, ...]
    commands: tuple[Command, ...]  # each once
    safe: bool
    breaks: tuple[Text, ...]
    count: int

    @property
    def checks(self) -> tuple[CheckInfo, ...]:
        """Whose failures they are, each once."""
        return tuple({entry.info.id: entry.info for entry in self.entries}.values())


@dataclass(frozen=True)
class Reason:
    """Why something was not evaluated, and what."""

    text: Text
    checks: tuple[str, ...]
    results: tuple[Result, ...]


def severity_of(result: Result) -> Severity:
    """Of a result as the engine gives it."""
    return result.severity or "informational"


def open_failures(report: PostureReport, minimum: Severity = "informational") -> list[Result]:
    """What is to be mended: failures neither waived nor known, worst first; what another one tells too is not told."""
    least = SEVERITIES.index(minimum)
    found = [one for one in _open(report) if SEVERITIES.index(severity_of(one)) >= least]
    folded = _folded(found)
    return [one for one in found if one.key not in folded]


def told_too(report: PostureReport, infos: Mapping[str, CheckInfo]) -> dict[str, tuple[CheckInfo, ...]]:
    """By the key of a failure, the checks whose failures it tells too and which are not told for themselves."""
    found = _open(report)
    folded = _folded(found)
    checks = {one.key: infos[one.check] for one in found if one.key in folded and one.check in infos}
    return {one.key: some for one in found if (some := tuple(checks[key] for key in one.includes if key in checks))}


def _open(report: PostureReport) -> list[Result]:
    """All failures neither waived nor known, those that others tell too among them."""
    return [one for one in report.results if one.status == "fail" and one.waiver is None and not one.known]


def _folded(found: list[Result]) -> frozenset[str]:
    """Keys of failures that another one tells, which is to be mended too and no less severe."""
    by = {one.key: one for one in found}
    return frozenset(
        key
        for whole in found
        for key in whole.includes
        if (part := by.get(key)) is not None
        and not part.includes.count(whole.key)
        and SEVERITIES.index(severity_of(part)) <= SEVERITIES.index(severity_of(whole))
    )


def of_status(report: PostureReport, status: Status) -> list[Result]:
    """All results of a status."""
    return [one for one in report.results if one.status == status]


def info_of(report: PostureReport) -> dict[str, CheckInfo]:
    """The checks by their ids."""
    return {info.id: info for info in report.checks}


def remedy_of(result: Result, infos: Mapping[str, CheckInfo]) -> Remedy:
    """The result's own, else its check's."""
    return result.remedy or infos[result.check].remedy


def fixes(failures: Iterable[Result], infos: Mapping[str, CheckInfo]) -> list[Fix]:
    """Failures by what mends them, worst first; among equals, what mends most."""
    grouped = dict[str, list[Result]]()
    for one in failures:
        if one.check in infos:
            grouped.setdefault(remedy_of(one, infos).fix or one.check, []).append(one)
    out = [_fix(key, results, infos) for key, results in grouped.items()]
    return sorted(out, key=lambda one: (-SEVERITIES.index(one.severity), -one.count, one.key))


def reasons(results: Iterable[Result]) -> list[Reason]:
    """What was not evaluated by the reason, the most frequent first."""
    grouped = dict[Text, list[Result]]()
    for one in results:
        grouped.setdefault(one.reason, []).append(one)
    out = [Reason(text, tuple(dict.fromkeys(one.check for one in some)), tuple(some)) for text, some in grouped.items()]
    return sorted(out, key=lambda one: (-len(one.results), one.text.en))


def _fix(key: str, results: list[Result], infos: Mapping[str, CheckInfo]) -> Fix:
    worst = max(results, key=lambda one: SEVERITIES.index(severity_of(one)))
    remedies = [remedy_of(one, infos) for one in results]
    same = len({one.title for one in remedies}) == 1
    remedy = remedy_of(worst, infos) if same or key != worst.check else infos[worst.check].remedy
    told = dict[tuple[object, ...], list[Result]]()
    for one in results:
        about = (one.check, one.severity, one.observed, one.expected, one.reason, one.key if one.hops else "")
        told.setdefault(about, []).append(one)
    entries = tuple(Entry(infos[some[0].check], tuple(some)) for some in told.values())
    return Fix(
        key,
        severity_of(worst),
        remedy,
        entries,
        commands(sorted(remedies, key=lambda one: one != remedy)),
        all(one.safe for one in remedies),
        tuple(dict.fromkeys(one.breaks for one in remedies if one.breaks.en or one.breaks.zh)),
        len(results),
    )
