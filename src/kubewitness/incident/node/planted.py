"""Keys of the intruder among those that may log in on a machine.

Keys in a file say nothing by themselves: who owns them only people know. A key whose body stands in a command of the
intruder is theirs. If no key of the file stands there, but a command writes the file, one of them may be, and which
one the evidence does not tell.

Source: sshd(8), "AUTHORIZED_KEYS FILE FORMAT": the body of a key is base64 and begins with the length of its type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.stating import lines_of, state
from kubewitness.incident.node.links import Tie, tie_of
from kubewitness.incident.node.story import cited
from kubewitness.incident.node.view import NodeView
from kubewitness.model.evidence import Place
from kubewitness.model.incident import Entity, Incident, Step
from kubewitness.model.judgement import SEVERITIES
from kubewitness.model.text import Text
from kubewitness.rules.attack import technique

RULE: Final = "host/planted_key"
_BODY: Final = re.compile(r"(?<![\w+/])AAAA[A-Za-z0-9+/]{16,8192}")
_LINE: Final = 16_384  # characters of a line that are looked at
_WRITES: Final = "command_names_file"  # the link of a command that changes the file on this very machine


def with_planted(views: Sequence[NodeView], incidents: Sequence[Incident]) -> tuple[NodeView, ...]:
    """The views with the keys that an incident's commands wrote told as such, beside the list of all keys."""
    out = list[NodeView]()
    for view in views:
        found = [
            key for one in view.findings if one.rule == "host/authorized_keys" for key in _planted(one, view, incidents)
        ]
        out.append(view._replace(findings=(*view.findings, *found)) if found else view)
    return tuple(out)


def _planted(listed: HostFinding, view: NodeView, incidents: Sequence[Incident]) -> Iterator[HostFinding]:
    item = listed.places[0][0].item if listed.places else ""
    file = next((one for one in view.host.files if one.place.item == item), None)
    if file is None:
        return
    keys = [
        (place, line[:_LINE]) for place, line in lines_of(file) if line.strip() and not line.lstrip().startswith("#")
    ]
    for incident in incidents:
        tie = tie_of(incident, view.lineage, listed)
        if tie is None:
            continue
        written = {body for step in incident.steps if step.succeeded for body in _BODY.findall(step.command[:_LINE])}
        theirs = [(place, line) for place, line in keys if not written.isdisjoint(_BODY.findall(line))]
        if theirs:
            yield _finding(view, listed, theirs, sure=True)
            return
        if tie.link == _WRITES and not written:
            yield _finding(view, listed, keys, sure=False)
            return


def _finding(view: NodeView, listed: HostFinding, keys: Sequence[tuple[Place, str]], *, sure: bool) -> HostFinding:
    reason = (
        Text("the key in the file is the one in the intruder's command", "文件中的密钥与入侵者命令中的密钥相同")
        if sure
        else Text(
            "a command of the intruder writes this file; which of its keys came of it the evidence does not tell",
            "入侵者的命令写入了该文件；其中哪个密钥由此而来，证据无法判断",
        )
    )
    return state(
        RULE.removeprefix("host/"),
        view.host,
        listed.subject,
        keys,
        severity=None if sure else "medium",
        confidence=None if sure else "medium",
        kind=None if sure else "activity",
        reasons=[reason],
    )


def with_effect(
    steps: Sequence[Step], tie: Tie, found: Sequence[HostFinding], hashes: Mapping[str, str]
) -> tuple[Step, ...] | None:
    """The steps with a planted key as the effect of the command that wrote it; None if that is no step of theirs.

    The command and the file say the same, so they are one act to tell and to check, and not two.
    """
    number = next((n for n, step in enumerate(steps) if tie.source and _is_by(step, tie.source)), -1)
    if number < 0 or any(one.rule != RULE for one in found):
        return None
    step = steps[number]
    told = [
        Text(f"{one.title.en} ({one.host}: {one.subject})", f"{one.title.zh}（{one.host}：{one.subject}）")
        for one in found
    ]
    names = {one.id for one in step.techniques}
    grown = replace(
        step,
        severity=max((step.severity, *(one.severity for one in found)), key=SEVERITIES.index),
        techniques=(
            *step.techniques,
            *(technique(t) for t in dict.fromkeys(t for f in found for t in f.techniques) if t not in names),
        ),
        rules=tuple(dict.fromkeys((*step.rules, RULE))),
        effects=(*step.effects, *told),
        evidence=(*step.evidence, *(place for one in found for place in cited(one.places, one.first, hashes))),
        entities=(*step.entities, *(Entity("file", f"{one.host}:{one.subject}") for one in found)),
    )
    return (*steps[:number], grown, *steps[number + 1 :])


def _is_by(step: Step, request: Entity) -> bool:
    return any(one.audit_id == request.name for one in step.evidence)
