"""OCSF 1.5.0 events, one a line: an Incident Finding (2005) an incident, a Detection Finding (2004) a finding.

An Incident Finding lists its findings by the same `uid` that their Detection Findings have; those name the incident as
`metadata.correlation_uid`, and cite each piece of evidence with place, hash and auditID. Ids are UUIDs made from
content, since ours (INC-…, F-…) hold within one report; ours stand beside them. OCSF demands an assignee or a group of
an incident: nobody has it yet, so the group is called "unassigned". Severities and confidences map one to one.

Source: schema.ocsf.io/1.5.0, classes incident_finding and detection_finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from kubewitness.model.document import Document
from kubewitness.model.incident import Evidence, Finding, Incident, ObjectName, Technique
from kubewitness.model.judgement import SEVERITIES, Confidence, Severity
from kubewitness.model.text import Language
from kubewitness.report.citation import object_words
from kubewitness.report.exports import attack
from kubewitness.report.exports.attack_flow import key_of
from kubewitness.report.exports.bundle import named
from kubewitness.report.exports.interface import (
    Fields,
    Json,
    address,
    clean,
    filled,
    first_moment,
    microseconds,
    moment,
    rows,
)  # fmt: skip
from kubewitness.rules.attack import technique as of_table

VERSION: Final = "1.5.0"
_CREATE: Final = 1
_CLASSES: Final = {2004: "Detection Finding", 2005: "Incident Finding"}
_SEVERITY: Final[dict[Severity, tuple[int, str]]] = {
    word: (number, word.capitalize()) for number, word in enumerate(SEVERITIES, 1)
}
_CONFIDENCE: Final[dict[Confidence, tuple[int, str]]] = {
    "low": (1, "Low"),
    "medium": (2, "Medium"),
    "high": (3, "High"),
}
_ADDRESS, _USER, _AGENT, _RESOURCE, _CREDENTIAL = 2, 4, 16, 10, 19  # observable types
_TYPE_NAMES: Final = {
    _ADDRESS: "IP Address", _USER: "User Name", _AGENT: "HTTP User-Agent", _RESOURCE: "Resource UID",
    _CREDENTIAL: "User Credential ID",
}  # fmt: skip


def render(document: Document, language: Language) -> bytes:
    """The events: incidents first, then findings, in the document's order."""
    return rows(_events(document, language))


def _events(document: Document, language: Language) -> Iterator[Fields]:
    keys = {incident.id: _uid(key_of(incident)) for incident in document.incidents}
    own = dict[str, list[Finding]]()
    for finding in document.findings:
        own.setdefault(finding.incident, []).append(finding)
    for incident in document.incidents:
        yield _incident(incident, own.get(incident.id, []), document, language)
    for finding in document.findings:
        yield _finding(finding, keys.get(finding.incident, ""), document, language)


def _incident(incident: Incident, findings: list[Finding], document: Document, language: Language) -> Fields:
    uid, title = _uid(key_of(incident)), incident.title.in_(language) or incident.id or "-"
    story = "\n".join(line.in_(language) for line in incident.story)
    techniques = attack.real(one for step in incident.steps for one in step.techniques)
    first, last = moment(incident.first), moment(incident.last)
    about = [_info(one, language) for one in findings] or [{"uid": uid, "title": title}]
    confidence_id, confidence = _CONFIDENCE[incident.confidence]
    status = [f"{label.in_(language)}: {state.in_(language)}" for label, state in incident.status]
    return _event(2005, uid, incident.severity, document, incident.last) | filled(
        message=title, desc=story, finding_info_list=about, attacks=_attacks(techniques),
        assignee_group={"name": "unassigned"}, status_id=1, status="New", status_detail="; ".join(status),
        verdict_id=2 if incident.confidence == "high" else 4,
        verdict="True Positive" if incident.confidence == "high" else "Suspicious",
        confidence_id=confidence_id, confidence=confidence,
        start_time=_milliseconds(first), end_time=_milliseconds(last), count=len(findings) or 1,
        observables=_observables(
            (_ADDRESS, (one for actor in incident.actors for one in (*actor.addresses, *actor.servers))),
            (_USER, (one for actor in incident.actors for one in actor.identities)),
            (_CREDENTIAL, (one for actor in incident.actors for one in actor.credentials)),
            (_AGENT, (one for actor in incident.actors for one in actor.agents)),
            (_RESOURCE, (object_words(one) for step in incident.steps for one in step.objects)),
        ),
        unmapped=_told(incident),
    )  # fmt: skip


def _told(incident: Incident) -> Fields:
    """What OCSF has no place for."""
    steps: list[Json] = [
        filled(
            number=step.number, time=step.time, act=step.act, identity=step.identity, address=step.address,
            description=step.description.en, techniques=[one.id for one in attack.real(step.techniques)],
            evidence=[_place(one) for one in step.evidence],
        )
        for step in incident.steps
    ]  # fmt: skip
    causes: list[Json] = [
        filled(kind=one.kind, namespace=one.namespace, name=one.name, role=one.role, subject=one.subject)
        for one in incident.root_causes
    ]
    campaigns: list[Json] = [
        filled(
            uid=one.id, name=one.name.en, seen=one.seen, visible=one.visible, total=one.total, confidence=one.confidence
        )
        for one in incident.campaigns
    ]
    return filled(
        incident=incident.id, root_causes=causes, steps=steps, nodes=list(incident.nodes), runs_like=campaigns
    )  # fmt: skip


def _finding(finding: Finding, correlation: str, document: Document, language: Language) -> Fields:
    confidence_id, confidence = _CONFIDENCE[finding.confidence]
    first, last = moment(finding.first), moment(finding.last)
    event = _event(2004, _finding_uid(finding), finding.severity, document, finding.last)
    metadata = event["metadata"]
    assert isinstance(metadata, dict)
    runbook = finding.runbook.in_(language)
    return event | filled(
        metadata=metadata | filled(correlation_uid=correlation, event_code=finding.rule),
        message=finding.title.in_(language), finding_info=_info(finding, language), status_id=1, status="New",
        confidence_id=confidence_id, confidence=confidence, count=max(1, finding.count),
        start_time=_milliseconds(first), end_time=_milliseconds(last), is_alert=finding.kind == "intrusion",
        evidences=[_evidence(one, finding) for one in finding.evidence],
        resources=[_resource(one) for one in finding.objects],
        observables=_observables(
            (_ADDRESS, (finding.address,)), (_USER, (finding.identity,)),
            (_RESOURCE, map(object_words, finding.objects)),
        ),
        remediation={"desc": runbook} if runbook else None,
        unmapped=filled(finding=finding.id, incident=finding.incident, kind=finding.kind),
    )  # fmt: skip


def _event(class_uid: int, uid: str, severity: Severity, document: Document, last: str) -> Fields:
    """What both classes have. The event is the finding, so its time is the document's."""
    severity_id, word = _SEVERITY[severity]
    name = _CLASSES[class_uid]
    tool, _, version = document.tool.partition(" ")
    product = filled(name=tool or "kubewitness", vendor_name="Kubewitness", version=version)
    labels = [document.label.en] if document.label else []
    profiles = ["incident"] if class_uid == 2005 else []
    time = first_moment(document.generated, last, document.coverage.last)
    return {
        "class_uid": class_uid, "class_name": name, "category_uid": 2, "category_name": "Findings",
        "activity_id": _CREATE, "activity_name": "Create", "type_uid": class_uid * 100 + _CREATE,
        "type_name": f"{name}: Create", "time": microseconds(time) // 1000, "timezone_offset": 0,
        "severity_id": severity_id, "severity": word,
        "metadata": filled(
            version=VERSION, uid=uid, product=product, profiles=profiles, labels=labels, log_name=document.case,
            log_provider="kubewitness", original_time=last,
        ),
    }  # fmt: skip


def _info(finding: Finding, language: Language) -> Fields:
    first, last = moment(finding.first), moment(finding.last)
    return filled(
        uid=_finding_uid(finding), title=finding.title.in_(language), desc=finding.description.in_(language),
        attacks=_attacks(attack.real(finding.techniques)), first_seen_time=_milliseconds(first),
        last_seen_time=_milliseconds(last), types=[finding.kind], data_sources=_sources(finding.evidence),
        analytic=filled(type_id=1, type="Rule", uid=finding.rule, name=finding.title.en) if finding.rule else None,
    )  # fmt: skip


def _sources(evidence: Iterable[Evidence]) -> list[str]:
    return list(dict.fromkeys("k8s_audit" if one.audit_id else "host" for one in evidence))


def _attacks(techniques: Iterable[Technique]) -> list[Json]:
    """One entry a technique and tactic; a sub-technique stands below its technique."""
    out: list[Json] = []
    for one in techniques:
        parent, dot, _ = one.id.partition(".")
        name = of_table(parent).name if dot else one.name
        entry = filled(
            version=attack.VERSION, technique=filled(uid=parent, name=name, src_url=attack.page(parent)),
            sub_technique=filled(uid=one.id, name=one.name, src_url=attack.page(one.id)) if dot else None,
        )  # fmt: skip
        tactics = [
            filled(uid=attack.TACTICS[tactic][0], name=attack.TACTICS[tactic][1]) for tactic in attack.tactics(one)
        ]
        out += [entry | {"tactic": tactic} for tactic in tactics] or [entry]
    return out


def _evidence(one: Evidence, finding: Finding) -> Fields:
    """A citation; who and from where only of requests, since a finding's identity is theirs."""
    data = filled(
        place=_place(one), item=one.item, line=one.line, offset=one.offset, sha256=one.sha256, audit_id=one.audit_id,
        stage=one.stage, time=one.time, summary=one.summary, decisive=list(one.decisive), masked=one.masked,
    )  # fmt: skip
    source = address(finding.address) if one.audit_id else None
    actor = {"user": filled(name=finding.identity)} if one.audit_id and finding.identity else None
    return filled(
        data=data, uid=one.audit_id, name=_place(one), actor=actor,
        src_endpoint={"ip": str(source)} if source else None,
    )  # fmt: skip


def _place(one: Evidence) -> str:
    return f"{one.item}:{one.line}" if one.line else one.item


def _resource(name: ObjectName) -> Fields:
    return filled(type=name.kind, name=name.name or "*", namespace=name.namespace, uid=object_words(name) or "-")


def _observables(*groups: tuple[int, Iterable[str]]) -> list[Json]:
    """Each value once; what is called an address but is none is of another type."""
    out = dict[tuple[int, str], Json]()
    for type_id, values in groups:
        for value in map(clean, values):
            kind = 99 if type_id == _ADDRESS and address(value) is None else type_id
            if value:
                out[kind, value] = {"type_id": kind, "type": _TYPE_NAMES.get(kind, "Other"), "value": value}
    return list(out.values())


def _finding_uid(finding: Finding) -> str:
    cited = [f"{one.item}:{one.line}:{one.offset}:{one.audit_id}" for one in finding.evidence]
    return _uid(named("finding", finding.id, finding.rule, finding.first, finding.identity, finding.address, *cited))


def _uid(name: str) -> str:
    return name.partition("--")[2]


def _milliseconds(time: datetime | None) -> int | None:
    return microseconds(time) // 1000 if time else None
