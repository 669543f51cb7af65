"""What a person checks the next morning: every step, action, finding and piece of evidence behind the overview.

Citations are bounded per claim; where some are left out the report says so and the JSON form has them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubewitness.model.incident import (
    Action,
    CampaignMatch,
    CampaignStep,
    Evidence,
    Finding,
    Incident,
    SourceCoverage,
    Step,
)
from kubewitness.model.judgement import Severity
from kubewitness.model.text import Language, Text
from kubewitness.report import cut_words, verdict_words, words
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
    line,
    place,
    span,
)
from kubewitness.report.campaign_words import STATE, statement
from kubewitness.report.chain import way
from kubewitness.report.citation import cite, object_words, of_machine
from kubewitness.report.document import Document
from kubewitness.report.hostile import short_path
from kubewitness.report.items import broken, telling
from kubewitness.report.overview import outside
from kubewitness.report.phrases import by_severity, names, secret_name, severity_span
from kubewitness.report.unread_words import why

_CITATIONS = 3  # a claim
_CAMPAIGNS = 3
_INDICATORS = "indicators/"
_FINDINGS = 100
_FINDING_SIGNS = 5
_ACCESSORS = 15
_ITEMS = 50
_FAILURES = 20
_EXPOSED = 40


def details(
    document: Document, language: Language, minimum: Severity = "low", *, originals: bool = False
) -> list[Block]:
    """The part after the overview; with `originals`, citations carry the event itself."""
    return list(_details(document, language, minimum, originals=originals))


def _details(document: Document, language: Language, minimum: Severity, *, originals: bool) -> Iterator[Block]:
    for incident in by_severity(document):
        known = [one for one in document.findings if one.incident == incident.id and one.rule.startswith(_INDICATORS)]
        yield from _incident(incident, known, language, originals=originals)
    chosen = outside(document, minimum)
    if chosen:
        yield Heading(2, line(words.OTHER_FINDINGS.in_(language)))
        for finding in chosen[:_FINDINGS]:
            yield from _finding(finding, language, originals=originals)
        if len(chosen) > _FINDINGS:
            yield _in_json(len(chosen) - _FINDINGS, language)
    yield from _accessors(document, language)
    yield from _manifest(document, language)


def _in_json(left: int, language: Language) -> Paragraph:
    """Where the rest is."""
    said = f"… 另有 {left} 条，见 JSON 报告" if language == "zh" else f"… and {left} more, in the JSON report"
    return Paragraph(line(span(said, "dim")))


def _incident(incident: Incident, known: Sequence[Finding], language: Language, *, originals: bool) -> Iterator[Block]:
    yield Heading(
        2, line(words.STEPS.in_(language), " · ", span(incident.id, "dim"), " · ", incident.title.in_(language))
    )
    for actor in incident.actors:
        rows: list[tuple[str, Inline]] = [
            (label.in_(language), names(values, language, most=20, cells=120))
            for label, values in (
                (words.ADDRESSES, actor.addresses),
                (words.SERVERS, actor.servers),
                (words.CLAIMED, actor.claimed_addresses),
                (words.IDENTITIES, actor.identities),
                (words.IMPERSONATED, actor.impersonated),
                (words.CREDENTIALS, actor.credentials),
                (words.AGENTS, actor.agents),
            )
            if values
        ]
        rows += [(words.JOINED.in_(language), line(text.in_(language))) for text in actor.why]
        rows += [(words.UNACCUSTOMED.in_(language), line(text.in_(language))) for text in actor.departures]
        if rows:
            yield Heading(3, line(verdict_words.actor_label(incident).in_(language)))
            yield Facts(tuple(rows))
    if incident.entry_point and incident.entry_point.evidence:
        yield Heading(3, line(words.ENTRY.in_(language)))
        yield from _citations(incident.entry_point.evidence, language, originals=originals)
    for cause in incident.root_causes:
        if cause.evidence:
            yield Heading(
                3, line(words.ROOT_CAUSE.in_(language), " · ", span(f"{cause.kind} {cause.place}", "code", 100))
            )
            yield from _citations(cause.evidence, language, originals=originals)
    yield from _cuts(incident, language)
    for step in incident.steps:
        yield from _step(step, incident, language, originals=originals)
    for campaign in incident.campaigns[:_CAMPAIGNS]:
        yield from _campaign(campaign, language)
    yield from _known(known, language)
    yield from _blast_radius(incident, language)
    yield from _exposed(incident, language)
    if incident.limitations:
        yield Heading(3, line(words.NOT_SEEN.in_(language)))
        yield Bullets(tuple(line(text.in_(language)) for text in incident.limitations))
    yield from _verdicts(incident, language)
    if incident.actions:
        yield Heading(2, line(words.ACTIONS.in_(language)))
        yield Paragraph(line(span(words.NOT_RUN.in_(language), "dim")))
        for number, action in enumerate(incident.actions, 1):
            yield from _action(number, action, language)


def _cuts(incident: Incident, language: Language) -> Iterator[Block]:
    if incident.cuts:
        yield Heading(3, line(cut_words.HEADING.in_(language)))
        yield Paragraph(line(span(cut_words.INTRODUCTION.in_(language), "dim")))
        said = [(cut_words.taken(cut).in_(language), cut_words.effect(cut).in_(language)) for cut in incident.cuts]
        yield Bullets(tuple(line(span(name, "code", 400), cut_words.COLON.in_(language), what) for name, what in said))


def _step(step: Step, incident: Incident, language: Language, *, originals: bool) -> Iterator[Block]:
    title = f"{step.number}  {words.GLYPH[step.act]} {words.ACT[step.act].in_(language)}  "
    yield Heading(3, line(span(title, step.severity), step.description.in_(language)))
    zh = language == "zh"
    rows: list[tuple[str, Inline]] = []
    actor = words.actor(step.identity, step.address, language)
    rows.append((words.COLUMN_WHO.in_(language), line(span(actor, "code", 200))))
    when = words.period(step.time, step.last, language)
    granted = (
        f"{words.number(step.requests)} 个请求，{words.number(step.succeeded)} 个成功"
        if zh
        else f"{words.counted(step.requests, 'request', 'requests', '', language)}, "
        f"{words.number(step.succeeded)} succeeded"
    )
    if of_machine(step.evidence):
        granted = words.counted(step.requests, "trace", "traces", "处痕迹", language)
    rows.append((words.WHEN.in_(language), line(f"{when} · {granted}")))
    for label, values in (
        (words.AGENT, (step.agent,) if step.agent else ()),
        (words.COMMAND, (step.command,) if step.command else ()),
        (words.COLUMN_OBJECT, tuple(object_words(name) for name in step.objects)),
        (words.RULES, step.rules),
    ):
        if values:
            rows.append((label.in_(language), names(values, language, most=6, cells=200)))
    if step.techniques:
        said = ", ".join(f"{technique.id} {technique.name}".strip() for technique in step.techniques)
        rows.append((words.COLUMN_TECHNIQUE.in_(language), line(said)))
    rows += [(words.EFFECTS.in_(language), line(text.in_(language))) for text in step.effects[:6]]
    why = step.why.in_(language)
    if step.inferred:
        why += f"（推断，置信度 {step.confidence:.2f}）" if zh else f" (inferred, confidence {step.confidence:.2f})"
    if why:
        rows.append((words.WHY.in_(language), line(why)))
    if said := way(step, incident).in_(language):
        rows.append((words.PATH.in_(language), line(span(said, "code", 400))))
    yield Facts(tuple(rows))
    yield from _citations(step.evidence, language, originals=originals)


def _citations(evidence: tuple[Evidence, ...], language: Language, *, originals: bool) -> Iterator[Block]:
    for one in evidence[:_CITATIONS]:
        yield cite(one, with_original=originals)
    if len(evidence) > _CITATIONS:
        yield _in_json(len(evidence) - _CITATIONS, language)


def _campaign(match: CampaignMatch, language: Language) -> Iterator[Block]:
    yield Heading(2, line(words.CAMPAIGN_STEPS.in_(language), " · ", match.name.in_(language)))
    sure = f"{words.CONFIDENCE_LABEL.in_(language)} {words.CONFIDENCE[match.confidence].in_(language)}"
    yield Paragraph(line(f"{statement(match).in_(language)} · {sure}"))
    rows = [
        (
            f"{number} · {STATE[step.state].in_(language)}",
            line(step.title.in_(language), span(_first(step), "dim", 160)),
        )
        for number, step in enumerate(match.steps, 1)
    ]
    rows += [(words.ACTIVE.in_(language), line(match.active))] if match.active else []
    rows += [(words.SOURCES.in_(language), line(source)) for source in match.sources[:4]]
    yield Facts(tuple(rows))


def _known(findings: Sequence[Finding], language: Language) -> Iterator[Block]:
    """Indicators of others' lists that were seen in the incident: no steps by themselves."""
    if not findings:
        return
    yield Heading(2, line(words.KNOWN.in_(language)))
    yield Bullets(
        tuple(
            line(
                severity_span(one.severity, language), "  ", span(str(one.matched.get("seen", "")), "code", 120), "  ",
                one.title.in_(language), span(f"  {one.id} · {one.matched.get('source', '')}", "dim", 160),
            )
            for one in findings[:_FINDINGS]
        )
    )  # fmt: skip
    if len(findings) > _FINDINGS:
        yield _in_json(len(findings) - _FINDINGS, language)


def _first(step: CampaignStep) -> str:
    """What shows a step, in a few words."""
    one = next(iter(step.evidence), None)
    return f"  {one.summary or one.audit_id}" if one else ""


def _blast_radius(incident: Incident, language: Language) -> Iterator[Block]:
    rows: list[tuple[str, Inline]] = [
        (label.in_(language), names(tuple(object_words(name) for name in objects), language, most=12, cells=120))
        for label, objects in (
            (words.CREATED, incident.created),
            (words.CHANGED, incident.changed),
            (words.DELETED, incident.deleted),
            (words.READ, incident.read),
            (words.PODS, incident.pods),
        )
        if objects
    ]
    if incident.nodes:
        rows.append((words.NODES.in_(language), names(incident.nodes, language, most=12, cells=120)))
    rows += [
        (words.ROTATE.in_(language), line(secret_name(secret), secret.description.in_(language)))
        for secret in incident.secrets[:30]
    ]
    if rows:
        yield Heading(2, line(words.BLAST_RADIUS.in_(language)))
        yield Facts(tuple(rows))


def _verdicts(incident: Incident, language: Language) -> Iterator[Block]:
    for verdict in verdict_words.verdicts_of(incident):
        if not (verdict.reasons or verdict.against):
            continue
        sure = verdict_words.SURE[verdict.confidence].in_(language)
        said = verdict_words.answer(verdict).in_(language)
        yield Heading(2, line(words.VERDICT_LABEL.in_(language), " · ", said, " · ", span(sure, "dim")))
        rows = [(words.REASONS.in_(language), line(text.in_(language))) for text in verdict.reasons]
        rows += [(words.AGAINST.in_(language), line(text.in_(language))) for text in verdict.against]
        yield Facts(tuple(rows))


def _exposed(incident: Incident, language: Language) -> Iterator[Block]:
    if not incident.exposures:
        return
    yield Heading(2, line(verdict_words.EXPOSED.in_(language)))
    yield Paragraph(line(span(verdict_words.EXPOSED_INTRODUCTION.in_(language), "dim")))
    yield Bullets(
        tuple(
            line(
                span(f"[{verdict_words.GRADE[one.detail].in_(language)}] ", "dim"),
                span(verdict_words.exposed_object(one).in_(language), "code", 120), "  ",
                span(one.description.in_(language), "plain", 400),
            )
            for one in incident.exposures[:_EXPOSED]
        )
    )  # fmt: skip
    if len(incident.exposures) > _EXPOSED:
        yield _in_json(len(incident.exposures) - _EXPOSED, language)


def _action(number: int, action: Action, language: Language) -> Iterator[Block]:
    phase = words.PHASE[action.phase].in_(language)
    yield Heading(3, line(f"{number}  [{phase}] {action.title.in_(language)}"))
    if detail := action.detail.in_(language):
        yield Paragraph(line(detail))
    safety = words.SAFE if action.safe else words.UNSAFE
    rows: list[tuple[str, Inline]] = [
        (label.in_(language), line(said))
        for label, text in ((words.BREAKS, action.breaks), (words.UNDO, action.undo))
        if (said := text.in_(language))
    ]
    if rows:
        yield Facts(tuple(rows))
    else:
        yield Paragraph(line(span(safety.in_(language), "dim" if action.safe else "warn")))
    if action.command:
        yield command(action.command)


def _finding(finding: Finding, language: Language, *, originals: bool) -> Iterator[Block]:
    yield Heading(
        3,
        line(
            severity_span(finding.severity, language), "  ", finding.title.in_(language), "  ", span(finding.id, "dim")
        ),
    )
    actor = words.actor(finding.identity, finding.address, language)
    requests, zh = (
        (("trace", "traces"), "处痕迹") if of_machine(finding.evidence) else (("request", "requests"), "个请求")
    )
    count = words.counted(finding.count, *requests, zh, language)
    rows: list[tuple[str, Inline]] = [
        (words.COLUMN_WHO.in_(language), line(span(actor, "code", 200))),
        (words.WHEN.in_(language), line(f"{words.period(finding.first, finding.last, language)} · {count}")),
        (words.RULE.in_(language), line(span(finding.rule, "code", 120))),
    ]
    if finding.techniques:
        said = ", ".join(f"{technique.id} {technique.name}".strip() for technique in finding.techniques)
        rows.append((words.COLUMN_TECHNIQUE.in_(language), line(said)))
    for label, text in ((words.WHY, finding.description), (words.RUNBOOK, finding.runbook)):
        rows += _said(label, text, language)
    for text in finding.falsepositives[:4]:
        rows += _said(words.BENIGN_IF, text, language)
    for reason in finding.reasons[:_FINDING_SIGNS]:
        rows += _said(words.SIGNS, reason, language)
    if finding.matched:
        rows.append((words.MATCHED.in_(language), _matched(finding)))
    yield Facts(tuple(rows))
    yield from _citations(finding.evidence, language, originals=originals)


def _said(label: Text, text: Text, language: Language) -> list[tuple[str, Inline]]:
    said = text.in_(language)
    return [(label.in_(language), line(said))] if said else []


def _matched(finding: Finding) -> Inline:
    shown = [f"{field} = {value}" for field, value in list(finding.matched.items())[:6]]
    return names(tuple(shown), "en", most=6, cells=120)


def _accessors(document: Document, language: Language) -> Iterator[Block]:
    if not document.accessors:
        return
    yield Heading(2, line(words.ACCESSORS.in_(language)))
    busiest = sorted(document.accessors, key=lambda one: (-one.requests, one.identity, one.address))
    columns = (
        Column(words.COLUMN_WHO.in_(language), wide=True),
        Column(words.COLUMN_ADDRESS.in_(language)),
        Column(words.COLUMN_COUNT.in_(language), right=True),
        Column(words.COLUMN_REFUSED.in_(language), right=True),
    )
    rows = tuple(
        (
            line(span(words.who(one.identity, language), "code", 80)),
            line(span(one.address, "code", 39)),
            line(words.number(one.requests)),
            line(words.number(one.refused)),
        )
        for one in busiest[:_ACCESSORS]
    )
    yield Table(columns, rows)
    if len(busiest) > _ACCESSORS:
        yield _in_json(len(busiest) - _ACCESSORS, language)


def _manifest(document: Document, language: Language) -> Iterator[Block]:
    coverage = document.coverage
    shown, left = telling(document, _ITEMS)
    if shown:
        yield Heading(2, line(words.MANIFEST.in_(language)))
        columns = (
            Column(words.COLUMN_ITEM.in_(language), wide=True),
            Column(words.COLUMN_FORMAT.in_(language), from_width=90),
            Column("sha256"),
            Column(words.COLUMN_EVENTS.in_(language), right=True),
            Column(words.COLUMN_FAILURES.in_(language), right=True),
        )
        rows = tuple(
            (
                line(Span(short_path(item.name, 80), "code")),
                line(span(item.format, "plain", 30)),
                line(span(item.sha256[:12] if item.sha256 else "", "code", 16)),
                line(words.number(item.events)),
                line(words.number(item.failures)),
            )
            for _, item in shown
        )
        yield Table(columns, rows)
        if left:
            yield _in_json(left, language)
    for proof in coverage.archives:
        if not proof.differences:
            said = words.PROVED.in_(language).format(
                archive=short_path(proof.archive, 80), count=words.number(proof.items), host=proof.host,
                time=words.moment(proof.collected, language), sha256=proof.manifest_sha256,
            )  # fmt: skip
            yield Paragraph(line(span(said)))
    yield from _unread(document, language)
    yield from _sources(coverage.sources, language)
    limitations = [line(text.in_(language)) for text in coverage.limitations]
    limitations += [line(words.period(gap.first, gap.last, language)) for gap in coverage.gaps[:_FAILURES]]
    if limitations:
        yield Heading(2, line(words.NOT_SEEN.in_(language)))
        yield Bullets(tuple(limitations))
    if coverage.notes:
        yield Heading(2, line(words.NOTES.in_(language)))
        notes = [
            line(place(note.place.item, note.place.line), "  ", span(why(note.reason).in_(language), "plain", 160))
            for note in coverage.notes[:_FAILURES]
        ]
        yield Bullets(tuple(notes))
        if len(coverage.notes) > _FAILURES:
            yield _in_json(len(coverage.notes) - _FAILURES, language)
    if coverage.rules_failed:
        yield Heading(2, line(words.FAILED_RULES.in_(language)))
        yield Bullets(tuple(line(span(reason, "code", 200)) for reason in coverage.rules_failed[:_FAILURES]))
    if coverage.indicators_failed:
        yield Heading(2, line(words.FAILED_INDICATORS.in_(language)))
        yield Bullets(tuple(line(span(reason, "code", 200)) for reason in coverage.indicators_failed[:_FAILURES]))


def _sources(sources: Sequence[SourceCoverage], language: Language) -> Iterator[Block]:
    there = [one for one in sources if one.state != "absent"]
    if not there:
        return
    yield Heading(2, line(verdict_words.SOURCES.in_(language)))
    columns = (
        Column(verdict_words.SOURCE.in_(language)),
        Column(verdict_words.STATE_LABEL.in_(language)),
        Column(verdict_words.WHAT_IS_THERE.in_(language), wide=True),
    )
    rows = tuple(
        (
            line(one.name.in_(language)),
            line(verdict_words.STATE[one.state].in_(language)),
            line(span(one.detail.in_(language), "plain", 300)),
        )
        for one in there
    )
    yield Table(columns, rows)


def _unread(document: Document, language: Language) -> Iterator[Block]:
    skipped = broken(document)
    if not document.parse_failures and not skipped:
        return
    yield Heading(2, line(words.UNREAD.in_(language)))
    items = [
        line(Span(short_path(item.name, 80), "code"), "  ", span(why(item.skipped).in_(language), "plain", 160))
        for item in skipped[:_FAILURES]
    ]
    items += [
        line(
            place(failure.place.item, failure.place.line), f" @{failure.place.offset}  ",
            span(why(failure.reason).in_(language), "plain", 160), "  ", span(failure.excerpt, "dim", 60),
        )
        for failure in document.parse_failures[:_FAILURES]
    ]  # fmt: skip
    yield Bullets(tuple(items))
    total = max(document.parse_failures_total, len(document.parse_failures))
    left = max(total - _FAILURES, 0) + max(len(skipped) - _FAILURES, 0)
    if left:
        yield _in_json(left, language)
