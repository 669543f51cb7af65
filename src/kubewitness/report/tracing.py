"""From any one thing of a report back to the intruder's first act, and forward to all that came of it.

A subject is named the way a person finds it in the evidence: `pid:4411@node2`, `pod:shop/web-0`, `address:203.0.113.7`,
`identity:system:anonymous`, `step:7`, `finding:F-0003`. Backward runs over the edges of the chain to the request that
the thing came of, then names that request's step, the way in and the root cause. Forward runs over the edges from the
thing, and from a request over all that the same step did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from kubewitness.correlate.paths import path_to
from kubewitness.model.errors import UsageError
from kubewitness.model.incident import Edge, Entity, Evidence, Incident, Step
from kubewitness.report.document import Document

KINDS = (
    "pid", "pod", "node", "container", "address", "identity", "file", "socket", "object", "request", "step", "finding",
)  # fmt: skip
_MOST = 500  # things told forward


class Subject(Struct, frozen=True):
    """What a trace begins with."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


class Hop(Struct, frozen=True):
    """One edge on the way."""

    source: Entity
    target: Entity
    link: str
    why_en: str
    why_zh: str
    confidence: float
    inferred: bool
    evidence: tuple[Evidence, ...]


class Trace(Struct, frozen=True):
    """What was found of a subject in one incident."""

    incident: str
    subject: str
    start: tuple[Entity, ...]  # the subject as entities of the chain; empty: known by its steps alone
    back: tuple[Hop, ...]  # from the intruder's request to the subject
    origin: int  # number of the step that the request belongs to; 0: the chain does not reach a request
    steps: tuple[int, ...]  # steps that concern the subject
    forward: tuple[Hop, ...]  # from the subject to what came of it
    surest: float  # product of the confidences on the way back; 1.0: nothing inferred


def subject_of(text: str) -> Subject:
    """The subject that a person named.

    Raises:
        UsageError: it is none, with the forms there are.
    """
    kind, colon, name = text.partition(":")
    if not colon or kind not in KINDS or not name.strip():
        forms = "pid:4411@node2, pod:namespace/name, address:203.0.113.7, identity:NAME, step:7, finding:F-0003"
        raise UsageError(
            f"{text[:100]!r} names nothing to trace; write for example {forms} (kinds: {', '.join(KINDS)})"
        )
    return Subject(kind, name.strip())


def traces(document: Document, subject: Subject) -> list[Trace]:
    """What each incident knows of the subject; empty if none does."""
    out = list[Trace]()
    for incident in document.incidents:
        start = tuple(sorted(set(_entities(document, incident, subject))))
        steps = tuple(step.number for step in incident.steps if _concerns(document, step, subject, start))
        if not start and not steps:
            continue
        ways = [path_to(entity, incident.edges) for entity in start]
        way = max(ways, key=lambda one: (bool(one) and one[0].kind == "request", len(one)), default=())
        back = tuple(_hops(way, incident.edges))
        request = next((entity for entity in (*way[:1], *start) if entity.kind == "request"), None)
        origin = _step_of(incident, request) if request else 0
        surest = 1.0
        for hop in back:
            if (
                hop.target.kind != "node" or hop.target in start
            ):  # where a pod ran is said beside the way, no part of it
                surest *= hop.confidence
        begin = {*start, *(_things_of(incident, steps) if not start else ())}
        out.append(
            Trace(
                incident=incident.id,
                subject=str(subject),
                start=start,
                back=back,
                origin=origin or (min(steps) if not start and steps else 0),
                steps=steps,
                forward=tuple(_forward(begin, incident.edges)),
                surest=surest,
            )
        )
    return out


def known_subjects(document: Document, most: int = 12) -> list[str]:
    """Some subjects that the report could be asked about: what to offer who named one that is not there."""
    out = dict[str, None]()
    for incident in document.incidents:
        for step in incident.steps:
            for entity in step.entities[:2]:
                out.setdefault(str(_as_subject(entity)))
        for actor in incident.actors:
            for address in actor.addresses[:3]:
                out.setdefault(f"address:{address}")
    return list(out)[:most]


def _as_subject(entity: Entity) -> Subject:
    name = entity.name
    if entity.kind == "process":
        node, _, pid = name.rpartition("/")
        return Subject("pid", f"{pid}@{node}")
    if entity.kind == "container":
        return Subject("container", name.rpartition("/")[2][:12])
    if entity.kind == "file":
        return Subject("file", name.partition(":")[2])
    return Subject(entity.kind, name)


def _entities(document: Document, incident: Incident, subject: Subject) -> Iterator[Entity]:
    """The entities of the chain that a subject names."""
    known = {entity for edge in incident.edges for entity in (edge.source, edge.target)}
    known |= {entity for step in incident.steps for entity in step.entities}
    if subject.kind == "step":
        for step in incident.steps:
            if str(step.number) == subject.name:
                yield from step.entities or _requests(step)
        return
    if subject.kind == "finding":
        finding = next((one for one in document.findings if one.id.lower() == subject.name.lower()), None)
        cited = {(one.item, one.line) for one in finding.evidence} if finding else set[tuple[str, int]]()
        for step in incident.steps:
            if any((one.item, one.line) in cited for one in step.evidence):
                yield from step.entities or _requests(step)
        return
    for entity in known:
        if _names(entity, subject):
            yield entity


def _names(entity: Entity, subject: Subject) -> bool:
    kind, name = subject.kind, subject.name
    if kind == "pid":
        pid, _, node = name.partition("@")
        own_node, _, own = entity.name.rpartition("/")
        return entity.kind == "process" and own == pid and (not node or own_node == node)
    if kind == "container":
        return entity.kind == "container" and len(name) >= 6 and entity.name.rpartition("/")[2].startswith(name)
    if kind == "file":
        return entity.kind == "file" and (entity.name.partition(":")[2] == name or entity.name == name)
    if kind == "socket":
        return entity.kind == "socket" and name in entity.name
    if kind == "pod" and "/" not in name:
        return entity.kind == "pod" and entity.name.rpartition("/")[2] == name
    if kind == "address":
        return (entity.kind == "address" and entity.name == name) or (
            entity.kind == "socket" and f"→ {name}:" in entity.name
        )
    return entity.kind == kind and entity.name == name


def _concerns(document: Document, step: Step, subject: Subject, start: tuple[Entity, ...]) -> bool:
    if subject.kind == "step":
        return str(step.number) == subject.name
    if subject.kind == "address":
        return step.address == subject.name
    if subject.kind == "identity":
        return step.identity == subject.name
    if subject.kind == "finding":
        finding = next((one for one in document.findings if one.id.lower() == subject.name.lower()), None)
        cited = {(one.item, one.line) for one in finding.evidence} if finding else set[tuple[str, int]]()
        return any((one.item, one.line) in cited for one in step.evidence)
    if subject.kind == "pod":
        named = {(name.namespace, name.name) for name in step.objects if name.kind.partition("/")[0] == "pods"}
        if any(subject.name in (f"{namespace}/{name}", name) for namespace, name in named):
            return True
    if any(entity.kind == "request" for entity in start):
        ids = {entity.name for entity in start if entity.kind == "request"}
        return any(one.audit_id in ids for one in step.evidence)
    return any(entity in start for entity in step.entities)


def _requests(step: Step) -> Iterator[Entity]:
    return (Entity("request", one.audit_id) for one in step.evidence if one.audit_id)


def _things_of(incident: Incident, steps: tuple[int, ...]) -> Iterator[Entity]:
    for step in incident.steps:
        if step.number in steps:
            yield from _requests(step)
            yield from step.entities


def _step_of(incident: Incident, request: Entity) -> int:
    """The step of a request; of one that a step folds, the one it was cited for or the nearest before it."""
    for step in incident.steps:
        if any(one.audit_id == request.name for one in step.evidence):
            return step.number
    return 0


def _hops(way: tuple[Entity, ...], edges: Iterable[Edge]) -> Iterator[Hop]:
    order = {entity: number for number, entity in enumerate(way)}
    on_way = [one for one in edges if one.source in order and one.target in order]
    on_way = [one for one in on_way if order[one.source] < order[one.target] <= order[one.source] + 2]
    for one in sorted(on_way, key=lambda edge: (order[edge.target], order[edge.source])):
        yield _hop(one)


def _forward(start: set[Entity], edges: Iterable[Edge]) -> Iterator[Hop]:
    after = dict[Entity, list[Edge]]()
    for one in edges:
        after.setdefault(one.source, []).append(one)
    seen, pending, told = set(start), sorted(start), 0
    while pending and told < _MOST:
        current = pending.pop(0)
        for one in after.get(current, ()):
            if one.target.kind == "node":
                if told < _MOST and one.target not in seen:
                    told += 1
                    seen.add(one.target)
                    yield _hop(one)
                continue  # a node is where it is, not what came of it: it would glue strangers together
            if one.target not in seen:
                seen.add(one.target)
                pending.append(one.target)
                told += 1
                yield _hop(one)


def _hop(one: Edge) -> Hop:
    return Hop(one.source, one.target, one.link, one.why.en, one.why.zh, one.confidence, one.inferred, one.evidence)
