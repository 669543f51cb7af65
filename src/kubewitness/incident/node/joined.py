"""What the nodes tell: incidents that never reached the API server, and the processes behind those that did.

A command sent straight to a kubelet is in no audit log. What is left of it is on the node: error lines of commands
that could not start, processes, and the unit file that says why the kubelet answered at all. A host with findings that
betray an intruder and that belong to no incident of the audit log is an incident of its own; a process in a pod that an
incident made or entered is told as what came of that incident.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from msgspec.structs import replace

from kubewitness.correlate.lineage import Lineage
from kubewitness.correlate.links import PROVEN
from kubewitness.correlate.paths import path_to
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.judging import in_order, judge
from kubewitness.detect.host.sigma import HostRules
from kubewitness.incident.node.advice import advice, with_disarming
from kubewitness.incident.node.asked import said_of
from kubewitness.incident.node.edges import MOST, edges_of, entities_of, once
from kubewitness.incident.node.execs import with_execs
from kubewitness.incident.node.links import Tie, of_birth, tie_of, told_apart
from kubewitness.incident.node.planted import with_effect
from kubewitness.incident.node.story import (
    COMMANDS,
    SUBJECT,
    also_found,
    cited,
    entry_of,
    fetched_from,
    harmless_if,
    limitations_of,
    shown,
    status_of,
    story_of,
    title_of,
    verdict_of,
    why_unknown,
)
from kubewitness.incident.node.view import NodeView, told_once
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host
from kubewitness.model.incident import (
    Actor,
    Edge,
    Finding,
    Incident,
    ObjectLife,
    ObjectName,
    RootCause,
    Step,
)
from kubewitness.model.judgement import SEVERITIES
from kubewitness.model.text import Text
from kubewitness.posture.exposed import ANONYMOUS
from kubewitness.posture.exposed import judge as exposures
from kubewitness.posture.exposure import Exposure
from kubewitness.posture.kubelet import effective
from kubewitness.rules.attack import technique
from kubewitness.rules.ir import Rule
from kubewitness.sources.host.hosts import HostEvidence

_SHOWN = 8  # places cited for a step or finding
_SIGNS = 5  # told of a step
_APART = 5  # sentences about findings that are not told as an intruder's
_TOLD = ("intrusion", "activity")


def with_nodes(
    incidents: Sequence[Incident],
    views: Sequence[NodeView],
    hashes: Mapping[str, str],
    asked: Mapping[str, Sequence[Edge]] = MappingProxyType({}),
) -> tuple[list[Incident], dict[int, str]]:
    """The incidents with what nodes show of them as steps at their time, and those that only nodes show.

    Also which incident each finding on a node is told in: `id()` of the finding → id of the incident. `asked`: what the
    audit log tells of calls to a node's kubelet without a credential (see `asked_by`).
    """
    out, taken = list[Incident](), dict[int, str]()
    apart = dict[int, list[tuple[int, Text]]]()  # findings that were there before the intruder was
    for number, incident in enumerate(incidents):
        tied, nodes = list[tuple[NodeView, Tie, list[HostFinding]]](), set(incident.nodes)
        for view in views:
            groups = dict[tuple[Tie, str], list[HostFinding]]()
            for finding in view.findings:
                if finding.kind not in _TOLD:
                    continue
                if note := told_apart(incident, view.lineage, finding):
                    apart.setdefault(id(finding), []).append((number, note))
                tie = tie_of(incident, view.lineage, finding)
                if tie is not None and id(finding) not in taken:
                    subject = finding.subject if finding.process else finding.rule
                    groups.setdefault((tie, subject), []).append(finding)
                    taken[id(finding)] = incident.id
            tied += [(view, tie, group) for (tie, _), group in groups.items()]
            nodes |= {view.host.name} if groups else set()
        edges = [*incident.edges]
        for view, tie, group in tied:
            edges += edges_of(view, tie, group, hashes)
        run, joins = with_execs(incident, views, hashes)
        edges = list(once((*edges, *joins)))
        steps, added = incident.steps, [*run]
        for view, tie, group in tied:
            if told := with_effect(steps, tie, group, hashes):
                steps = told
            else:
                added.append(_step(view, group, tie, hashes, edges))
        theirs = [finding for _, _, group in tied for finding in group]
        grown = replace(
            incident,
            nodes=tuple(sorted(nodes)),
            edges=tuple(edges),
            status=also_found(incident.status, theirs),
            actions=with_disarming(incident.actions, views, theirs),
        )
        out.append(_renumbered(grown, (*steps, *added)) if tied or added or joins else incident)
    for number, incident in enumerate(out):
        notes = [note for key, said in apart.items() if key not in taken for at, note in said if at == number]
        out[number] = replace(incident, limitations=(*incident.limitations, *dict.fromkeys(notes[:_APART])))
    per_day = Counter(incident.id.split("-")[1] for incident in incidents)
    homes = dict(taken)
    for view in views:
        left = tuple(finding for finding in view.findings if id(finding) not in taken)
        if any(finding.kind == "intrusion" for finding in left):
            alone = _incident(view._replace(findings=left), hashes, per_day, asked.get(view.host.name, ()))
            notes = [note for finding in left for _, note in apart.get(id(finding), ())]
            out.append(replace(alone, limitations=(*alone.limitations, *dict.fromkeys(notes[:_APART]))))
            homes |= {id(finding): alone.id for finding in left if finding.kind in _TOLD}
    return out, homes


def look_at_nodes(
    machines: HostEvidence,
    rules: Iterable[Rule] = (),
    programs: Mapping[str, Sequence[HostFinding]] = MappingProxyType({}),
) -> tuple[NodeView, ...]:
    """What rules and settings say about each machine, by name.

    `rules`: those of log sources of Linux. `programs`: what a scan of a machine's programs found, by its name.
    """
    hosts = sorted(machines.hosts, key=lambda host: host.name)
    sigma = HostRules(rules)
    return tuple(
        NodeView(
            host,
            *told_once(in_order([*judge(host, sigma), *programs.get(host.name, ())]), tuple(exposures(host, settings))),
            settings,
            Lineage(host),
        )
        for host, settings in zip(hosts, map(effective, hosts), strict=True)
    )


def node_findings(
    views: Sequence[NodeView], incidents: Sequence[Incident], homes: Mapping[int, str], hashes: Mapping[str, str]
) -> tuple[Finding, ...]:
    """Findings on hosts, not yet numbered; `homes` says in which incident they are told."""
    out = list[Finding]()
    for view in views:
        pods = view.lineage.names
        for finding in (*view.findings, *view.atoms):
            if finding.kind == "context":
                continue
            pod = pods.get(finding.pod_uid)
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
                    matched={"host": view.host.name, "seen": finding.subject[:SUBJECT], **dict(finding.matched)},
                    reasons=finding.reasons,
                    falsepositives=finding.falsepositives,
                    runbook=finding.runbook,
                    incident=homes.get(id(finding), ""),
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
                    incident=next((one.id for one in incidents if _rests_on(one, places)), ""),
                    evidence=cited(exposure.places, "", hashes),
                )
            )
    return tuple(out)


def _incident(view: NodeView, hashes: Mapping[str, str], per_day: Counter[str], asked: Sequence[Edge] = ()) -> Incident:
    host, pods = view.host, view.lineage.names
    told = sorted((f for f in view.findings if f.kind in _TOLD), key=lambda f: (f.first or "~", f.rule))
    groups = dict[tuple[str, str, str], list[HostFinding]]()
    for finding in told:
        subject = finding.subject if finding.process is None else ""
        groups.setdefault((finding.rule, finding.kind, subject), []).append(finding)
    sure = [finding for finding in told if finding.kind == "intrusion"]
    first = min((finding.first for finding in sure if finding.first), default="")
    last = max((finding.last for finding in sure if finding.last), default=first)
    day = first[:10].replace("-", "") or "00000000"
    per_day[day] += 1
    causes = tuple(_cause(exposure, hashes) for exposure in view.exposures if _opens(exposure))
    theirs = {name for finding in sure for name in finding.containers} | {_pid(finding) for finding in sure}
    edges = list(once((*asked, *(one for group in groups.values() for one in edges_of(view, None, group, hashes)))))
    steps = [_step(view, tuple(group), _alone(group, theirs), hashes, edges) for group in groups.values()]
    commands = [f for f in sure if f.rule in COMMANDS]
    entry = commands[0] if commands else sure[0]
    named = sorted({pods[f.pod_uid] for f in told if f.pod_uid in pods})
    severity = max((f.severity for f in told), key=SEVERITIES.index)
    incident = Incident(
        id=f"INC-{day}-{per_day[day]:02}",
        severity=max((severity, *(e.severity for e in view.exposures if _opens(e))), key=SEVERITIES.index),
        confidence="high" if any(f.confidence == "high" for f in sure) else "medium",
        title=title_of(host, sure, causes),
        story=(*story_of(sure, causes), *said_of(asked)),
        first=first,
        last=last,
        actors=(
            Actor(
                addresses=(),
                identities=(),
                why=why_unknown(),
                first=first,
                last=last,
                servers=fetched_from(sure),
            ),
        ),
        entry_point=entry_of(host, entry, bool(commands), bool(causes), hashes),
        root_causes=causes,
        steps=(),
        status=status_of(host, sure, causes),
        pods=tuple(named),
        nodes=(host.name,),
        verdict=verdict_of(commands),
        actions=advice(host, sure, view.exposures, named),
        limitations=(*limitations_of(commands, causes, _closed(view)), *harmless_if(sure)),
        edges=tuple(edges),
    )
    return _renumbered(incident, steps)


def _pid(finding: HostFinding) -> str:
    return f"pid {finding.process.pid}" if finding.process else ""


def _alone(group: Sequence[HostFinding], theirs: set[str]) -> Tie | None:
    """What is no intrusion by itself is inferred to be part of this one; surely only where commands were put.

    Args:
        group: like findings of one machine.
        theirs: containers and processes of those that betray the intruder.
    """
    if any(finding.kind == "intrusion" for finding in group):
        return None
    if all(finding.process and _pid(finding) in theirs for finding in group):
        return None  # another rule knows the same process for the intruder's
    if any(finding.process is None and not theirs.isdisjoint(finding.containers) for finding in group):
        en, zh = "It was asked for in a container that the intruder reached.", "它出现在入侵者触及的容器中。"
        return Tie("", None, Text(en, zh), PROVEN)
    en = "It may be somebody else's: nothing but the machine ties it to the rest."
    return Tie("", None, Text(en, "可能与入侵无关：它与其余发现的关联仅在于同一台机器。"), 0.5)


def _step(
    view: NodeView, group: Sequence[HostFinding], link: Tie | None, hashes: Mapping[str, str], edges: Sequence[Edge]
) -> Step:
    worst = max(group, key=lambda finding: SEVERITIES.index(finding.severity))
    host, pods = view.host, view.lineage.names
    entities = tuple(dict.fromkeys(e for f in group for e in entities_of(view, f, link.path if link else "")))
    objects = tuple(dict.fromkeys(pods[uid] for f in group for uid in _uids(host, f) if uid in pods))
    times = sorted(f.first for f in group if f.first) or [link.time if link else ""]
    count = len({f.process.pid for f in group if f.process}) or sum(f.count for f in group)
    subject = shown(worst.subject)
    where = _where(group, objects)
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
            f"{worst.title.en} on {host.name}{where.en}: {subject}",
            f"{host.name}：{worst.title.zh}{where.zh}：{subject}",
        ),
        why=_why(link, worst),
        techniques=tuple(technique(name) for name in dict.fromkeys(t for f in group for t in f.techniques)),
        severity=worst.severity,
        inferred=link is not None and link.confidence < PROVEN,
        confidence=link.confidence if link else 1.0,
        objects=objects,
        requests=count,
        succeeded=0 if worst.rule in COMMANDS else count,  # only commands that failed to start leave a line
        rules=tuple(dict.fromkeys(f.rule for f in group)),
        command=worst.process.command[:SUBJECT] if worst.process else "",
        evidence=tuple(evidence[:_SHOWN]),
        entities=entities[:MOST],
        path=path_to(entities[0], of_birth(link.link if link else "", edges)),
    )


def _why(link: Tie | None, finding: HostFinding) -> Text:
    """What ties it to the intruder, what the rule is about, and the signs."""
    en, zh = [finding.description.en], [finding.description.zh]
    if link:
        en, zh = [link.why.en, *en], [link.why.zh, *zh]
    if finding.reasons:
        en.append(f"Signs: {'; '.join(reason.en for reason in finding.reasons[:_SIGNS])}.")
        zh.append(f"迹象：{'；'.join(reason.zh for reason in finding.reasons[:_SIGNS])}。")
    return Text(" ".join(en), "".join(zh))


def _uids(host: Host, finding: HostFinding) -> list[str]:
    """The pods of all containers concerned, as far as a process list tells them."""
    if finding.process is not None or len(finding.containers) < 2:
        return [finding.pod_uid]
    known = {process.container: process.pod_uid for process in host.processes if process.container}
    return [known.get(container, "") for container in finding.containers]


def _where(group: Sequence[HostFinding], objects: Sequence[ObjectName]) -> Text:
    containers = len({name for finding in group for name in finding.containers})
    if len(objects) > 1:
        return Text(f" in {len(objects)} pods", f"，涉及 {len(objects)} 个 Pod")
    if containers > 1:
        return Text(f" in {containers} containers", f"，涉及 {containers} 个容器")
    if objects:
        name = f"{objects[0].namespace}/{objects[0].name}"
        return Text(f" in {name}", f"，位于 {name}")
    return Text("", "")


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


def _rests_on(incident: Incident, places: set[Place]) -> bool:
    """Whether a root cause of the incident cites one of the places."""
    cited = {(place.item, place.line) for place in places}
    return any((one.item, one.line) in cited for cause in incident.root_causes for one in cause.evidence)


def _who(host: Host, finding: HostFinding) -> str:
    """Who acted, as far as a node tells: the owner of the process, or nobody but the node."""
    user = finding.process.user or "uid?" if finding.process else finding.user
    if user:
        return f"{user}@{host.name}"
    return f"kubelet of {host.name}" if finding.rule in COMMANDS or "kubelet" in finding.rule else host.name


def _closed(view: NodeView) -> bool:
    """Whether the settings are all there and turn away who has no credential."""
    settings = (view.settings.running or view.settings.after_restart) if view.settings else None
    return settings is not None and settings.complete and settings.value(ANONYMOUS) == "false"


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
