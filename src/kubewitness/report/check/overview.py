"""What a person reads of a check: the sum, what could not be judged, then what to do, worst first.

Neutral blocks; `report.text` draws them as a table for a terminal, `report.markdown` for a ticket. The order is that of
somebody who is tired: is it bad, can I trust the answer, what do I do first, what does that break. Everything that is
listed is bounded; the JSON form has all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from kubewitness.model.judgement import Severity
from kubewitness.model.posture import CheckInfo, PostureReport, Result, Where
from kubewitness.model.text import Language, Text
from kubewitness.report import words as report_words
from kubewitness.report.blocks import (
    Block,
    Bullets,
    Column,
    Facts,
    Heading,
    Inline,
    Paragraph,
    Span,
    Table,
    command,
    joined,
    line,
    place,
    span,
)
from kubewitness.report.check import words
from kubewitness.report.check.fixes import (
    Entry,
    Fix,
    fixes,
    info_of,
    of_status,
    open_failures,
    reasons,
    severity_of,
    told_too,
)
from kubewitness.report.check.matrix import fleet, points


@dataclass(frozen=True)
class Limits:
    """How much of each is listed."""

    fixes: int = 40
    entries: int = 6
    subjects: int = 8
    places: int = 3
    commands: int = 5
    command_lines: int = 40
    reasons: int = 8
    rows: int = 200
    credentials: int = 20
    machines: int = 6
    matrix: int = 25
    brief: bool = True  # what is low is told without its reasons; they are in the other forms


SHORT: Final = Limits()
LONG: Final = Limits(100, 20, 40, 6, 20, 80, 30, 1_000, 200, 20, 100, brief=False)


@dataclass(frozen=True)
class _Told:
    """The report, for whom, and how much of it."""

    report: PostureReport
    language: Language
    minimum: Severity
    limits: Limits
    too: Mapping[str, tuple[CheckInfo, ...]]  # by the key of a failure, whose failures it tells too

    def say(self, text: Text) -> str:
        return text.in_(self.language) or text.en

    def with_(self, text: str, place: str, reason: str) -> str:
        """A sum with its first place."""
        return f"{text}（{place}：{reason}）" if self.language == "zh" else f"{text} ({place}: {reason})"

    @property
    def comma(self) -> str:
        return "；" if self.language == "zh" else "; "


def blocks(
    report: PostureReport, language: Language, minimum: Severity = "low", *, everything: bool = False,
    limits: Limits = SHORT,
) -> list[Block]:  # fmt: skip
    """The report as blocks; `everything`: what passed too."""
    told = _Told(report, language, minimum, limits, told_too(report, info_of(report)))
    out = [*_head(told), *_to_do(told), *_fleet(told), *_accepted(told), *_credentials(told), *_frameworks(told)]
    if everything:
        out += _results(told, words.PASSED, of_status(report, "pass"))
        out += _results(told, words.NOT_APPLICABLE, of_status(report, "not_applicable"))
    return out


def summary(report: PostureReport, language: Language, minimum: Severity = "informational") -> Inline:
    """The one line: how many failed, passed, were not evaluated."""
    failed = open_failures(report, minimum)
    by = Counter(severity_of(one) for one in failed)
    worst: Severity | None = severity_of(failed[0]) if failed else None
    counts = Counter(one.status for one in report.results)
    if failed and language == "zh":
        head = f"{len(failed):,} 项不合格：{words.counted(by, language)}"
    elif failed:
        head = f"{len(failed):,} failed: {words.counted(by, language)}"
    else:
        head = words.NONE_FAILED.in_(language)
    parts: list[Span] = [span(head, worst or "strong")]
    for status in ("pass", "not_evaluated", "not_applicable"):
        if counts[status]:
            name = words.STATUS[status].in_(language)
            text = f"{counts[status]:,} 项{name}" if language == "zh" else f"{counts[status]:,} {name}"
            parts.append(span(text, "warn" if status == "not_evaluated" else "plain"))
    return joined(parts, " · ")


def _head(told: _Told) -> Iterator[Block]:
    report, say = told.report, told.say
    about = [span(say(words.TITLE), "strong")]
    if report.cluster or report.version:
        about.append(span(f"{say(words.CLUSTER)} {report.cluster}".strip(), cells=60))
    if report.version:
        about.append(span(f"Kubernetes {report.version}", cells=40))
    if report.targets:
        count = len(report.targets)
        name = report.targets[0].removeprefix("node/")
        about.append(span(name if count == 1 else say(words.NODES).format(count), cells=60))
    about.append(span(report.generated, "dim"))
    yield Heading(1, joined(about, " · "))
    if not any(one.status in {"pass", "fail"} for one in report.results):
        yield Paragraph(line(span(say(words.NOTHING), "critical")))
    else:
        yield Paragraph(summary(report, told.language, told.minimum))
    below = len(open_failures(report)) - len(open_failures(report, told.minimum))
    if below:
        yield Paragraph(line(span(say(words.below(below, told.minimum)), "dim")))
    if report.baseline:
        yield Paragraph(line(span(_since(told))))
    if not report.complete:
        yield Paragraph(line(span(_incomplete(told), "warn")))
    elif unknown := _unknown(told):
        yield Paragraph(line(span(unknown, "dim")))
    if report.waivers_expired:
        yield Paragraph(line(span(say(words.EXPIRED), "warn")))
        yield Bullets(tuple(line(span(one, cells=200)) for one in report.waivers_expired[: told.limits.rows]))
    yield from _not_evaluated(told)


def _since(told: _Told) -> str:
    report, say = told.report, told.say
    name = report.baseline
    parts = [say(words.NEW).format(name=name, count=len(open_failures(report)))]
    known = sum(one.known for one in report.results)
    parts.append(say(words.KNOWN).format(count=known, name=name))
    parts.append(say(words.GONE).format(count=len(report.gone)))
    if report.unseen:
        parts.append(say(words.UNSEEN).format(count=report.unseen))
    return told.comma.join(parts)


def _incomplete(told: _Told) -> str:
    report, say = told.report, told.say
    what = list[str]()
    if report.parse_failures:
        first = report.parse_failures[0]
        where = f"{first.place.item}:{first.place.line}" if first.place.line else first.place.item
        what.append(told.with_(say(words.UNREADABLE).format(count=len(report.parse_failures)), where, first.reason))
    unopened = [one for one in report.items if one.skipped]
    if unopened:
        told_of = unopened[0]
        what.append(told.with_(say(words.UNOPENED).format(count=len(unopened)), told_of.name, told_of.skipped))
    if unknown := _unknown(told):
        what.append(unknown)
    return say(words.INCOMPLETE).format(what=told.comma.join(what) or say(words.MISSING))


def _unknown(told: _Told) -> str:
    """What was given and told nothing: it may have been meant to."""
    unknown = [one.name for one in told.report.items if not one.format and not one.skipped]
    if not unknown:
        return ""
    count = told.say(words.UNKNOWN_ITEMS).format(count=f"{len(unknown):,}")
    return f"{count}（{unknown[0]}）" if told.language == "zh" else f"{count} ({unknown[0]})"


def _not_evaluated(told: _Told) -> Iterator[Block]:
    grouped = reasons(of_status(told.report, "not_evaluated"))
    if not grouped:
        return
    yield Heading(2, line(span(told.say(words.NOT_EVALUATED), "warn")))
    rows = list[Inline]()
    # What fails is on the first screen too: reasons for no judgement are told at length where nothing does.
    limit = told.limits.reasons if not open_failures(told.report, "medium") else min(told.limits.reasons, 3)
    for one in grouped[:limit]:
        names = [check.partition("/")[2] for check in one.checks]
        some = ", ".join(names[:3]) + (f", +{len(names) - 3}" if len(names) > 3 else "")
        text = told.say(one.text) or told.say(words.NO_REASON)
        count = told.say(words.MATCHES).format(count=len(one.results))
        rows.append(
            line(
                span(f"{count} "),
                span(text, cells=400),
                span(f"（{some}）" if told.language == "zh" else f" ({some})", "dim"),
            )
        )
    if len(grouped) > limit:
        rows.append(line(span(told.say(words.MORE).format(len(grouped) - limit), "dim")))
    yield Bullets(tuple(rows))


def _to_do(told: _Told) -> Iterator[Block]:
    todo = fixes(open_failures(told.report, told.minimum), info_of(told.report))
    if not todo:
        return
    say = told.say
    yield Heading(2, line(say(words.TO_DO)))
    if len(todo) > 1:
        rows = tuple(_row(told, number, one) for number, one in enumerate(todo[: told.limits.fixes], 1))
        columns = (
            Column("#", right=True),
            Column(say(words.SEVERITY_LABEL)),
            Column(say(words.DO), wide=True),
            Column(say(words.MENDS), right=True),
            Column(say(words.SAFETY)),
        )
        yield Table(columns, rows)
    for number, one in enumerate(todo[: told.limits.fixes], 1):
        yield from _fix(told, number, one)
    if len(todo) > told.limits.fixes:
        yield Paragraph(line(span(say(words.MORE).format(len(todo) - told.limits.fixes), "dim")))


def _row(told: _Told, number: int, fix: Fix) -> tuple[Inline, ...]:
    return (
        line(str(number)),
        line(_severity(told, fix.severity)),
        line(span(told.say(fix.remedy.title))),
        line(f"{fix.count:,}"),
        line(_safety(told, fix)),
    )


def _severity(told: _Told, severity: Severity) -> Span:
    return span(report_words.SEVERITY[severity].in_(told.language), severity)


def _safety(told: _Told, fix: Fix) -> Span:
    return span(told.say(words.SAFE)) if fix.safe else span(told.say(words.UNSAFE), "warn")


def _fix(told: _Told, number: int, fix: Fix) -> Iterator[Block]:
    say, limits = told.say, told.limits
    severity = report_words.SEVERITY[fix.severity].in_(told.language)
    title = (span(f"{number}. [{severity}] ", fix.severity), span(say(fix.remedy.title), "strong"))
    yield Heading(2, (*title, span(f"  {say(words.MENDS_N).format(f'{fix.count:,}')}", "dim")))
    shown = set[object]()
    worst, *others = fix.entries[: limits.entries]
    yield from _entry(told, worst, shown)
    yield from _do(told, fix)
    if others:
        yield Heading(3, line(span(say(words.MENDS_TOO), "dim")))
    for entry in others:
        yield from _entry(told, entry, shown)
    if len(fix.entries) > limits.entries:
        yield Paragraph(line(span(say(words.MORE).format(len(fix.entries) - limits.entries), "dim")))


def _do(told: _Told, fix: Fix) -> Iterator[Block]:
    """What to do, directly below the worst that it mends: at night nobody reads on to the end."""
    say, limits = told.say, told.limits
    rows = list[tuple[str, Inline]]()
    if say(fix.remedy.detail):
        rows.append((say(words.DO), line(span(say(fix.remedy.detail)))))
    rows.append((say(words.SAFETY), _effect(told, fix)))
    yield Facts(tuple(rows))
    for one in fix.commands[: limits.commands]:
        if one.blanks:
            names = ("、" if told.language == "zh" else ", ").join(one.blanks)
            yield Facts(((say(words.CAREFUL), line(span(say(words.FILL_IN).format(names), "warn"))),))
        yield command("\n".join(say(one.text).split("\n")[: limits.command_lines]))
    more = len(fix.commands) - limits.commands
    if more > 0:
        yield Paragraph(line(span(say(words.MORE).format(more), "dim")))


def _effect(told: _Told, fix: Fix) -> Inline:
    if not fix.breaks:
        return line(_safety(told, fix), "" if fix.safe else span(f": {told.say(words.UNSAFE_MAY)}"))
    stop = "。" if told.language == "zh" else "."
    some = [told.say(one) for one in fix.breaks[:4]]
    if len(some) > 1:
        some = [f"{one.rstrip('.。')}{stop}" for one in some]
    breaks = ("" if told.language == "zh" else " ").join(dict.fromkeys(some))
    return line(_safety(told, fix), span(f"{'：' if told.language == 'zh' else ': '}{breaks}"))


def _entry(told: _Told, entry: Entry, shown: set[object]) -> Iterator[Block]:
    """What is wrong. `shown`: checks and places that this fix has told already."""
    say, one = told.say, entry.first
    title = span(say(entry.info.title), "plain")
    yield Heading(3, (_severity(told, severity_of(one)), span("  "), title))
    rows = list[tuple[str, Inline]]([(say(words.SUBJECTS), _subjects(told, entry.results))])
    if too := told.too.get(one.key):
        rows.append((say(words.INCLUDES), line(span(told.comma.join(say(info.title) for info in too)))))
    for label, text in ((words.OBSERVED, one.observed), (words.EXPECTED, one.expected), (words.BECAUSE, one.reason)):
        if say(text):
            rows.append((say(label), line(span(say(text)[:1000]))))
    for position, hop in enumerate(one.hops[:20]):
        head = (span(hop.source, "code", 80), span(" → "), span(hop.target, "code", 80))
        means = say(hop.description)[:300]
        sep = "：" if told.language == "zh" else ": "
        rows.append((say(words.PATH) if not position else "", (*head, *line(span(sep + means if means else "")))))
    brief = told.limits.brief and severity_of(one) in {"low", "informational"}
    places = [where for result in entry.results for where in result.where][: 3 * told.limits.places]
    fresh = [where for where in dict.fromkeys(places) if not told.limits.brief or where not in shown]
    for position, where in enumerate(fresh[: 1 if brief else told.limits.places]):
        rows.append((say(words.READ_AT) if not position else "", _where(where, one.subject)))
        shown.add(where)
    if entry.info.id not in shown and not brief:
        rows.append((say(words.WHY), line(span(say(entry.info.why)))))
    shown.add(entry.info.id)
    yield Facts(tuple(rows))


def _subjects(told: _Told, results: tuple[Result, ...]) -> Inline:
    names = list(dict.fromkeys(_name(one) for one in results))
    limit = told.limits.subjects
    parts: list[Inline] = [line(span(one, "code", 120)) for one in names[:limit]]
    if len(names) > limit:
        parts.append(line(span(told.say(words.MORE_SUBJECTS).format(len(names) - limit), "dim")))
    return joined(parts, "、" if told.language == "zh" else ", ")


def _name(one: Result) -> str:
    if not one.subject:
        return one.target
    return one.subject if one.target in {"cluster", "fleet"} else f"{one.target} {one.subject}"


def _where(where: Where, subject: str) -> Inline:
    parts = list[Span]()
    if where.item:
        parts.append(place(where.item, where.line) if where.line else span(where.item, "code", 100))
    for text in (where.object, where.path):
        if text and text != subject:
            parts.append(span(text, cells=120))
    if where.text:
        parts.append(span(where.text, "warn", 160))
    return joined(parts, "  ")


def _fleet(told: _Told) -> Iterator[Block]:
    made = fleet(told.report)
    rows = [one for one in made.rows if one.differs or one.worst >= 0]
    if not rows:
        return
    say = told.say
    yield Heading(2, line(say(words.FLEET)))
    if len(made.machines) > told.limits.machines:
        yield Paragraph(line(say(words.FLEET_MORE).format(len(made.machines))))
        return
    columns = (Column(say(words.CHECK), wide=True), *(Column(one[:24]) for one in made.machines))
    body = list[tuple[Inline, ...]]()
    for row in rows[: told.limits.matrix]:
        cells = list[Inline]()
        for cell in row.cells:
            if cell is None:
                cells.append(())
            elif cell.severity:
                cells.append(line(span(f"✗ {report_words.SEVERITY[cell.severity].in_(told.language)}", cell.severity)))
            else:
                cells.append(line(span("(✗)" if cell.accepted else words.ANSWER[cell.status], "dim")))
        body.append((line(span(say(row.info.title))), *cells))
    yield Table(columns, tuple(body))


def _accepted(told: _Told) -> Iterator[Block]:
    waived = [one for one in told.report.results if one.waiver]
    if waived:
        yield Heading(2, line(told.say(words.ACCEPTED), f" ({len(waived)})"))
        rows = list[Inline]()
        for one in waived[: told.limits.rows]:
            assert one.waiver is not None
            text = told.say(words.UNTIL).format(
                owner=one.waiver.owner, expires=one.waiver.expires, reason=one.waiver.reason
            )
            rows.append(line(span(_name(one), "code", 100), span(f" {one.check}", "dim"), span(f" {text}", cells=300)))
        yield Bullets(tuple(rows))
    known = [one for one in told.report.results if one.known and not one.waiver]
    yield from _results(told, words.KNOWN_TITLE, known)
    yield from _results(told, words.GONE_TITLE, told.report.gone)


def _credentials(told: _Told) -> Iterator[Block]:
    listed = told.report.credentials
    if not listed:
        return
    say = told.say
    yield Heading(2, line(say(words.CREDENTIALS), f" ({len(listed)})"))
    columns = (
        Column(say(words.KIND), from_width=100), Column(say(words.NAME), wide=True),
        Column(say(words.TARGET), from_width=110),
        Column(say(words.IDENTITY)), Column(say(words.EXPIRES)), Column(say(words.LAST_USED), from_width=130),
    )  # fmt: skip
    rows = tuple(
        (
            line(span(one.kind)),
            line(span(one.name, "code", 70)),
            line(span(one.target, cells=30)),
            line(span(f"{one.identity}{f' ({chr(44).join(one.groups)})' if one.groups else ''}", cells=50)),
            line(span(one.not_after[:10])),
            line(span(one.last_used[:19])),
        )
        for one in listed[: told.limits.credentials]
    )
    yield Table(columns, rows)
    if len(listed) > told.limits.credentials:
        yield Paragraph(line(span(say(words.MORE).format(len(listed) - told.limits.credentials), "dim")))


def _frameworks(told: _Told) -> Iterator[Block]:
    found = points(told.report)
    if not found or not any(one.status in {"pass", "fail"} for one in told.report.results):
        return
    say = told.say
    yield Heading(2, line(say(words.FRAMEWORKS)))
    rows = list[tuple[Inline, ...]]()
    for name in dict.fromkeys(one.framework for one in found):
        own = [one for one in found if one.framework == name]
        failed = [one.name for one in own if one.status == "fail"]
        count = Counter(one.status for one in own)
        rows.append(
            (
                line(span(name, cells=30)),
                line(span(", ".join(failed) or "–", "warn" if failed else "dim", 300)),
                line(str(count["pass"])),
                line(str(count["not_evaluated"])),
            )
        )
    columns = (
        Column(say(words.FRAMEWORK)),
        Column(say(words.STATUS["fail"]), wide=True),
        Column(say(words.STATUS["pass"]), right=True),
        Column(say(words.STATUS["not_evaluated"]), right=True),
    )
    yield Table(columns, tuple(rows))


def _results(told: _Told, title: Text, results: Iterable[Result]) -> Iterator[Block]:
    results = list(results)
    if not results:
        return
    infos = info_of(told.report)
    yield Heading(2, line(told.say(title), f" ({len(results):,})"))
    rows = list[Inline]()
    for one in results[: told.limits.rows]:
        info = infos.get(one.check)
        about = told.say(info.title) if info else one.check
        text = told.say(one.observed) or told.say(one.reason)
        sep = "：" if told.language == "zh" else ": "
        rows.append(
            line(span(_name(one), "code", 100), span(f" {about}"), span(f"{sep}{text}" if text else "", "dim", 300))
        )
    if len(results) > told.limits.rows:
        rows.append(line(span(told.say(words.MORE).format(len(results) - told.limits.rows), "dim")))
    yield Bullets(tuple(rows))
