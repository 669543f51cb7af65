"""A trace as blocks: the way back with its evidence, the step it came of, the way in, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubewitness.model.incident import Incident
from kubewitness.model.text import Language, Text
from kubewitness.report import words
from kubewitness.report.blocks import Block, Bullets, Facts, Heading, Inline, Paragraph, line, place, span
from kubewitness.report.chain import entity_words
from kubewitness.report.document import Document
from kubewitness.report.phrases import root_cause_words
from kubewitness.report.tracing import Hop, Trace

_BACK = Text("Back to the intruder", "追溯到入侵者")
_FORWARD = Text("What came of it", "由此产生的后果")
_CONCERNED = Text("Steps that concern it", "相关步骤")
_ORIGIN = Text("It came of step", "来自步骤")
_NO_WAY = Text(
    "The edges of the chain do not lead from a request of the intruder to it: it is told by its steps alone.",
    "链上没有从入侵者请求通向它的边：仅由相关步骤说明。",
)
_NOTHING = Text("Nothing in this evidence came of it.", "现有证据中没有由它产生的后果。")
_SURE = Text("confidence of the whole way", "整条路径的置信度")
_SHOWN = 60


def blocks(document: Document, found: Sequence[Trace], language: Language) -> Iterator[Block]:
    """What a terminal shows of traces, one part an incident."""
    incidents = {incident.id: incident for incident in document.incidents}
    for trace in found:
        incident = incidents[trace.incident]
        yield Heading(1, line(span(trace.subject, "code", 120), " · ", span(incident.id, "dim")))
        yield Paragraph(line(span(incident.title.in_(language), "strong", 200)))
        yield Heading(2, line(_BACK.in_(language)))
        if trace.back:
            sure = f"{_SURE.in_(language)} {trace.surest:.2f}"
            yield Bullets((*(_hop(hop, language) for hop in trace.back), line(span(sure, "dim"))))
        else:
            yield Paragraph(line(_NO_WAY.in_(language)))
        yield Facts(tuple(_origin(trace, incident, language)))
        concerned = [step for step in incident.steps if step.number in trace.steps and step.number != trace.origin]
        if concerned:
            yield Heading(2, line(_CONCERNED.in_(language)))
            yield Bullets(
                tuple(
                    line(
                        span(f"{step.number}  {words.moment(step.time, language)}  ", "dim"),
                        step.description.in_(language),
                    )
                    for step in concerned[:_SHOWN]
                )
            )
        yield Heading(2, line(_FORWARD.in_(language)))
        if trace.forward:
            yield Bullets(tuple(_hop(hop, language) for hop in trace.forward[:_SHOWN]))
        else:
            yield Paragraph(line(_NOTHING.in_(language)))


def _origin(trace: Trace, incident: Incident, language: Language) -> Iterator[tuple[str, Inline]]:
    step = next((one for one in incident.steps if one.number == trace.origin), None)
    if step is not None:
        who = words.actor(step.identity, step.address, language)
        said = f"{step.number}  {words.moment(step.time, language)}  {step.description.in_(language)}"
        yield _ORIGIN.in_(language), line(said, "  ", span(who, "code", 160))
    entry = incident.entry_point
    if entry is not None:
        told = f"{words.moment(entry.time, language)}  {entry.description.in_(language)}"
        yield words.ENTRY.in_(language), line(told)
    for cause in incident.root_causes[:2]:
        yield words.ROOT_CAUSE.in_(language), root_cause_words(cause, language)


def _hop(hop: Hop, language: Language) -> Inline:
    arrow = " ⇢ " if hop.inferred else " → "
    ends = entity_words(hop.source).in_(language) + arrow + entity_words(hop.target).in_(language)
    why = hop.why_zh if language == "zh" else hop.why_en
    cited = [place(one.item, one.line, one.offset, 60) for one in hop.evidence[:1]]
    return line(span(ends, "code", 200), "  ", why, span(f"  {hop.confidence:.2f}  ", "dim"), *cited)
