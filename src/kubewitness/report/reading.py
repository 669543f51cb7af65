"""What a sceptical reader must read to check a chain: few records, the ones that prove it, in the order of the story.

A chain cites every kind of request that a step folds, and a large one hundreds. Its argument rests on fewer: what let
the intruder in, the first act that was let through, and of each step the record that it begins with. The steps that
the others came of stand before those that nothing came of, the grave before the slight; what is left over when
`MOST` is reached repeats the argument and does not carry it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kubewitness.model.incident import Edge, Evidence, Incident, Step
from kubewitness.model.judgement import SEVERITIES

MOST: Final = 40
_OF_CAUSE: Final = 3  # records of one root cause: what it allowed, who made it, who removed it
_CAUSES: Final = 4
_CARRIES: Final = ("create", "change", "delete", "execute", "effect")


@dataclass(frozen=True)
class Reading:
    """One record to read, and what it proves."""

    evidence: Evidence
    step: int = 0  # 0: of the root cause or the way in alone
    cause: bool = False
    entry: bool = False


def to_read(incident: Incident, most: int = MOST) -> tuple[Reading, ...]:
    """The records that prove the incident's chain, at most `most`, in order of time."""
    chosen = dict[tuple[str, int, int], Reading]()
    for one in _ranked(incident):
        key = (one.evidence.item, one.evidence.line, one.evidence.offset)
        known = chosen.get(key)
        if known is not None:
            step = known.step or one.step
            chosen[key] = Reading(known.evidence, step, known.cause or one.cause, known.entry or one.entry)
        elif len(chosen) < most:
            chosen[key] = one
    return tuple(sorted(chosen.values(), key=lambda one: _place_in_story(one, incident)))


def cited_in_all(incident: Incident) -> int:
    """How many records the causes, the way in and the steps cite, each counted once."""
    entry = incident.entry_point.evidence if incident.entry_point else ()
    cited = [entry, *(one.evidence for one in incident.root_causes), *(one.evidence for one in incident.steps)]
    return len({(one.item, one.line, one.offset) for some in cited for one in some})


def carrying(incident: Incident) -> frozenset[int]:
    """Numbers of the steps that something came of, by the edges of the chain."""
    prefix = f"{incident.id}/"
    names = {_number(one, prefix) for one in incident.edges if one.source.kind == "step"}
    return frozenset(names - {0})


def _number(one: Edge, prefix: str) -> int:
    number = one.source.name.removeprefix(prefix)
    return int(number) if number.isdecimal() and len(number) < 9 else 0


def _ranked(incident: Incident) -> Iterator[Reading]:
    for cause in incident.root_causes[:_CAUSES]:
        yield from (Reading(one, cause=True) for one in cause.evidence[:_OF_CAUSE])
    if incident.entry_point is not None:
        yield from (Reading(one, entry=True) for one in incident.entry_point.evidence[:1])
    of = carrying(incident)

    def weight(step: Step) -> tuple[bool, bool, int, int]:
        grave = SEVERITIES.index(step.severity)
        slight = step.number not in of and grave < SEVERITIES.index("high")
        return (slight, step.act not in _CARRIES, -grave, step.number)

    yield from (Reading(step.evidence[0], step.number) for step in sorted(incident.steps, key=weight) if step.evidence)


def _place_in_story(one: Reading, incident: Incident) -> tuple[str, int, str, int]:
    times = {step.number: step.time for step in incident.steps}
    when = times.get(one.step, "") or one.evidence.time
    return (when, one.step, one.evidence.item, one.evidence.line)
