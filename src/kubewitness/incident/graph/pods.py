"""Thousands of pods of one object as one entity with a count: a DaemonSet of a worm has as many as there are nodes.

The same for what one step writes in great number. What something else is known of (a container, an entry, a step that
tells of it) stays itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from kubewitness.correlate.links import edge
from kubewitness.incident.graph.acts import Act, cited
from kubewitness.incident.requests import Request
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


def written(
    edges: Sequence[Edge], acts: Sequence[Act], keep: Collection[Entity], hashes: Mapping[str, str]
) -> tuple[Edge, ...]:
    """The edges with the many objects that one step wrote folded by resource and namespace."""
    ends = dict[Entity, int]()
    for one in edges:
        for entity in (one.source, one.target):
            ends[entity] = ends.get(entity, 0) + 1
    plain = {
        one.source.name: one
        for one in edges
        if one.link == "links/request_names_object" and ends[one.target] == 1 == ends[one.source]
        and one.target not in keep and one.source not in keep
    }  # fmt: skip
    gone, groups = set[str](), list[Edge]()
    for act in acts:
        alike = dict[tuple[str, str], list[Request]]()
        for request in act.requests:
            if request.audit_id in plain and request.audit_id not in gone:
                alike.setdefault((request.resource, request.namespace), []).append(request)
        for (resource, namespace), requests in alike.items():
            if len(requests) <= MANY:
                continue
            gone.update(request.audit_id for request in requests)
            target = Entity("object", "/".join(filter(None, (resource, namespace, "*"))))
            if resource == "pods":
                target = Entity("pods", f"{namespace}/*")
            count = str(len(requests))
            keys = {"resource": resource, "namespace": namespace, "count": count}
            first = (cited(requests[0], hashes),)
            groups.append(edge("step_writes_many", act.entity, target, keys, first, count=count))
    if not gone:
        return tuple(edges)
    return (*(one for one in edges if not (one.source.kind == "request" and one.source.name in gone)), *groups)
