"""STIX 2.1: incidents with their chains (Attack Flow), who was seen, ATT&CK techniques and indicators, in one bundle.

Every incident is an `incident`, an `attack-flow` and a `report` that holds all of it: platforms show reports, and need
not know flows. What an actor used is `observed-data`, since nobody is named by it. Indicators are those of lists that
were seen in the evidence, as `indicator` with a `sighting`; only types that a STIX pattern can say. No address becomes
an indicator merely because an intruder used it. A campaign that an incident runs like is a `campaign` that the incident
is related to, with confidence and what was seen of it: a likeness, no attribution.

Source: OASIS STIX 2.1, sections 4 to 7 and 9 (patterns).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from kubewitness.model.document import Document
from kubewitness.model.incident import CampaignMatch, Finding, Incident, Step
from kubewitness.model.text import Language, Text
from kubewitness.report.citation import of_machine
from kubewitness.report.exports import attack
from kubewitness.report.exports.attack_flow import flow, key_of, pid_of, when
from kubewitness.report.exports.bundle import ALWAYS, TOOL, Bundle, named, refs
from kubewitness.report.exports.interface import Json, address, clean, filled, first_moment, stamp

_URL: Final = re.compile("https://[!-~]{1,2000}")
_LIKE: Final = Text(
    "It runs like this campaign: {seen} steps seen, of {visible} that this evidence could show and {total} in all.",
    "其过程与该攻击活动相似：共 {total} 步，现有证据可显示 {visible} 步，已见 {seen} 步。",
)
_CONFIDENCE: Final = {"low": 30, "medium": 60, "high": 90}


def render(document: Document, language: Language) -> bytes:
    """The bundle."""
    bundle = Bundle(document, language)
    known = {incident.id: incident for incident in document.incidents}
    seen = dict[str, list[str]]()
    for finding in document.findings:
        seen.setdefault(finding.incident, []).extend(_indicator(bundle, finding, document.generated))
    for name, incident in known.items():
        _incident(bundle, incident, seen.get(name, []))
    return bundle.write(document.case)


def _incident(bundle: Bundle, incident: Incident, indicators: list[str]) -> None:
    language, key = bundle.language, key_of(incident)
    story = "\n".join(line.in_(language) for line in incident.story)
    title = incident.title.in_(language) or incident.id or "-"
    first, last = when(incident)
    told = flow(bundle, incident)
    reference = filled(source_name="kubewitness", external_id=incident.id)
    sure = _CONFIDENCE[incident.confidence]
    case = bundle.say(
        "incident", key, name=title, description=story, confidence=sure, labels=[incident.severity],
        external_references=[reference] if incident.id else [],
    )  # fmt: skip
    every = [case, *told.every, bundle.relate(named("attack-flow", key), "related-to", case)]
    for number, actor in enumerate(incident.actors):
        objects = refs(
            [*map(bundle.address, (*actor.addresses, *actor.servers)), *map(bundle.account, actor.identities)]
        )
        if not objects:
            continue
        observed = bundle.say(
            "observed-data", named("observed-data", key, str(number)), first_observed=first, last_observed=last,
            number_observed=max(1, min(actor.requests, 999_999_999)), object_refs=objects,
        )  # fmt: skip
        every += [observed, *objects, bundle.relate(observed, "related-to", case)]
    for step in incident.steps:
        every += _of_step(bundle, step, key, told.actions[step.number])
    for match in incident.campaigns:
        every += _campaign(bundle, match, case)
    for one in indicators:
        every.append(one)
        if one.startswith("indicator--"):
            every.append(bundle.relate(one, "related-to", case))
    bundle.say(
        "report", named("report", key), name=title, description=story, report_types=["threat-report"],
        published=bundle.made, confidence=sure, object_refs=refs(every),
    )  # fmt: skip


def _campaign(bundle: Bundle, match: CampaignMatch, case: str) -> list[str]:
    """A campaign that an incident runs like, and how much: likeness is no attribution."""
    references: list[Json] = [
        filled(source_name="source", url=one) if _URL.fullmatch(one) else filled(source_name="source", description=one)
        for one in match.sources
        if one
    ]
    name = match.name.in_(bundle.language) or match.id or "-"
    began = bundle.began
    bundle.since(ALWAYS)  # it is older than the incident, and one for all incidents
    campaign = bundle.say("campaign", named("campaign", match.id), name=name, external_references=references)
    bundle.since(began)
    told = _LIKE.in_(bundle.language).format(seen=match.seen, visible=match.visible, total=match.total)
    likeness = bundle.relate(
        case, "related-to", campaign, description=told, confidence=_CONFIDENCE[match.confidence], lang=bundle.language
    )
    return [campaign, likeness]


def _of_step(bundle: Bundle, step: Step, key: str, action: str) -> list[str]:
    """What a step used and touched, besides what the flow says already: relations of its action."""
    found = [bundle.address(step.address), bundle.account(step.identity, on_node=of_machine(step.evidence))]
    found += [bundle.technique(one) for one in attack.real(step.techniques)[1:]]
    for entity in (*step.entities, *step.path):
        name = entity.name
        if entity.kind == "file":
            found.append(bundle.file(name.partition(":")[2]))
        elif entity in step.entities and (pid := pid_of(entity)) is not None:
            found.append(bundle.process(f"{key} {name}", step.command, pid))
        elif entity.kind == "socket":
            found.append(bundle.address(_peer(name)))
        elif entity.kind == "address":
            found.append(bundle.address(name))
    out = list[str]()
    for one in refs(found):
        out += [one, bundle.relate(action, "related-to", one)]
    return out


def _peer(socket: str) -> str:
    """The far end of `node/tcp 10.0.0.1:40 → 192.0.2.1:443`."""
    _, arrow, end = socket.partition("→")
    return end.strip().rpartition(":")[0].strip("[]") if arrow else ""


def _text(value: str) -> str:
    return "'" + clean(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _address_pattern(value: str) -> str:
    found = address(value)
    return f"[ipv{found.version}-addr:value = {_text(str(found))}]" if found else ""


def _path_pattern(value: str) -> str:
    folder, slash, name = value.rpartition("/")
    if not slash or not name:
        return ""
    return f"[file:name = {_text(name)} AND file:parent_directory_ref.path = {_text(folder or '/')}]"


_PATTERNS: Final[dict[str, Callable[[str], str]]] = {
    "address": _address_pattern,
    "domain": lambda value: f"[domain-name:value = {_text(value)}]",
    "file_path": _path_pattern,
    "file_name": lambda value: f"[file:name = {_text(value)}]",
    "sha256": lambda value: f"[file:hashes.'SHA-256' = {_text(value)}]",
    "sha1": lambda value: f"[file:hashes.'SHA-1' = {_text(value)}]",
    "md5": lambda value: f"[file:hashes.MD5 = {_text(value)}]",
}


def _indicator(bundle: Bundle, finding: Finding, generated: str) -> list[str]:
    """The indicator that a finding is about and its sighting: ids, none if no STIX pattern says it."""
    if not finding.rule.startswith("indicators/"):
        return []
    told = {name: value for name, value in finding.matched.items() if isinstance(value, str)}
    value, kind = told.get("indicator", ""), told.get("type", "")
    pattern = _PATTERNS[kind](value) if value and kind in _PATTERNS else ""
    if not pattern:
        return []
    first = first_moment(finding.first, generated)
    last = max(first, first_moment(finding.last, finding.first, generated))
    bundle.since(stamp(first))
    indicator = bundle.say(
        "indicator", named("indicator", kind, value, finding.rule), name=f"{told.get('campaign') or kind}: {value}",
        description=finding.description.in_(bundle.language), pattern=pattern, pattern_type="stix",
        pattern_version="2.1", valid_from=stamp(first), confidence=_CONFIDENCE[finding.confidence],
        indicator_types=["malicious-activity" if finding.kind == "intrusion" else "anomalous-activity"],
    )  # fmt: skip
    sighting = bundle.say(
        "sighting", named("sighting", indicator, finding.id, finding.first, finding.identity, finding.address),
        first_seen=stamp(first), last_seen=stamp(last), count=max(0, min(finding.count, 999_999_999)),
        sighting_of_ref=indicator, where_sighted_refs=[TOOL],
    )  # fmt: skip
    return [indicator, sighting]
