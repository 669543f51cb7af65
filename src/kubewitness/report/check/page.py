"""The HTML form of a check: one self-contained page, like that of an investigation.

Style and script are those of `report.html` with a few rules more, and it is as safe to open (`html.shell`); no evidence
ever stands inside a script or a style. Both languages are in the file. Whatever is listed is bounded.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from kubewitness.model.judgement import Severity
from kubewitness.model.posture import CheckInfo, PostureReport, Result
from kubewitness.model.text import Language, Text
from kubewitness.report.check import words
from kubewitness.report.check.fixes import fixes, info_of, of_status, open_failures, reasons, severity_of, told_too
from kubewitness.report.check.matrix import fleet, points
from kubewitness.report.html import amounts
from kubewitness.report.html.inert import both, coded, one_line
from kubewitness.report.html.shell import dress, environment
from kubewitness.report.html.words import label, name_attributes, word
from kubewitness.report.words import SEVERITY

_FIXES: Final = 150
_ENTRIES: Final = 30
_SUBJECTS: Final = 40
_PLACES: Final = 8
_PATHS: Final = 60
_ROWS: Final = 2_000
_OTHERS: Final = 300
_MACHINES: Final = 60
_MATRIX: Final = 200
_CREDENTIALS: Final = 500


@cache
def _environment() -> Environment:
    return environment(
        "kubewitness.report.check",
        t=both, f=_filled, cell=_cell, coded=coded, one_line=one_line, named=name_attributes, w=label, word=word,
        number=amounts.number, moment=amounts.moment, words=words, severity_of=severity_of, severity_words=SEVERITY,
        name_of=_name, within_of=_within, limits={
            "entries": _ENTRIES, "subjects": _SUBJECTS, "places": _PLACES, "others": _OTHERS, "machines": _MACHINES,
            "matrix": _MATRIX, "credentials": _CREDENTIALS, "commands": 30,
        },
    )  # fmt: skip


def _filled(text: Text, *values: object, **named: object) -> Markup:
    """Words with what belongs into them; integers get thousands separators."""

    def filled(template: str) -> str:
        told = [f"{one:,}" if isinstance(one, int) else str(one) for one in values]
        by_name = {key: f"{one:,}" if isinstance(one, int) else str(one) for key, one in named.items()}
        return template.format(*told, **by_name)

    return both(Text(filled(text.en), filled(text.zh)))


def _cell(text: Text) -> Markup:
    """What a table cell is called on a phone, where a table becomes labelled records."""
    return Markup('data-l="{}" data-z="{}"').format(text.en, text.zh)


def _name(one: Result) -> str:
    if not one.subject:
        return one.target
    return one.subject if one.target in {"cluster", "fleet"} else f"{one.target} {one.subject}"


def _within(info: CheckInfo) -> Text:
    return Text(words.WITHIN.en.format(info.title.en), words.WITHIN.zh.format(info.title.zh))


def _counts(failed: list[Result]) -> Text:
    by = Counter(severity_of(one) for one in failed)
    if not failed:
        return words.NONE_FAILED
    return Text(
        f"{len(failed):,} failed: {words.counted(by, 'en')}", f"{len(failed):,} 项不合格：{words.counted(by, 'zh')}"
    )


def render(report: PostureReport, language: Language, minimum: Severity = "low") -> str:
    """The whole report as one HTML file, opening in `language`."""
    infos = info_of(report)
    failed = open_failures(report, minimum)
    todo = fixes(failed, infos)
    worn = dress(("kubewitness.report.check", "check.css"))
    side, too = fleet(report), told_too(report, infos)
    paths = [one for one in failed if one.hops]
    waived = [one for one in report.results if one.waiver]
    known = [one for one in report.results if one.known and not one.waiver]
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            language=language,
            policy=worn.policy,
            style=worn.style,
            script=worn.script,
            infos=infos,
            failed=failed,
            headline=_counts(failed),
            judged=any(one.status in {"pass", "fail"} for one in report.results),
            below=len(open_failures(report)) - len(failed),
            minimum=minimum,
            counts=Counter(one.status for one in report.results),
            todo=todo[:_FIXES],
            too=too,
            within={key: infos[one.check] for one in failed if one.key in too for key in one.includes},
            todo_more=max(0, len(todo) - _FIXES),
            paths=paths[:_PATHS],
            paths_more=max(0, len(paths) - _PATHS),
            reasons=reasons(of_status(report, "not_evaluated")),
            fleet=side,
            points=points(report),
            others=[(words.ACCEPTED, waived), (words.KNOWN_TITLE, known), (words.GONE_TITLE, list(report.gone))],
            rows=report.results[:_ROWS],
            rows_more=max(0, len(report.results) - _ROWS),
            unopened=[one for one in report.items if one.skipped],
        )
        + "\n"
    )
