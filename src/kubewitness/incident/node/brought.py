"""What the evidence of machines brings to incidents: steps of their own, clocks, findings, programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple

from kubewitness.correlate.clocks import compare
from kubewitness.detect.detection import Detection
from kubewitness.detect.host import yara
from kubewitness.detect.host.yara_rules import Scanned, YaraRules
from kubewitness.detect.indicators.index import Index
from kubewitness.detect.run import Scan
from kubewitness.incident.node import indicators as known_bad
from kubewitness.incident.node import joined, view
from kubewitness.incident.node.asked import asked_by
from kubewitness.incident.node.planted import with_planted
from kubewitness.incident.node.sightings import with_sightings
from kubewitness.model.incident import ClockSkew, Finding, Incident
from kubewitness.rules.loader import RuleSet
from kubewitness.sources.host.hosts import HostEvidence


class Brought(NamedTuple):
    """Attributes:
    incidents: With what nodes show of them, and those that only nodes show.
    views: The machines with what was found on them.
    findings: Of machines, not yet numbered.
    homes: `id()` of a finding on a machine → the incident it is told in.
    clocks: How far a machine's clock is off, by its name.
    programs: What the scan of programs found; None if there was nothing to scan.
    """

    incidents: Sequence[Incident]
    views: Sequence[view.NodeView] = ()
    findings: Sequence[Finding] = ()
    homes: Mapping[int, str] = MappingProxyType({})
    clocks: Mapping[str, ClockSkew] = MappingProxyType({})
    programs: Scanned | None = None


def brought(  # noqa: PLR0917 -- each is a kind of evidence or knowledge
    incidents: Sequence[Incident],
    machines: HostEvidence,
    scan: Scan,
    found: Sequence[Detection],
    hashes: Mapping[str, str],
    rules: RuleSet,
    programs: YaraRules,
    index: Index | None,
    now: datetime,
) -> Brought:
    """Look at the machines and join what they show.

    Args:
        incidents: of the audit log.
        machines: their evidence.
        scan: pass 1 over the audit log.
        found: detections in it.
        hashes: of items, by name.
        rules: with those for hosts.
        programs: YARA rules.
        index: indicators, if there are any.
        now: the day of the investigation.
    """
    scanned = yara.scan(machines, programs)
    views = joined.look_at_nodes(machines, rules.host_rules, scanned.findings)
    if index:
        views = known_bad.on_machines(views, machines, index, now.astimezone(UTC).strftime("%Y-%m-%d"))
    clocks: Mapping[str, ClockSkew] = {}
    if incidents:
        first, last = min(one.first for one in incidents), max(one.last for one in incidents)
        clocks = compare(scan, [one.lineage for one in views], first, last)
        views = view.by_one_clock(with_planted(with_sightings(views, incidents), incidents), clocks)
    incidents, homes = joined.with_nodes(incidents, views, hashes, asked_by(found, hashes))
    if index:
        homes |= known_bad.homes(views, incidents, homes)
    findings = joined.node_findings(views, incidents, homes, hashes)
    return Brought(incidents, views, findings, homes, clocks, scanned)
