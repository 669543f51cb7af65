"""Thousands of pods of one object as one entity with a count: a DaemonSet of a worm has as many as there are nodes.

Pods that something else is known of (a container, an entry, a step that tells of them) stay themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from kubewitness.correlate.links import edge
from kubewitness.model.incident import Edge, Entity

MANY: Final = 40  # pods of one object that stay themselves
_NODES: Final = 50  # of one group


def folded(edges: Sequence[Edge], keep: Collection[Entity]) -> tuple[Edge, ...]:
    """The edges with the many pods of one object folded. `keep`: entities that stay."""
    made, where, other = dict[Entity, list[Edge]](), dict[Entity, list[Edge]](), set[Entity]()
    for one in edges:
        if one.source.kind == "object" and one.target.kind == "pod":
            made.setdefault(one.source, []).append(one)
        elif one.source.kind == "pod" and one.target.kind == "node":
            where.setdefault(one.source, []).append(one)
        else:
            other |= {one.source, one.target}
    gone, groups = set[Entity](), list[Edge]()
    for source, ties in made.items():
        plain = [one for one in ties if one.target not in other and one.target not in keep]
        if len(plain) <= MANY:
            continue
        pods = list(dict.fromkeys(one.target for one in plain))
        gone.update(pods)
        group = Entity("pods", f"{source.name.partition('/')[2]}-*")
        sure = min(one.confidence for one in plain)
        keys = {"object": source.name, "count": str(len(pods))}
        first = plain[0].evidence
        groups.append(edge("many_pods", source, group, keys, first, confidence=sure, count=str(len(pods))))
        nodes = dict[Entity, list[Edge]]()
        for pod in pods:
            for one in where.get(pod, ()):
                nodes.setdefault(one.target, []).append(one)
        for node, here in list(nodes.items())[:_NODES]:
            count = len({one.source for one in here})
            keys = {"node": node.name, "count": str(count)}
            groups.append(edge("many_pods_node", group, node, keys, here[0].evidence, count=str(count)))
    if not gone:
        return tuple(edges)
    return (*(one for one in edges if one.source not in gone and one.target not in gone), *groups)
