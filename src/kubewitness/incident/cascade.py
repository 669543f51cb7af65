"""What the cluster did on the intruder's behalf: the pods a controller made of a workload, the nodes they ran on.

One DaemonSet causes dozens of audit events by controllers, scheduler and kubelets. They are not the intruder's requests
and are not attributed to it; they fold under the step that caused them, as its effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from kubewitness.detect.collect import Needle, search
from kubewitness.detect.run import Scan
from kubewitness.incident.deeds import WORKLOADS
from kubewitness.incident.steps import StepDraft
from kubewitness.model.event import Event, parse_time
from kubewitness.model.incident import ObjectName
from kubewitness.model.text import Text
from kubewitness.rules.features.identity import kind_of_name

_WINDOW = timedelta(hours=1)  # after a workload was made; later pods of it are replacements
_NEEDLES = 50
_CLUSTER = ("controlPlane", "node", "serviceaccount")


class Effect:
    """The cascade under one step."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.pods: dict[ObjectName, None] = {}
        self.nodes: dict[str, None] = {}

    def texts(self) -> tuple[Text, ...]:
        """The effect in words, empty if there was none."""
        if not self.events:
            return ()
        out = []
        if self.pods:
            on = f" on {len(self.nodes)} nodes ({', '.join(sorted(self.nodes)[:6])})" if self.nodes else ""
            zh = f"，分布在 {len(self.nodes)} 个节点（{', '.join(sorted(self.nodes)[:6])}）" if self.nodes else ""
            out.append(Text(f"{len(self.pods)} pods started{on}", f"启动了 {len(self.pods)} 个 Pod{zh}"))
        n = len(self.events)
        out.append(Text(f"{n} events by controllers and nodes, folded", f"{n} 条控制器与节点事件（已折叠）"))
        return tuple(out)


def cascades(scan: Scan, steps: Sequence[StepDraft]) -> dict[int, Effect]:
    """Effects by the index of their step."""
    roots: list[tuple[int, ObjectName, str]] = []
    for index, draft in enumerate(steps):
        for request in draft.requests:
            made = request.resource in WORKLOADS and not request.subresource and request.succeeded
            if made and request.verb in ("create", "update", "patch") and request.name:
                roots.append((index, request.object, request.time))
    roots = roots[:_NEEDLES]
    found = search(scan, [Needle(name.name, time, _later(time)) for _, name, time in roots], _by_cluster)
    own = {request.audit_id for draft in steps for request in draft.requests}  # a stolen token acts as an account too
    effects: dict[int, Effect] = {}
    for event in found:
        if event.audit_id in own:
            continue
        home = next(((index, root) for index, root, time in roots if _descends(event, root, time)), None)
        if home is not None:
            _note(effects.setdefault(home[0], Effect()), event, home[1])
    return effects


def _later(time: str) -> str:
    when = parse_time(time)
    return (when + _WINDOW).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if when else "~"


def _by_cluster(event: Event) -> bool:
    writes = event.verb in ("create", "update", "patch", "delete")
    return writes and event.stage != "RequestReceived" and kind_of_name(event.identity) in _CLUSTER


def _descends(event: Event, root: ObjectName, time: str) -> bool:
    """Whether the event is about `root` or what grew from it: by owner where the body shows it, by name otherwise."""
    if event.namespace != root.namespace or not time <= event.record.requestReceivedTimestamp <= _later(time):
        return False
    if event.resource == "events":
        return _concerns(event, root.name)
    body = event.request_object if event.verb == "create" else None
    owners = body.get("metadata", {}).get("ownerReferences") if isinstance(body, dict) else None
    if isinstance(owners, list) and owners:
        named = [owner.get("name") for owner in owners if isinstance(owner, dict)]
        return any(name == root.name or str(name).startswith(root.name + "-") for name in named)
    name = event.name or _generated(body)
    if event.resource in WORKLOADS:
        return name.startswith(root.name + "-") or (name == root.name and event.resource == root.kind)
    return False


def _concerns(event: Event, name: str) -> bool:
    body = event.request_object
    about = body.get("involvedObject") or body.get("regarding") if isinstance(body, dict) else None
    subject = str(about.get("name", "")) if isinstance(about, dict) else event.name.partition(".")[0]
    return subject == name or subject.startswith(name + "-")


def _generated(body: object) -> str:
    meta = body.get("metadata") if isinstance(body, dict) else None
    return str(meta.get("generateName", "")) if isinstance(meta, dict) else ""


def _note(effect: Effect, event: Event, root: ObjectName) -> None:
    effect.events.append(event)
    if event.resource != "pods":
        return
    name = event.name
    if not name and isinstance(body := event.response_object, dict) and isinstance(body.get("metadata"), dict):
        name = str(body["metadata"].get("name", ""))
    if name and event.verb != "delete" and (name != root.name or root.kind == "pods"):
        effect.pods[ObjectName("pods", event.namespace, name)] = None
    node = ""
    if event.subresource == "binding" and isinstance(body := event.request_object, dict):
        target = body.get("target")
        node = str(target.get("name", "")) if isinstance(target, dict) else ""
    elif kind_of_name(event.identity) == "node":
        node = event.identity.removeprefix("system:node:")
    if node:
        effect.nodes[node] = None
