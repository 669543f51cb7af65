"""A trace as blocks: the way back with its evidence, the step it came of, the way in, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from kubewitness.model.incident import Entity, Incident, Step
from kubewitness.model.text import Language, Text
from kubewitness.report import words
from kubewitness.report.blocks import Block, Bullets, Facts, Heading, Inline, Paragraph, Span, line, place, span
from kubewitness.report.chain import entity_words
from kubewitness.report.document import Document
from kubewitness.report.phrases import root_cause_words
from kubewitness.report.tracing import Hop, Trace

_BACK = Text("Back to the intruder", "追溯到入侵者")
_BESIDE = Text("What that rests on besides", "此外的依据")
_FORWARD = Text("What came of it", "由此产生的后果")
_CONCERNED = Text("Steps that concern it", "相关步骤")
_ORIGIN = Text("It came of step", "来自步骤")
_FIRST = Text("First known act", "最早的已知行为")
_NO_WAY = Text(
    "The edges of the chain do not lead from the intruder to it: it is told by its steps alone.",
    "链上没有从入侵者通向它的边：仅由相关步骤说明。",
)
_BEGINS = Text("The chain begins with it: it has been there before the intruder.", "链由此开始：它先于入侵者存在。")
_OWN_ADDRESS = Text("The intruder came from this address.", "入侵者来自该地址。")
_OWN_NAME = Text("The intruder acted under this identity.", "入侵者以该身份行事。")
_NOTHING = Text("Nothing in this evidence came of it.", "现有证据中没有由它产生的后果。")
_SURE = Text("confidence of the whole way", "整条路径的置信度")
_OTHERS_ADDRESS = Text(
    "Shared: {n} further {n:identity|identities} used this address without being part of this incident; nobody is "
    "reached through it.",
    "共用地址：另有 {n} 个身份使用此地址，与本事件无关；追溯不会经由它牵连他人。",
)
_OTHERS_NAME = Text(
    "Shared: this name was used from {n} further {n:address|addresses} without being part of this incident; nobody is "
    "reached through it.",
    "共用身份：另有 {n} 个地址使用此身份，与本事件无关；追溯不会经由它牵连他人。",
)
_MORE = Text("… and {n} more; --format json has them all", "……另有 {n} 条；--format json 列出全部")
_CUT = Text("More came of it than is listed.", "后果不止所列。")
_REQUEST: Final = "links/step_request"  # that a step stands for a request goes without saying
_CALLERS: Final = ("links/identity_acts", "links/address_acts")
_SHOWN: Final = 60
_BESIDE_SHOWN: Final = 12
_KINDS: Final = {  # in the order in which they are told
    "step": Text("steps", "步骤"),
    "object": Text("objects", "对象"),
    "pod": Text("pods", "Pod"),
    "pods": Text("groups of pods", "Pod 组"),
    "node": Text("nodes", "节点"),
    "container": Text("containers", "容器"),
    "process": Text("processes", "进程"),
    "file": Text("files", "文件"),
    "socket": Text("connections", "网络连接"),
}
_NAMED: Final = 6


def blocks(document: Document, found: Sequence[Trace], language: Language, direction: str = "both") -> Iterator[Block]:
    """What a terminal shows of traces, one part an incident. `direction`: "back", "forward" or "both"."""
    incidents = {incident.id: incident for incident in document.incidents}
    for trace in found:
        incident = incidents[trace.incident]
        yield Heading(1, line(span(trace.subject, "code", 120), " · ", span(incident.id, "dim")))
        yield Paragraph(line(span(incident.title.in_(language), "strong", 200)))
        if trace.others:
            shared = _OTHERS_ADDRESS if trace.subject.startswith("address:") else _OTHERS_NAME
            yield Paragraph(line(span(_counted(shared.in_(language), trace.others), "warn")))
        if direction != "forward":
            yield from _back(trace, incident, language)
        concerned = [step for step in incident.steps if step.number in trace.steps and step.number != trace.origin]
        if concerned and direction == "both":
            yield Heading(2, line(_CONCERNED.in_(language)))
            yield Bullets(tuple(_step(incident, step.number, language) for step in concerned[:_SHOWN]))
        if direction != "back":
            yield from _ahead(trace, incident, language, _SHOWN if direction == "both" else None)


def _back(trace: Trace, incident: Incident, language: Language) -> Iterator[Block]:
    yield Heading(2, line(_BACK.in_(language)))
    if trace.back:
        sure = f"{_SURE.in_(language)} {trace.surest:.2f}"
        hops = (_hop(hop, incident, language, who=True) for hop in trace.back if hop.link != _REQUEST)
        yield Bullets((*hops, line(span(sure, "dim"))))
    else:
        yield Paragraph(line(_no_way(trace, incident).in_(language)))
    beside = [hop for hop in trace.beside if hop.link not in _CALLERS]  # these are told with their steps
    if beside:
        yield Heading(2, line(_BESIDE.in_(language)))
        yield Bullets(tuple(_hop(hop, incident, language) for hop in beside[:_BESIDE_SHOWN]))
    yield Facts(tuple(_origin(trace, incident, language)))


def _no_way(trace: Trace, incident: Incident) -> Text:
    """Why nothing leads to it: it is the intruder's own, or older than the intrusion, or no edge knows it."""
    if any(one.kind == "address" and any(one.name in who.addresses for who in incident.actors) for one in trace.start):
        return _OWN_ADDRESS
    if any(one.kind == "identity" and any(one.name in a.identities for a in incident.actors) for one in trace.start):
        return _OWN_NAME
    begins = trace.start and all(one.kind in ("identity", "address", "object", "setting") for one in trace.start)
    return _BEGINS if begins else _NO_WAY


def _origin(trace: Trace, incident: Incident, language: Language) -> Iterator[tuple[str, Inline]]:
    if trace.origin:
        yield _ORIGIN.in_(language), _step(incident, trace.origin, language, who=True)
    if trace.first and trace.first != trace.origin:
        yield _FIRST.in_(language), _step(incident, trace.first, language, who=True)
    entry = incident.entry_point
    if entry is not None:
        told = f"{words.moment(entry.time, language)}  {entry.description.in_(language)}"
        yield words.ENTRY.in_(language), line(told)
    for cause in incident.root_causes[:2]:
        yield words.ROOT_CAUSE.in_(language), root_cause_words(cause, language)


def _ahead(trace: Trace, incident: Incident, language: Language, most: int | None) -> Iterator[Block]:
    yield Heading(2, line(_FORWARD.in_(language)))
    if not trace.forward:
        yield Paragraph(line(_NOTHING.in_(language)))
        return
    rows = [
        (said.in_(language), _names(trace.reached[kind], kind, language))
        for kind, said in _KINDS.items()
        if kind in trace.reached
    ]
    yield Facts(tuple(rows))
    told = [hop for hop in trace.forward if hop.link != _REQUEST]
    items = [_hop(hop, incident, language) for hop in told[:most]]
    if left := len(told) - len(items):
        items.append(line(span(_MORE.in_(language).format(n=left), "dim")))
    yield Bullets(tuple(items))
    if trace.cut:
        yield Paragraph(line(span(_CUT.in_(language), "warn")))


def _names(names: Sequence[str], kind: str, language: Language) -> Inline:
    """How many, and the first few by name; steps by number."""
    shown = [name.rpartition("/")[2] if kind == "step" else _called(kind, name, language) for name in names[:_NAMED]]
    between = "、" if language == "zh" else ", "
    rest = f"{between}…" if len(names) > len(shown) else ""
    return line(f"{len(names)}  ", span(between.join(shown) + rest, "code", 200))


def _called(kind: str, name: str, language: Language) -> str:
    known = Entity(kind, name)  # type: ignore[arg-type]  # kinds of the graph itself
    said = entity_words(known).in_(language)
    return said.partition(" ")[2] if kind in ("pod", "node", "container", "file", "pods") else said


def _step(incident: Incident, number: int, language: Language, *, who: bool = False) -> Inline:
    step = next((one for one in incident.steps if one.number == number), None)
    if step is None:
        return line(str(number))
    when = span(f"{step.number}  {words.moment(step.time, language)}  ", "dim")
    by = span(words.actor(step.identity, step.address, language), "code", 160)
    return line(when, step.description.in_(language), *(("  ", by) if who else ()))


def _counted(text: str, n: int) -> str:
    """Fills `{n}` and `{n:one|many}`."""
    head, _, rest = text.partition("{n:")
    choice, closed, tail = rest.partition("}")
    if closed:
        one, _, many = choice.partition("|")
        text = head + (one if n == 1 else many) + tail
    return text.replace("{n}", f"{n:,}")


def _hop(hop: Hop, incident: Incident, language: Language, *, who: bool = False) -> Inline:
    """One edge; that a step is meant is said by what it did. `who`: and by whom."""
    arrow = " ⇢ " if hop.inferred else " → "
    ends = entity_words(hop.source).in_(language) + arrow + entity_words(hop.target).in_(language)
    why = hop.why_zh if language == "zh" else hop.why_en
    parts = list[str | Span]()
    step = _target(hop, incident)
    if step is not None:
        parts += ["  “", span(step.description.in_(language), "plain", 110), "”"]
        if who and (step.identity or step.address):
            parts += ["  ", span(words.actor(step.identity, step.address, language), "code", 120)]
    parts += ["  ", why, span(f"  {hop.confidence:.2f}  ", "dim")]
    parts += [place(one.item, one.line, one.offset, 60) for one in hop.evidence[-1:]]
    return line(span(ends, "code", 200), *parts)


def _target(hop: Hop, incident: Incident) -> Step | None:
    number = hop.target.name.rpartition("/")[2] if hop.target.kind == "step" else ""
    return next((one for one in incident.steps if str(one.number) == number), None)
