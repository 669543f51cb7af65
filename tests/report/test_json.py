"""The JSON report is a contract: its schema is current, and what is written validates against it."""

from __future__ import annotations

import json

import jsonschema
import msgspec
import pytest

from kubewitness.report.document import Document, to_json
from kubewitness.report.formats import FORMATS, View
from kubewitness.report.schema import PATH, generate
from tests.report.small import INTRUSION, LONG, QUIET, SEVERAL


def test_the_schema_file_is_current() -> None:
    """If the types changed on purpose: `make schema`, and think about `SCHEMA_VERSION`."""
    assert PATH.read_bytes() == generate()


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(PATH.read_bytes()))


@pytest.mark.parametrize("document", [INTRUSION, QUIET, SEVERAL, LONG], ids=["one", "none", "several", "long"])
def test_documents_validate(document: Document) -> None:
    jsonschema.Draft202012Validator(json.loads(PATH.read_bytes())).validate(json.loads(to_json(document)))


@pytest.mark.parametrize("missing", ["incidents", "findings", "coverage", "parse_failures"])
def test_a_document_without_a_promised_key_does_not_validate(missing: str) -> None:
    document = json.loads(to_json(INTRUSION))
    del document[missing]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads(PATH.read_bytes()))


def test_the_promised_keys_are_there() -> None:
    document = json.loads(to_json(INTRUSION))
    assert {"incidents", "findings", "coverage", "parse_failures"} <= set(document)
    incident = document["incidents"][0]
    assert {"actors", "entry_point", "root_causes", "steps", "audit_ids"} <= set(incident)
    assert {"kind", "name"} <= set(incident["root_causes"][0])
    assert {"audit_id", "item", "line", "offset"} <= set(incident["steps"][0]["evidence"][0])
    assert {"id", "name"} <= set(incident["steps"][0]["techniques"][0])


def test_the_json_form_is_the_same_in_every_view() -> None:
    form = FORMATS["json"]
    assert form.render(INTRUSION, View("zh", 40, colour=True, minimum="critical")) == form.render(INTRUSION, View())


def test_evidence_in_json_gives_a_terminal_nothing_to_obey_and_keeps_its_value() -> None:
    evil = "a\x1b[31m\x9b31m\x7f\u202egpj\u2066\u2028\ufeff\U000e0041\u4e2d\U0001f600"
    written = to_json(msgspec.structs.replace(INTRUSION, case=evil))
    assert json.loads(written)["case"] == evil
    assert not set(written.decode()) & set("\x1b\x9b\x7f\u202e\u2066\u2028\ufeff\U000e0041")
    assert "\u4e2d\U0001f600" in written.decode()
