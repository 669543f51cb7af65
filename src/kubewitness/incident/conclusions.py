"""What is concluded of an incident once all is known of it: verdicts on who and how it ended, and exposed data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.run import Scan
from kubewitness.incident.removals import Removals
from kubewitness.incident.requests import Request
from kubewitness.incident.suspects import Cluster
from kubewitness.incident.verdict_state import Ending, contained_or_active
from kubewitness.incident.verdict_who import insider_or_intruder
from kubewitness.model.incident import Incident


class Known(NamedTuple):
    """What an investigation knows when its incidents stand.

    Attributes:
        gathered: Clusters of the audit log with their requests.
        found: All findings on machines, and `homes`: `id()` of a finding → the incident it is told in.
    """

    scan: Scan
    gathered: Sequence[tuple[Cluster, Sequence[Request]]]
    removed: Removals
    found: Sequence[HostFinding] = ()
    homes: Mapping[int, str] = {}


def concluded(incidents: Iterable[Incident], known: Known) -> list[Incident]:
    """The incidents with their verdicts."""
    of_first = {requests[0].audit_id: (cluster, requests) for cluster, requests in known.gathered if requests}
    out = list[Incident]()
    for incident in incidents:
        cluster, requests = of_first.get(next(iter(incident.audit_ids), "-"), (None, ()))
        found = [one for one in known.found if known.homes.get(id(one)) == incident.id]
        ending = Ending(incident, requests, known.removed, found, known.scan.last)
        who = insider_or_intruder(incident, cluster, requests, known.scan.profiles.by_key)
        out.append(replace(incident, verdicts=(who, contained_or_active(ending))))
    return out
