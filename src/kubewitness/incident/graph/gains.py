"""From the step that gained a credential to the steps that were done with it.

A token that was minted is known by its id where the API server writes it (Kubernetes 1.30 and later), else by the name
it was minted for; a certificate by its common name; the token of a pod by the pod that it was issued to, which the
API server writes into the user's extra fields; a token Secret by the service account that it is named after; a
kubelet's credential by its node, and by the pod in which it was read or which had the machine. The steps under that
name must come later, and be the intruder's anyway: a link says whence they had the name, it accuses nobody.

Source: kubernetes.io, service-accounts-admin (bound tokens: `authentication.kubernetes.io/pod-name`, `credential-id`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from kubewitness.correlate.links import edge
from kubewitness.incident.graph.acts import Act, cited
from kubewitness.incident.identity.nodes import nodes_gained
from kubewitness.incident.requests import Request, credential_ids, issued_credential_id
from kubewitness.model.incident import Edge, Entity
from kubewitness.rules.features.csr import signing_requests
from kubewitness.rules.features.identity import kind_of_name, service_account

_POD: Final = "authentication.kubernetes.io/pod-name"
_ANY_NODE: Final = "system:node:"  # of a node that the log does not name
_LIKELY: Final = 0.8  # that this was the credential, if nothing was seen to read it or the node is not known
_MOST: Final = 20  # gains of one name or pod that are remembered, the latest ones


class _Gain(NamedTuple):
    link: str
    act: Act
    request: Request
    keys: tuple[tuple[str, str], ...]
    token: str = ""  # its id
    confidence: float | None = None  # if other than the link's


def credentials(acts: Sequence[Act], known: Sequence[Edge], hashes: Mapping[str, str]) -> Iterator[Edge]:
    """Edges from gains to uses. `known`: edges that tell which pods the requests reached."""
    gained = dict[str, list[_Gain]]()  # by identity
    reached = dict[str, tuple[Act, Request]]()  # by namespace/name of a pod
    pods, nodes = _pods(known), _nodes(acts)
    for act in acts:
        first = act.requests[0]
        used = {one for request in act.requests for one in credential_ids(request.final)}
        gains = gained.get(first.identity, [])
        if kind_of_name(first.identity) == "node":
            gains = [*gains, *gained.get(_ANY_NODE, ())]
        if gains:
            yield from _used(act, first, gains, used, hashes)
        account, pod = service_account(first.identity), _pod_of(first)
        if account and pod and (made := reached.get(f"{account[0]}/{pod}")) is not None:
            keys = {_POD: pod, "namespace": account[0]}
            both = (cited(made[1], hashes), cited(first, hashes))
            named = f"Pod {account[0]}/{pod}"
            yield edge("pod_token_used", made[0].entity, act.entity, keys, both, pod=named)
        for request in act.requests:
            for name in pods.get(request.audit_id, ()):
                reached.setdefault(name, (act, request))
            for identity, gain in (*_gains(act, request), *nodes.get(id(request), ())):
                if kind_of_name(identity) not in ("anonymous", "rejected"):
                    gained.setdefault(identity, []).append(gain)
                    del gained[identity][:-_MOST]


def _used(
    act: Act, first: Request, gains: Sequence[_Gain], used: set[str], hashes: Mapping[str, str]
) -> Iterator[Edge]:
    """The very tokens, if ids tell; else of each kind the latest gain."""
    same = [gain for gain in gains if gain.token and gain.token in used]
    # A token whose id is known and that is not among those used was not the one.
    others = {gain.link: gain for gain in gains if not (gain.token and used)}
    for gain in same or others.values():
        if gain.act.step.number >= act.step.number:
            continue
        both = (cited(gain.request, hashes), cited(first, hashes))
        if gain in same:
            keys = {"credential-id": gain.token, **dict(gain.keys)}
            yield edge("token_id", gain.act.entity, act.entity, keys, both, id=gain.token)
        else:
            keys = dict(gain.keys)
            sure, who = gain.confidence, first.identity
            yield edge(gain.link, gain.act.entity, act.entity, keys, both, confidence=sure, identity=who)


def _gains(act: Act, request: Request) -> Iterator[tuple[str, _Gain]]:
    if not request.succeeded:
        return
    if request.resource == "serviceaccounts" and request.subresource == "token" and request.verb == "create":
        name = f"system:serviceaccount:{request.namespace}:{request.name}"
        token = issued_credential_id(request.final)
        yield name, _Gain("token_minted", act, request, (("service account", name),), token)
    elif request.resource == "certificatesigningrequests" and request.verb == "create" and not request.subresource:
        for signing in signing_requests(request.final):
            name = signing.subject.common_name
            yield name, _Gain("certificate_asked", act, request, (("common name", name),))
    elif request.resource == "secrets" and request.verb == "get" and "-token-" in request.name:
        owner = request.name.rpartition("-token-")[0]
        name = f"system:serviceaccount:{request.namespace}:{owner}"
        yield name, _Gain("token_secret_read", act, request, (("service account", name), ("secret", request.name)))


def _nodes(acts: Sequence[Act]) -> dict[int, list[tuple[str, _Gain]]]:
    """Credentials of kubelets by the request that brought them into reach."""
    act_of = {id(request): act for act in acts for request in act.requests}
    requests = sorted((one for act in acts for one in act.requests), key=lambda one: (one.time, one.audit_id))
    out = dict[int, list[tuple[str, _Gain]]]()
    for one in nodes_gained(requests):
        keys = (("node", one.node), ("pod", one.pod))
        sure = None if one.read and one.node else _LIKELY
        gain = _Gain("node_credential_taken", act_of[id(one.request)], one.request, keys, confidence=sure)
        out.setdefault(id(one.request), []).append((f"{_ANY_NODE}{one.node}", gain))
    return out


def _pods(known: Sequence[Edge]) -> dict[str, list[str]]:
    """Pods by the auditID of the request that entered or made them, themselves or through a workload."""
    below = dict[Entity, list[str]]()
    for one in known:
        if one.source.kind == "object" and one.target.kind == "pod":
            below.setdefault(one.source, []).append(one.target.name)
    out = dict[str, list[str]]()
    for one in known:
        if one.source.kind == "request":
            names = [one.target.name] if one.target.kind == "pod" else below.get(one.target, [])
            out.setdefault(one.source.name, []).extend(names)
    return out


def _pod_of(request: Request) -> str:
    value = request.final.user.extra.get(_POD)
    first = value[0] if isinstance(value, list) and value else value
    return first if isinstance(first, str) else ""
