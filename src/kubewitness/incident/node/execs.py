"""What became of the commands that went into pods, where a sensor of the node saw programs start.

An audit log holds the command that was asked for, and nothing of what was typed into the shell that it started. The
kernel's audit, Falco's kin and Tetragon hold every start of a program with the numbers of the process and its parent:
the start of the very command in that pod, within seconds, is the request's process, and whatever descends from it is
what was typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from kubewitness.correlate.clocks import moved_by
from kubewitness.correlate.lineage import Lineage, Seat, cite
from kubewitness.correlate.links import edge, links, said
from kubewitness.correlate.paths import path_to
from kubewitness.incident.node.edges import once
from kubewitness.incident.node.view import NodeView
from kubewitness.incident.when import moment
from kubewitness.model.event import parse_time
from kubewitness.model.host import HostEvent
from kubewitness.model.incident import Edge, Entity, Incident, ObjectName, Step
from kubewitness.model.text import Text
from kubewitness.rules.attack import technique

_ENTERING: Final = ("pods/exec", "pods/attach")
_TYPED: Final = 200  # programs of one shell that are told
_NAMED: Final = 6
_CITED: Final = 8


def with_execs(
    incident: Incident, views: Sequence[NodeView], hashes: Mapping[str, str]
) -> tuple[list[Step], list[Edge]]:
    """Steps and edges that starts of programs add to an incident of the audit log; steps are numbered 0."""
    steps, edges = list[Step](), list[Edge]()
    for view in views:
        starts = [one for one in view.host.events if one.category == "process_creation" and one.pid >= 0]
        if not starts:
            continue
        timed = [replace(one, time=moved_by(one.time, view.ahead)) for one in starts] if view.ahead else starts
        for step in incident.steps:
            for pod in _entered(step):
                first = _start_of(step, pod, timed, view.lineage)
                if first is not None:
                    own = _edges_of(step, pod, first, view, hashes)
                    typed = _descendants(first, timed)
                    edges += own
                    steps += _typed(step, pod, first, typed, view=view, hashes=hashes, edges=[*incident.edges, *own])
    return steps, list(once(edges))


def _entered(step: Step) -> list[ObjectName]:
    if not step.succeeded or not step.command:
        return []
    return [ObjectName("pods", one.namespace, one.name) for one in step.objects if one.kind in _ENTERING]


def _start_of(step: Step, pod: ObjectName, starts: Sequence[HostEvent], lineage: Lineage) -> HostEvent | None:
    """The first start of the command that the step asked for, in that pod and within the link's window."""
    asked, window = parse_time(step.time), timedelta(seconds=links()["exec_command"].window)
    for start in starts:
        when = parse_time(start.time)
        if asked is None or when is None or not asked - timedelta(seconds=5) <= when <= asked + window:
            continue
        if _words(start) == _plain(step.command) and _in_pod(start, pod, lineage):
            return start
    return None


def _words(start: HostEvent) -> list[str]:
    return _plain(" ".join(start.argv) or start.command)


def _plain(command: str) -> list[str]:
    """The words of a command with the program's bare name: sensors write the path that was found for it."""
    first, *rest = command.split() or [""]
    return [first.rpartition("/")[2], *(word.strip("\"'") for word in rest)]


def _in_pod(start: HostEvent, pod: ObjectName, lineage: Lineage) -> bool:
    """The sensor says so, or the machine's own evidence says whose container it is. Not told is not enough."""
    if start.pod:
        return start.pod == f"{pod.namespace}/{pod.name}"
    if start.pod_uid in lineage.names:
        return lineage.names[start.pod_uid] == pod
    known = [uid for uid, name in lineage.names.items() if name == pod]
    containers = {one for one, made in lineage.containers.items() if made.pod_uid in known}
    containers |= {one.container for one in lineage.host.processes if one.container and one.pod_uid in known}
    return len(start.container) >= 12 and any(one.startswith(start.container) for one in containers)


def _descendants(first: HostEvent, starts: Sequence[HostEvent]) -> list[HostEvent]:
    """Programs started below a process, in time order, within the link's window."""
    begin = parse_time(first.time)
    until = begin + timedelta(seconds=links()["shell_descendant"].window) if begin else None
    family, found = {first.pid}, list[HostEvent]()
    for start in sorted(starts, key=lambda one: one.time or "~"):
        when = parse_time(start.time)
        if start is first or when is None or begin is None or until is None or not begin <= when <= until:
            continue
        if start.container and first.container and not _same(start.container, first.container):
            continue
        if start.ppid in family or (start.pid in family and start.pid != first.pid):
            family.add(start.pid)
            found.append(start)
        elif start.pid == first.pid and start.command != first.command:
            found.append(start)  # the shell became another program
    return found[:_TYPED]


def _same(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _edges_of(step: Step, pod: ObjectName, first: HostEvent, view: NodeView, hashes: Mapping[str, str]) -> list[Edge]:
    audit_id = next((one.audit_id for one in step.evidence if one.audit_id), "")
    if not audit_id:
        return []
    name = f"{pod.namespace}/{pod.name}"
    evidence = (cite(Seat(first.place, first.message or first.command, first.time), hashes),)
    keys = {"pod": name, "command": first.command[:200]}
    target = view.lineage.process(first.pid)
    return [edge("exec_command", Entity("request", audit_id), target, keys, evidence, pod=f"pod {name}")]


def _typed(
    step: Step,
    pod: ObjectName,
    first: HostEvent,
    typed: Sequence[HostEvent],
    *,
    view: NodeView,
    hashes: Mapping[str, str],
    edges: Sequence[Edge],
) -> list[Step]:
    """One step for all that was run from the shell, in its order."""
    if not typed:
        return []
    lineage, name = view.lineage, f"{pod.namespace}/{pod.name}"
    shown = "; ".join(dict.fromkeys(one.command[:60] for one in typed[:_NAMED]))
    shown += "; …" if len(typed) > _NAMED else ""
    why = said("shell_descendant", source=f"pid {first.pid}", target=f"pid {typed[0].pid}")
    from_en = f"The shell is that of the request of {moment(step.time)}."
    from_zh = f"该 shell 来自 {moment(step.time)} 的请求。"
    last = typed[-1]
    return [
        Step(
            number=0,
            time=typed[0].time,
            last=last.last or last.time,
            act="execute",
            identity=f"{first.user or 'uid?'}@{view.host.name}",
            address="",
            agent="",
            description=Text(
                f"{len(typed)} programs started from that shell in {name}: {shown}",
                f"在 {name} 的该 shell 中启动了 {len(typed)} 个程序：{shown}",
            ),
            why=Text(f"{from_en} {why.en}", f"{from_zh}{why.zh}"),
            techniques=(technique("T1059.004"),),
            severity="medium",
            inferred=False,
            confidence=links()["shell_descendant"].confidence,
            objects=(pod,),
            requests=len(typed),
            succeeded=len(typed),
            command="\n".join(one.command[:400] for one in typed),
            evidence=tuple(
                cite(Seat(one.place, one.message or one.command, one.time), hashes) for one in typed[:_CITED]
            ),
            entities=tuple(dict.fromkeys(lineage.process(one.pid) for one in typed))[:20],
            path=path_to(lineage.process(first.pid), edges),
        )
    ]
