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
from kubewitness.incident.accessors import accessors
from kubewitness.incident.build import Chain, build, gather
from kubewitness.incident.cascade import effects_of
from kubewitness.incident.citing import Citer
from kubewitness.incident.coverage import coverage
from kubewitness.incident.coverage_sources import blind_writes
from kubewitness.incident.findings import findings, numbered
from kubewitness.incident.given import given
from kubewitness.incident.identity.suspects import Cluster, Suspects
from kubewitness.incident.indicators import in_audit
from kubewitness.incident.requests import Request
from kubewitness.incident.verdicts.removals import Removals, removals
from kubewitness.model.document import SCHEMA_VERSION, Document
from kubewitness.model.event import parse_time
from kubewitness.model.incident import Incident
from kubewitness.model.judgement import SEVERITIES
from kubewitness.model.text import Text
from kubewitness.rules.compile import Matcher
from kubewitness.rules.loader import RuleSet

if TYPE_CHECKING:
    from kubewitness.incident.node.brought import Brought

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
    evidence = given(paths, options.now.year, stdin, options.exclude)

    def report(done: int, events: int) -> None:
        if progress:
            progress(Progress(done, evidence.size, events, "read"))

    matcher = Matcher(rules.rules)
    usual = _baseline(options, rules) if options.baseline else None
    first_pass = scan(evidence.logs, rules, matcher, options.workers, report, baseline=usual)
    if progress:
        progress(Progress(evidence.size, evidence.size, first_pass.events, "trace"))
    found = sorted([*detections(first_pass, rules.rules), *typed_detections(first_pass)], key=in_order)
    hashes = {item.name: item.sha256 for item in (*first_pass.items, *evidence.read)}
    citer = Citer(hashes, options.keep_original)
    suspects = Suspects(first_pass, [one for one in found if one.rule.id != UNACCUSTOMED])
    gathered = gather(first_pass, suspects, suspects.clusters())
    requests = [each for _, each in gathered]
    removed = removals(first_pass, gathered)
    incidents: Sequence[Incident] = _incidents(first_pass, matcher, gathered, citer, removed)
    index = Index(options.indicators.indicators) if options.indicators.indicators else None
    nodes: Brought | None = None
    if evidence.machines.hosts:
        from kubewitness.incident.node.brought import brought  # noqa: PLC0415 -- a tenth of a start, often not needed

        nodes = brought(
            incidents, evidence.machines, first_pass, found, hashes, rules, options.yara, index, options.now
        )
        incidents = nodes.incidents
    known = {request.audit_id: request.final for each in requests for request in each}
    audited = findings(found, _membership(found, incidents), citer, known)
    if index and first_pass.events:
        audited = (*audited, *in_audit(first_pass, index, found, requests, incidents=incidents, citer=citer))
    listed = numbered((*audited, *(nodes.findings if nodes else ())))
    incidents = [
        replace(incident, findings=tuple(f.id for f in listed if f.incident == incident.id)) for incident in incidents
    ]
    if incidents:
        from kubewitness.incident.explained import explained  # noqa: PLC0415 -- most logs hold no incident
        from kubewitness.incident.verdicts.conclusions import Known  # noqa: PLC0415

        knowledge = Known(first_pass, gathered, removed, citer, dumps=evidence.dumps, hashes=hashes)
        if nodes:
            knowledge = knowledge._replace(views=nodes.views, homes=nodes.homes)
        incidents = explained(incidents, listed, evidence, knowledge)
    incidents = sorted(incidents, key=lambda incident: (-SEVERITIES.index(incident.severity), incident.first))
    failures = (*first_pass.failures, *evidence.machines.failures, *evidence.objects.failures)
    lost = first_pass.failures_total + len(failures) - len(first_pass.failures)
    return Document(
        schema_version=SCHEMA_VERSION,
        tool=f"kubewitness {__version__}",
        generated=options.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        case=options.case,
        label=options.label,
        incidents=tuple(incidents),
        findings=listed,
        accessors=accessors(first_pass, gathered, incidents),
        coverage=coverage(
            first_pass,
            rules,
            evidence.machines,
            evidence.read,
            nodes.clocks if nodes else {},
            notes=evidence.objects.notes,
            indicators=options.indicators,
            programs=nodes.programs if nodes else None,
            incidents=incidents,
            blind=blind_writes(request for each in requests for request in each),
        ),
        parse_failures=failures[:_FAILURES],
        parse_failures_total=lost,
        complete=not (lost or any(item.skipped for item in first_pass.items)),
    )


def _baseline(options: Options, rules: RuleSet) -> Scan:
    """Pass 1 over the logs that show what is usual: profiles, and what rules with `first_seen` must know."""
    sources = given(options.baseline, options.now.year, exclude=options.exclude).logs
    learning = replace(rules, rules=tuple(rule for rule in rules.rules if rule.first_seen), correlations=())
    return scan(sources, learning, Matcher(learning.rules), options.workers, lambda _bytes, _events: None)


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


def _membership(found: Sequence[Detection], incidents: Sequence[Incident]) -> dict[int, str]:
    """Index of a detection → id of the incident whose requests it is about."""
    owner = {audit_id: incident.id for incident in incidents for audit_id in incident.audit_ids}
    out = {}
    for index, detection in enumerate(found):
        ids = sorted({owner[audit_id] for audit_id in detection.audit_ids if audit_id in owner})
        if ids:
            out[index] = ids[0]
    return out
