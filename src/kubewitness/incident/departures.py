"""What an intruder did with each identity that its owner never does: beside the actor, in words.

Habits are all that the log and a baseline hold, without the requests of any intruder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from kubewitness.detect.behaviour.judging import Behaviour
from kubewitness.detect.behaviour.use import Use
from kubewitness.detect.run import Scan
from kubewitness.incident.requests import Request
from kubewitness.model.incident import Incident


def with_departures(incidents: Sequence[Incident], gathered: Sequence[Sequence[Request]], scan: Scan) -> list[Incident]:
    """The incidents with what is unusual about their actors; `gathered` has the requests of each intruder."""
    everything = [request for requests in gathered for request in requests]
    if not everything:
        return list(incidents)
    behaviour = Behaviour(scan, _uses(everything), {request.final.request for request in everything})
    of = {request.audit_id: requests for requests in gathered for request in requests if request.audit_id}
    out = []
    for incident in incidents:
        mine = next((of[one] for one in incident.audit_ids if one in of), None)
        if mine and incident.actors:
            first = replace(incident.actors[0], departures=behaviour.told(_uses(mine)))
            incident = replace(incident, actors=(first, *incident.actors[1:]))  # noqa: PLW2901
        out.append(incident)
    return out


def _uses(requests: Sequence[Request]) -> Iterator[Use]:
    for request in requests:
        resource = f"{request.resource}/{request.subresource}" if request.subresource else request.resource
        yield Use(
            request.identity,
            request.address,
            request.agent,
            request.verb,
            resource,
            request.namespace,
            request.time,
            request.succeeded,
            request.final.stage != "RequestReceived",
        )
