"""Timesketch JSONL: a timeline of the steps, the evidence that they cite, and the findings.

Every line has `message`, `datetime` and `timestamp_desc`, which Timesketch demands, `timestamp` in microseconds since
1970, and `data_type` to tell steps from evidence. A piece of evidence that several steps and findings cite is one row.
What carries no time of its own (a line of a process list) stands at the time of what cites it, and says so. Tags are
the words to filter by: incident, severity, what a row is, ATT&CK ids.

Source: timesketch.org, guides/user/import-from-json-csv.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from kubewitness.model.document import Document
from kubewitness.model.incident import Evidence, Finding, Incident, Step
from kubewitness.model.text import Language
from kubewitness.report.citation import object_words
from kubewitness.report.exports import attack
from kubewitness.report.exports.interface import Fields, filled, first_moment, microseconds, moment, rows, stamp

_REQUEST: Final = "Request received"
_SEEN: Final = "Seen on a node"
_BORROWED: Final = "Time of what cites it"
_STEP: Final = "Step begins"
_FINDING: Final = "Finding begins"


@dataclass
class _Cited:
    evidence: Evidence
    time: str  # of what cites it first
    incidents: dict[str, None] = field(default_factory=dict)
    steps: dict[str, None] = field(default_factory=dict)
    findings: dict[str, None] = field(default_factory=dict)
    rules: dict[str, None] = field(default_factory=dict)


def render(document: Document, language: Language) -> bytes:
    """The timeline, in order of time."""
    told = [
        *(_of_step(step, incident, document, language) for incident in document.incidents for step in incident.steps),
        *(_of_finding(finding, document, language) for finding in document.findings),
        *(_of_evidence(one, document) for one in _cited(document)),
    ]
    told.sort(key=lambda row: row[0])  # stable: a step stands before its evidence
    return rows(row for _, row in told)


def _cited(document: Document) -> Iterator[_Cited]:
    found = dict[tuple[str, int, int, str, str], _Cited]()

    def note(evidence: tuple[Evidence, ...], time: str, incident: str) -> Iterator[_Cited]:
        for one in evidence:
            key = (one.item, one.line, one.offset, one.audit_id, one.stage)
            cited = found.setdefault(key, _Cited(one, time))
            if incident:
                cited.incidents[incident] = None
            yield cited

    for incident in document.incidents:
        for step in incident.steps:
            for cited in note(step.evidence, step.time, incident.id):
                cited.steps[f"{incident.id}#{step.number}"] = None
                cited.rules.update(dict.fromkeys(step.rules))
        rest = [one.evidence for one in incident.root_causes]
        rest += [one.evidence for one in incident.secrets]
        rest += [one.evidence for one in incident.edges]
        rest += [one.evidence for match in incident.campaigns for one in match.steps]
        rest += [incident.entry_point.evidence] if incident.entry_point else []
        for evidence in rest:
            for _ in note(evidence, incident.first, incident.id):
                pass
    for finding in document.findings:
        for cited in note(finding.evidence, finding.first, finding.incident):
            cited.findings[finding.id] = None
            cited.rules[finding.rule] = None
    yield from found.values()


def _at(time: datetime, meaning: str, message: str) -> Fields:
    return {
        "message": message or "-",
        "datetime": stamp(time).replace("Z", "+00:00"),
        "timestamp": microseconds(time),
        "timestamp_desc": meaning,
    }


def _of_step(step: Step, incident: Incident, document: Document, language: Language) -> tuple[datetime, Fields]:
    time = first_moment(step.time, step.last, incident.first, document.generated)
    last = moment(step.last)
    techniques = [one.id for one in attack.real(step.techniques)]
    return time, _at(time, _STEP, f"{incident.id} #{step.number}: {step.description.in_(language)}") | filled(
        data_type="kubewitness:step", incident=incident.id, step=f"{incident.id}#{step.number}",
        step_number=step.number, act=step.act, why=step.why.in_(language), user=step.identity, source_ip=step.address,
        user_agent=step.agent, command=step.command, severity=step.severity, confidence=step.confidence,
        inferred=step.inferred, requests=step.requests, succeeded=step.succeeded, techniques=techniques,
        rules=list(step.rules), objects=[object_words(one) for one in step.objects],
        entities=[f"{one.kind} {one.name}" for one in step.entities], last=stamp(last) if last else "",
        tag=_tags("kubewitness-step", incident.id, step.severity, *techniques),
    )  # fmt: skip


def _of_finding(finding: Finding, document: Document, language: Language) -> tuple[datetime, Fields]:
    time = first_moment(finding.first, finding.last, document.generated)
    last = moment(finding.last)
    techniques = [one.id for one in attack.real(finding.techniques)]
    return time, _at(time, _FINDING, f"{finding.id}: {finding.title.in_(language)}") | filled(
        data_type="kubewitness:finding", finding=finding.id, incident=finding.incident, rules=[finding.rule],
        severity=finding.severity, finding_confidence=finding.confidence, user=finding.identity,
        source_ip=finding.address, requests=finding.count, techniques=techniques,
        objects=[object_words(one) for one in finding.objects], last=stamp(last) if last else "",
        tag=_tags("kubewitness-finding", finding.incident, finding.severity, *techniques),
    )  # fmt: skip


def _of_evidence(cited: _Cited, document: Document) -> tuple[datetime, Fields]:
    one = cited.evidence
    own = moment(one.time)
    time = own or first_moment(cited.time, document.coverage.last, document.generated)
    meaning = (_REQUEST if one.audit_id else _SEEN) if own else _BORROWED
    place = f"{one.item}:{one.line}" if one.line else one.item
    return time, _at(time, meaning, one.summary or place) | filled(
        data_type="kubewitness:evidence", place=place, item=one.item, line=one.line, offset=one.offset,
        sha256=one.sha256, audit_id=one.audit_id, stage=one.stage, incidents=list(cited.incidents),
        steps=list(cited.steps), findings=list(cited.findings), rules=list(cited.rules),
        decisive=list(one.decisive), masked=one.masked,
        tag=_tags("kubewitness-evidence", *cited.incidents),
    )  # fmt: skip


def _tags(*words: str) -> list[str]:
    return list(dict.fromkeys(filter(None, words)))
