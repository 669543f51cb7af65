"""The shipped scenarios, investigated: the demo's report says what `expected.yml` says."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest
import yaml

from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.document import Document
from kubewitness.rules.loader import RuleSet

# Deleting what rivals run stops their services; the campaign's reports file it under removal of access.
OTHER_VIEWS = {"T1531": "T1489"}
FOLDER = resources.files("kubewitness") / "content" / "scenarios"


def investigated(name: str, rules: RuleSet) -> tuple[Document, dict[str, Any]]:
    document = investigate([str(FOLDER / name / "audit.log.gz")], rules=rules, options=Options())
    return document, yaml.safe_load((FOLDER / name / "expected.yml").read_text())


@pytest.fixture(scope="module")
def buster(rules: RuleSet) -> tuple[Document, dict[str, Any]]:
    return investigated("rbac_buster", rules)


@pytest.fixture(scope="module")
def benign(rules: RuleSet) -> tuple[Document, dict[str, Any]]:
    return investigated("benign_day", rules)


@pytest.mark.parametrize("name", ["buster", "benign"])
def test_every_event_is_read(name: str, request: pytest.FixtureRequest) -> None:
    document, expected = request.getfixturevalue(name)
    assert document.coverage.events == expected["events"]
    assert document.complete
    assert len(document.incidents) == len(expected["incidents"])


def test_the_intruder_is_told_exactly(buster: tuple[Document, dict[str, Any]]) -> None:
    document, expected = buster
    (incident,), (wanted,) = document.incidents, expected["incidents"]
    (actor,) = incident.actors
    assert sorted(incident.audit_ids) == sorted(wanted["audit_ids"])
    assert list(actor.addresses) == wanted["addresses"]
    assert list(actor.identities) == wanted["identities"]
    assert set(actor.agents) == set(wanted["agents"])
    assert set(incident.nodes) == set(wanted["nodes"])
    assert {f"{pod.namespace}/{pod.name}" for pod in incident.pods} == set(wanted["pods"])


def test_the_door_is_told_though_the_intruder_removed_it(buster: tuple[Document, dict[str, Any]]) -> None:
    document, expected = buster
    (incident,), (wanted,) = document.incidents, expected["incidents"]
    entry, door = incident.entry_point, wanted["root_causes"][0]
    assert entry is not None
    assert entry.evidence[0].audit_id == wanted["entry_point"]["audit_id"]
    assert (entry.time, entry.identity) == (wanted["entry_point"]["time"], wanted["entry_point"]["identity"])
    (cause,) = incident.root_causes
    for key in ("kind", "name", "role", "subject", "created_by", "deleted_by"):
        assert getattr(cause, key) == door[key]
    cited = {evidence.audit_id for evidence in cause.evidence}
    assert {door["created_audit_id"], door["deleted_audit_id"]} <= cited


def test_the_steps_are_those_expected_in_their_order(buster: tuple[Document, dict[str, Any]]) -> None:
    """The report may cut a step finer; each begins in its turn and keeps its technique."""
    document, expected = buster
    (incident,), (wanted,) = document.incidents, expected["incidents"]
    position = {audit_id: number for number, step in enumerate(wanted["steps"]) for audit_id in step["audit_ids"]}
    told = [(step, {position[e.audit_id] for e in step.evidence}) for step in incident.steps]
    appeared = list(dict.fromkeys(number for _, numbers in told for number in sorted(numbers)))
    assert appeared == list(range(len(wanted["steps"])))
    for number, step in enumerate(wanted["steps"]):
        parts = [mine for mine, numbers in told if number in numbers]
        assert parts, step["step"]
        assert {mine.act for mine in parts} >= {step["act"]}, step["step"]
        found = {technique.id for mine in parts for technique in mine.techniques}
        entry = {t.id for t in incident.entry_point.techniques} if incident.entry_point else set()
        assert {OTHER_VIEWS.get(t, t) for t in step["techniques"]} & (found | entry), (step["step"], found)


def test_the_benign_day_alarms_nobody(benign: tuple[Document, dict[str, Any]]) -> None:
    document, expected = benign
    assert document.incidents == ()
    deeds = {audit_id for ids in expected["deeds_of_the_administrator"].values() for audit_id in ids}
    alarms = [finding for finding in document.findings if finding.severity in ("high", "critical")]
    assert [finding.title.en for finding in alarms] == []
    assert deeds & {evidence.audit_id for finding in document.findings for evidence in finding.evidence}
