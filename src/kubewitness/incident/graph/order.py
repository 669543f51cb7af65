"""What keeps the graph of a chain without cycles, whatever the evidence says.

Our own edges cannot close one. Evidence of a machine can: a forged process list makes two processes each other's
parents. Of the edges on a cycle the least sure is left out, of equally sure ones the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from kubewitness.model.incident import Edge, Entity

_ROUNDS: Final = 50  # cycles that are opened one by one; evidence with more of them is forged, and all its edges go


def in_order(edges: Sequence[Edge]) -> tuple[Edge, ...]:
    """The edges without those that close a cycle, in their order."""
    left = [number for number, one in enumerate(edges) if one.source != one.target]
    for _ in range(_ROUNDS):
        bound = _on_cycles(edges, left)
        if not bound:
            break
        weakest = min(bound, key=lambda number: (edges[number].confidence, -number))
        left.remove(weakest)
    else:
        forged = set(_on_cycles(edges, left))
        left = [number for number in left if number not in forged]
    return tuple(edges[number] for number in left)


def _on_cycles(edges: Sequence[Edge], left: Iterable[int]) -> list[int]:
    """Those of the edges that lie on a cycle, or between two."""
    ahead = _held(edges, left, lambda one: one.source, lambda one: one.target)
    return _held(edges, ahead, lambda one: one.target, lambda one: one.source)


def _held(
    edges: Sequence[Edge], left: Iterable[int], start: Callable[[Edge], Entity], end: Callable[[Edge], Entity]
) -> list[int]:
    """The edges that remain when whatever nothing leads to is taken away again and again."""
    numbers = list(left)
    out, count = dict[Entity, list[int]](), dict[Entity, int]()
    for number in numbers:
        out.setdefault(start(edges[number]), []).append(number)
        count[end(edges[number])] = count.get(end(edges[number]), 0) + 1
    ready, gone = [entity for entity in out if entity not in count], set[int]()
    while ready:
        for number in out.get(ready.pop(), ()):
            gone.add(number)
            entity = end(edges[number])
            count[entity] -= 1
            if not count[entity]:
                ready.append(entity)
    return [number for number in numbers if number not in gone]
