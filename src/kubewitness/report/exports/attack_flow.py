"""Attack Flow 2.0: the chain as actions that have effects, from the root cause to the last step.

A flow starts with its root causes as conditions; what they made possible is the first step, and each step's effect is
the next. A step seen on a machine hangs on the request that its path over the incident's edges comes of, where it is
one of an earlier step. The technique that names an action is the first of its step. Its evidence is cited in
`external_references`: auditID, item and line.

As a file of its own (`--format attack-flow`) a document gives exactly one flow, as the specification asks; several
incidents are starting points in it.

Source: center-for-threat-informed-defense.github.io/attack-flow, attack-flow-schema-2.0.0.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from kubewitness.incident.deeds import kind_of
from kubewitness.model.document import Document
from kubewitness.model.incident import Entity, Evidence, Incident, ObjectName, Step
from kubewitness.model.text import Language, Text
from kubewitness.report.citation import object_words
from kubewitness.report.exports import attack
from kubewitness.report.exports.bundle import Bundle, named, refs
from kubewitness.report.exports.interface import Fields, Json, filled, first_moment, moment, stamp

EXTENSION: Final = "extension-definition--fb9c968a-745b-4ade-9b25-c324172197f4"
_AUTHOR: Final = "identity--d673f8cb-c168-42da-8ed4-0cb26725f86c"
_PUBLISHED: Final = "2022-08-02T19:34:35.143Z"
_NEW: Final[Fields] = {EXTENSION: {"extension_type": "new-sdo"}}
_CITED: Final = 20  # of a step

_NOBODY: Final = Text("No incident was found in this evidence.", "这些证据中未发现入侵事件。")
_NAMELESS: Final = Text("Kubernetes intrusion", "Kubernetes 入侵")


class Told(NamedTuple):
    """The flow of one incident: what starts it, its actions by step number, everything in it."""

    starts: tuple[str, ...]
    actions: Mapping[int, str]
    every: tuple[str, ...]


def render(document: Document, language: Language) -> bytes:
    """One flow for the document."""
    bundle = Bundle(document, language)
    _extend(bundle)
    starts = [start for incident in document.incidents for start in _starts(bundle, incident, chain(bundle, incident))]
    if not starts:
        starts = [_condition(bundle, named("attack-condition", "none", document.case), _NOBODY.in_(language), ())]
    titles = [one.title.in_(language) for one in document.incidents]
    story = [line.in_(language) for one in document.incidents for line in one.story]
    name = (titles[0] if len(titles) == 1 else document.case) or _NAMELESS.in_(language)
    key = named("attack-flow", document.case, *map(key_of, document.incidents))
    _flow(bundle, key, name, "\n".join(story if len(titles) == 1 else [*titles, *story]), starts)
    return bundle.write(document.case)


def key_of(incident: Incident) -> str:
    """What tells an incident from every other, in any language and whenever the report was made."""
    return named("incident", incident.id, incident.first, incident.last, *incident.audit_ids)


def flow(bundle: Bundle, incident: Incident) -> Told:
    """The incident's flow in the bundle, with its `attack-flow` object."""
    _extend(bundle)
    told = chain(bundle, incident)
    starts = _starts(bundle, incident, told)
    story = "\n".join(line.in_(bundle.language) for line in incident.story)
    title = incident.title.in_(bundle.language) or _NAMELESS.in_(bundle.language)
    top = _flow(bundle, named("attack-flow", key_of(incident)), title, story, starts)
    return told._replace(every=tuple(refs((top, *starts, *told.every))))


def _starts(bundle: Bundle, incident: Incident, told: Told) -> tuple[str, ...]:
    """A flow starts with something: an incident of no step and no cause with what it is called."""
    title = incident.title.in_(bundle.language) or _NAMELESS.in_(bundle.language)
    return told.starts or (_condition(bundle, named("attack-condition", key_of(incident)), title, ()),)


def chain(bundle: Bundle, incident: Incident) -> Told:
    """Conditions, actions and assets of an incident, all but the `attack-flow` object."""
    key = key_of(incident)
    bundle.since(when(incident)[0])
    actions = {step.number: named("attack-action", key, str(step.number)) for step in incident.steps}
    effects = _effects(incident)
    roots = sorted(set(actions) - {after for some in effects.values() for after in some})
    first = [actions[number] for number in roots]
    assets = _assets(bundle, incident, key)
    every = list(assets.values())
    conditions = list[str]()
    for number, cause in enumerate(incident.root_causes):
        text = cause.description.in_(bundle.language) or f"{cause.kind} {cause.name}"
        name = named("attack-condition", key, str(number), cause.kind, cause.namespace, cause.name)
        conditions.append(_condition(bundle, name, text, first))
    for step in incident.steps:
        every += _action(bundle, step, key, [actions[one] for one in effects.get(step.number, ())], assets)
    return Told(tuple(conditions or first), actions, tuple(refs((*conditions, *every))))


def _extend(bundle: Bundle) -> None:
    """The published definition of the extension and its author: without it a reader need not know our types."""
    documentation = "https://center-for-threat-informed-defense.github.io/attack-flow"
    bundle.foreign(
        {
            "type": "identity", "spec_version": "2.1", "id": _AUTHOR, "created_by_ref": _AUTHOR, "created": _PUBLISHED,
            "modified": _PUBLISHED, "name": "MITRE Center for Threat-Informed Defense",
            "identity_class": "organization",
        }
    )  # fmt: skip
    bundle.foreign(
        {
            "type": "extension-definition", "spec_version": "2.1", "id": EXTENSION, "created_by_ref": _AUTHOR,
            "created": _PUBLISHED, "modified": _PUBLISHED, "name": "Attack Flow",
            "description": "Extends STIX 2.1 with features to create Attack Flows.", "version": "2.0.0",
            "schema": f"{documentation}/stix/attack-flow-schema-2.0.0.json", "extension_types": ["new-sdo"],
            "external_references": [
                {
                    "source_name": "Documentation", "description": "Documentation for Attack Flow",
                    "url": documentation,
                },
                {
                    "source_name": "GitHub", "description": "Source code repository for Attack Flow",
                    "url": "https://github.com/center-for-threat-informed-defense/attack-flow",
                },
            ],
        }
    )  # fmt: skip


def _flow(bundle: Bundle, name: str, title: str, text: str, starts: list[str] | tuple[str, ...]) -> str:
    return bundle.say(
        "attack-flow", name, name=title, description=text, scope="incident", start_refs=list(starts), extensions=_NEW
    )


def _condition(bundle: Bundle, name: str, text: str, then: list[str] | tuple[str, ...]) -> str:
    return bundle.say("attack-condition", name, description=text, on_true_refs=list(then), extensions=_NEW)


def _effects(incident: Incident) -> dict[int, list[int]]:
    """Step → the steps that are its effects. What was seen on a node hangs on the step whose request it came of."""
    steps = sorted(incident.steps, key=lambda step: step.number)
    owner = {one.audit_id: step.number for step in reversed(steps) for one in step.evidence if one.audit_id}
    out = dict[int, list[int]]()
    before = 0
    for step in steps:
        came = next((owner[one.name] for one in step.path if one.kind == "request" and one.name in owner), 0)
        tied = 0 < came < step.number
        if parent := came if tied else before:
            out.setdefault(parent, []).append(step.number)
        if not tied:
            before = step.number
    return out


def _plain(name: ObjectName) -> ObjectName:
    """The object itself, for a request to `pods/exec` too."""
    return ObjectName(name.kind.partition("/")[0], name.namespace, name.name, name.group)


def _assets(bundle: Bundle, incident: Incident, key: str) -> dict[tuple[str, str, str], str]:
    """Objects of the chain, pods, nodes and secrets: kind, namespace and name → id."""
    out = dict[tuple[str, str, str], str]()

    def add(name: ObjectName, text: str = "") -> None:
        at = (name.kind, name.namespace, name.name)
        if name.kind and at not in out:
            one = ObjectName(kind_of(name.kind), name.namespace, name.name or "*")
            asset = named("attack-asset", key, *at)
            out[at] = bundle.say("attack-asset", asset, name=object_words(one), description=text, extensions=_NEW)

    for secret in incident.secrets:
        add(ObjectName("secrets", secret.namespace, secret.name), secret.description.in_(bundle.language))
    for pod in incident.pods:
        add(_plain(pod))
    for node in incident.nodes:
        add(ObjectName("nodes", "", node))
    for step in incident.steps:
        for name in step.objects:
            add(_plain(name))
        for entity in (*step.entities, *step.path):
            if entity.kind == "node":
                add(ObjectName("nodes", "", entity.name))
            elif entity.kind == "pod":
                add(ObjectName("pods", *_split(entity.name)))
    return out


def _split(name: str) -> tuple[str, str]:
    space, _, rest = name.partition("/")
    return space, rest


def _action(
    bundle: Bundle, step: Step, key: str, effects: list[str], assets: Mapping[tuple[str, str, str], str]
) -> list[str]:
    """The action of a step, and what it refers to: the ids."""
    techniques = attack.real(step.techniques)
    first = techniques[0] if techniques else None
    tactic = next(iter(attack.tactics(first)), "") if first else ""
    text = step.description.in_(bundle.language)
    words = f"{text}\n{step.why.in_(bundle.language)}".strip()
    start, end = moment(step.time), moment(step.last)
    touched = [_plain(name) for name in step.objects]
    at = [(name.kind, name.namespace, name.name) for name in touched]
    at += [("nodes", "", one.name) for one in (*step.entities, *step.path) if one.kind == "node"]
    at += [("pods", *_split(one.name)) for one in (*step.entities, *step.path) if one.kind == "pod"]
    command = _command(bundle, step, key) if step.command else ""
    pattern = bundle.technique(first) if first else ""
    action = bundle.say(
        "attack-action", named("attack-action", key, str(step.number)), name=first.name if first else text or step.act,
        technique_id=first.id if first else "", technique_ref=pattern,
        tactic_id=attack.TACTICS[tactic][0] if tactic else "", description=words,
        execution_start=stamp(start) if start else "", execution_end=stamp(max(end, start)) if start and end else "",
        command_ref=command, asset_refs=refs(assets.get(one, "") for one in at), effect_refs=effects,
        confidence=round(100 * max(0.0, min(step.confidence, 1.0))), external_references=_citations(step),
        extensions=_NEW,
    )  # fmt: skip
    return [action, command, pattern]


def _command(bundle: Bundle, step: Step, key: str) -> str:
    """The command of a step, as the one process that ran it where only one did."""
    processes = [one for one in step.entities if pid_of(one) is not None]
    if len(processes) == 1:
        return bundle.process(f"{key} {processes[0].name}", step.command, pid_of(processes[0]))
    return bundle.process(key, step.command)


def pid_of(entity: Entity) -> int | None:
    """The number of a process; none of anything else."""
    pid = entity.name.rpartition("/")[2] if entity.kind == "process" else ""
    return int(pid) if pid.isascii() and pid.isdigit() and len(pid) < 12 else None


def _citations(step: Step) -> list[Json]:
    return [_citation(one) for one in step.evidence[:_CITED] if one.item]


def _citation(one: Evidence) -> Fields:
    place = f"{one.item}:{one.line}" if one.line else f"{one.item} (offset {one.offset})"
    digest = f" sha256:{one.sha256}" if one.sha256 else ""
    source = "k8s_audit" if one.audit_id else "host"
    return filled(source_name=source, external_id=one.audit_id, description=f"{place}{digest}\n{one.summary}".strip())


def when(incident: Incident) -> tuple[str, str]:
    """First and last moment of an incident, in order."""
    first = first_moment(incident.first, incident.last)
    return stamp(first), stamp(max(first, first_moment(incident.last, incident.first)))
