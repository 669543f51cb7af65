"""From any one thing of a report back to the first foreign act, and forward to all that came of it.

Backward runs over the edges of the chain to what let the intruder in, and names the step that the thing came of and the
first thing that the same intruder is known to have done. Forward runs over the edges from the thing, and from a step
over all that it did. A node ends every way: what only shares it is not told. So do identities, addresses and bindings,
which have no edge into them: nobody is reached through what others use too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import pairwise
from math import prod
from typing import Final

from msgspec import Struct

from kubewitness.correlate.links import machine_and_rest
from kubewitness.correlate.paths import late, passes, way_back
from kubewitness.model.event import parse_time
from kubewitness.model.incident import Edge, Entity, Evidence, Incident, Step
from kubewitness.report.document import Document
from kubewitness.report.trace_subjects import Subject, entities_of, requests_of, steps_named

_MOST: Final = 500  # things told forward
_BESIDE: Final = 40  # edges told beside the way
_CLOCKS: Final = timedelta(seconds=1)  # lists of processes have whole seconds; nodes' clocks were set right before


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
    back: tuple[Hop, ...]  # from what let the intruder in to the subject
    origin: int  # number of the step that it came of; 0: the chain does not reach one
    steps: tuple[int, ...]  # steps that concern the subject
    forward: tuple[Hop, ...]  # from the subject to what came of it
    surest: float  # product of the confidences on the way back; 1.0: nothing inferred
    beside: tuple[Hop, ...] = ()  # what else the things on the way back rest on: callers, rights, credentials
    first: int = 0  # number of the first step of the same intruder; 0: not known
    reached: dict[str, tuple[str, ...]] = {}  # what came of it, names by kind
    cut: bool = False  # more came of it than is told
    others: int = 0  # identities outside of the incident that use the subject too, an address or a name


def traces(document: Document, subject: Subject) -> list[Trace]:
    """What each incident knows of the subject; empty if none does."""
    found = (_trace(document, incident, subject) for incident in document.incidents)
    return [trace for trace in found if trace is not None]


def _trace(document: Document, incident: Incident, subject: Subject) -> Trace | None:
    start = tuple(sorted(set(entities_of(document, incident, subject))))
    steps = tuple(step.number for step in incident.steps if _concerns(document, incident, step, subject, start))
    if not start and not steps:
        return None
    edges = incident.edges
    times = _times(incident)
    until = max((_until(entity, edges, times) for entity in start), default="")
    ways = [way_back(entity, edges, times, until) for entity in start]
    way = max(ways, key=lambda one: (bool(one) and one[0].kind in _ACTS, len(one)), default=())
    surest = prod(one.confidence for one in _along(way, edges))
    begin = {*start, *(_things_of(incident, steps) if not start else ())}
    begin |= {one.source for one in edges if one.target in start and (one.source.kind, one.target.kind) == _RUNS_ON}
    forward, cut = _forward(begin, edges)
    reached = dict[str, dict[str, None]]()
    for hop in forward:
        reached.setdefault(hop.target.kind, {})[hop.target.name] = None
    return Trace(
        incident=incident.id,
        subject=str(subject),
        start=start,
        back=tuple(_hops(way, edges)),
        origin=_origin(incident, way, start, steps),
        steps=steps,
        forward=tuple(forward),
        surest=surest,
        beside=tuple(_beside(way, [one for one in edges if not late(one, times, until)])),
        first=_first(way or start[:1], incident),
        reached={kind: tuple(names) for kind, names in sorted(reached.items())},
        cut=cut,
        others=_others(document, incident, subject),
    )


def _times(incident: Incident) -> dict[Entity, str]:
    """When each step and request was."""
    out = {Entity("step", f"{incident.id}/{step.number}"): step.time for step in incident.steps}
    for one in incident.edges:
        if one.target.kind == "request" and one.evidence and one.evidence[0].time:
            out[one.target] = one.evidence[0].time
    return out


def _until(entity: Entity, edges: Iterable[Edge], times: dict[Entity, str]) -> str:
    """When the thing was first told of, made or entered, with what clocks may differ; empty if nothing tells."""
    if entity.kind in ("pod", "pods", "object"):
        told = [times[one.source] for one in edges if one.target == entity and times.get(one.source)]
    else:
        told = [times[one.target] for one in edges if one.source == entity and times.get(one.target)]
    known = times.get(entity) or min(told, default="")
    when = parse_time(known) if entity.kind not in ("identity", "address", "setting", "node", "socket") else None
    return (when + _CLOCKS).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if when else ""


_RUNS_ON: Final = ("pod", "node")  # who asks what came of a node asks what ran there, in the intruder's pods too
_ACTS: Final = ("request", "step", "object", "setting", "address", "identity")


def _concerns(document: Document, incident: Incident, step: Step, subject: Subject, start: tuple[Entity, ...]) -> bool:
    if subject.kind in ("step", "finding"):
        return step in steps_named(document, incident, subject)
    if subject.kind == "address" and step.address == subject.name:
        return True
    if subject.kind == "identity" and step.identity == subject.name:
        return True
    if subject.kind == "pod":
        named = {(name.namespace, name.name) for name in step.objects if name.kind.partition("/")[0] == "pods"}
        if any(subject.name in (f"{namespace}/{name}", name) for namespace, name in named):
            return True
    ids = {entity.name for entity in start if entity.kind == "request"}
    if ids and any(one.audit_id in ids for one in step.evidence):
        return True
    if subject.kind == "object":
        parts = [(name.kind.partition("/")[0], name.namespace, name.name) for name in step.objects]
        if any("/".join(filter(None, one)) == subject.name for one in parts):
            return True
    return any(entity in start for entity in step.entities)


def _things_of(incident: Incident, steps: tuple[int, ...]) -> Iterator[Entity]:
    for step in incident.steps:
        if step.number in steps:
            yield Entity("step", f"{incident.id}/{step.number}")
            yield from requests_of(step)
            yield from step.entities


def _origin(incident: Incident, way: tuple[Entity, ...], start: tuple[Entity, ...], steps: tuple[int, ...]) -> int:
    """The last step on the way before the subject; of a report without them, the step of the request it begins with."""
    numbers = [_number(entity) for entity in way if entity.kind == "step" and entity not in start]
    if numbers:
        return numbers[-1]
    own = [_number(entity) for entity in start if entity.kind == "step"]
    if own:
        return min(own)
    request = next((entity for entity in (*way[:1], *start) if entity.kind == "request"), None)
    if request is not None:
        cited = (step.number for step in incident.steps for one in step.evidence if one.audit_id == request.name)
        return next(cited, 0)
    return min(steps) if not start and steps else 0


def _number(entity: Entity) -> int:
    number = entity.name.rpartition("/")[2]
    return int(number) if number.isdecimal() and len(number) < 9 else 0


def _first(way: tuple[Entity, ...], incident: Incident) -> int:
    """The first step of those whose address or name is that of a step on the way."""
    numbers = {_number(entity) for entity in way if entity.kind == "step"}
    callers = {(kind, name) for step in incident.steps if step.number in numbers for kind, name in _callers(step)}
    callers |= {(entity.kind, entity.name) for entity in way}
    told = [step.number for step in incident.steps if not callers.isdisjoint(_callers(step))]
    return min((*told, *(number for number in numbers if number)), default=0)


def _callers(step: Step) -> list[tuple[str, str]]:
    pairs: tuple[tuple[str, str], ...] = (("address", step.address), ("identity", step.identity))
    return [(kind, name) for kind, name in pairs if name]


def _others(document: Document, incident: Incident, subject: Subject) -> int:
    if subject.kind == "address":
        return len({a.identity for a in document.accessors if a.address == subject.name and a.incident != incident.id})
    if subject.kind == "identity":
        return len({a.address for a in document.accessors if a.identity == subject.name and a.incident != incident.id})
    return 0


def _along(way: tuple[Entity, ...], edges: Iterable[Edge]) -> Iterator[Edge]:
    """The surest edge of each pair on the way."""
    pairs = dict(pairwise(way))
    best = dict[Entity, Edge]()
    for one in edges:
        if pairs.get(one.source) == one.target:
            known = best.get(one.source)
            if known is None or known.confidence < one.confidence:
                best[one.source] = one
    yield from (best[entity] for entity in way[:-1])


def _hops(way: tuple[Entity, ...], edges: tuple[Edge, ...]) -> Iterator[Hop]:
    """The way, with the node that each pod on it ran on and the far end of a process."""
    along = tuple(_along(way, edges))
    for one in along:
        if one.source.kind == "pod":
            node = Entity("node", machine_and_rest(one.target.name)[0])
            where = next((tie for tie in edges if tie.source == one.source and tie.target == node != one.target), None)
            if where is not None:
                yield _hop(where)
        yield _hop(one)
    if way and way[-1].kind == "process":
        sockets = [one for one in edges if one.source == way[-1] and one.target.kind == "socket"]
        far = next((one for one in sockets if "→" in one.target.name), next(iter(sockets), None))
        if far is not None:
            yield _hop(far)


def _beside(way: tuple[Entity, ...], edges: Iterable[Edge]) -> Iterator[Hop]:
    """What leads to the things on the way from beside it, in the order of the way."""
    order = {entity: number for number, entity in enumerate(way)}
    pairs = set(pairwise(way))
    aside = [
        one
        for one in edges
        if one.target in order and (one.source, one.target) not in pairs and passes(one) and one.source not in order
    ]
    aside.sort(key=lambda one: (order[one.target], -one.confidence))
    yield from (_hop(one) for one in aside[:_BESIDE])


def _forward(start: set[Entity], edges: Iterable[Edge]) -> tuple[list[Hop], bool]:
    after = dict[Entity, list[Edge]]()
    for one in edges:
        after.setdefault(one.source, []).append(one)
    seen, pending, told = set(start), deque(sorted(start)), list[Hop]()
    while pending:
        for one in after.get(pending.popleft(), ()):
            if one.target in seen:
                continue
            if len(told) == _MOST:
                return told, True
            seen.add(one.target)
            told.append(_hop(one))
            if one.target.kind != "node":  # it is where it is, not what came of it: it would glue strangers together
                pending.append(one.target)
    return told, False


def _hop(one: Edge) -> Hop:
    return Hop(one.source, one.target, one.link, one.why.en, one.why.zh, one.confidence, one.inferred, one.evidence)
