"""What is said of incidents once they stand: what they are like, what would have stopped them, how all hangs together.

Most logs hold no incident, so all this is loaded only where there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kubewitness.incident.campaigns import matches, visible_in
from kubewitness.incident.cuts.cutter import with_cuts
from kubewitness.incident.departures import with_departures
from kubewitness.incident.given import Given
from kubewitness.incident.graph.chain import with_graph
from kubewitness.incident.verdicts.conclusions import Known, concluded
from kubewitness.model.incident import Finding, Incident

if TYPE_CHECKING:
    from kubewitness.incident.requests import Request


def explained(incidents: Sequence[Incident], findings: Sequence[Finding], given: Given, known: Known) -> list[Incident]:
    """The incidents with campaigns, departures from what is usual, cuts, graph, verdicts and exposures.

    Args:
        incidents: all of them.
        findings: all of them, numbered.
        given: the evidence.
        known: what the investigation knows.
    """
    scan = known.scan
    requests: list[Sequence[Request]] = [each for _, each in known.gathered]
    out = [
        replace(one, campaigns=matches(one, findings, visible_in(one, given.machines.hosts, scan.events)))
        for one in incidents
    ]
    if requests:
        out = with_departures(out, requests, scan)
    out = with_cuts(out, requests, scan, given.dumps, known.views)
    out = with_graph(out, requests, known.hashes)
    return concluded(out, known)
