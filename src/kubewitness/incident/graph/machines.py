"""Edges of the steps that machines tell: from what a step is about to the step, and from an open door to its commands.

Commands that went straight to a kubelet are no request of the audit log. Their step begins with the setting that let
them in and ends in the containers they ran in; all other steps of a machine tell of something that came of an act.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from kubewitness.correlate.links import edge
from kubewitness.incident.graph.acts import Act, step_entity
from kubewitness.model.incident import Edge, Entity, Evidence, Incident, Step

_TOLD: Final = {
    "process": "told_of_process", "container": "told_of_container", "file": "told_of_file", "node": "told_of_node",
}  # fmt: skip
_MOST: Final = 20  # things of one step
_CITED: Final = 2


def machine_edges(incident: Incident, acts: Sequence[Act]) -> Iterator[Edge]:
    """Edges from and to the steps that stand for no request."""
    asked = {act.step.number for act in acts}
    doors = [one for one in incident.root_causes if one.kind == "Setting" and not one.requests_total]
    for step in incident.steps:
        if step.number in asked:
            continue
        own, evidence = step_entity(incident, step), _places(step)
        commands = step.act == "execute" and not any(one.kind == "request" for one in step.path)
        if commands:
            for cause in doors:
                keys = {"setting": cause.name, "node": cause.subject}
                source = Entity("setting", f"{cause.subject}:{cause.name}")
                cited = tuple(replace(one, original="", decisive=()) for one in cause.evidence[:_CITED])
                yield edge("setting_opens", source, own, keys, (*cited, *evidence[:1]))
        for thing in step.entities[:_MOST]:
            if commands and thing.kind == "container":
                keys = {"container id": thing.name.rpartition("/")[2]}
                yield edge("commands_in_container", own, thing, keys, evidence)
            elif thing.kind in _TOLD:
                sure = min(step.confidence, 1.0)
                yield edge(_TOLD[thing.kind], thing, own, {thing.kind: thing.name}, evidence, confidence=sure)
        yield from _started(step, evidence)


def _started(step: Step, evidence: tuple[Evidence, ...]) -> Iterator[Edge]:
    """From the shell that a request asked for to what was started from it, where the step tells of both."""
    shell = step.path[-1] if step.path else None
    if step.act != "execute" or shell is None or shell.kind != "process" or shell in step.entities:
        return
    for thing in step.entities[:_MOST]:
        if thing.kind == "process":
            pid = thing.name.rpartition("/")[2]
            yield edge("shell_descendant", shell, thing, {"pid": pid, "shell": shell.name}, evidence)


def _places(step: Step) -> tuple[Evidence, ...]:
    return tuple(replace(one, original="", decisive=(), masked=False) for one in step.evidence[:_CITED])
