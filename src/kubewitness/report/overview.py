"""What a person reads first: headline, story, status, way in, chain, what to do, what could not be seen.

The overview is bounded whatever the document holds (`Limits`), so the terminal report stays within two screens; every
cut says how much more there is. The order is that of three readers: who is woken up at night, who decides what to do,
who checks it the next morning (that is `details`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from kubewitness.model.incident import Finding
from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.text import Language, Text
from kubewitness.report import verdict_words, words
from kubewitness.report.blocks import (
    Block,
    Bullets,
    Column,
    Heading,
    Inline,
    Paragraph,
    Span,
    Table,
    joined,
    line,
    place,
    span,
)
from kubewitness.report.document import Document
from kubewitness.report.hostile import short, short_path
from kubewitness.report.incident_overview import Limits, incident_blocks, incident_line
from kubewitness.report.items import broken
from kubewitness.report.phrases import (
    by_severity,
    more,
    rank,
    said,
    severity_span,
    technique_ids,
)
from kubewitness.report.unread_words import why

LADDER: Final = (
    Limits(),
    Limits(steps=12, incidents=2, actions=6, limitations=4, sources=6, findings=5, reasons=3, sentences=5),
    Limits(steps=8, incidents=1, listed=8, actions=4, limitations=3, sources=4, findings=4, reasons=2, sentences=3),
    Limits(steps=4, incidents=1, listed=5, actions=3, limitations=2, sources=2, findings=3, reasons=2, sentences=2),
)


def overview(
    document: Document, language: Language, minimum: Severity = "low", limits: Limits | None = None
) -> list[Block]:
    """The part before the details."""
    return list(_overview(document, language, minimum, limits or Limits()))


def _overview(document: Document, language: Language, minimum: Severity, limits: Limits) -> Iterator[Block]:
    made = f"{words.MADE.in_(language)} {words.moment(document.generated, language)}"
    title: list[Span | str] = [span(words.REPORT.in_(language), "dim"), " · ", span(document.case, "strong", 80)]
    title += [span(f" · {made} · {document.tool}", "dim")]
    yield Paragraph(line(*title))
    if document.label:
        yield Paragraph(line(span(document.label.in_(language), "warn", 200)))
    for proof in document.coverage.archives:
        if proof.differences:
            said = words.ALTERED.in_(language).format(archive=proof.archive, count=words.number(proof.differences))
            yield Paragraph(line(span(said, "critical")))
    if not document.complete:
        yield Paragraph(line(span(words.INCOMPLETE.in_(language), "warn")))
    incidents = by_severity(document)
    count = len(incidents)
    if not count:
        seen_any = document.coverage.understood
        yield Heading(1, line((words.NO_INCIDENT if seen_any else words.NOTHING_SEEN).in_(language)))
    if count > 1:
        yield Heading(2, line(words.INCIDENTS.in_(language)))
        listed = [incident_line(incident, language) for incident in incidents[: limits.listed]]
        left = count - len(listed)
        yield Bullets((*listed, *((more(left, language),) if left else ())), numbered=True)
    shown = incidents[: limits.incidents]
    for incident in shown:
        yield from incident_blocks(
            incident, language, limits, steps=max(4, limits.steps // max(len(shown), 1)), alone=count == 1
        )
    yield from _not_seen(document, language, limits)
    yield from _other_findings(document, language, minimum, limits)
    yield from _unread(document, language, limits)


def _not_seen(document: Document, language: Language, limits: Limits) -> Iterator[Block]:
    coverage = document.coverage
    yield Heading(2, line(words.NOT_SEEN.in_(language)))
    yield Paragraph(line(seen(document, language)))
    yield from _lacking(document, language, limits)
    texts: list[Text] = []
    for text in (*(text for incident in document.incidents for text in incident.limitations), *coverage.limitations):
        if text not in texts:
            texts.append(text)
    items = [line(said(text, language, 240)) for text in texts[: limits.limitations]]
    if len(texts) > limits.limitations:
        items.append(more(len(texts) - limits.limitations, language))
    if coverage.rules_failed:
        failed = len(coverage.rules_failed)
        items.append(
            line(
                span(
                    f"{failed} 条规则未能加载，没有运行"
                    if language == "zh"
                    else f"{words.counted(failed, 'rule', 'rules', '', 'en')} could not be loaded and did not run",
                    "warn",
                )
            )
        )
    if items:
        yield Bullets(tuple(items))


def _lacking(document: Document, language: Language, limits: Limits) -> Iterator[Block]:
    """What was missing among the kinds of evidence, a line each."""
    missing = verdict_words.lacking(document.coverage.sources)
    if not missing:
        return
    columns = (
        Column(verdict_words.SOURCE.in_(language)),
        Column(verdict_words.STATE_LABEL.in_(language)),
        Column(verdict_words.WOULD_SHOW.in_(language), wide=True),
    )
    rows = tuple(
        (
            line(said(one.name, language, 40)),
            line(verdict_words.STATE[one.state].in_(language)),
            line(said(one.would_show, language, 200)),
        )
        for one in missing[: limits.sources]
    )
    yield Table(columns, rows)
    if len(missing) > limits.sources:
        yield Paragraph(more(len(missing) - limits.sources, language))


def seen(document: Document, language: Language) -> str:
    """One sentence on what was looked at: never "clean"."""
    coverage = document.coverage
    events, requests = words.number(coverage.events), words.number(coverage.requests)
    items, rules = len(coverage.items), coverage.rules_loaded
    counted = [f"{short(name, 20)} {words.number(count)}" for name, count in list(coverage.levels.items())[:6]]
    levels = ("、" if language == "zh" else ", ").join(counted)
    when = Text("at times that are not told", "时间未知").in_(language)
    if coverage.first or coverage.last:
        period = words.period(coverage.first, coverage.last, language)
        when = f"时间 {period}" if language == "zh" else period
    known, known_zh = "", ""
    if coverage.indicators_loaded:
        known = f" and {words.counted(coverage.indicators_loaded, 'indicator', 'indicators', '', 'en')}"
        known_zh = f"和 {words.number(coverage.indicators_loaded)} 个威胁指标"
    if not coverage.events:  # evidence of nodes alone has neither levels nor requests
        if language == "zh":
            return f"查看了 {words.number(items)} 份证据（其中没有审计事件），用 {rules} 条规则{known_zh}判定。"
        found = words.counted(items, "item", "items", "", "en")
        return (
            f"Looked at {found}, no audit event {'in it' if items == 1 else 'among them'}, with {rules} rules{known}."
        )
    if language == "zh":
        return (
            f"查看了 {items} 份证据中的 {events} 个事件（{requests} 个请求），{when}，"
            f"用 {rules} 条规则{known_zh}判定。日志级别：{levels or '未知'}。"
        )
    return (
        f"Looked at {words.counted(coverage.events, 'event', 'events', '', 'en')} "
        f"({words.counted(coverage.requests, 'request', 'requests', '', 'en')}) in "
        f"{words.counted(items, 'item', 'items', '', 'en')}, {when}, with {rules} rules{known}. "
        f"Levels: {levels or 'unknown'}."
    )


def outside(document: Document, minimum: Severity) -> list[Finding]:
    """Findings that belong to no incident, worst first, at `minimum` or above."""
    chosen = [f for f in document.findings if not f.incident and rank(f.severity) <= rank(minimum)]
    return sorted(chosen, key=lambda f: (rank(f.severity), f.first, f.id))


def _other_findings(document: Document, language: Language, minimum: Severity, limits: Limits) -> Iterator[Block]:
    every = outside(document, "informational")
    if not every:
        return
    chosen = outside(document, minimum)
    yield Heading(2, line(words.OTHER_FINDINGS.in_(language)))
    if chosen:
        columns = (
            Column(words.COLUMN_SEVERITY.in_(language)),
            Column(words.COLUMN_FINDING.in_(language), wide=True),
            Column(words.COLUMN_WHO.in_(language)),
            Column(words.COLUMN_ADDRESS.in_(language), from_width=90),
            Column(words.COLUMN_TECHNIQUE.in_(language), from_width=120),
            Column(words.COLUMN_COUNT.in_(language), right=True),
        )
        rows = tuple(
            (
                line(severity_span(finding.severity, language)),
                line(said(finding.title, language)),
                line(span(words.who(finding.identity, language), "code", 28)),
                line(span(finding.address, "code", 39)),
                line(technique_ids(finding)),
                line(words.number(finding.count)),
            )
            for finding in chosen[: limits.findings]
        )
        yield Table(columns, rows)
    hidden = Counter(finding.severity for finding in every) - Counter(finding.severity for finding in chosen)
    left = len(chosen) - limits.findings
    said_last: list[Inline] = [more(left, language)] if left > 0 else []
    if hidden:
        zh = language == "zh"
        parts = [f"{words.SEVERITY[s].in_(language)} {hidden[s]}" for s in reversed(SEVERITIES) if hidden[s]]
        rest = f"未列出：{'，'.join(parts)}" if zh else f"Not listed: {', '.join(parts)}"
        said_last.append(line(span(rest, "dim")))
    if said_last:
        yield Paragraph(joined(said_last, "  "))


def _unread(document: Document, language: Language, limits: Limits) -> Iterator[Block]:
    skipped = broken(document)
    total = max(document.parse_failures_total, len(document.parse_failures))
    if not total and not skipped:
        return
    yield Heading(2, line(words.UNREAD.in_(language)))
    items: list[Inline] = [
        line(Span(short_path(item.name, 50), "code"), "  ", span(why(item.skipped).in_(language), "plain", 120))
        for item in skipped[: limits.reasons]
    ]
    if len(skipped) > limits.reasons:
        items.append(more(len(skipped) - limits.reasons, language))
    reasons = Counter(failure.reason for failure in document.parse_failures)
    first = {failure.reason: failure.place for failure in reversed(document.parse_failures)}
    for reason, count in reasons.most_common(limits.reasons):
        at = first[reason]
        items.append(
            line(
                f"{words.number(count)} × " if count > 1 else "",
                span(why(reason).in_(language), "plain", 90),
                "  ",
                place(at.item, at.line, cells=44),
            )
        )
    listed = sum(count for _, count in reasons.most_common(limits.reasons))
    if total > listed:
        items.append(more(total - listed, language))
    yield Bullets(tuple(items))
