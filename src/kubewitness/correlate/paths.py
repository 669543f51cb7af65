"""Ways through a chain: from a thing on a node back to the request it came of, and on to what it talks to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from kubewitness.correlate.links import machine_and_rest
from kubewitness.model.incident import Edge, Entity

_LONGEST = 16
_TRIED = 10_000
_LIKELY = 0.75  # a way less sure than that is taken only if there is no other
# Where a way may begin: the intruder's own request says more than a node.
_RANK = {"request": 3, "address": 2, "object": 1}
# In the whole graph: what let them in, what they asked for, whence they came, who they said they were.
_BEGINNING = {"setting": 5, "object": 4, "step": 4, "request": 3, "address": 3, "identity": 2, "file": 1}


def path_to(target: Entity, edges: Iterable[Edge]) -> tuple[Entity, ...]:
    """The surest way to `target` from as far back as the edges go, of equally sure ones the longest; with its node.

    Sureness is the product of the confidences: a way is no surer than all its parts together. A pod stands before its
    node and its node before the container. Of a process the way goes on to the far end of its first socket.
    """
    known = tuple(edges)
    into = dict[Entity, list[Edge]]()
    for one in known:
        into.setdefault(one.target, []).append(one)
    best = (-1, 0.0, 0)
    way: tuple[Entity, ...] = (target,)
    pending: list[tuple[float, tuple[Entity, ...]]] = [(1.0, (target,))]
    for _ in range(_TRIED):
        if not pending:
            break
        sure, tried = pending.pop()
        before = [one for one in into.get(tried[0], ()) if one.source not in tried]
        if len(tried) > 1:
            before = [one for one in before if passes(one)]
        if before and len(tried) < _LONGEST:
            pending += [(sure * one.confidence, (one.source, *tried)) for one in before]
            continue
        rank = (_RANK.get(tried[0].kind, 0), sure, len(tried))
        if rank > best:
            best, way = rank, tried
    if len(way) < 2:
        return ()
    return (*_with_nodes(way, known), *_far_end(target, known))


def _with_nodes(way: tuple[Entity, ...], edges: tuple[Edge, ...]) -> list[Entity]:
    """The way with the node behind each pod that is on one."""
    out = list[Entity]()
    for number, entity in enumerate(way):
        out.append(entity)
        after = machine_and_rest(way[number + 1].name)[0] if number + 1 < len(way) else ""
        node = Entity("node", after)
        if entity.kind == "pod" and any(one.source == entity and one.target == node for one in edges):
            out.append(node)
    return out


def _far_end(process: Entity, edges: tuple[Edge, ...]) -> list[Entity]:
    sockets = [one.target for one in edges if one.source == process and one.target.kind == "socket"]
    return [next((one for one in sockets if "→" in one.name), sockets[0])] if sockets else []


class _Way(NamedTuple):
    """What is known of the best way to an entity, best last in order."""

    beginning: int  # rank of what it begins with
    proven: bool  # not much is inferred
    first: int  # minus the number of the first step on it: how far back it goes
    sure: float
    length: int
    over: tuple[int, str] = (0, "")
    before: Entity | None = None


def way_back(
    target: Entity, edges: Iterable[Edge], times: Mapping[Entity, str] = MappingProxyType({}), until: str = ""
) -> tuple[Entity, ...]:
    """The way to `target` that goes farthest back and is sure, of equally sure ones the longest; it ends in `target`.

    For the whole graph of a chain, which has no cycle: each entity's best way is found once, so it takes no longer
    than there are edges. What let the intruder in is a better beginning than where they came from, and that a better
    one than a name. No way leads through a node from what only ran on it, and none over an act that came after the
    thing: after `until`, by the `times` of acts (RFC 3339 UTC), where both are known.
    """
    into = dict[Entity, list[Edge]]()
    for one in edges:
        if not late(one, times, until):
            into.setdefault(one.target, []).append(one)
    best = dict[Entity, _Way]()
    pending = [target]
    while pending:
        entity = pending[-1]
        before = [one for one in into.get(entity, ()) if entity == target or passes(one)]
        missing = [one.source for one in before if one.source not in best]
        if missing and len(pending) <= len(into) + 1:
            pending += missing
            continue
        pending.pop()
        if entity not in best:
            own = _number(entity)
            ways = [_longer(best[one.source], one, own) for one in before if one.source in best]
            best[entity] = max(ways, default=_Way(_BEGINNING.get(entity.kind, 0), True, own, 1.0, 0), key=_rank)
    way: list[Entity] = [target]
    while (earlier := best[way[-1]].before) is not None and earlier not in way:
        way.append(earlier)
    return tuple(reversed(way)) if len(way) > 1 else ()


def _longer(way: _Way, one: Edge, own: int) -> _Way:
    sure = round(way.sure * one.confidence, 6)
    over = (_number(one.source), one.source.name)
    return _Way(way.beginning, sure >= _LIKELY, way.first or own, sure, way.length + 1, over, one.source)


def _rank(way: _Way) -> tuple[int, bool, int, float, int, tuple[int, str]]:
    return way[:6]


def late(one: Edge, times: Mapping[Entity, str], until: str) -> bool:
    """Whether the edge is from an act that came after `until`, where both are known."""
    return bool(until) and times.get(one.source, "") > until


def passes(one: Edge) -> bool:
    """Whether a way may go on over this edge to what is behind it: a node is where pods are, not what came of them."""
    return not (one.target.kind == "node" and one.source.kind in ("pod", "pods"))


def _number(entity: Entity) -> int:
    """Minus the number of a step, 0 for anything else: of ways that are alike the one over the earlier step."""
    number = entity.name.rpartition("/")[2] if entity.kind == "step" else ""
    return -int(number) if number.isdecimal() and len(number) < 9 else 0
