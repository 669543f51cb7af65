"""Flows are valid by the schema of Attack Flow 2.0, and their effects are the chain's."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from kubewitness.model.document import Document
from kubewitness.report.exports.attack_flow import EXTENSION, render
from tests.corpus import CORPUS, needs_corpus
from tests.report.exports.documents import DOCUMENTS, JOINED
from tests.report.small import INTRUSION, QUIET, SEVERAL

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_IDENTIFIER = {"type": "string", "pattern": f"^[a-z][a-z0-9-]+[a-z0-9]--{_UUID}$"}
_TIME = {"type": "string", "pattern": r"^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\.[0-9]+)?Z$"}
_REFERENCE = {
    "type": "object", "required": ["source_name"], "properties": {"source_name": {"type": "string"}},
    "anyOf": [{"required": ["description"]}, {"required": ["external_id"]}, {"required": ["url"]}],
}  # fmt: skip
# What the flow's schema refers to, written from sections 3.2 and 2.5 of STIX 2.1: nothing is fetched in a test.
_CORE = {
    "type": "object",
    "required": ["type", "spec_version", "id", "created", "modified"],
    "properties": {
        "type": {"type": "string", "pattern": "^[a-z][a-z0-9-]{2,249}$"}, "spec_version": {"const": "2.1"},
        "id": _IDENTIFIER, "created_by_ref": _IDENTIFIER, "created": _TIME, "modified": _TIME,
        "lang": {"type": "string"}, "confidence": {"type": "integer", "minimum": 0, "maximum": 100},
        "labels": {"type": "array", "minItems": 1}, "extensions": {"type": "object"},
        "external_references": {"type": "array", "items": _REFERENCE, "minItems": 1},
    },
}  # fmt: skip
_COMMON = "raw.githubusercontent.com/oasis-open/cti-stix2-json-schemas"
_REGISTRY: Registry[Any] = Registry().with_resources(
    (place, Resource.from_contents(schema, default_specification=DRAFT202012))
    for place, schema in (
        (f"http://{_COMMON}/stix2.1/schemas/common/core.json", _CORE),
        (f"http://{_COMMON}/stix2.1/schemas/common/identifier.json", _IDENTIFIER),
        (f"https://{_COMMON}/master/schemas/common/timestamp.json", _TIME),
    )
)


def validator() -> jsonschema.Draft202012Validator:
    """Of objects of a flow."""
    assert CORPUS is not None
    schema = json.loads((CORPUS / "attack-flow" / "attack-flow-schema-2.0.0.json").read_bytes())
    return jsonschema.Draft202012Validator(schema, registry=_REGISTRY)


def _objects(document: Document) -> list[dict[str, Any]]:
    objects = json.loads(render(document, "en"))["objects"]
    assert isinstance(objects, list)
    return objects


def of_type(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The objects of a type, in order."""
    return [one for one in objects if one["type"] == kind]


@needs_corpus
@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_every_object_of_a_flow_is_valid_by_the_published_schema(document: Document) -> None:
    check = validator()
    for one in _objects(document):
        if one["type"].startswith("attack-") and one["type"] != "attack-pattern":
            check.validate(one)


@needs_corpus
def test_the_published_example_is_valid_by_the_same_check_and_a_wrong_scope_is_not() -> None:
    assert CORPUS is not None
    example = json.loads((CORPUS / "attack-flow" / "attack-flow-example.json").read_bytes())["objects"]
    (flow,) = of_type(example, "attack-flow")
    check = validator()
    check.validate(flow)
    assert not check.is_valid(flow | {"scope": "everything"})
    assert not check.is_valid(flow | {"start_refs": []})
    assert not check.is_valid(flow | {"surprise": 1})


@needs_corpus
def test_the_definition_of_the_extension_is_the_published_one() -> None:
    assert CORPUS is not None
    published = json.loads((CORPUS / "attack-flow" / "attack-flow-extension-2.0.0.json").read_bytes())["objects"]
    ours = {one["id"]: one for one in _objects(INTRUSION)}
    assert [ours[one["id"]] for one in published] == published


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_a_file_has_one_flow_that_starts_somewhere_and_its_references_resolve(document: Document) -> None:
    objects = _objects(document)
    ids = [one["id"] for one in objects]
    assert len(ids) == len(set(ids))
    (flow,) = of_type(objects, "attack-flow")
    assert flow["start_refs"]
    assert references(objects) <= set(ids)


def references(objects: list[dict[str, Any]]) -> set[str]:
    """Every id that an object names."""
    out = set[str]()
    for one in objects:
        for name, value in one.items():
            if name.endswith("_ref"):
                out.add(value)
            elif name.endswith("_refs"):
                out.update(value)
        out.update(name for name in one.get("extensions", {}) if name.startswith("extension-definition--"))
    return out


def _reached(objects: list[dict[str, Any]]) -> set[str]:
    by_id = {one["id"]: one for one in objects}
    (flow,) = of_type(objects, "attack-flow")
    pending, found = list(flow["start_refs"]), set[str]()
    while pending:
        one = by_id[pending.pop()]
        if one["id"] not in found:
            found.add(one["id"])
            pending += one.get("effect_refs", []) + one.get("on_true_refs", [])
    return found


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_every_action_and_condition_is_reached_from_the_start(document: Document) -> None:
    objects = _objects(document)
    wanted = {one["id"] for kind in ("attack-action", "attack-condition") for one in of_type(objects, kind)}
    assert _reached(objects) == wanted


def test_the_root_cause_is_the_condition_of_the_first_step_and_each_step_has_the_next_as_effect() -> None:
    objects = _objects(INTRUSION)
    (flow,), (cause,) = of_type(objects, "attack-flow"), of_type(objects, "attack-condition")
    actions = of_type(objects, "attack-action")
    assert flow["start_refs"] == [cause["id"]]
    assert cause["on_true_refs"] == [actions[0]["id"]]
    assert [one.get("effect_refs", []) for one in actions] == [[one["id"]] for one in actions[1:]] + [[]]


def test_a_step_on_a_node_hangs_on_the_request_that_it_came_of_and_the_next_does_not_hang_on_it() -> None:
    actions = of_type(_objects(JOINED), "attack-action")
    number = {one["id"]: at for at, one in enumerate(actions, 1)}
    effects = {at: [number[name] for name in one.get("effect_refs", [])] for at, one in enumerate(actions, 1)}
    assert effects == {1: [2], 2: [3], 3: [4, 5], 4: [6], 5: [], 6: []}


def test_an_action_says_technique_command_asset_and_evidence() -> None:
    objects = _objects(JOINED)
    by_id = {one["id"]: one for one in objects}
    action = of_type(objects, "attack-action")[4]
    assert (action["name"], action["technique_id"], action["tactic_id"]) == ("Compute Hijacking", "T1496.001", "TA0040")
    assert by_id[action["technique_ref"]]["external_references"][0]["external_id"] == "T1496.001"
    assert by_id[action["command_ref"]]["command_line"] == "./miner -o pool:3333"
    assert by_id[action["command_ref"]]["pid"] == 4411
    assert {by_id[one]["name"] for one in action["asset_refs"]} == {
        "Node node-2",
        "Pod kube-system/kube-controller-x2x9z",
    }
    assert action["external_references"][0]["description"].startswith("node-2.tar.gz!ps.txt:88 sha256:abab")
    assert (action["execution_start"], action["confidence"]) == ("2022-10-23T17:39:20.000000Z", 90)


def test_an_action_never_ends_before_it_begins() -> None:
    last = of_type(_objects(JOINED), "attack-action")[5]
    assert last["execution_end"] == last["execution_start"]


def test_a_report_without_incidents_says_so_in_its_flow() -> None:
    (condition,) = of_type(_objects(QUIET), "attack-condition")
    assert condition["description"] == "No incident was found in this evidence."


def test_incidents_keep_their_chains_apart_in_one_flow() -> None:
    objects = _objects(SEVERAL)
    (flow,) = of_type(objects, "attack-flow")
    assert len(flow["start_refs"]) == len(set(flow["start_refs"])) == len(SEVERAL.incidents)
    assert all(EXTENSION in one["extensions"] for one in of_type(objects, "attack-action"))
