"""What the cluster did on the intruder's behalf: the pods a controller made of a workload, the nodes they ran on.

One DaemonSet causes dozens of audit events by controllers, scheduler and kubelets. They are not the intruder's requests
and are not attributed to it; they fold under the step that caused them, as its effect.

So does a static pod: a command in a pod writes its manifest into the kubelet's folder, and the kubelet tells the API
server of a pod NAME-NODE. A file is mostly called after its pod; one that is not is not found here.

Source: kubernetes.io, "Create static Pods".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from kubewitness.correlate.links import edge
from kubewitness.detect.collect import Needle, search
from kubewitness.detect.run import Scan
from kubewitness.incident.citing import Citer
from kubewitness.incident.deeds import WORKLOADS
from kubewitness.incident.steps import StepDraft
from kubewitness.model.event import Event, parse_time
from kubewitness.model.incident import Edge, Entity, ObjectName
from kubewitness.model.text import Text
from kubewitness.rules.features.identity import kind_of_name

_WINDOW = timedelta(hours=1)  # after a workload was made; later pods of it are replacements
_NEEDLES = 50
_CLUSTER = ("controlPlane", "node", "serviceaccount")
_STATIC: Final = "static pods"
_MANIFEST: Final = re.compile(
    r"/(?:etc/kubernetes/manifests|agent/pod-manifests)/([a-z0-9][a-z0-9.-]{0,200}?)\.(?:ya?ml|json)\b"
)
_LOOKS: Final = re.compile(r"^(?:\S{1,40} -c )?\s{0,9}(?:ls|cat(?! *>)|less|more|head|tail|grep|stat|find|rm)\b")


class Effect:
    """The cascade under one step."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.pods: dict[ObjectName, None] = {}
        self.nodes: dict[str, None] = {}
        self.joins: dict[tuple[str, Entity, Entity], Event] = {}  # link, from, to → the event that tells it

    def edges(self, citer: Citer) -> tuple[Edge, ...]:
        """What ties the workload to its pods and these to their nodes; each tie once, by its surest link."""
        best = dict[tuple[Entity, Entity], Edge]()
        for (link, source, target), event in self.joins.items():
            place = citer.place(event.place, event.audit_id)
            keys = {str(source.kind): source.name, str(target.kind): target.name}
            one = edge(link, source, target, keys, (place,))
            known = best.get((source, target))
            if known is None or known.confidence < one.confidence:
                best[source, target] = one
        return tuple(best.values())

    def texts(self) -> tuple[Text, ...]:
        """The effect in words, empty if there was none."""
        if not self.events:
            return ()
        out = []
        if self.pods:
            pods, nodes, names = len(self.pods), len(self.nodes), sorted(self.nodes)[:6]
            on = f" on {nodes} {'node' if nodes == 1 else 'nodes'} ({', '.join(names)})" if nodes else ""
            zh = f"，分布在 {nodes} 个节点（{'、'.join(names)}）" if nodes else ""
            out.append(Text(f"{pods} {'pod' if pods == 1 else 'pods'} started{on}", f"启动了 {pods} 个 Pod{zh}"))
        n = len(self.events)
        out.append(Text(f"{n} events by controllers and nodes, folded", f"{n} 条控制器与节点事件（已折叠）"))
        return tuple(out)


class Root(NamedTuple):
    """A workload that a step made or changed."""

    step: int  # index
    name: ObjectName
    time: str
    until: str  # later, its pods are replacements
    request: str = ""  # auditID of a command that wrote a static pod's manifest


def roots_of(steps: Sequence[StepDraft]) -> list[Root]:
    """The workloads whose effects are looked for."""
    roots: list[Root] = []
    for index, draft in enumerate(steps):
        for request in draft.requests:
            if request.subresource == "exec" and request.succeeded:
                until = _later(request.time)
                for name in dict.fromkeys(_manifests(request.command)):
                    static = ObjectName(_STATIC, "", name)
                    roots.append(Root(index, static, request.time, until, request.audit_id))
            made = request.resource in WORKLOADS and not request.subresource and request.succeeded
            if made and request.verb in ("create", "update", "patch") and request.name:
                roots.append(Root(index, request.object, request.time, _later(request.time)))
    return roots[:_NEEDLES]


def _manifests(command: str) -> list[str]:
    """Static pods of which a command writes the manifest, by its file's name."""
    command = command[:4096]
    return [] if _LOOKS.match(command) else _MANIFEST.findall(command)


def effects_of(scan: Scan, roots: Sequence[Root]) -> list[Event]:
    """What controllers and nodes did because of any of these: of all incidents in one search of the log."""
    by_namespace: dict[str, list[Root]] = {}
    for root in roots:
        by_namespace.setdefault(root.name.namespace, []).append(root)

    def wanted(event: Event) -> bool:
        near = [*by_namespace.get(event.namespace, ()), *by_namespace.get("", ())]
        return bool(near) and _by_cluster(event) and any(_descent(event, root) for root in near)

    needles = {Needle(root.name.name, root.name.namespace, root.time, root.until): None for root in roots}
    return search(scan, list(needles), wanted)


def cascades(found: Sequence[Event], steps: Sequence[StepDraft], roots: Sequence[Root]) -> dict[int, Effect]:
    """Effects by the index of their step; `found` may hold those of others."""
    own = {request.audit_id for draft in steps for request in draft.requests}  # a stolen token acts as an account too
    effects: dict[int, Effect] = {}
    for event in found:
        if event.audit_id in own:
            continue
        found_home = next(((root, link) for root in roots if (link := _descent(event, root))), None)
        if found_home is not None:
            home, link = found_home
            _note(effects.setdefault(home.step, Effect()), event, home, link)
    for effect in effects.values():
        _without_replaced(effect)
    return effects


def _without_replaced(effect: Effect) -> None:
    """Leave out pods that only ended: a change of a workload that was there before replaces its pods."""
    made, gone = set[str](), set[str]()
    for event in effect.events:
        if event.resource != "pods":
            continue
        body = event.response_object if event.verb == "create" and not event.subresource else None
        meta = body.get("metadata") if isinstance(body, dict) else None
        name = event.name or (str(meta.get("name", "")) if isinstance(meta, dict) else "")
        if event.verb == "create" and event.subresource in ("", "binding"):
            made.add(f"{event.namespace}/{name}")
        elif event.verb == "delete":
            gone.add(f"{event.namespace}/{name}")
    replaced = {pod for pod in effect.pods if (name := f"{pod.namespace}/{pod.name}") in gone and name not in made}
    if not replaced or replaced == set(effect.pods):
        return
    ended = {entity_of(pod) for pod in replaced}
    for pod in replaced:
        del effect.pods[pod]
    before = {target.name for _, source, target in effect.joins if source in ended and target.kind == "node"}
    for key in [key for key in effect.joins if key[1] in ended or key[2] in ended]:
        del effect.joins[key]
    left = {target.name for _, _, target in effect.joins if target.kind == "node"}
    for node in before - left:
        effect.nodes.pop(node, None)


def _later(time: str) -> str:
    when = parse_time(time)
    return (when + _WINDOW).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if when else "~"


def _by_cluster(event: Event) -> bool:
    writes = event.verb in ("create", "update", "patch", "delete")
    return writes and event.stage != "RequestReceived" and kind_of_name(event.identity) in _CLUSTER


def _descent(event: Event, made: Root) -> str:
    """The link by which the event is about `made` or what grew from it, "" if it is not.

    By owner where the body shows it, by name otherwise.
    """
    root = made.name
    if made.request:
        kubelet = event.resource == "pods" and kind_of_name(event.identity) == "node" and event.verb != "delete"
        mirror = f"{root.name}-{event.identity.removeprefix('system:node:')}"
        after = made.time <= event.record.requestReceivedTimestamp <= made.until
        return "manifest_written" if kubelet and event.name == mirror and after else ""
    if event.namespace != root.namespace or not made.time <= event.record.requestReceivedTimestamp <= made.until:
        return ""
    if event.resource == "events":
        return "generated_name" if _concerns(event, root.name) else ""
    body = event.request_object if event.verb == "create" else None
    owners = body.get("metadata", {}).get("ownerReferences") if isinstance(body, dict) else None
    if isinstance(owners, list) and owners:
        named = [owner.get("name") for owner in owners if isinstance(owner, dict)]
        owned = any(name == root.name or str(name).startswith(root.name + "-") for name in named)
        return "owner_reference" if owned else ""
    name = event.name or _generated(body)
    after = name.startswith(root.name + "-") or (name == root.name and event.resource == root.kind)
    return "generated_name" if event.resource in WORKLOADS and after else ""


def _concerns(event: Event, name: str) -> bool:
    body = event.request_object
    about = body.get("involvedObject") or body.get("regarding") if isinstance(body, dict) else None
    subject = str(about.get("name", "")) if isinstance(about, dict) else event.name.partition(".")[0]
    return subject == name or subject.startswith(name + "-")


def _generated(body: object) -> str:
    meta = body.get("metadata") if isinstance(body, dict) else None
    return str(meta.get("generateName", "")) if isinstance(meta, dict) else ""


def _note(effect: Effect, event: Event, made: Root, link: str) -> None:
    root, source = made.name, Entity("request", made.request) if made.request else entity_of(made.name)
    effect.events.append(event)
    if event.resource != "pods":
        return
    name = event.name
    if not name and isinstance(body := event.response_object, dict) and isinstance(body.get("metadata"), dict):
        name = str(body["metadata"].get("name", ""))
    pod = Entity("pod", f"{event.namespace}/{name}")
    if name and event.verb != "delete" and (name != root.name or root.kind == "pods"):
        effect.pods[ObjectName("pods", event.namespace, name)] = None
        if root.kind != "pods":
            effect.joins.setdefault((link, source, pod), event)
    node, told = "", "node_writes_status"
    if event.subresource == "binding" and isinstance(body := event.request_object, dict):
        target = body.get("target")
        node, told = str(target.get("name", "")) if isinstance(target, dict) else "", "scheduler_binding"
    elif kind_of_name(event.identity) == "node":
        node = event.identity.removeprefix("system:node:")
    if node:
        effect.nodes[node] = None
        if name:
            effect.joins.setdefault((told, pod, Entity("node", node)), event)


def entity_of(name: ObjectName) -> Entity:
    """The entity of an object; a pod, by whatever subresource it was reached, is the pod."""
    if name.kind.partition("/")[0] == "pods":
        return Entity("pod", f"{name.namespace}/{name.name}")
    return Entity("object", "/".join(filter(None, (name.kind.partition("/")[0], name.namespace, name.name))))
