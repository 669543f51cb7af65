"""What a trace may begin with, named the way a person finds it in the evidence, and near names for what is not there.

`pid:4411@node2`, `pod:shop/web-0` or `pod:web-0`, `address:203.0.113.7`, `identity:system:anonymous`, `step:7`,
`finding:F-0003` or just `F-0003`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from msgspec import Struct

from kubewitness.model.errors import UsageError
from kubewitness.model.incident import Entity, Finding, Incident, Step
from kubewitness.report.document import Document

KINDS: Final = (
    "pid", "pod", "node", "container", "address", "identity", "file", "socket", "object", "setting", "request", "step",
    "finding",
)  # fmt: skip
_ALIASES: Final = {"process": "pid", "detection": "finding", "ip": "address", "user": "identity"}
_FINDING: Final = re.compile(r"[Ff]-\d{1,9}$")
_MOST: Final = 5_000  # names that are known
_LONGEST: Final = 200  # characters of a name that is compared with others
_FORMS: Final = (
    "pid:4411@node2, pod:namespace/name, address:203.0.113.7, identity:NAME, object:daemonsets/namespace/name, step:7, "
    "finding:F-0003"
)
_OFFERED: Final = ("pid", "pod", "object", "identity", "address", "finding", "step", "file", "container", "node")


class Subject(Struct, frozen=True):
    """What a trace begins with."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


def subject_of(text: str) -> Subject:
    """The subject that a person named.

    Raises:
        UsageError: it is none, with the forms there are.
    """
    if _FINDING.match(text.strip()):
        return Subject("finding", text.strip().upper())
    kind, colon, name = text.partition(":")
    kind = _ALIASES.get(kind, kind)
    if not colon or kind not in KINDS or not name.strip():
        raise UsageError(
            f"{text[:100]!r} names nothing to trace; write for example {_FORMS} (kinds: {', '.join(KINDS)})"
        )
    return Subject(kind, name.strip())


def entities_of(document: Document, incident: Incident, subject: Subject) -> Iterator[Entity]:
    """The entities of the chain that a subject names."""
    known = {entity for edge in incident.edges for entity in (edge.source, edge.target)}
    known |= {entity for step in incident.steps for entity in step.entities}
    if subject.kind in ("step", "finding"):
        for step in steps_named(document, incident, subject):
            own = Entity("step", f"{incident.id}/{step.number}")
            if own in known:
                yield own
            else:
                yield from step.entities or requests_of(step)
        return
    yield from (entity for entity in known if _names(entity, subject))


def steps_named(document: Document, incident: Incident, subject: Subject) -> list[Step]:
    """The steps that a `step` or `finding` names."""
    if subject.kind == "step":
        return [step for step in incident.steps if str(step.number) == subject.name]
    finding = finding_named(document, subject)
    if finding is None:
        return []
    cited = {(one.item, one.line, one.offset) for one in finding.evidence}
    same = [s for s in incident.steps if any((one.item, one.line, one.offset) in cited for one in s.evidence)]
    if same or finding.incident != incident.id:
        return same
    # The step cites others of the finding's many requests.
    return [step for step in incident.steps if finding.rule in step.rules]


def finding_named(document: Document, subject: Subject) -> Finding | None:
    """The finding with that id."""
    return next((one for one in document.findings if one.id.lower() == subject.name.lower()), None)


def requests_of(step: Step) -> Iterator[Entity]:
    """The requests that a step cites."""
    return (Entity("request", one.audit_id) for one in step.evidence if one.audit_id)


def known_subjects(document: Document, most: int = 12) -> list[str]:
    """Some subjects that the report could be asked about: a few of each kind, what people ask for first."""
    by_kind = dict[str, list[str]]()
    for name in all_subjects(document):
        by_kind.setdefault(name.partition(":")[0], []).append(name)
    out = list[str]()
    for depth in range(3):
        out += [by_kind[kind][depth] for kind in _OFFERED if len(by_kind.get(kind, ())) > depth]
    return out[:most]


def all_subjects(document: Document) -> list[str]:
    """All subjects that the report could be asked about, as they are written; in order of appearance."""
    out = dict[str, None]()
    for incident in document.incidents:
        for step in incident.steps:
            out.update(dict.fromkeys(str(_as_subject(entity)) for entity in step.entities))
        for edge in incident.edges:
            for entity in (edge.source, edge.target):
                if entity.kind not in ("request", "pods", "step"):
                    out.setdefault(str(_as_subject(entity)))
        for actor in incident.actors:
            out.update(dict.fromkeys(f"address:{one}" for one in actor.addresses))
            out.update(dict.fromkeys(f"identity:{one}" for one in actor.identities))
        out.update(dict.fromkeys(f"pod:{one.namespace}/{one.name}" for one in incident.pods))
        out.update(dict.fromkeys(f"node:{one}" for one in incident.nodes))
        out.update(dict.fromkeys(f"step:{step.number}" for step in incident.steps))
        if len(out) > _MOST:
            break
    out.update(dict.fromkeys(f"finding:{one.id}" for one in document.findings if one.incident))
    return list(out)[:_MOST]


def near_subjects(document: Document, text: str, most: int = 5) -> list[str]:
    """Known subjects that are written much like `text`, or that are called so and are of another kind."""
    known = [one for one in all_subjects(document) if len(one) <= _LONGEST]
    kind, colon, name = text[:_LONGEST].partition(":")
    if not colon or (kind not in KINDS and kind not in _ALIASES):
        name = text[:_LONGEST]
    called = [one for one in known if name and _called(one, name)]
    if not called and len(name) >= 3:
        called = [one for one in known if name in one.partition(":")[2]]
    alike = get_close_matches(text[:_LONGEST], known, most, 0.7)
    return list(dict.fromkeys([*called, *alike]))[:most]


def _called(known: str, name: str) -> bool:
    own = known.partition(":")[2]
    return name in (own, own.partition("@")[0], own.rpartition("/")[2])


def _as_subject(entity: Entity) -> Subject:
    name = entity.name
    if entity.kind == "process":
        node, _, pid = name.rpartition("/")
        return Subject("pid", f"{pid}@{node}")
    if entity.kind == "container":
        return Subject("container", name.rpartition("/")[2][:12])
    if entity.kind == "file":
        return Subject("file", name.partition(":")[2])
    return Subject(entity.kind, name)


def _names(entity: Entity, subject: Subject) -> bool:
    kind, name = subject.kind, subject.name
    if kind == "pid":
        pid, _, node = name.partition("@")
        own_node, _, own = entity.name.rpartition("/")
        return entity.kind == "process" and own == pid and (not node or own_node == node)
    if kind == "container":
        return entity.kind == "container" and len(name) >= 6 and entity.name.rpartition("/")[2].startswith(name)
    if kind == "file":
        return entity.kind == "file" and name in (entity.name.partition(":")[2], entity.name)
    if kind == "socket":
        return entity.kind == "socket" and name in entity.name
    if kind == "setting":
        return entity.kind == "setting" and name in (entity.name.rpartition(":")[2], entity.name)
    if kind == "pod" and entity.kind == "pods":
        group = entity.name.removesuffix("*")
        return name.startswith(group) or ("/" not in name and name.startswith(group.partition("/")[2]))
    if kind == "pod" and "/" not in name:
        return entity.kind == "pod" and entity.name.rpartition("/")[2] == name
    if kind == "object":
        return (entity.kind == "object" and name in (entity.name, entity.name.rpartition("/")[2])) or (
            entity.kind == "pod" and name == f"pods/{entity.name}"
        )
    if kind == "address":
        return (entity.kind == "address" and entity.name == name) or (
            entity.kind == "socket" and (f"→ {name}:" in entity.name or f"→ [{name}]:" in entity.name)
        )
    return entity.kind == kind and entity.name == name
