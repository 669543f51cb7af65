"""The steps of an incident with the requests that they stand for, as the graph of the chain needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kubewitness.incident.cascade import entity_of
from kubewitness.incident.citing import summary
from kubewitness.incident.requests import Request
from kubewitness.incident.steps import drafts
from kubewitness.model.incident import Entity, Evidence, Incident, ObjectName, Step


class Act(NamedTuple):
    """A step with its requests, first one first."""

    step: Step
    entity: Entity
    requests: Sequence[Request]


def step_entity(incident: Incident, step: Step) -> Entity:
    """A step as an entity of the chain."""
    return Entity("step", f"{incident.id}/{step.number}")


def acts_of(incident: Incident, requests: Sequence[Request]) -> list[Act]:
    """The steps that stand for requests, by number.

    Steps were numbered anew when those of machines came between them: a step is known by the place of its first
    request, which it cites first.
    """
    by_place = {(one.item, one.line, one.offset): step for step in incident.steps for one in step.evidence[:1]}
    out = list[Act]()
    for draft in drafts(requests):
        place = draft.first.final.place
        step = by_place.get((place.item, place.line, place.offset))
        if step is not None:
            out.append(Act(step, step_entity(incident, step), draft.requests))
    return sorted(out, key=lambda act: act.step.number)


def cited(request: Request, hashes: Mapping[str, str]) -> Evidence:
    """Cite a request by its final event, without the original."""
    event, place = request.final, request.final.place
    return Evidence(
        audit_id=request.audit_id,
        item=place.item,
        line=place.line,
        offset=place.offset,
        time=event.record.requestReceivedTimestamp,
        stage=event.stage,
        sha256=hashes.get(place.item, ""),
        summary=summary(event),
    )


def as_entity(name: ObjectName) -> Entity:
    """The entity of an object; of all of a kind or namespace it is named with a star."""
    if name.name:
        return entity_of(name)
    return Entity("object", "/".join(filter(None, (name.kind.partition("/")[0], name.namespace, "*"))))
