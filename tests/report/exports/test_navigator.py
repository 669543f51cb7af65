"""The layer is one that ATT&CK Navigator 4.9 and later open (format 4.5), and says what was seen."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import msgspec
import pytest

from kubewitness.model.document import Document
from kubewitness.model.incident import Technique
from kubewitness.report.exports.navigator import render
from tests.report.exports.documents import DOCUMENTS, JOINED, ON_NODE
from tests.report.small import INTRUSION, QUIET

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_COLOUR = {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"}


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object", "properties": properties, "required": list(required), "additionalProperties": False,
    }  # fmt: skip


_PAIRS = {"type": "array", "items": _object(("name", "value"), name=_TEXT, value=_TEXT)}
_LINKS = {
    "type": "array",
    "items": _object(("label", "url"), label=_TEXT, url={"type": "string", "pattern": "^https://"}),
}
# Written from the property tables of github.com/mitre-attack/attack-navigator, layers/spec/v4.5/layerformat.md.
SCHEMA = _object(
    ("name", "domain"),
    name=_TEXT, description=_TEXT, domain={"enum": ["enterprise-attack", "mobile-attack", "ics-attack"]},
    versions=_object(("navigator", "layer"), attack=_TEXT, navigator=_TEXT, layer={"const": "4.5"}),
    customDataURL=_TEXT, filters=_object(platforms={"type": "array", "items": _TEXT}),
    sorting={"enum": [0, 1, 2, 3]}, hideDisabled=_FLAG,
    layout=_object(
        layout={"enum": ["side", "flat", "mini"]}, showID=_FLAG, showName=_FLAG, showAggregateScores=_FLAG,
        countUnscored=_FLAG, aggregateFunction={"enum": ["average", "min", "max", "sum"]},
        expandedSubtechniques={"enum": ["none", "all", "annotated"]},
    ),
    techniques={
        "type": "array",
        "items": _object(
            ("techniqueID",),
            techniqueID={"type": "string", "pattern": r"^T[0-9]{4}(\.[0-9]{3})?$"}, tactic=_TEXT, comment=_TEXT,
            enabled=_FLAG, score={"type": "number", "minimum": 0, "maximum": 100}, color=_COLOUR, metadata=_PAIRS,
            links=_LINKS, showSubtechniques=_FLAG,
        ),
    },
    gradient=_object(
        ("colors", "minValue", "maxValue"), colors={"type": "array", "items": _COLOUR, "minItems": 2},
        minValue={"type": "number"}, maxValue={"type": "number"},
    ),
    legendItems={"type": "array", "items": _object(("label", "color"), label=_TEXT, color=_COLOUR)},
    showTacticRowBackground=_FLAG, tacticRowBackground=_COLOUR, selectTechniquesAcrossTactics=_FLAG,
    selectSubtechniquesWithParent=_FLAG, selectVisibleTechniques=_FLAG, metadata=_PAIRS, links=_LINKS,
)  # fmt: skip


def _layer(document: Document) -> Any:
    return json.loads(render(document, "en"))


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_every_layer_is_valid(document: Document) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(_layer(document))


def test_a_technique_stands_once_under_each_of_its_tactics_with_its_worst_severity() -> None:
    listed = Technique("T1078.001", "Default Accounts", ("persistence", "initial-access", "no-tactic"))
    steps = tuple(
        msgspec.structs.replace(ON_NODE, number=number, severity=severity, techniques=(listed,), rules=(f"r/{number}",))
        for number, severity in ((1, "low"), (2, "high"), (3, "medium"))
    )
    incident = msgspec.structs.replace(INTRUSION.incidents[0], steps=steps)
    found = _layer(msgspec.structs.replace(INTRUSION, incidents=(incident,), findings=()))["techniques"]
    assert [(one["techniqueID"], one["tactic"], one["score"]) for one in found] == [
        ("T1078.001", "persistence", 80), ("T1078.001", "initial-access", 80),
    ]  # fmt: skip
    assert found[0]["comment"] == "INC-20221023-01 steps 1, 2, 3\nrules: r/1, r/2, r/3"
    assert found[0]["links"][0]["url"] == "https://attack.mitre.org/techniques/T1078/001"


def test_what_is_no_technique_is_not_in_the_layer_and_one_without_tactics_is() -> None:
    found = {one["techniqueID"]: one for one in _layer(JOINED)["techniques"]}
    assert "T9" not in found
    assert "tactic" not in found["T1014"]


def test_findings_outside_incidents_are_told_as_such() -> None:
    worth = msgspec.structs.replace(QUIET, findings=INTRUSION.findings[1:2])
    found = _layer(worth)["techniques"]
    assert found
    assert all(one["comment"].startswith("outside any incident") for one in found)
    assert _layer(QUIET)["description"] == "No incident was found."


def test_what_is_not_worth_a_look_outside_incidents_colours_no_technique() -> None:
    low = tuple(msgspec.structs.replace(one, severity="low") for one in QUIET.findings)
    assert _layer(msgspec.structs.replace(QUIET, findings=low))["techniques"] == []


def test_a_technique_has_the_severity_of_each_place_beside_it() -> None:
    inside = msgspec.structs.replace(INTRUSION.findings[0], severity="critical", incident="INC-1")
    outside = msgspec.structs.replace(inside, severity="medium", incident="")
    (one,) = _layer(msgspec.structs.replace(INTRUSION, incidents=(), findings=(inside, outside)))["techniques"]
    assert [(pair["name"], pair["value"]) for pair in one["metadata"]][:2] == [
        ("INC-1", "critical"), ("outside any incident", "medium"),
    ]  # fmt: skip
    assert one["score"] == 100
