"""What the nodes tell: incidents that never reached the API server, and the processes behind those that did.

A command sent straight to a kubelet is in no audit log. What is left of it is on the node: error lines of commands
that could not start, processes, and the unit file that says why the kubelet answered at all. A host with findings that
betray an intruder and that belong to no incident of the audit log is an incident of its own; a process in a pod that an
incident made or entered is told as what came of that incident.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.judging import judge
from kubewitness.incident.node_advice import advice
from kubewitness.incident.node_story import (
    COMMANDS,
    SUBJECT,
    cited,
    entry_of,
    fetched_from,
    limitations_of,
    status_of,
    story_of,
    title_of,
    verdict_of,
    why_together,
)
from kubewitness.incident.when import moment
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host
from kubewitness.model.incident import (
    Actor,
    Finding,
    Incident,
    ObjectLife,
    ObjectName,
    RootCause,
    Step,
)
from kubewitness.model.judgement import SEVERITIES
from kubewitness.model.text import Text
from kubewitness.posture.exposed import judge as exposures
from kubewitness.posture.exposure import Exposure
from kubewitness.posture.kubelet import effective
from kubewitness.rules.attack import technique
from kubewitness.sources.host.hosts import HostEvidence

_SHOWN = 8  # places cited for a step or finding
_SANDBOX = re.compile(r"PodSandboxMetadata\{Name:([^,]+),Uid:([^,]+),Namespace:([^,]+),")
_POD_LOG = re.compile(r"/pods/([^_/]+)_([^_/]+)_([0-9a-f-]{32,36})/")
_TOLD = ("intrusion", "activity")
_PROVEN = 0.9  # below that a link is inferred and drawn so


class NodeView(NamedTuple):
    """A machine with what was found on it."""

    host: Host
    findings: tuple[HostFinding, ...]
    exposures: tuple[Exposure, ...]


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


class _Link(NamedTuple):
    """Why a finding on a node belongs to an incident of the audit log."""

    pod: ObjectName | None
    why: Text
    confidence: float
    time: str = ""  # of the act that it came of, for findings that have no time


def with_nodes(incidents: Sequence[Incident], views: Sequence[NodeView], hashes: Mapping[str, str]) -> list[Incident]:
    """The incidents with what nodes show of them as steps at their time, and those that only nodes show."""
    out, taken = list[Incident](), set[int]()
    for incident in incidents:
        added, nodes = list[Step](), set(incident.nodes)
        for view in views:
            pods = pods_of(view.host)
            groups = dict[_Link, list[HostFinding]]()
            for finding in view.findings:
                link = _link(incident, view.host, pods, finding) if finding.kind in _TOLD else None
                if link is not None and id(finding) not in taken:
                    groups.setdefault(link, []).append(finding)
                    taken.add(id(finding))
            added += [_step(view.host, group, link, hashes) for link, group in groups.items()]
            nodes |= {view.host.name} if groups else set()
        grown = replace(incident, nodes=tuple(sorted(nodes)))
        out.append(_renumbered(grown, (*incident.steps, *added)) if added else incident)
    per_day = Counter(incident.id.split("-")[1] for incident in incidents)
    for view in views:
        left = tuple(finding for finding in view.findings if id(finding) not in taken)
        if any(finding.kind == "intrusion" for finding in left):
            out.append(_incident(view._replace(findings=left), hashes, per_day))
    return out


def _link(incident: Incident, host: Host, pods: Mapping[str, ObjectName], finding: HostFinding) -> _Link | None:
    """What ties a finding to the incident: its pod, its file's name in a command, or the run of the node."""
    pod = pods.get(finding.pod_uid)
    if pod is not None:
        en = f"It is in pod {pod.namespace}/{pod.name}, which the intruder made or entered."
        zh = f"位于入侵者创建或进入的 Pod {pod.namespace}/{pod.name}。"
        return _Link(pod, Text(en, zh), 0.95) if pod in incident.pods else None
    if finding.pod_uid or finding.process is not None:
        return None
    item = finding.places[0][0].item if finding.places else ""
    path = next((file.path for file in host.files if file.place.item == item), "")
    for step in incident.steps:
        if path and path in step.command:
            en = f"The intruder's command of {moment(step.time)} names this very file ({path})."
            zh = f"入侵者 {moment(step.time)} 的命令中写明了该文件（{path}）。"
            return _Link(None, Text(en, zh), 0.95, step.time)
    if host.name not in incident.nodes:
        return None
    for step in incident.steps:
        if any(one.id == "T1611" for one in step.techniques) and step.succeeded:
            en = (
                f"The intruder had the run of {host.name} from {moment(step.time)} on; that this is theirs is inferred."
            )
            zh = f"自 {moment(step.time)} 起入侵者可任意操作 {host.name}；归因于其属推断。"
            return _Link(None, Text(en, zh), 0.7, step.time)
    return None


def look_at_nodes(machines: HostEvidence) -> tuple[NodeView, ...]:
    """What rules and settings say about each machine, by name."""
    return tuple(
        NodeView(host, tuple(judge(host)), tuple(exposures(host, effective(host))))
        for host in sorted(machines.hosts, key=lambda host: host.name)
    )


def node_findings(
    views: Sequence[NodeView], incidents: Sequence[Incident], hashes: Mapping[str, str]
) -> tuple[Finding, ...]:
    """Findings on hosts, not yet numbered."""
    out = list[Finding]()
    for view in views:
        pods = pods_of(view.host)
        for finding in view.findings:
            if finding.kind == "context":
                continue
            pod = pods.get(finding.pod_uid)
            places = {place for place, _ in finding.places}
            home = next((one.id for one in incidents if _cites(one, places)), "")
            out.append(
                Finding(
                    id="",
                    rule=finding.rule,
                    title=finding.title,
                    description=finding.description,
                    severity=finding.severity,
                    confidence=finding.confidence,
                    kind=finding.kind,
                    techniques=tuple(technique(name) for name in finding.techniques),
                    identity=_who(view.host, finding),
                    address="",
                    count=finding.count,
                    first=finding.first,
                    last=finding.last,
                    objects=(pod,) if pod else (),
                    matched={"host": view.host.name, "seen": finding.subject[:SUBJECT]},
                    falsepositives=finding.falsepositives,
                    runbook=finding.runbook,
                    incident=home,
                    evidence=cited(finding.places, finding.first, hashes),
                )
            )
        for exposure in view.exposures:
            places = {place for place, _ in exposure.places}
            out.append(
                Finding(
                    id="",
                    rule=f"posture/{exposure.id}",
                    title=exposure.title,
                    description=exposure.description,
                    severity=exposure.severity,
                    confidence=exposure.confidence,
                    kind="exposure",
                    techniques=exposure.techniques,
                    identity=view.host.name,
                    address="",
                    count=1,
                    first="",
                    last="",
                    matched={"host": view.host.name, exposure.setting: exposure.observed},
                    runbook=exposure.remediation,
                    incident=next((one.id for one in incidents if _cites(one, places)), ""),
                    evidence=cited(exposure.places, "", hashes),
                )
            )
    return tuple(out)


def _incident(view: NodeView, hashes: Mapping[str, str], per_day: Counter[str]) -> Incident:
    host, pods = view.host, pods_of(view.host)
    told = sorted((f for f in view.findings if f.kind in _TOLD), key=lambda f: (f.first or "~", f.rule))
    groups = dict[tuple[str, str], list[HostFinding]]()
    for finding in told:
        groups.setdefault((finding.rule, finding.subject if finding.process is None else ""), []).append(finding)
    first = min((finding.first for finding in told if finding.first), default="")
    last = max((finding.last for finding in told if finding.last), default=first)
    day = first[:10].replace("-", "") or "00000000"
    per_day[day] += 1
    causes = tuple(_cause(exposure, hashes) for exposure in view.exposures if _opens(exposure))
    steps = [_step(host, tuple(group), None, hashes) for group in groups.values()]
    commands = [f for f in told if f.rule in COMMANDS]
    entry = commands[0] if commands else told[0]
    named = sorted({pods[f.pod_uid] for f in told if f.pod_uid in pods})
    severity = max((f.severity for f in told), key=SEVERITIES.index)
    incident = Incident(
        id=f"INC-{day}-{per_day[day]:02}",
        severity=max((severity, *(e.severity for e in view.exposures if _opens(e))), key=SEVERITIES.index),
        confidence="high" if any(f.kind == "intrusion" and f.confidence == "high" for f in told) else "medium",
        title=title_of(host, told, causes),
        story=story_of(told, causes),
        first=first,
        last=last,
        actors=(
            Actor(
                addresses=fetched_from(told),
                identities=(),
                why=why_together(told),
                requests=0,
                first=first,
                last=last,
            ),
        ),
        entry_point=entry_of(host, entry, bool(commands), hashes),
        root_causes=causes,
        steps=(),
        status=status_of(host, told, causes, last),
        pods=tuple(named),
        nodes=(host.name,),
        verdict=verdict_of(commands),
        actions=advice(host, told, view.exposures, named),
        limitations=limitations_of(commands, causes),
    )
    return _renumbered(incident, steps)


def _step(host: Host, group: Sequence[HostFinding], link: _Link | None, hashes: Mapping[str, str]) -> Step:
    worst = max(group, key=lambda finding: SEVERITIES.index(finding.severity))
    pods = pods_of(host)
    objects = tuple(dict.fromkeys(pods[f.pod_uid] for f in group if f.pod_uid in pods))
    times = sorted(f.first for f in group if f.first) or [link.time if link else ""]
    count = len({f.process.pid for f in group if f.process}) or sum(f.count for f in group)
    subject = worst.subject[:SUBJECT]
    where = (
        f" in {len(objects)} pods"
        if len(objects) > 1
        else f" in {objects[0].namespace}/{objects[0].name}"
        if objects
        else ""
    )
    where_zh = (
        f"，涉及 {len(objects)} 个 Pod"
        if len(objects) > 1
        else f"，位于 {objects[0].namespace}/{objects[0].name}"
        if objects
        else ""
    )
    evidence = [one for finding in group for one in cited(finding.places, finding.first, hashes)]
    return Step(
        number=0,
        time=times[0],
        last=max((f.last for f in group if f.last), default=times[-1]),
        act="execute" if worst.rule in COMMANDS else "effect",
        identity=_who(host, worst),
        address="",
        agent="",
        description=Text(
            f"{worst.title.en} on {host.name}{where}: {subject}", f"{host.name}：{worst.title.zh}{where_zh}：{subject}"
        ),
        why=Text(f"{link.why.en} {worst.description.en}", f"{link.why.zh}{worst.description.zh}")
        if link
        else worst.description,
        techniques=tuple(technique(name) for name in dict.fromkeys(t for f in group for t in f.techniques)),
        severity=worst.severity,
        inferred=link is not None and link.confidence < _PROVEN,
        confidence=link.confidence if link else 1.0,
        objects=objects,
        requests=count,
        succeeded=count,
        rules=tuple(dict.fromkeys(f.rule for f in group)),
        command=worst.process.command[:SUBJECT] if worst.process else "",
        evidence=tuple(evidence[:_SHOWN]),
    )


def _renumbered(incident: Incident, steps: Sequence[Step]) -> Incident:
    """The incident with `steps` in time order, numbered from 1; references to the old numbers follow."""
    ordered = sorted(steps, key=lambda step: (step.time or incident.last, step.number or len(steps)))
    new = {step.number: number for number, step in enumerate(ordered, 1) if step.number}

    def moved(numbers: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(new[number] for number in numbers)

    lives: tuple[ObjectLife, ...] = tuple(
        replace(
            life,
            created_step=new.get(life.created_step, 0),
            deleted_step=new.get(life.deleted_step, 0),
            changed_steps=moved(life.changed_steps),
            read_steps=moved(life.read_steps),
            missing_steps=moved(life.missing_steps),
        )
        for life in incident.lives
    )
    return replace(
        incident,
        steps=tuple(replace(step, number=number) for number, step in enumerate(ordered, 1)),
        lives=lives,
        last=max([incident.last, *(step.last for step in ordered)]),
    )


def _cites(incident: Incident, places: set[Place]) -> bool:
    cited = {(place.item, place.line) for place in places}
    steps = (evidence for step in incident.steps for evidence in step.evidence)
    causes = (evidence for cause in incident.root_causes for evidence in cause.evidence)
    return any((one.item, one.line) in cited for source in (steps, causes) for one in source)


def _who(host: Host, finding: HostFinding) -> str:
    """Who acted, as far as a node tells: the owner of the process, or nobody but the node."""
    return f"{finding.process.user or 'uid?'}@{host.name}" if finding.process else f"kubelet of {host.name}"


def _opens(exposure: Exposure) -> bool:
    """Whether it let somebody in: a door that is open now, not one that a restart would open."""
    return exposure.severity in ("critical", "high") and not exposure.latent


def _cause(exposure: Exposure, hashes: Mapping[str, str]) -> RootCause:
    return RootCause(
        "Setting",
        exposure.setting.partition(" + ")[0],
        subject=exposure.host,
        description=exposure.description,
        evidence=cited(exposure.places, "", hashes),
    )
