"""The whole road once: evidence → pass 1 → detections → suspects → pass 2 → incidents → document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from msgspec.structs import replace

from kubewitness import __version__
from kubewitness.detect.detection import Detection, detections, in_order
from kubewitness.detect.detectors.registry import typed_detections
from kubewitness.detect.detectors.unaccustomed import RULE as UNACCUSTOMED
from kubewitness.detect.host.yara_rules import YaraRules
from kubewitness.detect.indicators.index import Index
from kubewitness.detect.indicators.indicator import NOTHING, Pack
from kubewitness.detect.run import Scan, scan
from kubewitness.evidence.opening import Source, walk
from kubewitness.incident.build import Chain, build, gather
from kubewitness.incident.cascade import effects_of
from kubewitness.incident.citing import Citer
from kubewitness.incident.coverage import coverage
from kubewitness.incident.coverage_sources import blind_writes
from kubewitness.incident.departures import with_departures
from kubewitness.incident.findings import findings, numbered
from kubewitness.incident.identity.suspects import Cluster, Suspects
from kubewitness.incident.indicators import in_audit
from kubewitness.incident.requests import Request
from kubewitness.incident.verdicts.removals import Removals, removals
from kubewitness.model.document import SCHEMA_VERSION, Document
from kubewitness.model.event import parse_time
from kubewitness.model.evidence import EvidenceItem
from kubewitness.model.incident import Accessor, ClockSkew, Finding, Incident
from kubewitness.model.judgement import SEVERITIES
from kubewitness.model.text import Text
from kubewitness.rules.compile import Matcher
from kubewitness.rules.loader import RuleSet
from kubewitness.sources.host.hosts import read_hosts
from kubewitness.sources.kube_objects import KIND, read_objects

if TYPE_CHECKING:
    from kubewitness.incident.node.view import NodeView

_ACCESSORS = 300
_FAILURES = 1_000


@dataclass(frozen=True)
class Options:
    """How to investigate. `now` is injected so that the same input gives the same bytes."""

    workers: int = 1
    case: str = ""
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    label: Text | None = None
    keep_original: int = 400  # originals embedded in the document
    exclude: tuple[Path, ...] = ()  # our own results, no evidence where a folder or glob holds them
    indicators: Pack = NOTHING  # looked for beside the rules
    yara: YaraRules = field(default_factory=YaraRules)  # for programs among the evidence of machines
    baseline: tuple[str, ...] = ()  # logs that show what is usual; nothing is found in them


@dataclass(frozen=True)
class Progress:
    """How far it is. `bytes_total` counts raw bytes, compressed where compressed."""

    bytes_done: int
    bytes_total: int
    events: int
    phase: str  # "read", "trace", "write"


def investigate(
    paths: Sequence[str],
    *,
    rules: RuleSet,
    options: Options,
    progress: Callable[[Progress], None] | None = None,
    stdin: BinaryIO | None = None,
) -> Document:
    """Investigate evidence.

    Args:
        paths: files, directories, globs, "-" for `stdin`, archives.
        rules: the detection rules and correlations to judge by.
        options: see `Options`.
        progress: called now and then while reading.
        stdin: what "-" means.

    Raises:
        EvidenceError: nothing of what was named can be opened.
    """
    everything = list(walk(paths, stdin, options.exclude))
    total = sum(source.size for source in everything)
    machines = read_hosts(everything, options.now.year)
    objects = read_objects([source for source in everything if source.name not in machines.items])
    no_logs = {**machines.items, **objects.items}
    sources = [source for source in everything if source.name not in no_logs]
    read = [_item(source, no_logs[source.name]) for source in everything if source.name in no_logs]

    def report(done: int, events: int) -> None:
        if progress:
            progress(Progress(done, total, events, "read"))

    matcher = Matcher(rules.rules)
    usual = _baseline(options, rules) if options.baseline else None
    first_pass = scan(sources, rules, matcher, options.workers, report, baseline=usual)
    if progress:
        progress(Progress(total, total, first_pass.events, "trace"))
    found = sorted([*detections(first_pass, rules.rules), *typed_detections(first_pass)], key=in_order)
    hashes = {item.name: item.sha256 for item in (*first_pass.items, *read)}
    citer = Citer(hashes, options.keep_original)
    suspects = Suspects(first_pass, [one for one in found if one.rule.id != UNACCUSTOMED])
    gathered = gather(first_pass, suspects, suspects.clusters())
    removed = removals(first_pass, gathered)
    incidents = _incidents(first_pass, matcher, gathered, citer, removed)
    views: tuple[NodeView, ...] = ()
    on_nodes = tuple[Finding, ...]()
    incident_of_finding = dict[int, str]()
    clocks = dict[str, ClockSkew]()
    index = _index(options.indicators)
    scanned = None
    if machines.hosts:
        from kubewitness.correlate.clocks import compare  # noqa: PLC0415 -- a tenth of a start, for evidence that is
        from kubewitness.detect.host import yara  # noqa: PLC0415
        from kubewitness.incident.node import joined, view  # noqa: PLC0415 -- often an audit log alone
        from kubewitness.incident.node.asked import asked_by  # noqa: PLC0415
        from kubewitness.incident.node.planted import with_planted  # noqa: PLC0415
        from kubewitness.incident.node.sightings import with_sightings  # noqa: PLC0415

        scanned = yara.scan(machines, options.yara)
        views = joined.look_at_nodes(machines, rules.host_rules, scanned.findings)
        if index:
            from kubewitness.incident.node import indicators as known_bad  # noqa: PLC0415

            views = known_bad.on_machines(views, machines, index, _day(options.now))
        if incidents:
            first, last = min(one.first for one in incidents), max(one.last for one in incidents)
            clocks = compare(first_pass, [one.lineage for one in views], first, last)
            views = view.by_one_clock(with_planted(with_sightings(views, incidents), incidents), clocks)
        incidents, incident_of_finding = joined.with_nodes(incidents, views, hashes, asked_by(found, hashes))
        if index:
            incident_of_finding |= known_bad.homes(views, incidents, incident_of_finding)
        on_nodes = joined.node_findings(views, incidents, incident_of_finding, hashes)
    incident_of = _membership(found, gathered, incidents)
    known = {request.audit_id: request.final for _, requests in gathered for request in requests}
    audited = findings(found, incident_of, citer, known)
    if index and first_pass.events:
        requests_of = [requests for _, requests in gathered]
        audited = (*audited, *in_audit(first_pass, index, found, requests_of, incidents=incidents, citer=citer))
    listed = numbered((*audited, *on_nodes))
    incidents = [
        replace(incident, findings=tuple(f.id for f in listed if f.incident == incident.id)) for incident in incidents
    ]
    if incidents:
        from kubewitness.incident.campaigns import matches, visible_in  # noqa: PLC0415 -- most logs hold no incident

        incidents = [
            replace(one, campaigns=matches(one, listed, visible_in(one, machines.hosts, first_pass.events)))
            for one in incidents
        ]
    if incidents and gathered:
        incidents = with_departures(incidents, [requests for _, requests in gathered], first_pass)
    if incidents:
        from kubewitness.incident.cuts.cutter import with_cuts  # noqa: PLC0415 -- only where there is somebody to stop

        dumps = [source for source in everything if objects.items.get(source.name) == KIND]
        incidents = with_cuts(incidents, [requests for _, requests in gathered], first_pass, dumps, views)
    if incidents:
        from kubewitness.incident.graph.chain import with_graph  # noqa: PLC0415 -- most logs hold no incident

        incidents = with_graph(incidents, [requests for _, requests in gathered], hashes)
        from kubewitness.incident.verdicts.conclusions import Known, concluded  # noqa: PLC0415 -- the same

        dumps = [source for source in everything if objects.items.get(source.name) == KIND]
        known_of = Known(first_pass, gathered, removed, citer, views, incident_of_finding, dumps, hashes)
        incidents = concluded(incidents, known_of)
    incidents.sort(key=lambda incident: (-SEVERITIES.index(incident.severity), incident.first))
    skipped = any(item.skipped for item in first_pass.items)
    return Document(
        schema_version=SCHEMA_VERSION,
        tool=f"kubewitness {__version__}",
        generated=options.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        case=options.case,
        label=options.label,
        incidents=tuple(incidents),
        findings=listed,
        accessors=_accessors(first_pass, gathered, incidents),
        coverage=coverage(
            first_pass,
            rules,
            machines,
            read,
            clocks,
            notes=objects.notes,
            indicators=options.indicators,
            programs=scanned,
            incidents=incidents,
            blind=blind_writes(request for _, requests in gathered for request in requests),
        ),
        parse_failures=(*first_pass.failures, *machines.failures, *objects.failures)[:_FAILURES],
        parse_failures_total=first_pass.failures_total + len(machines.failures) + len(objects.failures),
        complete=not (first_pass.failures_total or machines.failures or objects.failures or skipped),
    )


def _baseline(options: Options, rules: RuleSet) -> Scan:
    """Pass 1 over the logs that show what is usual: profiles, and what rules with `first_seen` must know."""
    everything = list(walk(options.baseline, None, options.exclude))
    no_logs = read_hosts(everything, options.now.year).items
    sources = [source for source in everything if source.name not in no_logs]
    learning = replace(rules, rules=tuple(rule for rule in rules.rules if rule.first_seen), correlations=())
    return scan(sources, learning, Matcher(learning.rules), options.workers, lambda _bytes, _events: None)


def _index(pack: Pack) -> Index | None:
    return Index(pack.indicators) if pack.indicators else None


def _day(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%d")


def _item(source: Source, kind: str) -> EvidenceItem:
    """An item of host evidence, as read."""
    return EvidenceItem(source.name, source.sha256, source.size, source.compression, kind)


def _incidents(
    first_pass: Scan,
    matcher: Matcher,
    gathered: Sequence[tuple[Cluster, list[Request]]],
    citer: Citer,
    removed: Removals,
) -> list[Incident]:
    gathered = sorted(gathered, key=lambda pair: (pair[1][0].time, pair[0].identities))
    chains = [Chain(cluster, requests) for cluster, requests in gathered]
    caused = effects_of(first_pass, [root for chain in chains for root in chain.roots])
    per_day: dict[str, int] = {}
    out = []
    for chain in chains:
        when = parse_time(chain.requests[0].time)
        day = when.strftime("%Y%m%d") if when else "00000000"
        per_day[day] = per_day.get(day, 0) + 1
        name = f"INC-{day}-{per_day[day]:02}"
        out.append(build(first_pass, matcher, chain, caused, name=name, citer=citer, removed=removed))
    return out


def _membership(
    found: Sequence[Detection], gathered: Sequence[tuple[Cluster, list[Request]]], incidents: Sequence[Incident]
) -> dict[int, str]:
    """Index of a detection → id of the incident whose requests it is about."""
    owner = {audit_id: incident.id for incident in incidents for audit_id in incident.audit_ids}
    del gathered
    out = {}
    for index, detection in enumerate(found):
        ids = sorted({owner[audit_id] for audit_id in detection.audit_ids if audit_id in owner})
        if ids:
            out[index] = ids[0]
    return out


def _accessors(
    first_pass: Scan, gathered: Sequence[tuple[Cluster, list[Request]]], incidents: Sequence[Incident]
) -> tuple[Accessor, ...]:
    owner = {}
    for incident in incidents:
        for cluster, requests in gathered:
            if requests[0].audit_id in incident.audit_ids[:1]:
                owner.update(dict.fromkeys(cluster.accessors, incident.id))
    pairs: dict[tuple[str, str], Accessor] = {}
    for key, profile in first_pass.profiles.by_key.items():
        pair = (key.identity, key.address)
        known = pairs.get(pair)
        verbs, resources = profile.tally("verb"), profile.tally("resource")
        if known is not None:
            verbs.update(known.verbs)
            resources.update(known.resources)
        pairs[pair] = Accessor(
            identity=key.identity,
            address=key.address,
            agents=tuple(sorted({key.agent, *(known.agents if known else ())}))[:10],
            requests=profile.requests + (known.requests if known else 0),
            refused=profile.refusals + (known.refused if known else 0),
            first=min(profile.first, known.first) if known else profile.first,
            last=max(profile.last, known.last) if known else profile.last,
            verbs=dict(verbs),
            resources=dict(resources),
            incident=owner.get(key, known.incident if known else ""),
        )
    ordered = sorted(pairs.values(), key=lambda a: (not a.incident, -a.requests, a.identity, a.address))
    return tuple(
        replace(
            accessor,
            first="" if accessor.first == "~" else accessor.first,
            verbs=dict(sorted(accessor.verbs.items(), key=lambda item: (-item[1], item[0]))[:10]),
            resources=dict(sorted(accessor.resources.items(), key=lambda item: (-item[1], item[0]))[:10]),
        )
        for accessor in ordered[:_ACCESSORS]
    )
