"""Who asked the API server, as the document lists them: identity and address, the intruders' first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from kubewitness.detect.run import Scan
from kubewitness.incident.identity.suspects import Cluster
from kubewitness.incident.requests import Request
from kubewitness.model.incident import Accessor, Incident

_LISTED: Final = 300
_NAMED: Final = 10  # agents, verbs and resources of one


def accessors(
    scan: Scan, gathered: Sequence[tuple[Cluster, Sequence[Request]]], incidents: Sequence[Incident]
) -> tuple[Accessor, ...]:
    """The first few hundred: those of incidents, then those who asked most."""
    owner = {}
    for incident in incidents:
        for cluster, requests in gathered:
            if requests[0].audit_id in incident.audit_ids[:1]:
                owner.update(dict.fromkeys(cluster.accessors, incident.id))
    pairs: dict[tuple[str, str], Accessor] = {}
    for key, profile in scan.profiles.by_key.items():
        pair = (key.identity, key.address)
        known = pairs.get(pair)
        verbs, resources = profile.tally("verb"), profile.tally("resource")
        if known is not None:
            verbs.update(known.verbs)
            resources.update(known.resources)
        pairs[pair] = Accessor(
            identity=key.identity,
            address=key.address,
            agents=tuple(sorted({key.agent, *(known.agents if known else ())}))[:_NAMED],
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
            verbs=_most(accessor.verbs),
            resources=_most(accessor.resources),
        )
        for accessor in ordered[:_LISTED]
    )


def _most(counted: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:_NAMED])
