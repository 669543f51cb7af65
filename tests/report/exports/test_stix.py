"""Bundles are read by OASIS's own library without leniency; indicators are those of lists, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
import stix2
from stix2 import properties as of
from stix2patterns.v21.pattern import Pattern

from kubewitness.model.document import Document
from kubewitness.report.exports.attack_flow import EXTENSION
from kubewitness.report.exports.bundle import TOOL
from kubewitness.report.exports.stix import render
from tests.corpus import needs_corpus
from tests.report.exports.documents import DOCUMENTS, INDICATORS, JOINED, ON_NODE
from tests.report.exports.test_attack_flow import of_type, references, validator
from tests.report.small import INTRUSION, SEVERAL

# The types of Attack Flow 2.0, told to the library: it refuses references to types that it does not know.
_REFS = of.ListProperty(of.ReferenceProperty(invalid_types=["bundle"], spec_version="2.1"))
for _name, _fields in {
    "attack-flow": [("scope", of.StringProperty()), ("start_refs", _REFS)],
    "attack-action": [
        ("technique_id", of.StringProperty()), ("tactic_id", of.StringProperty()),
        ("technique_ref", of.ReferenceProperty(valid_types="attack-pattern", spec_version="2.1")),
        ("command_ref", of.ReferenceProperty(valid_types="process", spec_version="2.1")),
        ("execution_start", of.TimestampProperty()), ("execution_end", of.TimestampProperty()),
        ("asset_refs", _REFS), ("effect_refs", _REFS),
    ],
    "attack-condition": [("on_true_refs", _REFS)],
    "attack-asset": [],
}.items():  # fmt: skip
    stix2.CustomObject(
        _name,
        [("name", of.StringProperty()), ("description", of.StringProperty()), *_fields],
        extension_name=EXTENSION if _name == "attack-flow" else None,  # it is registered once, for all of them
    )(type("Flow", (), {}))


def _bundle(document: Document) -> dict[str, Any]:
    bundle = json.loads(render(document, "en"))
    assert isinstance(bundle, dict)
    return bundle


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_every_bundle_is_read_by_the_reference_library_strictly(document: Document) -> None:
    bundle = _bundle(document)
    read = stix2.parse(json.dumps(bundle), version="2.1", allow_custom=False)
    assert [one["id"] for one in read.objects] == [one["id"] for one in bundle["objects"]]
    assert not any(isinstance(one, dict) for one in read.objects)  # none was passed through unread


@needs_corpus
@pytest.mark.parametrize("document", [JOINED, SEVERAL], ids=["joined", "several"])
def test_flows_in_a_bundle_are_valid_by_their_schema(document: Document) -> None:
    check = validator()
    for one in _bundle(document)["objects"]:
        if one["type"].startswith("attack-") and one["type"] != "attack-pattern":
            check.validate(one)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_ids_are_unique_and_every_reference_resolves(document: Document) -> None:
    objects = _bundle(document)["objects"]
    ids = [one["id"] for one in objects]
    assert len(ids) == len(set(ids))
    assert references(objects) <= set(ids)


def test_observables_have_the_ids_that_the_specification_prescribes() -> None:
    made = {
        "ipv4-addr": stix2.IPv4Address, "directory": stix2.Directory, "file": stix2.File,
        "user-account": stix2.UserAccount,
    }  # fmt: skip
    seen = set[str]()
    for one in _bundle(JOINED)["objects"]:
        if one["type"] in made:
            fields = {name: value for name, value in one.items() if name not in ("id", "type", "spec_version")}
            assert made[one["type"]](**fields).id == one["id"]
            seen.add(one["type"])
    assert seen == set(made)


def test_a_report_holds_all_that_belongs_to_its_incident() -> None:
    objects = _bundle(JOINED)["objects"]
    (report,) = of_type(objects, "report")
    shared = {"identity", "extension-definition", "report"}
    apart = {one["id"] for one in objects if one["type"] not in shared} - set(report["object_refs"])
    assert {one["type"] for one in objects if one["id"] in apart} <= {"directory"}


def test_what_a_step_touched_is_related_to_its_action() -> None:
    objects = _bundle(JOINED)["objects"]
    by_id = {one["id"]: one for one in objects}
    action = of_type(objects, "attack-action")[4]["id"]
    targets = [by_id[one["target_ref"]] for one in of_type(objects, "relationship") if one["source_ref"] == action]
    told = {
        (one["type"], one.get("value") or one.get("name") or one.get("user_id") or one.get("pid")) for one in targets
    }
    assert told == {
        ("user-account", "root@node-2"), ("process", 4411), ("file", "miner"), ("ipv4-addr", "198.51.100.9"),
        ("attack-pattern", "Rootkit"),
    }  # fmt: skip


def test_indicators_are_those_that_a_pattern_can_say_and_their_patterns_are_patterns() -> None:
    found = of_type(_bundle(JOINED)["objects"], "indicator")
    assert len(found) == len(INDICATORS) - 2
    for one in found:
        Pattern(one["pattern"])
    patterns = {one["pattern"] for one in found}
    assert "[ipv6-addr:value = '2001:db8::1']" in patterns
    assert r"[file:name = 'it\'s\\here']" in patterns
    assert "[file:name = 'miner' AND file:parent_directory_ref.path = '/tmp/.x']" in patterns


def test_an_intruder_s_address_is_observed_and_no_indicator() -> None:
    objects = _bundle(INTRUSION)["objects"]
    assert of_type(objects, "indicator") == []
    (observed,) = of_type(objects, "observed-data")
    by_id = {one["id"]: one for one in objects}
    assert {by_id[one].get("value") or by_id[one].get("user_id") for one in observed["object_refs"]} == {
        *INTRUSION.incidents[0].actors[0].addresses, *INTRUSION.incidents[0].actors[0].identities,
    }  # fmt: skip


def test_a_name_with_an_at_sign_is_an_account_of_a_machine_only_where_a_machine_told_it() -> None:
    asked = msgspec.structs.replace(INTRUSION.incidents[0].steps[0], identity="admin@corp")
    kubelet = msgspec.structs.replace(ON_NODE, identity="kubelet of node-2")
    incident = msgspec.structs.replace(INTRUSION.incidents[0], steps=(asked, ON_NODE, kubelet), actors=())
    found = of_type(_bundle(msgspec.structs.replace(INTRUSION, incidents=(incident,)))["objects"], "user-account")
    assert {(one["user_id"], one["account_type"]) for one in found} == {
        ("admin@corp", "kubernetes"), ("root@node-2", "unix"),
    }  # fmt: skip


def test_a_campaign_is_related_with_what_was_seen_of_it_and_nothing_is_attributed() -> None:
    objects = _bundle(JOINED)["objects"]
    (campaign,), (incident,) = of_type(objects, "campaign"), of_type(objects, "incident")
    (likeness,) = [one for one in of_type(objects, "relationship") if campaign["id"] in one.values()]
    assert (likeness["source_ref"], likeness["relationship_type"]) == (incident["id"], "related-to")
    assert "3 steps seen, of 4" in likeness["description"]
    assert likeness["confidence"] == 60
    assert "attributed-to" not in {one["relationship_type"] for one in of_type(objects, "relationship")}


def test_a_report_made_again_brings_newer_versions_of_the_same_objects() -> None:
    later = msgspec.structs.replace(JOINED, generated="2022-11-01T00:00:00Z")
    first, again = ({one["id"]: one for one in _bundle(document)["objects"]} for document in (JOINED, later))
    assert first.keys() == again.keys()
    ours = {
        name for name, one in first.items() if one.get("created_by_ref") == TOOL and one["type"] != "attack-pattern"
    }
    assert all(first[name]["created"] == again[name]["created"] <= first[name]["modified"] for name in ours)
    assert all(first[name]["modified"] < again[name]["modified"] for name in ours)
    assert all(first[name] == again[name] for name in first.keys() - ours)


def test_every_incident_has_its_own_flow_and_report() -> None:
    objects = _bundle(SEVERAL)["objects"]
    for kind in ("incident", "attack-flow", "report"):
        assert len(of_type(objects, kind)) == len(SEVERAL.incidents)
