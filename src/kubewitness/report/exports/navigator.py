"""ATT&CK Navigator layer, format 4.5: the techniques that were seen, as dark as the worst that was done with them.

One layer for all incidents of the document and the findings outside them that are worth a look (medium and above);
choose an incident first to have its own. A technique stands under every tactic that a step or finding names. Its score
is its worst severity, informational 20 to critical 100; comment and metadata name steps and rules.

Source: github.com/mitre-attack/attack-navigator, layers/spec/v4.5/layerformat.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from kubewitness.model.document import Document
from kubewitness.model.incident import Technique
from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.text import Language, Text
from kubewitness.report.exports import attack
from kubewitness.report.exports.interface import Fields, Json, filled, whole
from kubewitness.report.words import SEVERITY

_SCORES: Final = {severity: 20 * number for number, severity in enumerate(SEVERITIES, 1)}
_COLOURS: Final = ("#ffffff", "#d9e5f2", "#b9d7a8", "#ffe08a", "#f6a04d", "#d9483b")  # evenly from 0 to 100
_NAMED: Final = 20  # rules in a comment

_WORTH_A_LOOK: Final = SEVERITIES[SEVERITIES.index("medium") :]

_STEP = Text("step {}", "步骤 {}")
_STEPS = Text("steps {}", "步骤 {}")
_RULES = Text("rules: {}", "规则：{}")
_OUTSIDE = Text("outside any incident", "不属于任何事件")
_NOTHING = Text("No incident was found.", "未发现入侵事件。")


@dataclass
class _Seen:
    technique: Technique
    severities: dict[str, Severity] = field(default_factory=dict)  # by incident; "" outside
    steps: dict[str, list[int]] = field(default_factory=dict)
    rules: dict[str, None] = field(default_factory=dict)

    def add(self, severity: Severity, incident: str, step: int, rules: tuple[str, ...]) -> None:
        self.severities[incident] = max(self.severities.get(incident, severity), severity, key=SEVERITIES.index)
        steps = self.steps.setdefault(incident, [])
        if step and step not in steps:
            steps.append(step)
        self.rules.update(dict.fromkeys(rules))


def render(document: Document, language: Language) -> bytes:
    """The layer."""
    titles = [f"{one.id}: {one.title.in_(language)}" for one in document.incidents]
    metadata: list[Json] = [_pair("case", document.case), _pair("generated", document.generated)]
    metadata += [_pair(one.id, f"{one.severity}, {one.first} - {one.last}") for one in document.incidents]
    techniques = [one for seen in _seen(document) for one in _entries(seen, language)]
    return whole(
        {
            "name": f"Kubewitness: {document.case}"[:200],
            "versions": {"attack": attack.VERSION, "navigator": "5.1.0", "layer": "4.5"},
            "domain": "enterprise-attack",
            "description": "\n".join(titles) or _NOTHING.in_(language),
            "sorting": 3,
            "layout": {"layout": "side", "showID": True, "showName": True, "expandedSubtechniques": "annotated"},
            "hideDisabled": False,
            "techniques": techniques,
            "gradient": {"colors": list(_COLOURS), "minValue": 0, "maxValue": 100},
            "legendItems": [
                {"label": SEVERITY[severity].in_(language), "color": colour}
                for severity, colour in zip(SEVERITIES, _COLOURS[1:], strict=True)
            ],
            "metadata": metadata,
        }
    )


def _seen(document: Document) -> list[_Seen]:
    by_id = dict[str, _Seen]()

    def of(technique: Technique) -> _Seen:
        return by_id.setdefault(technique.id, _Seen(technique))

    for incident in document.incidents:
        for step in incident.steps:
            for one in attack.real(step.techniques):
                of(one).add(step.severity, incident.id, step.number, step.rules)
    for finding in document.findings:
        if not finding.incident and finding.severity not in _WORTH_A_LOOK:
            continue
        for one in attack.real(finding.techniques):
            of(one).add(finding.severity, finding.incident, 0, (finding.rule,))
    return [by_id[name] for name in sorted(by_id)]


def _entries(seen: _Seen, language: Language) -> list[Fields]:
    places = [
        " ".join(filter(None, (incident or _OUTSIDE.in_(language), _numbers(steps, language))))
        for incident, steps in seen.steps.items()
    ]
    rules = list(seen.rules)
    listed = ", ".join(rules[:_NAMED]) + (" …" if len(rules) > _NAMED else "")
    comment = "\n".join([*places, _RULES.in_(language).format(listed)] if rules else places)
    metadata: list[Json] = [
        _pair(incident or _OUTSIDE.in_(language), _numbers(steps, language) or seen.severities[incident])
        for incident, steps in seen.steps.items()
    ]
    metadata += [_pair("rule", rule) for rule in rules[:_NAMED]]
    score = max(_SCORES[severity] for severity in seen.severities.values())
    shared = filled(
        techniqueID=seen.technique.id, score=score, comment=comment, enabled=True, metadata=metadata,
        links=[{"label": "ATT&CK", "url": attack.page(seen.technique.id)}],
    )  # fmt: skip
    return [shared | filled(tactic=tactic) for tactic in attack.tactics(seen.technique)] or [shared]


def _numbers(steps: list[int], language: Language) -> str:
    words = _STEPS if len(steps) > 1 else _STEP
    return words.in_(language).format(", ".join(map(str, sorted(steps)))) if steps else ""


def _pair(name: str, value: str) -> Fields:
    return {"name": name, "value": value or "-"}
