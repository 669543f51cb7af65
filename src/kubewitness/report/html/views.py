"""What the templates print, prepared from the frozen document: nothing here is believed that the document does not say.

The page must stay quick with thousands of cited records. Originals are embedded for every step first, then for the
second record of every step, and so on until the budget is spent; the rest are cited by place with a command that
prints them from the evidence itself.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from markupsafe import Markup

from kubewitness.model.evidence import EvidenceItem
from kubewitness.model.incident import Accessor, Evidence, Finding, Incident, ObjectName, RootCause, Step
from kubewitness.model.text import Text
from kubewitness.report.document import Document
from kubewitness.report.html.amounts import duration, epoch, seconds_between
from kubewitness.report.html.graph import draw_graph
from kubewitness.report.html.inert import one_line
from kubewitness.report.html.lanes import object_word
from kubewitness.report.html.originals import Unfolded, reason_of, unfold
from kubewitness.report.html.picture import draw
from kubewitness.report.reading import Reading, cited_in_all, to_read
from kubewitness.report.words import CREDENTIALS

MOST_ORIGINALS = 240  # embedded in one file
MOST_CHARACTERS = 3_000_000  # of originals in one file
_PER_STEP, _CITED = 5, 12
_MOST_ROWS = 1_000
_SILENCE = 30.0


@dataclass(frozen=True)
class Record:
    """One citation, unfolded if the budget allowed it."""

    evidence: Evidence
    item: str  # E1, E2 … as in the manifest; empty if the item is not listed there
    unfolded: Unfolded | None


@dataclass(frozen=True)
class Records:
    """The citations of one claim, and how to read those not unfolded here."""

    shown: tuple[Record, ...]
    total: int
    more: int
    command: str


@dataclass(frozen=True)
class StepRow:
    """A step with the time since the one before; `silence` if that was long."""

    step: Step
    since: Text | None
    silence: Text | None
    records: Records


@dataclass(frozen=True)
class CauseView:
    """A root cause with the binding as three boxes and the authorizer's own words."""

    cause: RootCause
    boxes: tuple[tuple[str, str], ...]
    reason: str
    records: Records
    deleted_step: int  # 0 if no step of the chain deleted it


@dataclass(frozen=True)
class ReadRow:
    """One record to read, with what it proves."""

    reading: Reading
    record: Record


@dataclass(frozen=True)
class IncidentView:
    """One incident, ready to print."""

    incident: Incident
    prefix: str
    picture: Markup
    graph: Markup
    reads: tuple[ReadRow, ...]
    cited: int  # records that the chain cites in all
    rows: tuple[StepRow, ...]
    causes: tuple[CauseView, ...]
    entry: Records | None
    findings: tuple[Finding, ...]
    requests: int
    carried: int | None  # requests carried out, where the steps account for every request
    touched: int
    rotation_told: bool  # the state says how many credentials are to be rotated


@dataclass(frozen=True)
class TimelineRow:
    """A cited record in the timeline."""

    evidence: Evidence
    identity: str
    verb: str
    target: str  # fragment of what cites it
    label: Text
    count: int = 1  # records alike in a row, shown as one
    until: Evidence | None = None  # the last of them


class Originals:
    """Hands out unfolded originals until the budget is spent; each record is cited as E1, E2 … of the manifest."""

    def __init__(self, document: Document) -> None:
        self._items = {item.name: item for item in document.coverage.items}
        self._names = {item.name: f"E{number}" for number, item in enumerate(document.coverage.items, 1)}
        self._count, self._characters = 0, 0
        self._granted: set[tuple[str, int, int, str]] = set()

    def reserve(self, claims: Iterable[tuple[Evidence, ...]]) -> None:
        """Grant originals fairly: the first record of every claim before the second of any."""
        claims = list(claims)
        for depth in range(_PER_STEP):
            for evidence in claims:
                if depth >= len(evidence) or not evidence[depth].original:
                    continue
                key, length = _key(evidence[depth]), min(len(evidence[depth].original), 8_000)
                if key in self._granted:
                    continue
                if self._count >= MOST_ORIGINALS or self._characters + length > MOST_CHARACTERS:
                    return
                self._granted.add(key)
                self._count, self._characters = self._count + 1, self._characters + length

    def records(self, evidence: tuple[Evidence, ...]) -> Records:
        """The citations of one claim."""
        shown = tuple(
            Record(
                one,
                self._names.get(one.item, ""),
                unfold(one.original, one.decisive) if index < _PER_STEP and _key(one) in self._granted else None,
            )
            for index, one in enumerate(evidence[:_CITED])
        )
        unread = [one for index, one in enumerate(evidence) if index >= _CITED or shown[index].unfolded is None]
        return Records(shown, len(evidence), len(evidence) - len(shown), self._command(unread))

    def places(self, evidence: tuple[Evidence, ...]) -> str:
        """Citations in short, "E2:96242, E2:96501 +3"."""
        named = [f"{self._names.get(one.item) or one_line(one.item, 60)}:{one.line}" for one in evidence[:3]]
        more = len(evidence) - len(named)
        return ", ".join(named) + (f" +{more}" if more > 0 else "")

    def _command(self, unread: list[Evidence]) -> str:
        """Shell that prints the records from the item most of them lie in; empty where no plain command can."""
        lines: dict[str, list[int]] = {}
        for one in unread:
            if one.line > 0 and one.item in self._items:
                lines.setdefault(one.item, []).append(one.line)
        if not lines:
            return ""
        name = max(lines, key=lambda item: (len(lines[item]), item))
        return read_command(self._items[name], sorted(set(lines[name])))


def read_command(item: EvidenceItem, lines: list[int]) -> str:
    """Shell that prints lines of an evidence item as they are."""
    if not item.name.isprintable() or item.name in ("-", ""):
        return ""
    script = shlex.quote(";".join(f"{line}p" for line in lines[:60]) + f";{lines[:60][-1]}q")
    archive, _, member = item.name.partition("!")
    if member:
        unpack = " | zcat" if member.endswith(".gz") else " | zstdcat" if member.endswith(".zst") else ""
        return f"tar -xOf {shlex.quote(archive)} -- {shlex.quote(member)}{unpack} | sed -n {script}"
    if item.compression:
        tool = "zcat" if item.compression == "gzip" else "zstdcat"
        return f"{tool} -- {shlex.quote(item.name)} | sed -n {script}"
    return f"sed -n {script} -- {shlex.quote(item.name)}"


def _key(evidence: Evidence) -> tuple[str, int, int, str]:
    return (evidence.item, evidence.line, evidence.offset, evidence.audit_id)


def incident_views(document: Document, language: str) -> tuple[tuple[IncidentView, ...], Originals]:
    """Every incident prepared, sharing one budget of originals."""
    originals = Originals(document)
    claims = [cause.evidence for incident in document.incidents for cause in incident.root_causes]
    claims += [step.evidence for incident in document.incidents for step in incident.steps]
    claims += [i.entry_point.evidence for i in document.incidents if i.entry_point]
    claims += [secret.evidence for incident in document.incidents for secret in incident.secrets]
    claims += [finding.evidence for finding in outside(document)[:_MOST_ROWS]]
    originals.reserve(claims)
    views = tuple(
        _incident(document, incident, f"i{index}", originals, language)
        for index, incident in enumerate(document.incidents, 1)
    )
    return views, originals


def _incident(document: Document, incident: Incident, prefix: str, originals: Originals, language: str) -> IncidentView:
    touched = {*incident.created, *incident.changed, *incident.deleted, *incident.read}
    touched |= {name for step in incident.steps if step.act != "refused" for name in step.objects}
    requests = sum(actor.requests for actor in incident.actors)
    if not requests and incident.audit_ids:
        requests = sum(step.requests for step in incident.steps)
    asked = [step for step in incident.steps if step.act != "effect"]
    findings = {finding.id: finding for finding in document.findings}
    entry = incident.entry_point
    return IncidentView(
        incident=incident,
        prefix=prefix,
        picture=draw(incident, document.coverage, prefix, language),
        graph=draw_graph(incident, prefix, language),
        reads=tuple(ReadRow(one, originals.records((one.evidence,)).shown[0]) for one in to_read(incident)),
        cited=cited_in_all(incident),
        rows=tuple(_rows(incident, originals)),
        causes=tuple(_cause(cause, incident, originals) for cause in incident.root_causes),
        entry=originals.records(entry.evidence) if entry else None,
        findings=tuple(findings[name] for name in incident.findings if name in findings),
        requests=requests,
        carried=sum(step.succeeded for step in asked)
        if requests and sum(step.requests for step in asked) == requests
        else None,
        touched=len(touched),
        rotation_told=any(label.en == CREDENTIALS.en for label, _ in incident.status),
    )


def _rows(incident: Incident, originals: Originals) -> Iterator[StepRow]:
    before: Step | None = None
    for step in sorted(incident.steps, key=lambda step: step.number):
        since = seconds_between(before.time, step.time) if before else None
        quiet = seconds_between(before.last or before.time, step.time) if before else None
        yield StepRow(
            step=step,
            since=duration(since) if since is not None and since >= 0 else None,
            silence=duration(quiet) if quiet is not None and quiet >= _SILENCE else None,
            records=originals.records(step.evidence),
        )
        before = step


def _cause(cause: RootCause, incident: Incident, originals: Originals) -> CauseView:
    boxes = [(cause.kind, cause.place)]
    if cause.role and cause.subject:
        boxes += [_box(cause.role), _box(cause.subject)]
    cited = [*cause.evidence, *(e for step in incident.steps if step.succeeded for e in step.evidence[:2])]
    reasons = (reason_of(evidence.original) for evidence in cited)
    reason = next((text for text in reasons if cause.name and f'"{cause.name}"' in text), "")
    deleted = (life.deleted_step for life in incident.lives if life.object.name == cause.name and life.deleted_step)
    return CauseView(cause, tuple(boxes), one_line(reason, 1000), originals.records(cause.evidence), next(deleted, 0))


def _box(text: str) -> tuple[str, str]:
    kind, _, name = text.partition(" ")
    return (kind, name) if name else ("", kind)


def in_common(document: Document, most: int = 6) -> list[str]:
    """Addresses, identities and credentials that more than one incident's actors have."""
    seen: dict[str, int] = {}
    for incident in document.incidents:
        own = {name for a in incident.actors for name in (*a.addresses, *a.identities, *a.credentials) if name}
        for name in own:
            seen[name] = seen.get(name, 0) + 1
    return sorted(name for name, count in seen.items() if count > 1)[:most]


def outside(document: Document) -> list[Finding]:
    """Findings that belong to no incident, the gravest first."""
    order = ("critical", "high", "medium", "low", "informational")
    free = [finding for finding in document.findings if not finding.incident]
    return sorted(free, key=lambda finding: (order.index(finding.severity), finding.first, finding.id))


def timeline(document: Document, views: tuple[IncidentView, ...]) -> list[TimelineRow]:
    """Every cited record once, by time, with the step or finding that cites it."""
    rows: dict[tuple[str, int, int, str], TimelineRow] = {}
    for view in views:
        for step in view.incident.steps:
            where = Text(f"step {step.number}", f"步骤 {step.number}")
            if len(views) > 1:
                where = Text(f"{view.incident.id} {where.en}", f"{view.incident.id} {where.zh}")
            for evidence in step.evidence:
                row = TimelineRow(evidence, step.identity, _verb(evidence), f"{view.prefix}s{step.number}", where)
                rows.setdefault(_key(evidence), row)
        for cause in view.incident.root_causes:
            for evidence in cause.evidence:
                row = TimelineRow(evidence, "", _verb(evidence), f"{view.prefix}cause", Text("root cause", "根因"))
                rows.setdefault(_key(evidence), row)
    for finding in document.findings:
        for evidence in finding.evidence:
            target = finding.id if not finding.incident else ""
            row = TimelineRow(evidence, finding.identity, _verb(evidence), target, Text(finding.id, finding.id))
            rows.setdefault(_key(evidence), row)
    ordered = sorted(rows.values(), key=lambda row: (epoch(row.evidence.time) or 0.0, _key(row.evidence)))
    folded: list[TimelineRow] = []
    for row in ordered:
        before = folded[-1] if folded else None
        if before and _alike(before, row):
            folded[-1] = replace(before, count=before.count + 1, until=row.evidence)
        else:
            folded.append(row)
    return folded


def _alike(one: TimelineRow, other: TimelineRow) -> bool:
    return (one.target, one.identity, one.verb, one.evidence.summary, one.evidence.item) == (
        other.target,
        other.identity,
        other.verb,
        other.evidence.summary,
        other.evidence.item,
    )


def _verb(evidence: Evidence) -> str:
    """The first word of a summary is the verb ("delete clusterrolebindings/x by …")."""
    first = evidence.summary.split(" ", 1)[0]
    return first if first.isascii() and first.isalpha() and len(first) <= 20 else ""


def object_list(names: Iterable[ObjectName], most: int = 20) -> tuple[list[str], int]:
    """Objects as words, and how many were left out."""
    words = [object_word(name) for name in names]
    return words[:most], max(0, len(words) - most)


def accessors(document: Document, most: int = 500) -> list[Accessor]:
    """Intruders first, then by number of requests."""
    ordered = sorted(document.accessors, key=lambda a: (not a.incident, -a.requests, a.identity, a.address))
    return ordered[:most]


def anchor(name: str) -> str:
    """A finding's id as a fragment: only letters, digits and dashes, whatever the document holds."""
    return "f-" + "".join(c for c in name if c.isascii() and (c.isalnum() or c == "-"))
