"""What a person reads first: headline, story, status, way in, chain, what to do, what could not be seen.

The overview is bounded whatever the document holds (`Limits`), so the terminal report stays within two screens; every
cut says how much more there is. The order is that of three readers: who is woken up at night, who decides what to do,
who checks it the next morning (that is `details`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kubewitness.model.incident import Actor, EntryPoint, Finding, Incident, RootCause, Secret, Step
from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.text import Language, Text
from kubewitness.report import words
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
    joined,
    line,
    place,
    span,
)
from kubewitness.report.citation import object_words
from kubewitness.report.document import Document
from kubewitness.report.hostile import short, short_path


@dataclass(frozen=True)
class Limits:
    """How much the overview shows. `LADDER` has these from generous to tight."""

    steps: int = 16  # shared by the incidents
    incidents: int = 3  # shown in full; the list at the top names all (at most `listed`)
    listed: int = 12
    actions: int = 8
    limitations: int = 6
    findings: int = 8
    reasons: int = 4
    sentences: int = 8


LADDER: Final = (
    Limits(),
    Limits(steps=12, incidents=2, actions=6, limitations=4, findings=5, reasons=3, sentences=5),
    Limits(steps=8, incidents=1, listed=8, actions=4, limitations=3, findings=4, reasons=2, sentences=3),
    Limits(steps=4, incidents=1, listed=5, actions=3, limitations=2, findings=3, reasons=2, sentences=2),
)


def rank(severity: Severity) -> int:
    """Order of severities, worst first."""
    return -SEVERITIES.index(severity)


def by_severity(document: Document) -> list[Incident]:
    """Incidents, the worst first, otherwise in the order of the document."""
    return sorted(document.incidents, key=lambda incident: rank(incident.severity))


def severity_span(severity: Severity, language: Language) -> Span:
    """The word for a severity in its colour."""
    return span(words.SEVERITY[severity].in_(language), severity)


def more(left: int, language: Language) -> Inline:
    """How many were left out: "… and 7 more, in the details"."""
    return line(
        span(f"… 另有 {left:,} 项，见详情" if language == "zh" else f"… and {left:,} more, in the details", "dim")
    )


def said(text: Text, language: Language, cells: int = 300) -> Span:
    """A text of the document, bounded: names in it may be as long as an intruder likes."""
    return span(text.in_(language), "plain", cells)


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
    if not document.complete:
        yield Paragraph(line(span(words.INCOMPLETE.in_(language), "warn")))
    incidents = by_severity(document)
    count = len(incidents)
    if not count:
        seen_any = document.coverage.events > 0
        yield Heading(1, line((words.NO_INCIDENT if seen_any else words.NOTHING_SEEN).in_(language)))
    if count > 1:
        yield Heading(2, line(words.INCIDENTS.in_(language)))
        listed = [_incident_line(incident, language) for incident in incidents[: limits.listed]]
        left = count - len(listed)
        yield Bullets((*listed, *((more(left, language),) if left else ())), numbered=True)
    shown = incidents[: limits.incidents]
    for incident in shown:
        yield from _incident(
            incident, language, limits, steps=max(4, limits.steps // max(len(shown), 1)), alone=count == 1
        )
    yield from _not_seen(document, language, limits)
    yield from _other_findings(document, language, minimum, limits)
    yield from _unread(document, language, limits)


def _incident_line(incident: Incident, language: Language) -> Inline:
    return line(
        severity_span(incident.severity, language), " ", span(incident.title.in_(language), "strong", 200), "  ",
        span(f"{incident.id} · {words.period(incident.first, incident.last, language)}", "dim"),
    )  # fmt: skip


def _incident(incident: Incident, language: Language, limits: Limits, *, steps: int, alone: bool) -> Iterator[Block]:
    word = words.SEVERITY[incident.severity].in_(language)
    badge = span(f"[{word.upper()}]", incident.severity)
    yield Heading(1, line(badge, " ", span(incident.title.in_(language), "strong", 200)))
    confidence = f"{words.CONFIDENCE_LABEL.in_(language)} {words.CONFIDENCE[incident.confidence].in_(language)}"
    yield Paragraph(
        line(span(f"{incident.id} · {confidence} · {words.period(incident.first, incident.last, language)}", "dim"))
    )
    sentences = incident.story[: limits.sentences]
    if sentences:
        yield Paragraph(joined((said(text, language, 400) for text in sentences), "" if language == "zh" else " "))
    facts = [(short(label.in_(language), 24), line(said(state, language))) for label, state in incident.status]
    if incident.verdict:
        verdict = incident.verdict
        sure = f"{words.CONFIDENCE_LABEL.in_(language)} {words.CONFIDENCE[verdict.confidence].in_(language)}"
        facts.append(
            (words.VERDICT_LABEL.in_(language), line(f"{words.VERDICT[verdict.verdict].in_(language)} · {sure}"))
        )
    if facts:
        yield Heading(2, line(words.STATUS.in_(language)))
        yield Facts(tuple(facts))
    yield from _way_in(incident, language)
    yield from _chain(incident, language, steps)
    actions = incident.actions[: limits.actions if alone else 4]
    if actions:
        yield Heading(2, line(words.DO_NOW.in_(language)))
        items = [
            line(
                span(f"[{words.PHASE[action.phase].in_(language)}] ", "dim"), said(action.title, language), "  ",
                span((words.SAFE if action.safe else words.UNSAFE).in_(language), "dim" if action.safe else "warn"),
            )
            for action in actions
        ]  # fmt: skip
        left = len(incident.actions) - len(actions)
        yield Bullets((*items, *((more(left, language),) if left else ())), numbered=True)


def _techniques(source: EntryPoint | Step | Finding) -> str:
    return ", ".join(technique.id for technique in source.techniques)


def names(values: tuple[str, ...], language: Language, most: int = 3, cells: int = 60) -> Inline:
    """The first few of a list of evidence strings, and how many more there are."""
    shown = joined((span(value, "code", cells) for value in values[:most]), "、" if language == "zh" else ", ")
    left = len(values) - most
    if left <= 0:
        return shown
    return (*shown, span(f" 等共 {len(values)} 个" if language == "zh" else f" and {left} more", "dim"))


def root_cause_words(cause: RootCause, language: Language) -> Inline:
    """What it gives to whom: "ClusterRoleBinding x gives ClusterRole cluster-admin to User system:anonymous"."""
    place = f"{cause.namespace}/{cause.name}" if cause.namespace else cause.name
    parts: list[str | Span] = [f"{cause.kind} ", span(place, "strong", 80)]
    role, subject = span(cause.role, "code", 60), span(cause.subject, "code", 80)
    zh = language == "zh"
    if cause.role and cause.subject:
        parts += [" 把 ", role, " 授予 ", subject] if zh else [" gives ", role, " to ", subject]
    elif cause.role:
        parts += [" 授予 " if zh else " gives ", role]
    elif cause.subject:  # a credential: what it is known by
        parts += ["  ", subject]
    return line(*parts)


def root_cause_life(cause: RootCause, language: Language) -> str:
    """How much it was used, and when it was made and deleted, by whom; empty if none of it is known."""
    zh = language == "zh"
    parts: list[str] = []
    if cause.requests_total:
        used, total = words.number(cause.requests_authorised), words.number(cause.requests_total)
        parts.append(
            f"入侵者获准的 {total} 个请求中有 {used} 个由它放行"
            if zh
            else f"Allowed {used} of the intruder's {total} granted requests"
        )
    for when, by, en, chinese in (
        (cause.created, cause.created_by, "made", "创建于"),
        (cause.deleted, cause.deleted_by, "deleted", "删除于"),
    ):
        if when:
            at = words.moment(when, language)
            author = words.who(by, language) if by else ""
            parts.append((f"{chinese} {at}" if zh else f"{en} {at}") + (_by(author, zh) if author else ""))
    return ("；" if zh else "; ").join(parts)


def _by(author: str, zh: bool) -> str:
    return f"（{author}）" if zh else f" by {author}"


def _way_in(incident: Incident, language: Language) -> Iterator[Block]:
    facts: list[tuple[str, Inline]] = []
    entry = incident.entry_point
    if entry:
        parts: list[str | Span] = [f"{words.moment(entry.time, language)}  ", said(entry.description, language)]
        if entry.techniques:
            parts += ["  ", span(_techniques(entry), "dim")]
        facts.append((words.ENTRY.in_(language), line(*parts)))
    for cause in incident.root_causes[:3]:
        facts.append((words.ROOT_CAUSE.in_(language), root_cause_words(cause, language)))
        if life := root_cause_life(cause, language):
            facts.append(("", line(life)))
        if cause.description.in_(language):
            facts.append(("", line(said(cause.description, language))))
    facts += [(words.INTRUDER.in_(language), _actor(actor, language)) for actor in incident.actors[:2]]
    touched = _touched(incident, language)
    if touched:
        facts.append((words.TOUCHED.in_(language), line(touched)))
    shown = incident.secrets[:3]
    for number, secret in enumerate(shown):
        label = words.ROTATE.in_(language) if number == 0 else ""
        facts.append((label, line(secret_name(secret), said(secret.description, language, 160))))
    if len(incident.secrets) > len(shown):
        facts.append(("", more(len(incident.secrets) - len(shown), language)))
    if facts:
        yield Heading(2, line(words.WAY_IN.in_(language)))
        yield Facts(tuple(facts))


def _actor(actor: Actor, language: Language) -> Inline:
    parts: list[Inline] = [names(actor.addresses, language)] if actor.addresses else []
    if actor.identities:
        parts.append(names(tuple(words.who(name, language) for name in actor.identities), language))
    if actor.agents:
        programs = dict.fromkeys(
            agent.split(" ", 1)[0] for agent in actor.agents
        )  # "kubectl/v1.24.4" of the whole agent
        parts.append(names(tuple(programs), language, most=3, cells=32))
    if actor.requests:
        parts.append(line(words.counted(actor.requests, "request", "requests", "个请求", language)))
    return joined(parts, " · ")


def secret_name(secret: Secret) -> Span:
    """What to rotate, before why: `namespace/name  `, `namespace/*  `; nothing where the whole cluster is meant."""
    if not secret.namespace and not secret.name:
        return Span("")
    name = f"{secret.namespace}/{secret.name or '*'}" if secret.namespace else secret.name
    return Span(f"{short(name, 60)}  ", "code")


def _touched(incident: Incident, language: Language) -> str:
    counts = (
        (len(incident.created), "object created", "objects created", "个对象被创建"),
        (len(incident.changed), "changed", "changed", "个被修改"),
        (len(incident.deleted), "deleted", "deleted", "个被删除"),
        (len(incident.read), "read", "read", "个被读取"),
        (len(incident.pods), "pod", "pods", "个 Pod"),
        (len(incident.nodes), "node", "nodes", "个节点"),
    )
    parts = [words.counted(value, one, many, zh, language) for value, one, many, zh in counts if value]
    return ("，" if language == "zh" else ", ").join(parts)


def chain_table(steps: tuple[Step, ...], language: Language) -> Table:
    """The steps as rows; `steps` may be a part of the chain."""
    dated = not words.same_day([step.time for step in steps])
    columns = (
        Column("#", right=True),
        Column(words.COLUMN_TIME.in_(language)),
        Column(words.COLUMN_WHO.in_(language)),
        Column(words.COLUMN_WHAT.in_(language), wide=True),
        Column(words.COLUMN_OBJECT.in_(language), from_width=140),
        Column(words.COLUMN_TECHNIQUE.in_(language)),
        Column(words.COLUMN_COUNT.in_(language), right=True),
    )
    rows = tuple(
        (
            line(str(step.number)),
            line(words.clock(step.time, dated=dated)),
            line(span(words.who(step.identity, language), "code", 28)),
            _what(step, language),
            _objects(step),
            line(_technique_ids(step)),
            line(words.number(step.requests)),
        )
        for step in steps
    )
    return Table(columns, rows)


def _what(step: Step, language: Language) -> Inline:
    role = step.severity if step.severity in {"critical", "high"} else "plain"
    mark = span(f"{words.GLYPH[step.act]} ", role)
    sure = ""
    if step.inferred:
        sure = (
            f"（{words.INFERRED.zh} {step.confidence:.2f}）"
            if language == "zh"
            else f" (inferred, {step.confidence:.2f})"
        )
    return line(mark, step.description.in_(language), span(sure, "dim"))


def _objects(step: Step) -> Inline:
    if not step.objects:
        return ()
    left = len(step.objects) - 1
    return line(span(object_words(step.objects[0]), "code", 40), span(f" +{left}" if left else "", "dim"))


def _technique_ids(step: Step) -> str:
    ids = [technique.id for technique in step.techniques]
    return ids[0] + ("+" if len(ids) > 1 else "") if ids else ""


def _chain(incident: Incident, language: Language, most: int) -> Iterator[Block]:
    if not incident.steps:
        return
    yield Heading(2, line(words.CHAIN.in_(language)))
    worst = sorted(incident.steps, key=lambda step: (rank(step.severity), step.number))[:most]
    kept = {step.number for step in worst}
    yield chain_table(tuple(step for step in incident.steps if step.number in kept), language)
    used = sorted({step.act for step in incident.steps}, key=list(words.GLYPH).index)
    legend = "  ".join(f"{words.GLYPH[act]} {words.ACT[act].in_(language)}" for act in used)
    left = len(incident.steps) - len(worst)
    yield Paragraph((span(f"  {legend}  ", "dim"), *(more(left, language) if left > 0 else ())))


def _not_seen(document: Document, language: Language, limits: Limits) -> Iterator[Block]:
    coverage = document.coverage
    yield Heading(2, line(words.NOT_SEEN.in_(language)))
    yield Paragraph(line(seen(document, language)))
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


def seen(document: Document, language: Language) -> str:
    """One sentence on what was looked at: never "clean"."""
    coverage = document.coverage
    events, requests = words.number(coverage.events), words.number(coverage.requests)
    items, rules = len(coverage.items), coverage.rules_loaded
    levels = ", ".join(f"{short(name, 20)} {words.number(count)}" for name, count in list(coverage.levels.items())[:6])
    when = words.period(coverage.first, coverage.last, language)
    if language == "zh":
        return (
            f"查看了 {items} 份证据中的 {events} 个事件（{requests} 个请求），时间 {when}，"
            f"用 {rules} 条规则判定。日志级别：{levels or '未知'}。"
        )
    return (
        f"Looked at {words.counted(coverage.events, 'event', 'events', '', 'en')} ({requests} requests) in "
        f"{words.counted(items, 'item', 'items', '', 'en')}, {when}, with {rules} rules. Levels: {levels or 'unknown'}."
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
                line(_techniques(finding)),
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
    skipped = [item for item in document.coverage.items if item.skipped]
    total = max(document.parse_failures_total, len(document.parse_failures))
    if not total and not skipped:
        return
    yield Heading(2, line(words.UNREAD.in_(language)))
    items: list[Inline] = [
        line(Span(short_path(item.name, 50), "code"), "  ", span(item.skipped, "plain", 120))
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
                span(reason, "plain", 90),
                "  ",
                place(at.item, at.line, cells=44),
            )
        )
    listed = sum(count for _, count in reasons.most_common(limits.reasons))
    if total > listed:
        items.append(more(total - listed, language))
    yield Bullets(tuple(items))
