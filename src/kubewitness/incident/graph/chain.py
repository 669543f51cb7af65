"""The chain as a graph: steps and entities joined by links, each edge with its keys, confidence and evidence.

The rest of the program joins what machines and controllers show (requests, objects, pods, nodes, containers,
processes). Here the acts come in: who made each step from where, which binding or setting let it through, which
earlier step made the credential, the rights or the object that it used, and what it read or deleted.

Edges run from what came first to what came of it. Identities, addresses, settings and the bindings that were there
before the intruder have no edge into them: whoever shares one of them is not reached through it. Steps are joined
only from a lower number to a higher one, and no edge runs back from an object to a step that made it, so the graph
has no cycle; what forged evidence of a machine would close to one is left out (`graph_order`). It stays small: like
requests are one step, and the many pods of one object are one entity with a count (`graph_pods`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from msgspec.structs import replace

from kubewitness.correlate.links import edge
from kubewitness.incident.cascade import entity_of
from kubewitness.incident.cause import EVERYBODY, Binding, binding_of
from kubewitness.incident.deeds import BINDINGS, ROLES, full_name, kind_of
from kubewitness.incident.graph.acts import Act, acts_of, as_entity, cited
from kubewitness.incident.graph.gains import credentials
from kubewitness.incident.graph.machines import machine_edges
from kubewitness.incident.graph.order import in_order
from kubewitness.incident.graph.pods import folded, written
from kubewitness.incident.requests import Request
from kubewitness.model.incident import Edge, Entity, Evidence, Incident, ObjectName, RootCause

MOST: Final = 10_000  # edges of one incident
_OBJECTS: Final = 200  # read or deleted by one step
_RESOURCES: Final = {"ClusterRoleBinding": "clusterrolebindings", "RoleBinding": "rolebindings"}
_WRITES: Final = ("create", "update", "patch")
_SENSITIVE: Final = ("secrets", "configmaps")


def with_graph(
    incidents: Iterable[Incident], gathered: Sequence[Sequence[Request]], hashes: Mapping[str, str]
) -> list[Incident]:
    """The incidents with all edges of their chains.

    Args:
        incidents: with their steps numbered for good.
        gathered: the requests of each incident of the audit log, in any order.
        hashes: of evidence items.
    """
    by_first = {requests[0].audit_id: requests for requests in gathered if requests and requests[0].audit_id}
    out = list[Incident]()
    for incident in incidents:
        requests = by_first.get(next(iter(incident.audit_ids), ""), ())
        out.append(replace(incident, edges=whole(incident, requests, hashes)))
    return out


def whole(incident: Incident, requests: Sequence[Request], hashes: Mapping[str, str]) -> tuple[Edge, ...]:
    """All edges of one incident: those it has, and those of its steps."""
    acts = acts_of(incident, requests)
    keep = {entity for step in incident.steps for entity in (*step.entities, *step.path)}
    known = written(folded(incident.edges, keep), acts, keep, hashes)
    rights = tuple(_rights(incident, acts, hashes))
    found = chain(
        known,
        _callers(acts, hashes),
        rights,
        credentials(acts, known, hashes),
        _made(acts, known, hashes),
        machine_edges(incident, acts),
        _requests(acts, known, hashes),
        _touched(acts, (*known, *rights), hashes),
    )
    once = {(one.link, one.source, one.target): one for one in found}
    return in_order(tuple(once.values())[:MOST])


def _callers(acts: Sequence[Act], hashes: Mapping[str, str]) -> Iterator[Edge]:
    for act in acts:
        first = act.requests[0]
        evidence = (cited(first, hashes),)
        if first.identity:
            keys = {"user.username": first.identity}
            yield edge("identity_acts", Entity("identity", first.identity), act.entity, keys, evidence)
        if first.address:
            keys = {"sourceIPs": first.address}
            yield edge("address_acts", Entity("address", first.address), act.entity, keys, evidence)


def _requests(acts: Sequence[Act], known: Sequence[Edge], hashes: Mapping[str, str]) -> Iterator[Edge]:
    """From each step to those of its requests that other edges begin with."""
    named = {one.source.name for one in known if one.source.kind == "request"}
    for act in acts:
        for request in act.requests:
            if request.audit_id in named:
                named.discard(request.audit_id)  # a client may choose an auditID twice: the first bears it
                target = Entity("request", request.audit_id)
                yield edge("step_request", act.entity, target, {"auditID": target.name}, (cited(request, hashes),))


def _rights(incident: Incident, acts: Sequence[Act], hashes: Mapping[str, str]) -> Iterator[Edge]:
    """From the binding that the authorizer gave as its reason, or the step that wrote it, to the steps it allowed."""
    causes = {(one.kind, one.namespace, one.name) for one in incident.root_causes}
    setting = next((one for one in incident.root_causes if one.kind == "Setting" and one.requests_total), None)
    names = [one for one in incident.root_causes if one.kind in _RESOURCES and _gives_names(one)]
    wrote = dict[tuple[str, str, str], tuple[Act, Request]]()  # resource, namespace, name → the latest who wrote it
    for act in acts:
        allowed = dict[Binding, list[Request]]()
        for request in act.requests:
            binding = binding_of(request)
            if binding is not None and binding.name not in EVERYBODY:
                allowed.setdefault(binding, []).append(request)
        for binding, requests in allowed.items():
            yield from _allowed(binding, act, requests, wrote=wrote, causes=causes, hashes=hashes)
        if setting is not None and any(one.succeeded and binding_of(one) is None for one in act.requests):
            yield _unexplained(setting, act, hashes)
        spoken = [one for one in act.requests if one.impersonated and not one.refused]
        if len(names) == 1 and spoken:
            yield _in_a_name(names[0], act, spoken, hashes)
        for request in act.requests:
            if request.resource in BINDINGS | ROLES and request.verb in _WRITES and request.succeeded:
                wrote[request.resource, request.namespace, request.name] = (act, request)


def _allowed(
    binding: Binding,
    act: Act,
    requests: Sequence[Request],
    *,
    wrote: Mapping[tuple[str, str, str], tuple[Act, Request]],
    causes: set[tuple[str, str, str]],
    hashes: Mapping[str, str],
) -> Iterator[Edge]:
    resource = _RESOURCES[binding.kind]
    kind, _, role = binding.role.partition(" ")
    by = {
        f"{binding.kind} {binding.name}": wrote.get((resource, binding.namespace, binding.name)),
        binding.role: wrote.get((f"{kind.lower()}s", "" if kind == "ClusterRole" else binding.namespace, role)),
    }
    evidence = cited(requests[0], hashes)
    for what, made in by.items():
        if made is not None and made[0].step.number < act.step.number:
            keys = {"authorization.k8s.io/reason": what, "requests": str(len(requests))}
            both = (cited(made[1], hashes), evidence)
            yield edge("made_binding_allows", made[0].entity, act.entity, keys, both, binding=what)
    if (binding.kind, binding.namespace, binding.name) in causes:
        keys = {"authorization.k8s.io/reason": f"{binding.kind} {binding.name}", "requests": str(len(requests))}
        source = entity_of(ObjectName(resource, binding.namespace, binding.name))
        yield edge("binding_allows", source, act.entity, keys, (evidence,))


def _gives_names(cause: RootCause) -> bool:
    """Whether what it authorised is to act in other people's names (`cause`)."""
    return any("impersonatedUser" in one.decisive for one in cause.evidence)


def _in_a_name(cause: RootCause, act: Act, spoken: Sequence[Request], hashes: Mapping[str, str]) -> Edge:
    name = spoken[0].impersonated
    source = entity_of(ObjectName(_RESOURCES[cause.kind], cause.namespace, cause.name))
    keys = {"impersonatedUser": name, "requests": str(len(spoken))}
    return edge("name_taken_on", source, act.entity, keys, (cited(spoken[0], hashes),), identity=name)


def _unexplained(setting: RootCause, act: Act, hashes: Mapping[str, str]) -> Edge:
    keys = {"authorization.k8s.io/decision": "allow", "setting": setting.name}
    first = next(one for one in act.requests if one.succeeded and binding_of(one) is None)
    source = Entity("setting", f"API server:{setting.name}")
    return edge("setting_allows", source, act.entity, keys, (cited(first, hashes),))


def _made(acts: Sequence[Act], known: Sequence[Edge], hashes: Mapping[str, str]) -> Iterator[Edge]:
    """From the step that made an object, or whose object made a pod, to later steps that act on it."""
    above = {one.target: one.source for one in known if one.source.kind == "object" and one.target.kind == "pod"}
    makers = dict[Entity, tuple[Act, Evidence]]()
    for act in acts:
        touched = dict[Entity, tuple[Request, int]]()
        for request in act.requests:
            if request.resource and request.name and not request.refused:
                thing = entity_of(request.object)
                first, count = touched.get(thing, (request, 0))
                touched[thing] = (first, count + 1)
        for thing, (request, count) in list(touched.items())[:_OBJECTS]:
            made = makers.get(thing) or makers.get(above.get(thing, thing))
            if made is not None and made[0] is not act and not request.missing:
                keys = {"object": thing.name, "requests": str(count)}
                both = (made[1], cited(request, hashes))
                what = f"{kind_of(request.resource)} {full_name(request)}"
                yield edge("acts_on_made", made[0].entity, act.entity, keys, both, object=what)
        for request in act.requests:
            if request.succeeded and request.name and request.verb == "create" and not request.subresource:
                makers[entity_of(request.object)] = (act, cited(request, hashes))


def _touched(acts: Sequence[Act], known: Sequence[Edge], hashes: Mapping[str, str]) -> Iterator[Edge]:
    """From steps to the Secrets and ConfigMaps they read, and to what they deleted that was there before them.

    A binding that let them in and that they deleted is no end of the chain but where it begins: `_rights` tells of it.
    """
    own = {one.target for one in known} | {one.source for one in known}
    for act in acts:
        seen = set[Entity]()
        for request in act.requests:
            if not request.succeeded or request.subresource or len(seen) >= _OBJECTS:
                continue
            read = request.resource in _SENSITIVE and request.verb in ("get", "list", "watch")
            gone = request.verb in ("delete", "deletecollection") and request.resource != "events"
            if not (read or gone):
                continue
            name = request.object
            target = as_entity(name)
            if target in seen or (gone and target in own):
                continue
            seen.add(target)
            keys = {"resource": name.kind, "namespace": name.namespace, "name": name.name}
            link = "step_reads_object" if read else "step_deletes_object"
            yield edge(link, act.entity, target, keys, (cited(request, hashes),))
