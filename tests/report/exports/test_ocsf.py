"""Events are valid by the schema that OCSF publishes (the package ocsf-json-schema has it), and find each other."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema
import pytest
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from kubewitness.model.document import Document
from kubewitness.report.exports.ocsf import VERSION, render
from tests.report.exports.documents import DOCUMENTS, JOINED, ON_NODE
from tests.report.small import ADDRESS, INTRUSION, SEVERAL


@cache
def _validators() -> dict[int, jsonschema.Draft202012Validator]:
    made = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))
    classes = {2004: ("detection_finding", []), 2005: ("incident_finding", ["incident"])}
    return {
        uid: jsonschema.Draft202012Validator(made.get_class_schema(name, profiles))
        for uid, (name, profiles) in classes.items()
    }


def _events(document: Document) -> list[dict[str, Any]]:
    return [json.loads(line) for line in render(document, "en").splitlines()]


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_every_event_is_valid_by_the_published_schema(document: Document) -> None:
    for event in _events(document):
        _validators()[event["class_uid"]].validate(event)


@pytest.mark.parametrize("lost", ["severity_id", "metadata", "time", "type_uid", "finding_info_list", "assignee_group"])
def test_an_incident_without_a_demanded_field_is_not(lost: str) -> None:
    event = _events(INTRUSION)[0]
    del event[lost]
    assert not _validators()[2005].is_valid(event)


def test_ids_are_unique_and_references_resolve() -> None:
    for document in (JOINED, SEVERAL):
        events = _events(document)
        uids = [event["metadata"]["uid"] for event in events]
        assert len(uids) == len(set(uids))
        for event in events:
            told = [event["finding_info"]] if "finding_info" in event else event["finding_info_list"]
            assert {one["uid"] for one in told} <= set(uids)
            assert event["metadata"].get("correlation_uid", uids[0]) in uids


def test_findings_name_their_incident_and_only_theirs() -> None:
    incident, *findings = _events(INTRUSION)
    told = {one["unmapped"]["finding"]: one["metadata"].get("correlation_uid") for one in findings}
    assert told == {
        one.id: incident["metadata"]["uid"] if one.incident else None for one in INTRUSION.findings
    }  # fmt: skip


def test_an_incident_says_what_it_is_in_the_words_of_ocsf() -> None:
    event = _events(INTRUSION)[0]
    assert (event["severity_id"], event["severity"], event["confidence"], event["type_uid"]) == (
        5,
        "Critical",
        "High",
        200501,
    )
    assert {one["technique"]["uid"] for one in event["attacks"]} == {"T1552", "T1098"} | {
        one.id.partition(".")[0] for step in INTRUSION.incidents[0].steps for one in step.techniques
    }
    sub = next(one for one in event["attacks"] if one["technique"]["uid"] == "T1552")
    assert (sub["technique"]["name"], sub["sub_technique"]["uid"]) == ("Unsecured Credentials", "T1552.007")
    assert sub["tactic"] == {"uid": "TA0006", "name": "Credential Access"}
    assert {"type_id": 2, "type": "IP Address", "value": ADDRESS} in event["observables"]


def test_evidence_is_cited_by_place_and_audit_id() -> None:
    finding = next(one for one in _events(INTRUSION) if one["class_uid"] == 2004)
    cited, original = finding["evidences"][0], INTRUSION.findings[0].evidence[0]
    assert cited["data"]["place"] == f"{original.item}:{original.line}"
    assert cited["uid"] == cited["data"]["audit_id"] == original.audit_id
    assert cited["data"]["sha256"] == original.sha256


def test_what_is_no_technique_is_not_among_the_attacks() -> None:
    assert any(one.id == "T9" for one in ON_NODE.techniques)
    assert "T9" not in {one["technique"]["uid"] for one in _events(JOINED)[0]["attacks"]}
