"""What others removed again: objects an intruder left that somebody else is seen to delete before the evidence ends.

An intruder's own requests do not tell how it ended. Those who delete things of such kinds are few; only their requests
are read again, and only where something was left. Deleting a namespace deletes what is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from kubewitness.detect.collect import Collector
from kubewitness.detect.profile import AccessorKey, Profile
from kubewitness.detect.run import Scan
from kubewitness.incident.blast import Touched
from kubewitness.incident.identity.suspects import Cluster
from kubewitness.incident.requests import Request
from kubewitness.incident.story import others_left, standing_for, workloads_left
from kubewitness.model.event import Event
from kubewitness.model.incident import ObjectName

_WRITES: Final = ("create", "update", "patch")
_DELETES: Final = ("delete", "deletecollection")
_READ: Final = 20_000  # requests that are read again for it

Removals = Mapping[ObjectName, Event]


def removals(scan: Scan, incidents: Sequence[tuple[Cluster, Sequence[Request]]]) -> Removals:
    """Objects that the intruders left and others deleted, each with the last deletion."""
    left = dict[ObjectName, str]()
    own = set[AccessorKey]()
    for cluster, requests in incidents:
        own |= cluster.accessors
        touched = Touched(requests)
        wrote = {standing_for(r.object): r.time for r in requests if r.succeeded and r.verb in _WRITES}
        left.update({name: wrote[name] for name in (*workloads_left(touched), *others_left(touched))})
    if not left:
        return {}
    wanted = {(name.kind, name.namespace, name.name): name for name in left}
    out = dict[ObjectName, Event]()
    for event in Collector(scan).of(_who_deletes(scan, left, own)):
        if event.verb not in _DELETES or not event.succeeded or event.subresource:
            continue
        found = _deleted(event, wanted)
        time = event.record.requestReceivedTimestamp
        out.update((name, event) for name in found if time >= left[name])
    return out


def _deleted(event: Event, wanted: Mapping[tuple[str, str, str], ObjectName]) -> Iterable[ObjectName]:
    if event.resource == "namespaces":
        inside = [name for name in wanted.values() if name.namespace and name.namespace == event.name]
        itself = wanted.get(("namespaces", "", event.name))
        return [*inside, itself] if itself else inside
    if event.name:
        name = wanted.get((event.resource, event.namespace, event.name))
        return [name] if name else []
    return []  # of a collection: which objects, its selector decides


def _who_deletes(scan: Scan, left: Mapping[ObjectName, str], own: set[AccessorKey]) -> list[AccessorKey]:
    """Everybody else who deleted a thing of these kinds after the intruder came, the quiet ones first."""
    kinds, since, room = {name.kind for name in left} | {"namespaces"}, min(left.values()), _READ
    out = list[AccessorKey]()
    for key, profile in sorted(scan.profiles.by_key.items(), key=lambda pair: (pair[1].requests, pair[0])):
        if key in own or profile.last < since or profile.places is None or not _deletes(profile, kinds):
            continue
        room -= profile.requests
        if room < 0:
            break
        out.append(key)
    return out


def _deletes(profile: Profile, kinds: set[str]) -> bool:
    return any(kind.verb in _DELETES and kind.resource in kinds and not kind.subresource for kind in profile.allowed)
