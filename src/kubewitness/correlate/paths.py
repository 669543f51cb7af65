"""Ways through a chain: from a thing on a node back to the request it came of, and on to what it talks to."""

from __future__ import annotations

from collections.abc import Iterable

from kubewitness.correlate.links import machine_and_rest
from kubewitness.model.incident import Edge, Entity

_LONGEST = 16
_TRIED = 10_000
# Where a way may begin: the intruder's own request says more than a node.
_RANK = {"request": 3, "address": 2, "object": 1}


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
