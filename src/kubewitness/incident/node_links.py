"""What ties a finding on a node to an incident of the audit log, and how surely.

A pod that the intruder made is theirs with all that runs in it. A pod that they entered was somebody else's before:
what ran there before they came is not told as theirs, and what began later is inferred to be, unless the command is
the one that they asked for. A file is theirs if their command writes it. What else began on a node after they got out
of a container onto it may be theirs. A thing that began before the act it should have come of is never tied to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from kubewitness.detect.host.commands import READERS
from kubewitness.detect.host.finding import HostFinding
from kubewitness.incident.when import moment
from kubewitness.model.event import parse_time
from kubewitness.model.host import Host
from kubewitness.model.incident import Incident, ObjectName, Step
from kubewitness.model.text import Text

PROVEN: Final = 0.9  # below that a link is inferred and drawn so
_SLACK: Final = timedelta(seconds=5)  # clocks of two machines, and the seconds `ps` rounds away
_SANDBOX = re.compile(r"PodSandboxMetadata\{Name:([^,]+),Uid:([^,]+),Namespace:([^,]+),")
_POD_LOG = re.compile(r"/pods/([^_/]+)_([^_/]+)_([0-9a-f-]{32,36})/")
_ENTERED: Final = ("pods/exec", "pods/attach", "pods/portforward")
_WORD = re.compile(r"[\w./-]+")
_NOWHERE = re.compile(r"\d?>+\s{0,4}(?:/dev/null|&\d)")
_LOOKS: Final = READERS - {"vi", "vim", "nano", "tee"} | {"ls", "stat", "test", "md5sum", "sha256sum"}
_CHANGES: Final = frozenset(
    ("-i", "cp", "mv", "install", "dd", "ln", "tee", "chmod", "chown", "touch", "wget", "curl", "crontab", "truncate")
)


class Link(NamedTuple):
    """Why a finding on a node belongs to an incident of the audit log."""

    pod: ObjectName | None
    why: Text
    confidence: float
    time: str = ""  # of the act that it came of, for findings that have no time


def pods_of(host: Host) -> dict[str, ObjectName]:
    """Pods that ran on the host, by uid, as its container logs' paths and its runtime's log name them."""
    found = dict[str, ObjectName]()
    for item in host.sources:
        if match := _POD_LOG.search(item):
            found[match[3]] = ObjectName("pods", match[1], match[2])
    for line in host.logs:
        if match := _SANDBOX.search(line.message):
            found[match[2]] = ObjectName("pods", match[3], match[1])
    return found


def link_of(incident: Incident, host: Host, pods: Mapping[str, ObjectName], finding: HostFinding) -> Link | None:
    """What ties a finding to the incident: its pod, its file's name in a command, or the run of the node."""
    pod = pods.get(finding.pod_uid)
    if pod is not None:
        return _by_pod(incident, pod, finding) if pod in incident.pods else None
    if finding.pod_uid or finding.process is not None:
        return None
    return _by_file(incident, host, pods, finding) or _by_run(incident, host, finding)


def told_apart(incident: Incident, pods: Mapping[str, ObjectName], finding: HostFinding) -> Text | None:
    """A sentence on a finding in a pod of the incident that was there before the intruder was."""
    pod = pods.get(finding.pod_uid)
    if pod is None or pod not in incident.pods:
        return None
    _, touched = _touch(incident, pod)
    if not _earlier(finding.first, touched):
        return None
    name, since, came = f"{pod.namespace}/{pod.name}", moment(finding.first), moment(touched)
    return Text(
        f"“{finding.title.en}” in pod {name} dates from {since}, before the intruder of {incident.id} first reached "
        f"that pod ({came}): it is not told as theirs. It is somebody else's, or they came before this evidence does.",
        f"Pod {name} 中的“{finding.title.zh}”始于 {since}，早于 {incident.id} 的入侵者首次触及该 Pod（{came}），"
        "因此未归入其名下：可能另有其人，也可能入侵者在本证据开始之前就已来过。",
    )


def _by_pod(incident: Incident, pod: ObjectName, finding: HostFinding) -> Link | None:
    made, touched = _touch(incident, pod)
    if _earlier(finding.first, touched):
        return None
    name, came = f"{pod.namespace}/{pod.name}", moment(touched)
    if made:
        en, zh = f"It is in pod {name}, which the intruder made.", f"位于入侵者创建的 Pod {name}。"
        return Link(pod, Text(en, zh), 0.95)
    if any(
        _enters(step, pod) and len(finding.subject) > 5 and finding.subject in step.command for step in incident.steps
    ):
        en = f"The intruder asked for this very command in pod {name}."
        zh = f"入侵者曾要求在 Pod {name} 中执行这条命令。"
        return Link(pod, Text(en, zh), 0.95)
    if not finding.first:
        en = f"It is in pod {name}, which the intruder entered at {came}; when it began is not known: inferred."
        zh = f"位于入侵者于 {came} 进入的 Pod {name}；其开始时间未知，归因属推断。"
        return Link(pod, Text(en, zh), 0.6, touched)
    en = f"It began in pod {name} after the intruder entered that pod ({came}): that it is theirs is inferred."
    zh = f"它在入侵者进入 Pod {name}（{came}）之后开始，归因属推断。"
    return Link(pod, Text(en, zh), 0.85)


def _enters(step: Step, pod: ObjectName) -> bool:
    """A request that gets into the pod, or a command passed on to a kubelet: `/run/namespace/pod/container`."""
    return any(
        ((o.namespace, o.name) == (pod.namespace, pod.name) and o.kind in _ENTERED)
        or (o.kind == "nodes/proxy" and f"/{pod.namespace}/{pod.name}/" in step.description.en)
        for o in step.objects
    )


def _touch(incident: Incident, pod: ObjectName) -> tuple[bool, str]:
    """Whether the intruder made the pod, themselves or through a controller; since when it is or was in their hands."""
    if pod in incident.created:
        made = (step.time for step in incident.steps if step.act == "create" and pod in step.objects)
        return True, min(made, default=incident.first)
    entered = [step.time for step in incident.steps if _enters(step, pod)]
    return (False, min(entered)) if entered else (True, incident.first)


def _by_file(incident: Incident, host: Host, pods: Mapping[str, ObjectName], finding: HostFinding) -> Link | None:
    item = finding.places[0][0].item if finding.places else ""
    path = next((file.path for file in host.files if file.place.item == item), "")
    if not path:
        return None
    here = host.name in incident.nodes or any(pod in incident.pods for pod in pods.values())
    whole = re.compile(re.escape(path) + r"(?![\w./-])")
    for step in incident.steps:
        if path not in step.command or not whole.search(step.command):
            continue
        words = {word.rpartition("/")[2] for word in _WORD.findall(step.command)}
        changes = ">" in _NOWHERE.sub("", step.command) or not words.isdisjoint(_CHANGES)
        if not changes and not words.isdisjoint(_LOOKS):
            continue  # who only looks at a file did not write it
        when = moment(step.time)
        en = f"The intruder's command of {when} names this very file ({path})."
        zh = f"入侵者 {when} 的命令中写明了该文件（{path}）。"
        if not here:
            en = f"{en[:-1]}; that it ran on {host.name} is inferred."
            zh = f"{zh[:-1]}；该命令是否在 {host.name} 上执行属推断。"
        return Link(None, Text(en, zh), 0.95 if here and changes else 0.6, step.time)
    return None


def _by_run(incident: Incident, host: Host, finding: HostFinding) -> Link | None:
    if host.name not in incident.nodes:
        return None
    for step in incident.steps:
        if any(one.id == "T1611" for one in step.techniques) and step.succeeded:
            if _earlier(finding.first, step.time):
                return None
            en = (
                f"The intruder had the run of {host.name} from {moment(step.time)} on; that this is theirs is inferred."
            )
            zh = f"自 {moment(step.time)} 起入侵者可任意操作 {host.name}；归因于其属推断。"
            return Link(None, Text(en, zh), 0.7, step.time)
    return None


def _earlier(time: str, than: str) -> bool:
    """Surely earlier: both are known."""
    one, other = parse_time(time), parse_time(than)
    return one is not None and other is not None and one < other - _SLACK
