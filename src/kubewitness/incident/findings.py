"""Findings: one for each detection a person should see, with its why and its incident."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from msgspec.structs import replace

from kubewitness.detect.detection import Detection
from kubewitness.detect.reading import event_of
from kubewitness.incident.citing import Citer, decisive_fields
from kubewitness.model.event import Event
from kubewitness.model.incident import Evidence, Finding
from kubewitness.model.judgement import SEVERITIES
from kubewitness.rules.attack import technique
from kubewitness.rules.fields import getter
from kubewitness.rules.ir import CorrelationRule, Rule

_MATCHED = 12
_VALUE = 300


def findings(
    detections: Sequence[Detection], incident_of: Mapping[int, str], citer: Citer, known: Mapping[str, Event]
) -> tuple[Finding, ...]:
    """Findings, the worst cited first, not yet numbered. `incident_of` maps a detection's index, `known` an auditID."""
    shown = [(index, detection) for index, detection in enumerate(detections) if detection.rule.kind != "context"]
    shown.sort(key=lambda pair: (-SEVERITIES.index(pair[1].rule.severity), pair[1].first, pair[1].rule.id))
    return tuple(_finding(detection, incident_of.get(index, ""), citer, known) for index, detection in shown)


def numbered(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings of several origins in one order, worst first, numbered."""
    ordered = sorted(found, key=lambda one: (-SEVERITIES.index(one.severity), one.first, one.rule))
    return tuple(replace(finding, id=f"F-{number:04}") for number, finding in enumerate(ordered, 1))


def _finding(detection: Detection, incident: str, citer: Citer, known: Mapping[str, Event]) -> Finding:
    rule = detection.rule
    events = _events(detection, known)
    fields = decisive_fields([rule]) if isinstance(rule, Rule) else []
    return Finding(
        id="",
        rule=rule.id,
        title=rule.title,
        description=rule.description,
        severity=rule.severity,
        confidence=rule.confidence,
        kind=rule.kind,
        techniques=tuple(technique(t) for t in rule.techniques),
        identity=detection.identity,
        address=detection.address,
        count=detection.count,
        first=detection.first,
        last=detection.last,
        objects=detection.objects,
        matched=_matched(rule, events[0]) if events else {},
        falsepositives=rule.falsepositives,
        runbook=rule.runbook,
        incident=incident,
        evidence=_cite(detection, events, fields, citer),
        reasons=detection.reasons,
    )


def _events(detection: Detection, known: Mapping[str, Event]) -> list[Event]:
    events = []
    for place, original in detection.places[:3]:
        event = event_of(original, place) if original else None
        if event is not None:
            events.append(event)
    if not events:
        events = [known[audit_id] for audit_id in sorted(detection.audit_ids & known.keys())[:3]]
    return events


def _cite(detection: Detection, events: Sequence[Event], fields: Sequence[str], citer: Citer) -> tuple[Evidence, ...]:
    if events:
        return tuple(citer.event(event, fields) for event in events)
    ids = detection.ids or (tuple(detection.audit_ids) if len(detection.audit_ids) == 1 else ())
    return tuple(
        citer.place(place, audit_id)
        for (place, _), audit_id in zip(detection.places, chain(ids, repeat("")), strict=False)
    )


def _matched(rule: Rule | CorrelationRule, event: Event) -> dict[str, Any]:
    """The values the rule looked at in its first event: the why."""
    names = rule.fields if isinstance(rule, Rule) else rule.group_by
    out: dict[str, Any] = {}
    for field in names[:_MATCHED]:
        if field == "*":
            continue
        values = [value[:_VALUE] if isinstance(value, str) else value for value in getter(field)(event)[:5]]
        if values:
            out[field] = values[0] if len(values) == 1 else values
    return out
