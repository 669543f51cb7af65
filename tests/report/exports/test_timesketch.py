"""Timesketch takes the lines as they are, and each piece of evidence stands once on the timeline."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from kubewitness.model.document import Document
from kubewitness.report.exports.timesketch import render
from tests.report.exports.documents import BARE, DOCUMENTS, JOINED
from tests.report.small import INTRUSION


def _rows(document: Document) -> list[dict[str, Any]]:
    return [json.loads(line) for line in render(document, "en").splitlines()]


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_every_row_has_what_timesketch_demands(document: Document) -> None:
    for row in _rows(document):
        assert all(isinstance(row[name], str) and row[name] for name in ("message", "datetime", "timestamp_desc"))
        time = datetime.fromisoformat(row["datetime"])
        assert time.utcoffset() is not None
        assert row["timestamp"] == round(time.timestamp() * 1_000_000)
        assert isinstance(row["tag"], list)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_the_timeline_is_in_order(document: Document) -> None:
    times = [row["timestamp"] for row in _rows(document)]
    assert times == sorted(times)


def test_one_field_has_one_type_in_all_rows() -> None:
    """A search index maps a field once, and refuses rows that disagree."""
    kinds = dict[str, set[str]]()
    for document in DOCUMENTS.values():
        for row in _rows(document):
            for name, value in row.items():
                kinds.setdefault(name, set()).add(type(value).__name__)
    assert {name: kind for name, kind in kinds.items() if len(kind) > 1} == {}


def test_each_step_finding_and_cited_place_is_one_row() -> None:
    rows = _rows(JOINED)
    incident = JOINED.incidents[0]
    steps = [row for row in rows if row["data_type"] == "kubewitness:step"]
    assert sorted(row["step_number"] for row in steps) == [one.number for one in incident.steps]
    cited = [row for row in rows if row["data_type"] == "kubewitness:evidence"]
    places = [(row["place"], row.get("audit_id", "")) for row in cited]
    assert len(places) == len(set(places))
    for step in incident.steps:
        for one in step.evidence:
            (row,) = [row for row in cited if row["place"] == f"{one.item}:{one.line}"]
            assert f"{incident.id}#{step.number}" in row["steps"]
            assert incident.id in row["tag"]
    assert sum(row["data_type"] == "kubewitness:finding" for row in rows) == len(JOINED.findings)


def test_evidence_keeps_its_time_and_borrows_one_only_where_it_has_none() -> None:
    rows = [row for row in _rows(JOINED) if row["data_type"] == "kubewitness:evidence"]
    of_node = [row for row in rows if row["item"].endswith("ps.txt")]
    assert [(row["datetime"], row["timestamp_desc"]) for row in of_node] == [
        ("2022-10-23T17:39:20.000000+00:00", "Time of what cites it")
    ]
    request = next(row for row in rows if row.get("audit_id") == INTRUSION.incidents[0].steps[0].evidence[0].audit_id)
    assert (request["datetime"], request["timestamp_desc"]) == ("2022-10-23T17:30:24.602118+00:00", "Request received")


def test_a_document_without_any_time_still_has_its_rows() -> None:
    assert {row["datetime"][:4] for row in _rows(BARE)} == {"1970"}
