"""Indicators in an audit log: where an investigation already looks, in requests of incidents, detections, accessors.

Pass 1 knows nothing of indicators, so a list of any length costs it nothing. Addresses are looked up among the
accessors, once each; names, images and commands in the requests of incidents and in those that a rule spoke of. What
is seen becomes a finding in the incident whose evidence it is, never an incident of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from msgspec.structs import replace

from kubewitness.detect.collect import Collector
from kubewitness.detect.detection import Detection
from kubewitness.detect.indicators.index import Index, Sighting
from kubewitness.detect.indicators.indicator import Indicator
from kubewitness.detect.indicators.wording import RUNBOOK, description, harmless, matched, rule_of, title, weight
from kubewitness.detect.profile import AccessorKey, Profile
from kubewitness.detect.reading import event_of
from kubewitness.detect.run import Scan
from kubewitness.incident.citing import SHOWN, Citer
from kubewitness.incident.requests import Request
from kubewitness.model.event import Event
from kubewitness.model.incident import Finding, Incident, ObjectName
from kubewitness.model.judgement import SEVERITIES
from kubewitness.rules.features.exec_command import command_of
from kubewitness.rules.features.pod_spec import pod_specs

_ACCESSORS: Final = 50  # with a known address whose events are read again to be cited; the others are told uncited
_PAIRS: Final = 500  # identities and known addresses that are told
_DETECTED: Final = 5_000  # events of detections that are looked at
_OBJECTS: Final = 20


class _Seen(NamedTuple):
    sighting: Sighting
    event: Event


def in_audit(
    scan: Scan,
    index: Index,
    found: Sequence[Detection],
    gathered: Iterable[Sequence[Request]],
    *,
    incidents: Sequence[Incident],
    citer: Citer,
) -> tuple[Finding, ...]:
    """Findings of indicators among accessors and requests, not yet numbered."""
    owner = {audit_id: incident.id for incident in incidents for audit_id in incident.audit_ids}
    groups = dict[tuple[Indicator, str, str], list[_Seen]]()
    looked = set[tuple[str, int, int]]()
    events = [request.final for requests in gathered for request in requests]
    for event in (*events, *_of_detections(found)):
        key = (event.place.item, event.place.offset, event.place.element)
        if key not in looked:
            looked.add(key)
            for sighting in dict.fromkeys(_of_event(event, index)):
                group = groups.setdefault((sighting.indicator, event.identity, event.address), [])
                group.append(_Seen(sighting, event))
    out = [_finding(some, owner, citer) for some in groups.values()]
    out += _of_accessors(scan, index, events, owner, citer)
    return tuple(out)


def _of_detections(found: Sequence[Detection]) -> Iterator[Event]:
    kept = ((place, original) for detection in found for place, original in detection.places if original)
    for place, original in islice(kept, _DETECTED):
        if (event := event_of(original, place)) is not None:
            yield event


def _of_event(event: Event, index: Index) -> Iterator[Sighting]:
    if event.name:
        kind = f"{event.resource}/{event.subresource}" if event.subresource else event.resource
        there = event.succeeded and event.verb != "delete"
        # A name that was sought or deleted in vain is a rival's, unless nobody else would write it.
        yield from (
            one
            for one in index.of_object(kind, event.namespace, event.name)
            if there or one.indicator.confidence == "high"
        )
    if event.subresource in ("exec", "proxy", "attach"):
        yield from index.of_text(" ".join(command_of(event)))
    if event.verb in ("create", "update", "patch"):
        for spec in pod_specs(event):
            for container in spec.containers:
                yield from index.of_image(container.image)
                yield from index.of_text(" ".join((container.command, *container.hooks, *container.env)))


def _of_accessors(
    scan: Scan, index: Index, events: Sequence[Event], owner: Mapping[str, str], citer: Citer
) -> Iterator[Finding]:
    known = dict[str, list[Sighting]]()
    keys = dict[tuple[str, str], list[AccessorKey]]()
    for key, profile in scan.profiles.by_key.items():
        if key.address not in known:
            known[key.address] = list(index.of_address(key.address))
        if known[key.address] and profile.allowed:
            keys.setdefault((key.identity, key.address), []).append(key)
    read = {(event.identity, event.address) for event in events}
    rest = [key for pair, some in keys.items() if pair not in read for key in some][:_ACCESSORS]
    theirs = defaultdict[tuple[str, str], list[Event]](list)
    for event in (*events, *(Collector(scan).of(rest) if rest else ())):
        if event.decision != "forbid" and (event.identity, event.address) in keys:
            theirs[event.identity, event.address].append(event)
    for pair, some in sorted(keys.items())[:_PAIRS]:
        profiles = [scan.profiles.by_key[key] for key in some]
        for sighting in known[pair[1]]:
            seen = [_Seen(sighting, one) for one in theirs[pair]]
            finding = _finding(seen, owner, citer) if seen else _uncited(sighting, pair, profiles)
            yield finding if any(map(_asked, profiles)) else _milder(finding)


def _uncited(sighting: Sighting, pair: tuple[str, str], profiles: Sequence[Profile]) -> Finding:
    """A known address of an accessor whose events were not read again: what its profile tells."""
    first, last = min(one.first for one in profiles), max(one.last for one in profiles)
    judged = weight(sighting, first)
    one = sighting.indicator
    return Finding(
        id="",
        rule=rule_of(one),
        title=title(one),
        description=description(sighting, judged),
        severity=judged.severity,
        confidence=judged.confidence,
        kind=judged.kind,
        techniques=(),
        identity=pair[0],
        address=pair[1],
        count=sum(profile.requests for profile in profiles),
        first="" if first == "~" else first,
        last=last,
        matched=dict(matched(sighting)),
        falsepositives=harmless(one),
        runbook=RUNBOOK,
    )


def _asked(profile: Profile) -> bool:
    """It was let at an object, not only at /version or /healthz, which answer anybody."""
    return any(kind.resource for kind in profile.allowed)


def _milder(finding: Finding) -> Finding:
    low = SEVERITIES[min(SEVERITIES.index(finding.severity), SEVERITIES.index("low"))]
    return replace(finding, severity=low)


def _finding(some: Sequence[_Seen], owner: Mapping[str, str], citer: Citer) -> Finding:
    some = sorted(some, key=lambda seen: (seen.event.record.requestReceivedTimestamp, seen.event.audit_id))
    one, event = some[0].sighting, some[0].event
    times = [seen.event.record.requestReceivedTimestamp for seen in some]
    judged = weight(one, times[0])
    objects = dict.fromkeys(
        ObjectName(seen.event.resource, seen.event.namespace, seen.event.name, seen.event.object_ref.apiGroup)
        for seen in some
        if seen.event.resource
    )
    return Finding(
        id="",
        rule=rule_of(one.indicator),
        title=title(one.indicator),
        description=description(one, judged),
        severity=judged.severity,
        confidence=judged.confidence,
        kind=judged.kind,
        techniques=(),
        identity=event.identity,
        address=event.address,
        count=len({seen.event.audit_id or id(seen) for seen in some}),
        first=times[0],
        last=times[-1],
        objects=tuple(objects)[:_OBJECTS],
        matched=dict(matched(one)),
        falsepositives=harmless(one.indicator),
        runbook=RUNBOOK,
        incident=next((owner[seen.event.audit_id] for seen in some if seen.event.audit_id in owner), ""),
        evidence=tuple(citer.event(seen.event) for seen in some[:SHOWN]),
    )
