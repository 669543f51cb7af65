"""One incident as read first: headline, story, status, way in and root cause, chain, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kubewitness.model.incident import Actor, Incident, Step
from kubewitness.model.text import Language
from kubewitness.report import verdict_words, words
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
    span,
)
from kubewitness.report.campaign_words import statement
from kubewitness.report.citation import object_words
from kubewitness.report.hostile import short
from kubewitness.report.phrases import (
    more,
    names,
    rank,
    root_cause_life,
    root_cause_words,
    said,
    secret_name,
    severity_span,
    technique_ids,
)

_CAUSES = 3  # root causes told


@dataclass(frozen=True)
class Limits:
    """How much the overview shows. `LADDER` has these from generous to tight."""

    steps: int = 16  # shared by the incidents
    incidents: int = 3  # shown in full; the list at the top names all (at most `listed`)
    listed: int = 12
    actions: int = 8
    limitations: int = 6
    sources: int = 8  # kinds of evidence that were missing
    findings: int = 8
    reasons: int = 4
    sentences: int = 8


def incident_line(incident: Incident, language: Language) -> Inline:
    """An incident in the list at the top."""
    return line(
        severity_span(incident.severity, language), " ", span(incident.title.in_(language), "strong", 200), "  ",
        span(f"{incident.id} · {words.period(incident.first, incident.last, language)}", "dim"),
    )  # fmt: skip


def incident_blocks(
    incident: Incident, language: Language, limits: Limits, *, steps: int, alone: bool
) -> Iterator[Block]:
    """One incident with at most `steps` rows of its chain; shorter if it is not `alone` in the report."""
    word = words.SEVERITY[incident.severity].in_(language)
    badge = span(f"[{word.upper()}]", incident.severity)
    yield Heading(1, line(badge, " ", span(incident.title.in_(language), "strong", 200)))
    confidence = words.ATTRIBUTED[incident.confidence].in_(language)
    yield Paragraph(
        line(span(f"{incident.id} · {confidence} · {words.period(incident.first, incident.last, language)}", "dim"))
    )
    causes = {cause.description for cause in incident.root_causes[:_CAUSES]}  # told with the way in
    sentences = [text for text in incident.story if text not in causes][: limits.sentences]
    if sentences:
        yield Paragraph(joined((said(text, language, 400) for text in sentences), "" if language == "zh" else " "))
    facts = [(short(label.in_(language), 24), line(said(state, language))) for label, state in incident.status]
    if verdict_words.verdicts_of(incident):
        facts.append((words.VERDICT_LABEL.in_(language), line(verdict_words.in_one(incident).in_(language))))
    facts += [(words.CAMPAIGN.in_(language), line(said(statement(one), language))) for one in incident.campaigns[:1]]
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


def _way_in(incident: Incident, language: Language) -> Iterator[Block]:
    facts: list[tuple[str, Inline]] = []
    entry = incident.entry_point
    if entry:
        parts: list[str | Span] = [f"{words.moment(entry.time, language)}  ", said(entry.description, language)]
        if entry.techniques:
            parts += ["  ", span(technique_ids(entry), "dim")]
        facts.append((words.ENTRY.in_(language), line(*parts)))
    for cause in incident.root_causes[:_CAUSES]:
        facts.append((words.ROOT_CAUSE.in_(language), root_cause_words(cause, language)))
        if life := root_cause_life(cause, language):
            facts.append(("", line(life)))
        if cause.description.in_(language) and not (cause.role and cause.subject):  # else said above in other words
            facts.append(("", line(said(cause.description, language, 600))))
    who = verdict_words.actor_label(incident).in_(language)
    facts += [(who, _actor(actor, language)) for actor in incident.actors[:2]]
    touched = _touched(incident, language)
    if touched:
        facts.append((words.TOUCHED.in_(language), line(touched)))
    if incident.exposures:
        exposed = verdict_words.exposed_in_one(incident.exposures).in_(language)
        facts.append((verdict_words.EXPOSED.in_(language), line(exposed)))
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
    if actor.impersonated:
        label = "冒用 " if language == "zh" else "in the name of "
        parts.append(line(label, *names(tuple(words.who(name, language) for name in actor.impersonated), language)))
    if actor.agents:
        programs = dict.fromkeys(agent.split(" ", 1)[0] for agent in actor.agents)  # "kubectl/v1.24.4" and no more
        parts.append(names(tuple(programs), language, most=3, cells=32))
    if actor.requests:
        parts.append(line(words.counted(actor.requests, "request", "requests", "个请求", language)))
    if not parts:
        parts.append(line(words.NOT_NAMED.in_(language)))
    if actor.servers:
        fetched = "从以下地址下载：" if language == "zh" else "fetched from "
        parts.append(line(fetched, *names(actor.servers, language)))
    return joined(parts, " · ")


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
            line(_first_technique(step)),
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


def _first_technique(step: Step) -> str:
    ids = [technique.id for technique in step.techniques]
    return ids[0] + ("+" if len(ids) > 1 else "") if ids else ""


def _importance(step: Step) -> tuple[int, bool, int]:
    """What stands in the short chain first: the gravest; of equals, what was done or taken before mere looks."""
    taken = any(one.id.startswith("T1552") for one in step.techniques)  # credentials
    return rank(step.severity), step.act == "refused" or (step.act == "read" and not taken), step.number


def _chain(incident: Incident, language: Language, most: int) -> Iterator[Block]:
    if not incident.steps:
        return
    yield Heading(2, line(words.CHAIN.in_(language)))
    worst = sorted(incident.steps, key=_importance)[:most]
    kept = {step.number for step in worst}
    yield chain_table(tuple(step for step in incident.steps if step.number in kept), language)
    used = sorted({step.act for step in incident.steps}, key=list(words.GLYPH).index)
    legend = "  ".join(f"{words.GLYPH[act]} {words.ACT[act].in_(language)}" for act in used)
    left = len(incident.steps) - len(worst)
    yield Paragraph((span(f"  {legend}  ", "dim"), *(more(left, language) if left > 0 else ())))
