"""docs/coverage.md tells the truth: its ids exist, no rule is missing, and it says of each what level it needs."""

from __future__ import annotations

from kubewitness.rules.attack import techniques
from kubewitness.rules.ir import Rule
from tests.docs import coverage
from tests.docs.coverage import INCIDENT, PAGE, known, level, needs_bodies, rows, techniques_of


def test_the_page_is_what_the_table_makes() -> None:
    assert PAGE.read_text(encoding="utf-8") == coverage.page(), "run python -m tests.docs.coverage --refresh"


def test_the_techniques_are_numbered_without_a_hole() -> None:
    numbered = [row.number for row in rows() if row.number != "also"]
    assert numbered == [str(n) for n in range(1, 56)]


def test_every_row_has_something_that_speaks_of_it() -> None:
    assert [row.number for row in rows() if not any(row.ids) or not row.unseen or not row.technique_zh] == []
    only_told = [row.number for row in rows() if INCIDENT in row.ids]
    assert only_told == ["55"]  # the account of the whole is no excuse for a missing rule


def test_every_id_exists_and_is_named_once_a_row() -> None:
    assert [(row.number, i) for row in rows() for i in row.ids if i not in known()] == []
    assert [row.number for row in rows() if len(set(row.ids)) != len(row.ids)] == []


def test_every_rule_that_can_make_a_finding_stands_somewhere() -> None:
    named = {identifier for row in rows() for identifier in row.ids}
    finding = {i for i, one in known().items() if not (isinstance(one, Rule) and one.kind == "context")}
    assert sorted(finding - named) == []


def test_every_attack_technique_exists_and_is_claimed_by_a_rule_of_its_row() -> None:
    assert [(row.number, t) for row in rows() for t in row.attack if t not in techniques()] == []
    unclaimed = [
        (row.number, technique)
        for row in rows()
        for technique in row.attack
        if INCIDENT not in row.ids and all(technique not in techniques_of(identifier) for identifier in row.ids)
    ]
    assert unclaimed == []


def test_the_level_follows_from_the_condition() -> None:
    assert needs_bodies("privilege_escalation/workload_privileged")
    assert needs_bodies("persistence/rights_granted_to_anonymous")
    assert needs_bodies("execution/registry_never_used")  # what is new lies in a body
    assert needs_bodies("detectors/role_raised_to_wildcard")
    assert not needs_bodies("detectors/audit_silence")
    assert set(known()) >= coverage._DETECTORS_OF_BODIES
    assert needs_bodies("correlations/grant_then_host_access")
    assert not needs_bodies("execution/exec_reverse_shell")  # the command stands in the URI
    assert not needs_bodies("persistence/daemonset_created")
    assert not needs_bodies("execution/workload_named_like_miner")  # names are in objectRef
    assert not needs_bodies("credential_access/client_certificate_requested")  # says so where the signer is unknown
    assert not needs_bodies("correlations/secrets_read_in_bulk")
    assert {level(row) for row in rows()} == {"Metadata", "bodies", "Metadata, more with bodies"}
