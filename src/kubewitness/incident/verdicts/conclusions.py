"""What is concluded of an incident once all is known of it: verdicts on who and how it ended, and exposed data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from kubewitness.correlate.rbac.state import History
from kubewitness.detect.collect import Needle, search
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.run import Scan
from kubewitness.evidence.opening import Source
from kubewitness.incident.build import touched_pods
from kubewitness.incident.citing import Citer
from kubewitness.incident.cuts.dumps import history_of
from kubewitness.incident.exposure.drawn import from_environments, from_metadata_services
from kubewitness.incident.exposure.nodes import Machines, from_nodes
from kubewitness.incident.exposure.pod_contents import Contents, Pod, pods_in
from kubewitness.incident.exposure.requests import Exposures, from_pods, from_requests, pods_told
from kubewitness.incident.exposure.rights import from_rights
from kubewitness.incident.identity.suspects import Cluster
from kubewitness.incident.node.view import NodeView
from kubewitness.incident.requests import Request
from kubewitness.incident.rotation import with_rotation
from kubewitness.incident.verdicts.removals import Removals
from kubewitness.incident.verdicts.state import Ending, contained_or_active
from kubewitness.incident.verdicts.who import insider_or_intruder
from kubewitness.model.event import Event
from kubewitness.model.incident import Exposure, Incident

_ENTERED: Final = 50  # pods whose making is looked for


class Known(NamedTuple):
    """What an investigation knows when its incidents stand.

    Attributes:
        gathered: Clusters of the audit log with their requests.
        views: The machines with what was found on them; `homes`: `id()` of a finding → the incident it is told in.
        dumps: Items that hold Kubernetes objects.
        hashes: Of items, by name.
    """

    scan: Scan
    gathered: Sequence[tuple[Cluster, Sequence[Request]]]
    removed: Removals
    citer: Citer
    views: Sequence[NodeView] = ()
    homes: Mapping[int, str] = {}
    dumps: Sequence[Source] = ()
    hashes: Mapping[str, str] = {}


def concluded(incidents: Iterable[Incident], known: Known) -> list[Incident]:
    """The incidents with their verdicts and exposures."""
    of_first = {requests[0].audit_id: (cluster, requests) for cluster, requests in known.gathered if requests}
    every = [request for _, requests in known.gathered for request in requests]
    pods, history = _pods(known, every), history_of(known.scan.ledger, known.dumps)
    out = list[Incident]()
    for incident in incidents:
        cluster, requests = of_first.get(next(iter(incident.audit_ids), "-"), (None, ()))
        found = [one for view in known.views for one in view.findings if known.homes.get(id(one)) == incident.id]
        ending = Ending(incident, requests, known.removed, found, known.scan.last)
        who = insider_or_intruder(incident, cluster, requests, known.scan.profiles.by_key)
        shown = _exposures(incident, requests, found, known, pods, history)
        told = replace(incident, verdicts=(who, contained_or_active(ending)), exposures=shown)
        out.append(with_rotation(told, shown))
    return out


def _exposures(  # noqa: PLR0917 -- what is known of one incident, and of all
    incident: Incident, requests: Sequence[Request], found: Sequence[HostFinding], known: Known,
    pods: Mapping[Pod, Contents], history: History,
) -> tuple[Exposure, ...]:  # fmt: skip
    out = Exposures(known.citer)
    from_requests(out, requests)
    from_pods(out, requests, touched_pods(requests), pods)
    machines = Machines({view.host.name: view for view in known.views}, pods, known.hashes)
    from_nodes(out, incident, requests, found, machines)
    from_environments(out, requests, found, machines)
    from_metadata_services(out, incident, requests, machines)
    if requests:
        from_rights(out, requests, history)
    return out.all()


def _pods(known: Known, requests: Sequence[Request]) -> dict[Pod, Contents]:
    """What pods mount, by whatever tells it: dumps, answers to intruders, their making by a controller."""
    entered = [pod for pod in dict.fromkeys(touched_pods(requests)) if pod.name][:_ENTERED]
    wanted = {(pod.namespace, pod.name) for pod in entered}
    needles = [Needle(name, namespace, "", "~") for namespace, name in sorted(wanted)]
    made = search(known.scan, needles, lambda event: _makes(event, wanted), among="pods made") if needles else []
    return pods_told([*made, *(request.final for request in requests)]) | pods_in(known.dumps)


def _makes(event: Event, wanted: set[tuple[str, str]]) -> bool:
    if event.resource != "pods" or event.verb != "create" or event.subresource:
        return False
    return any(pod in wanted for pod in pods_told((event,)))
