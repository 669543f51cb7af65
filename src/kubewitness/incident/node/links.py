"""What ties a finding on a node to an incident of the audit log, and how surely.

A pod that the intruder made is theirs with all that runs in it. A pod that they entered was somebody else's before:
what ran there before they came is not told as theirs, and what began later is inferred to be, unless the command is
the one that they asked for. A file is theirs if their command writes it. What else began on a node after they got out
of a container onto it may be theirs, and so may what came from their address. A thing that began before the act it
should have come of is never tied to it. The links are data: `content/links`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from kubewitness.correlate.lineage import Lineage
from kubewitness.correlate.links import links, said
from kubewitness.detect.host.commands import READERS
from kubewitness.detect.host.finding import HostFinding
from kubewitness.incident.when import moment
from kubewitness.model.event import parse_time
from kubewitness.model.incident import Edge, Entity, Incident, ObjectName, Step
from kubewitness.model.text import Text
from kubewitness.rules.features.address import scope_of

SIGHTED: Final = ("host/login_from_intruder", "host/connection_with_intruder")
_SLACK: Final = timedelta(seconds=5)  # clocks of two machines, and the seconds `ps` rounds away
_ENTERED: Final = ("pods/exec", "pods/attach", "pods/portforward")
_ENTERS: Final = "links/request_enters_pod"
_GROWN: Final = ("links/owner_reference", "links/generated_name")
_WORD = re.compile(r"[\w./-]+")
_NOWHERE = re.compile(r"\d?>+\s{0,4}(?:/dev/null|&\d)")
_LOOKS: Final = READERS - {"vi", "vim", "nano", "tee"} | {"ls", "stat", "test", "md5sum", "sha256sum"}
_CHANGES: Final = frozenset(
    ("-i", "cp", "mv", "install", "dd", "ln", "tee", "chmod", "chown", "touch", "wget", "curl", "crontab", "truncate")
)


class Tie(NamedTuple):
    """Why a finding on a node belongs to an incident of the audit log."""

    link: str  # name in `content/links`
    pod: ObjectName | None
    why: Text
    confidence: float
    time: str = ""  # of the act that it came of, for findings that have no time
    source: Entity | None = None  # the request or address it came of
    path: str = ""  # of the file


def tie_of(incident: Incident, lineage: Lineage, finding: HostFinding) -> Tie | None:
    """What ties a finding to the incident: its pod, its file's name in a command, an address, the run of the node."""
    uid = finding.pod_uid or (lineage.uid_of(finding.process) if finding.process else "")
    pod = lineage.names.get(uid)
    if finding.rule in SIGHTED:
        return by_address(incident, finding)
    if pod is not None:
        return _by_pod(incident, pod, finding) if pod in incident.pods else None
    if uid or finding.container:
        return None
    if finding.process is not None:
        return _by_run(incident, lineage, finding) if finding.kind == "intrusion" and finding.first else None
    return _by_file(incident, lineage, finding) or by_address(incident, finding) or _by_run(incident, lineage, finding)


def told_apart(incident: Incident, lineage: Lineage, finding: HostFinding) -> Text | None:
    """A sentence on a finding in a pod of the incident that was there before the intruder was."""
    pod = lineage.names.get(finding.pod_uid)
    if pod is None or pod not in incident.pods:
        return None
    _, touched, _ = _touch(incident, pod)
    if not _earlier(finding.first, touched):
        return None
    name, since, came = f"{pod.namespace}/{pod.name}", moment(finding.first), moment(touched)
    return Text(
        f"“{finding.title.en}” in pod {name} dates from {since}, before the intruder of {incident.id} first reached "
        f"that pod ({came}): it is not told as theirs. It is somebody else's, or they came before this evidence does.",
        f"Pod {name} 中的“{finding.title.zh}”始于 {since}，早于 {incident.id} 的入侵者首次触及该 Pod（{came}），"
        "因此未归入其名下：可能另有其人，也可能入侵者在本证据开始之前就已来过。",
    )


def by_address(incident: Incident, finding: HostFinding) -> Tie | None:
    """The intruder's own address, seen on the machine; private ones are shared by too many."""
    theirs = {address for actor in incident.actors for address in actor.addresses if scope_of(address) == "public"}
    shared = next((address for address in finding.addresses if address in theirs), "")
    if not shared:
        return None
    window = timedelta(seconds=links()["same_address"].window)
    seen, first, last = (parse_time(time) for time in (finding.first, incident.first, incident.last))
    if seen and first and last and not first - window <= seen <= last + window:
        return None
    source = Entity("address", shared)
    return _tie("same_address", None, finding.first, source, address=shared, when=moment(incident.first))


def _tie(
    link: str, pod: ObjectName | None, time: str = "", source: Entity | None = None, path: str = "", **values: str
) -> Tie:
    if pod is not None:
        values["pod"] = f"pod {pod.namespace}/{pod.name}"
    found = links()[link]
    return Tie(link, pod, said(link, **values, path=path), found.confidence, time, source, path)


def _by_pod(incident: Incident, pod: ObjectName, finding: HostFinding) -> Tie | None:
    made, touched, source = _touch(incident, pod)
    if _earlier(finding.first, touched):
        return None
    if made and pod in incident.created:
        return _tie("pod_of_the_intruder", pod, source=source)
    for step in incident.steps:
        if _enters(step, pod) and len(finding.subject) > 5 and finding.subject in step.command:
            return _tie("exec_command", pod, source=_request(step))
    if made:
        return _tie("pod_of_the_intruder", pod, source=source)
    if not finding.first:
        return _tie("pod_entered_unknown_time", pod, touched, source, came=moment(touched))
    return _tie("pod_entered", pod, source=source, came=moment(touched))


def _enters(step: Step, pod: ObjectName) -> bool:
    """A request that gets into the pod, or a command passed on to a kubelet: `/run/namespace/pod/container`."""
    return any(
        ((o.namespace, o.name) == (pod.namespace, pod.name) and o.kind in _ENTERED)
        or (o.kind == "nodes/proxy" and f"/{pod.namespace}/{pod.name}/" in step.description.en)
        for o in step.objects
    )


def _touch(incident: Incident, pod: ObjectName) -> tuple[bool, str, Entity | None]:
    """Whether the intruder made the pod, themselves or through a controller; since when, and by what request."""
    if pod in incident.created:
        made = min(
            (step for step in incident.steps if step.act == "create" and pod in step.objects),
            key=lambda step: step.time,
            default=None,
        )
        return True, made.time if made else incident.first, _request(made) if made else None
    entered = min((step for step in incident.steps if _enters(step, pod)), key=lambda step: step.time, default=None)
    if entered is None or _grown(incident, pod):
        return True, incident.first, None
    return False, entered.time, _request(entered)


def _grown(incident: Incident, pod: ObjectName) -> bool:
    """A pod of a workload that the intruder made or changed is theirs, though they entered it later as well."""
    name = f"{pod.namespace}/{pod.name}"
    return any(edge.link in _GROWN and (edge.target.kind, edge.target.name) == ("pod", name) for edge in incident.edges)


def of_birth(link: str, edges: Sequence[Edge]) -> Sequence[Edge]:
    """The edges without those of requests that merely entered a pod which a workload of the intruder's brought.

    What runs there came with the pod; only what a command was asked for (`link`) came by the entry.
    """
    if link != "pod_of_the_intruder":
        return edges
    grown = {edge.target for edge in edges if edge.link in _GROWN}
    return [edge for edge in edges if edge.link != _ENTERS or edge.target not in grown]


def _request(step: Step) -> Entity | None:
    audit_id = next((one.audit_id for one in step.evidence if one.audit_id), "")
    return Entity("request", audit_id) if audit_id else None


def _by_file(incident: Incident, lineage: Lineage, finding: HostFinding) -> Tie | None:
    host = lineage.host
    item = finding.places[0][0].item if finding.places else ""
    path = next((file.path for file in host.files if file.place.item == item), "")
    if not path:
        return None
    here = host.name in incident.nodes or any(pod in incident.pods for pod in lineage.names.values())
    whole = re.compile(re.escape(path) + r"(?![\w./-])")
    for step in incident.steps:
        if path not in step.command or not whole.search(step.command):
            continue
        words = {word.rpartition("/")[2] for word in _WORD.findall(step.command)}
        changes = ">" in _NOWHERE.sub("", step.command) or not words.isdisjoint(_CHANGES)
        if not changes and not words.isdisjoint(_LOOKS):
            continue  # who only looks at a file did not write it
        link = "command_names_file" if here and changes else "command_names_file_elsewhere"
        return _tie(link, None, step.time, _request(step), path, when=moment(step.time), node=host.name)
    return None


def _by_run(incident: Incident, lineage: Lineage, finding: HostFinding) -> Tie | None:
    node = lineage.host.name
    if node not in incident.nodes:
        return None
    for step in incident.steps:
        if any(one.id == "T1611" for one in step.techniques) and step.succeeded:
            if _earlier(finding.first, step.time):
                return None
            return _tie("run_of_the_node", None, step.time, _request(step), when=moment(step.time), node=node)
    return None


def _earlier(time: str, than: str) -> bool:
    """Surely earlier: both are known."""
    one, other = parse_time(time), parse_time(than)
    return one is not None and other is not None and one < other - _SLACK
