"""The chain in one look: what let the intruder in, the steps that something came of, and what came of them.

The whole graph has an edge for every step and every request. Here requests, the objects that they name and containers
are left out and what lies on both sides of them is joined; the pods of one object are one station, and so are the
things that machines tell alike of. A way is drawn from what let the intruder in only to the steps that no other station
leads to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from kubewitness.correlate.links import short_name
from kubewitness.model.incident import Act, Edge, Entity, Incident, Step
from kubewitness.model.judgement import SEVERITIES
from kubewitness.model.text import Text
from kubewitness.report.chain import entity_words

_STEPS: Final = 10
_THINGS: Final = 8
_PODS: Final = 8
_DEEP: Final = 12  # edges that one line stands for
_LETS: Final = ("links/binding_allows", "links/name_taken_on", "links/setting_opens", "links/setting_allows")
_TOLD: Final = "links/told_of_"
_GAINS: Final = {
    "links/token_id": Text("the token", "令牌"),
    "links/token_minted": Text("the token", "令牌"),
    "links/token_secret_read": Text("the token", "令牌"),
    "links/pod_token_used": Text("the pod's token", "Pod 的令牌"),
    "links/certificate_asked": Text("the certificate", "证书"),
    "links/node_credential_taken": Text("the kubelet's credential", "kubelet 凭据"),
    "links/made_binding_allows": Text("the rights", "权限"),
}
_MADE: Final = "links/acts_on_made"
_READS: Final = "links/step_reads_object"


@dataclass
class Station:
    """One thing of the skeleton, or several that are alike."""

    key: tuple[str, ...]
    title: Text
    sub: Text
    act: Act | None = None  # of a step
    steps: tuple[int, ...] = ()  # that it is, or that tell of it
    count: int = 1
    layer: int = 0
    full: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Line:
    """A way from one station to another, over one edge or several."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    confidence: float
    label: Text | None = None

    @property
    def inferred(self) -> bool:
        """Whether any edge that it stands for is."""
        return self.confidence < 0.9


@dataclass(frozen=True)
class Skeleton:
    """Stations in the order of their layers, lines between them."""

    stations: tuple[Station, ...]
    lines: tuple[Line, ...]


def skeleton(incident: Incident) -> Skeleton:
    """The skeleton of an incident's chain; empty where its edges tell no more than its steps."""
    stations = _Stations(incident)
    lines = _joined(incident.edges, stations.of)
    led = {one.target for one in lines}
    # A pod that nothing leads to was there before: the ways go over what was done in it.
    lines = [one for one in lines if one.source in led or one.source[0] not in ("pod", "pods")]
    used = {key for one in lines for key in (one.source, one.target)}
    found = {station.key: station for station in stations.all() if station.key in used}
    if len(found) < 3:
        return Skeleton((), ())
    lines = _leaves_folded(found, lines)
    _layers(found, lines)
    ordered = sorted(found.values(), key=lambda one: (one.layer, min(one.steps, default=0), one.key))
    return Skeleton(tuple(ordered), tuple(lines))


class _Stations:
    """Which entity is shown at which station."""

    def __init__(self, incident: Incident) -> None:
        self.of = dict[Entity, tuple[str, ...]]()
        self._known = dict[tuple[str, ...], Station]()
        steps = {Entity("step", f"{incident.id}/{step.number}"): step for step in incident.steps}
        for entity, step in _chosen(incident.edges, steps):
            who = step.identity.removeprefix("system:serviceaccount:")
            self._add(entity, ("step", str(step.number)), _done(step), Text(who, who), step)
        for one in incident.edges:
            if one.link in _LETS and one.target in self.of:
                name = short_name(one.source)
                self._add(one.source, (one.source.kind, one.source.name), Text(name, name), _LET_IN)
        told = {one.source: steps[one.target] for one in reversed(incident.edges) if one.link.startswith(_TOLD)}
        for entity, step in told.items():
            self._thing(entity, step)
        self._pods(incident.edges)

    def all(self) -> Iterator[Station]:
        """All of them."""
        yield from self._known.values()

    def _thing(self, entity: Entity, step: Step) -> None:
        key = ("thing", entity.kind, *step.rules[:1])
        if entity.kind == "node" or (key not in self._known and self._count("thing") >= _THINGS):
            return
        self._add(entity, key, entity_words(entity), step.description, step)

    def _pods(self, edges: Sequence[Edge]) -> None:
        above = {one.target: one.source for one in edges if one.source.kind == "object"}
        for entity in (end for one in edges for end in (one.source, one.target)):
            if entity in self.of or entity.kind not in ("pod", "pods"):
                continue
            owner = above.get(entity) if entity.kind == "pod" else None
            key = ("pod", owner.name) if owner else (entity.kind, entity.name)
            if key in self._known or self._count("pod", "pods") < _PODS:
                self._add(entity, key, entity_words(entity), Text("", ""))

    def _count(self, *kinds: str) -> int:
        return sum(key[0] in kinds for key in self._known)

    def _add(self, entity: Entity, key: tuple[str, ...], title: Text, sub: Text, step: Step | None = None) -> None:
        if entity in self.of:
            return
        self.of[entity] = key
        known = self._known.get(key)
        numbers = (step.number,) if step else ()
        if known is None:
            act = step.act if step and key[0] == "step" else None
            self._known[key] = Station(key, title, sub, act, numbers, full=[title.en])
            return
        known.count += 1
        known.steps = tuple(sorted({*known.steps, *numbers}))
        if len(known.full) < 40:
            known.full.append(title.en)


def _done(step: Step) -> Text:
    """What a step did; of a command the command, since all that goes into one pod begins alike."""
    if step.act == "execute" and step.command and not step.path:
        return Text(f"ran {step.command[:200]}", f"执行 {step.command[:200]}")
    return step.description


_LET_IN: Final = Text("let them in", "放行了入侵者")


def _chosen(edges: Sequence[Edge], steps: Mapping[Entity, Step]) -> list[tuple[Entity, Step]]:
    """The steps that something came of, the most telling ones, by number."""
    telling = dict[Entity, int]()
    for one in edges:
        if one.source in steps and one.link != _MADE:
            worth = 3 if one.link in _GAINS else 1 if one.link == _READS else 2
            telling[one.source] = max(telling.get(one.source, 0), worth)
    ranked = sorted(telling, key=lambda e: (-telling[e], -SEVERITIES.index(steps[e].severity), steps[e].number))[
        :_STEPS
    ]
    return sorted(((entity, steps[entity]) for entity in ranked), key=lambda pair: pair[1].number)


def _joined(edges: Sequence[Edge], of: Mapping[Entity, tuple[str, ...]]) -> list[Line]:
    """Lines between stations, over what is not shown."""
    after = dict[Entity, list[Edge]]()
    for one in edges:
        if one.target.kind != "node":
            after.setdefault(one.source, []).append(one)
    lines = dict[tuple[tuple[str, ...], tuple[str, ...]], Line]()
    for start, key in of.items():
        pending = [(start, 1.0, 0, None)]
        seen = {start}
        while pending:
            entity, sure, deep, label = pending.pop()
            for one in after.get(entity, ()) if deep < _DEEP else ():
                if one.target in seen:
                    continue
                own = _GAINS.get(one.link, label)
                sureness = sure * one.confidence if one.confidence < 0.9 else sure
                if one.target not in of:
                    seen.add(one.target)
                    pending.append((one.target, sureness, deep + 1, own))  # type: ignore[arg-type]
                elif of[one.target] != key:
                    pair = (key, of[one.target])
                    known = lines.get(pair)
                    if known is None or (own and not known.label) or sureness > known.confidence:
                        lines[pair] = Line(*pair, sureness, own or (known.label if known else None))
    return _plain(list(lines.values()))


def _plain(lines: list[Line]) -> list[Line]:
    """Without lines that say no more than others: a line that a longer way takes too goes."""
    led = {one.target for one in lines if one.source[0] == "step"}
    lines = [one for one in lines if one.target[0] != "step" or one.source[0] == "step" or one.target not in led]
    after = dict[tuple[str, ...], set[tuple[str, ...]]]()
    for one in lines:
        after.setdefault(one.source, set()).add(one.target)

    def beyond(start: tuple[str, ...]) -> set[tuple[str, ...]]:
        seen, pending = set[tuple[str, ...]](), list(after.get(start, ()))
        while pending:
            key = pending.pop()
            if key not in seen:
                seen.add(key)
                pending += after.get(key, ())
        return seen

    far = {key: beyond(key) for key in after}
    return [
        one
        for one in lines
        if not any(one.target in far.get(key, ()) for key in after[one.source] if key != one.target)
    ]


def _leaves_folded(found: dict[tuple[str, ...], Station], lines: list[Line]) -> list[Line]:
    """Steps of one act that lead to nothing drawn and came of the same are one station."""
    sources = {one.source for one in lines}
    groups = dict[tuple[object, ...], list[Station]]()
    for station in found.values():
        if station.act is not None and station.key not in sources:
            above = tuple(sorted(one.source for one in lines if one.target == station.key))
            groups.setdefault((station.act, station.sub.en, above), []).append(station)
    gone = set[tuple[str, ...]]()
    for first, *others in groups.values():
        for other in others:
            first.count += other.count
            first.steps += other.steps
            first.full += other.full
            gone.add(other.key)
            del found[other.key]
    return [one for one in lines if one.target not in gone]


def _layers(found: Mapping[tuple[str, ...], Station], lines: Sequence[Line]) -> None:
    """Each station one layer behind the last that leads to it."""
    for _ in range(len(found)):
        moved = False
        for one in lines:
            source, target = found[one.source], found[one.target]
            if target.layer <= source.layer < len(found):
                target.layer, moved = source.layer + 1, True
        if not moved:
            return
