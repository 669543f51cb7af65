"""The figures of one scenario: what its labels say happened against what the report says happened. Pure functions.

An expected incident and a found one are the same if they share requests; the pairing is the one, one to one, that
shares most. An intruder who left no request in the audit log (`audit_log_silent`) is paired by what else the labels
know of them: a cited log line, a named address. Whatever was found and is nobody's expected is an incident too many.

A share counts right answers of those asked for; for an incident that was missed every answer is wrong. Only an intruder
whom the audit log cannot show is not asked about until host evidence shows them: that is `needs_host_evidence`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from kubewitness.model.document import Document
from kubewitness.model.incident import Evidence, Finding, Incident, RootCause
from kubewitness.report.reading import to_read
from range.labels import Labels
from range.score_row import Accusation, Row, Share, add
from range.script import ExpectedIncident, Script

_SEVERE = ("high", "critical")
_BYSTANDER = "benign"  # the role of those whom a finding accuses falsely; an administrator's open door is no false one
_NAMED = 12  # audit ids in one remark, which is enough to look them up


@dataclass(frozen=True)
class Scored:
    """A scenario's row, and in words what is wrong."""

    row: Row
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One expected incident with all that the labels know of its intruder."""

    expected: ExpectedIncident
    requests: frozenset[str]
    steps: tuple[tuple[str, frozenset[str]], ...]  # name and requests, in the order done; those with requests
    lines: frozenset[tuple[str, int]]
    entry_addresses: frozenset[str]  # any of them is right
    addresses: frozenset[str]

    @property
    def audible(self) -> bool:
        """Whether the audit log can show this intruder."""
        return bool(self.requests)


def score(name: str, script: Script, labels: Labels, report: Document) -> Scored:
    """The figures of `report`, an investigation of the scenario that `script` played and `labels` recorded."""
    cases = tuple(case_of(expected, labels) for expected in script.expected.incidents)
    pairs = matched(cases, report.incidents)
    row, remarks = Row(name, script.kind), list[str]()
    for case, found in zip(cases, pairs, strict=True):
        part, said = _incident(case, None if found is None else report.incidents[found], labels)
        row = add(row, part)
        remarks += said
    nobodys = [incident for number, incident in enumerate(report.incidents) if number not in pairs]
    remarks += [f"an incident too many: {incident.id}, {incident.title.en}" for incident in nobodys]
    severe = [finding for finding in report.findings if finding.severity in _SEVERE]
    false = severe if script.kind == "benign" else [f for f in severe if _accuses_bystanders(f, labels)]
    surplus = Row(
        name,
        script.kind,
        precision=Share(0, sum(len(set(incident.audit_ids)) for incident in nobodys)),
        too_many=len(nobodys),
        benign_high=len(false) if script.kind == "benign" else 0,
        accused=len(false) if script.kind == "attack" else 0,
        evidence=max((len(to_read(incident)) for incident in report.incidents), default=0),
        accusations=tuple(_accusations(nobodys, false)),
    )
    return Scored(add(row, surplus), tuple(remarks))


def case_of(expected: ExpectedIncident, labels: Labels) -> Case:
    """The expected incident with what the labels know of its actors.

    An address is written as such or as the name of an actor. Those of the incident's actors who are in the log belong
    to it in any case, since a pod's is known only once it runs; an entry address not written is any of them. Of an
    intruder who is not in the log no address can be asked for but those that the script says are elsewhere in the
    evidence; their way in is right without an address, or with one of theirs.
    """
    mine = [request for request in labels.requests if request.actor in expected.actors]

    def addresses_of(actors: Iterable[str]) -> frozenset[str]:
        return frozenset(a for name in actors if name in labels.actors for a in labels.actors[name].addresses)

    own = addresses_of({request.actor for request in mine})
    entry = own or addresses_of(expected.actors) | {""}
    begun: dict[str, str] = {}
    for step in labels.steps:
        if step.actor in expected.actors and step.step:
            begun[step.step] = min(step.started, begun.get(step.step, step.started))
    requests_of = {name: frozenset(r.audit_id for r in mine if r.step == name) for name in begun}
    return Case(
        expected,
        frozenset(request.audit_id for request in mine),
        tuple((name, requests_of[name]) for name in sorted(begun, key=lambda n: (begun[n], n)) if requests_of[name]),
        frozenset((_plain(line.file), line.line) for line in labels.lines if line.actor in expected.actors),
        _addresses([expected.entry_address], labels) or entry,
        _addresses(expected.addresses, labels) | own,
    )


def matched(cases: Sequence[Case], found: Sequence[Incident]) -> tuple[int | None, ...]:
    """For each case the number of the found incident that is it, None if none is; altogether the most in common."""
    common = [[_in_common(case, incident) for incident in found] for case in cases]

    @cache
    def best(number: int, taken: frozenset[int]) -> tuple[int, tuple[int | None, ...]]:
        if number == len(cases):
            return 0, ()
        most, rest = best(number + 1, taken)
        choice: tuple[int | None, ...] = (None, *rest)
        for index, weight in enumerate(common[number]):
            if weight and index not in taken:
                other, rest = best(number + 1, taken | {index})
                if weight + other > most:
                    most, choice = weight + other, (index, *rest)
        return most, choice

    return best(0, frozenset())[1]


def _in_common(case: Case, incident: Incident) -> int:
    shared = len(case.requests & set(incident.audit_ids))
    if case.audible:
        return shared
    named = {address for actor in incident.actors for address in (*actor.addresses, *actor.servers)}
    return len(case.lines & {(_plain(e.item), e.line) for e in _evidence(incident)}) + len(case.addresses & named)


def _incident(case: Case, found: Incident | None, labels: Labels) -> tuple[Row, list[str]]:
    """The part of the row that one expected incident makes, and what is wrong with it."""
    who = " and ".join(case.expected.actors)
    if found is None and not case.audible:
        row = Row("", "", seen=Share(0, 1), needs_host_evidence=1)
        return row, [f"{who}: nothing of it is in the audit log; needs host evidence"]
    remarks: list[str] = []
    attributed = set(found.audit_ids) if found else set[str]()
    own = case.requests & attributed
    remarks += _ids("missed", case.requests - own, labels)
    remarks += _ids("attributed though not theirs", attributed - own, labels)
    steps, order, untold = _steps(case, found)
    remarks += untold
    expected = case.expected
    entry = _entry(case, found, remarks)
    cause = Share(0, 0)
    if expected.root_causes:
        named = [_names(one) for one in found.root_causes] if found else []
        cause = Share(int(any(set(names) & set(expected.root_causes) for names in named)), 1)
        if not cause.part:
            remarks.append(f"root cause: expected {_any(expected.root_causes)}, named {_any([n for n, _ in named])}")
    used = ((*actor.identities, *actor.impersonated) for actor in found.actors) if found else ()
    users = {user for names in used for user in names}
    actors = found.actors if found else ()
    places = {address for actor in actors for address in (*actor.addresses, *actor.servers)}
    identities, foreign_users = _complete("identities", frozenset(expected.identities), users, remarks)
    addresses, foreign_places = _complete("addresses", case.addresses, places, remarks)
    row = Row(
        "",
        "",
        recall=Share(len(own), len(case.requests)),
        precision=Share(len(own), len(attributed)),
        steps=steps,
        order=order,
        entry=entry,
        cause=cause,
        identities=identities,
        addresses=addresses,
        seen=Share(int(found is not None), 1),
        identities_surplus=foreign_users,
        addresses_surplus=foreign_places,
        too_few=int(found is None),
    )
    missing = [] if found else ["not found at all"]
    return row, [f"{who}: {remark}" for remark in missing + remarks]


def _steps(case: Case, found: Incident | None) -> tuple[Share, Share, list[str]]:
    """Labelled steps that are cited, and neighbours among them that are told in their order."""
    told: dict[str, tuple[int, int]] = {}
    for number, step in enumerate(found.steps if found else ()):
        for place, evidence in enumerate(step.evidence):
            told.setdefault(evidence.audit_id, (number, place))
    first = {name: min((told[r] for r in requests if r in told), default=None) for name, requests in case.steps}
    remarks = [f"step {name}: no step of the report cites it" for name, place in first.items() if place is None]
    ordered = 0
    for before, after in pairwise(first):
        one, two = first[before], first[after]
        ordered += one is not None and two is not None and one < two
        if one is not None and two is not None and one > two:
            remarks.append(f"step {after} is told before step {before}")
    cited = sum(place is not None for place in first.values())
    return Share(cited, len(first)), Share(ordered, max(len(first) - 1, 0)), remarks


def _entry(case: Case, found: Incident | None, remarks: list[str]) -> Share:
    identity, addresses = case.expected.entry_identity, case.entry_addresses
    if not identity and not addresses:
        return Share()
    entry = found.entry_point if found else None
    right = (
        entry is not None
        and (not identity or entry.identity == identity)
        and (not addresses or entry.address in addresses)
    )
    if not right:
        named = f"{entry.identity} from {entry.address}" if entry else "none"
        remarks.append(f"entry point: expected {identity or 'anybody'} from {_any(sorted(addresses))}, named {named}")
    return Share(int(right), 1)


def _complete(what: str, expected: frozenset[str], found: set[str], remarks: list[str]) -> tuple[Share, int]:
    """How many of the expected were found, and how many others."""
    if not expected:
        return Share(), 0
    if expected - found:
        remarks.append(f"{what} not named: {', '.join(sorted(expected - found))}")
    if found - expected:
        remarks.append(f"{what} named though not theirs: {', '.join(sorted(found - expected))}")
    return Share(len(expected & found), len(expected)), len(found - expected)


def _names(cause: RootCause) -> tuple[str, str]:
    """A root cause as the script writes it; a namespaced one also with its namespace."""
    return f"{cause.kind}/{cause.name}", f"{cause.kind}/{cause.namespace}/{cause.name}"


def _accuses_bystanders(finding: Finding, labels: Labels) -> bool:
    """It cites a benign actor's request and none of an intruder.

    The cluster's own parts do what others made them do, and an administrator's mistake may be the way in: a finding
    that cites them alone accuses nobody falsely.
    """
    cited = {evidence.audit_id for evidence in finding.evidence}
    roles = {labels.actors[request.actor].role for request in labels.requests if request.audit_id in cited}
    return _BYSTANDER in roles and "intruder" not in roles


def _accusations(nobodys: Iterable[Incident], false: Iterable[Finding]) -> Iterator[Accusation]:
    for incident in nobodys:
        yield Accusation("", incident.severity, len(set(incident.audit_ids)))
    counted = Counter((finding.rule, finding.severity) for finding in false)
    for (rule, severity), count in sorted(counted.items()):
        yield Accusation(rule, severity, count)


def _evidence(incident: Incident) -> Iterator[Evidence]:
    if incident.entry_point:
        yield from incident.entry_point.evidence
    for cited in (incident.root_causes, incident.steps, incident.secrets):
        for part in cited:
            yield from part.evidence


def _addresses(words: Iterable[str], labels: Labels) -> frozenset[str]:
    """Addresses, with the names of actors replaced by theirs."""
    return frozenset(
        address
        for word in words
        if word
        for address in (labels.actors[word].addresses if word in labels.actors else (word,))
    )


def _ids(what: str, audit_ids: Iterable[str], labels: Labels) -> list[str]:
    """One remark for each actor and step, with the audit ids of it."""
    groups: dict[str, list[str]] = {}
    owners = {request.audit_id: request for request in labels.requests}
    for audit_id in sorted(audit_ids):
        owner = owners.get(audit_id)
        whose = f"{owner.actor}{f', step {owner.step}' if owner.step else ''}" if owner else "not in the labels"
        groups.setdefault(whose, []).append(audit_id)
    return [
        f"{len(ids)} {what} ({whose}): {', '.join(ids[:_NAMED])}{', ...' if len(ids) > _NAMED else ''}"
        for whose, ids in sorted(groups.items())
    ]


def _any(words: Sequence[str]) -> str:
    return " or ".join(words) or "none"


def _plain(file: str) -> str:
    """A file's name as both sides know it: below the evidence folder, uncompressed."""
    return file.rpartition("evidence/")[2].removesuffix(".gz")
