"""Indicators in an audit log: found where an investigation looks anyway, findings and never incidents."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from kubewitness.detect.indicators.indicator import Indicator, Pack
from kubewitness.detect.indicators.pack import shipped
from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.document import Document
from kubewitness.model.incident import Finding
from kubewitness.rules.loader import RuleSet
from tests.corpus import CORPUS, needs_corpus
from tests.incident.logs import DOOR, Log, daemonset

WATCHDOG = "146.71.79.230"
Judge = Callable[[Log, Pack], Document]


@pytest.fixture
def judge(tmp_path: Path, rules: RuleSet) -> Judge:
    def run(log: Log, pack: Pack) -> Document:
        log.quiet_day()
        return investigate([log.write(tmp_path / "audit.log")], rules=rules, options=Options(indicators=pack))

    return run


def known(*indicators: Indicator) -> Pack:
    return Pack(indicators)


def told(document: Document) -> list[Finding]:
    return [finding for finding in document.findings if finding.rule.startswith("indicators/")]


def test_an_address_that_was_let_at_something_is_told_with_its_first_requests(judge: Judge) -> None:
    log = Log()
    log.admin("get", "pods", at="09:00", name="a", namespace="b", address="192.0.2.99")
    document = judge(log, known(Indicator("address", "192.0.2.99", "our case", "high", source="list:1")))
    (one,) = told(document)
    assert (one.rule, one.severity, one.kind, one.address) == (
        "indicators/our-case",
        "medium",
        "activity",
        "192.0.2.99",
    )
    assert one.matched["source"] == "list:1"
    assert one.evidence[0].audit_id
    assert document.incidents == (), "an indicator alone makes no incident"


def test_an_address_that_was_only_refused_is_not(judge: Judge) -> None:
    log = Log()
    log.request("list", "secrets", at="09:00", by="system:anonymous", address="192.0.2.99", code=403)
    assert told(judge(log, known(Indicator("address", "192.0.2.99", "our case", "high")))) == []


def test_a_private_address_never_matches_whatever_a_list_says(judge: Judge) -> None:
    assert told(judge(Log(), known(Indicator("address", "10.0.0.10", "our case", "high")))) == []


def test_an_expired_address_says_so(judge: Judge) -> None:
    log = Log()
    log.admin("get", "pods", at="09:00", name="a", namespace="b", address=WATCHDOG)
    (one,) = told(judge(log, shipped()))
    assert (one.severity, one.confidence) == ("informational", "low")
    assert "expired on 2022-12-31" in one.description.en


def test_images_commands_and_names_in_an_intruders_requests_are_told_in_the_incident(judge: Judge) -> None:
    log = Log()
    thief = {"by": "system:anonymous", "address": "203.0.113.77", "agent": "curl/8.0", "reason": DOOR}
    log.request("list", "secrets", at="13:00", **thief)  # type: ignore[arg-type]
    body = daemonset("kube-controller", "docker.io/kubrnetesio/kube-controller:1.0.1")
    log.request("create", "daemonsets", at="13:02", namespace="kube-system", name="kube-controller", body=body, **thief)  # type: ignore[arg-type]
    document = judge(log, shipped())
    (incident,) = document.incidents
    found = told(document)
    assert {one.matched["type"] for one in found} == {"image", "object"}
    assert {one.incident for one in found} == {incident.id}
    assert {one.id for one in found} <= set(incident.findings)


def test_a_name_that_was_only_sought_is_a_rivals(judge: Judge) -> None:
    log = Log()
    thief = {"by": "system:anonymous", "address": "203.0.113.77", "agent": "curl/8.0", "reason": DOOR}
    log.request("list", "secrets", at="13:00", **thief)  # type: ignore[arg-type]
    log.request("delete", "daemonsets", at="13:02", namespace="kube-system", name="kube-controller", code=404, **thief)  # type: ignore[arg-type]
    assert told(judge(log, shipped())) == []


def test_a_quiet_day_shows_none_and_coverage_says_how_many_were_looked_for(judge: Judge) -> None:
    document = judge(Log(), Pack(shipped().indicators, ("list.txt:3: not an address",)))
    assert told(document) == []
    assert document.coverage.indicators_loaded == len(shipped().indicators)
    assert document.coverage.indicators_failed == ("list.txt:3: not an address",)


def test_the_hash_of_a_known_program_on_a_node_is_an_incident_of_its_own(tmp_path: Path, rules: RuleSet) -> None:
    machine = tmp_path / "nodes" / "worker-1"
    machine.mkdir(parents=True)
    (machine / "ps.txt").write_text(
        "USER         PID    PPID                  STARTED COMMAND\n"
        "root           1       0 Sun Nov 22 03:00:00 2026 /sbin/init\n"
    )
    program = b"\x7fELF" + bytes(200)
    (machine / "exe.4411").write_bytes(program)
    pack = known(Indicator("sha256", hashlib.sha256(program).hexdigest(), "our case", "high"))
    document = investigate([str(tmp_path)], rules=rules, options=Options(indicators=pack))
    found = told(document)
    assert [(one.severity, one.kind) for one in found] == [("high", "intrusion")]
    assert len(document.incidents) == 1


def test_more_accessors_from_known_addresses_than_are_read_again_are_told_all_the_same(judge: Judge) -> None:
    log = Log()
    for number in range(60):
        log.request("get", "pods", at="09:00", name="a", namespace="b", address="192.0.2.99", by=f"user-{number}")
    found = told(judge(log, known(Indicator("address", "192.0.2.99", "our case", "high"))))
    assert len(found) == 60
    assert sum(bool(one.evidence) for one in found) == 50
    assert all(one.first and one.count for one in found)


@needs_corpus
@pytest.mark.parametrize("folder", ["kellyjonbrazil__jc", "log2timeline__plaso", "GoogleCloudPlatform__khi"])
def test_evidence_of_clean_machines_shows_no_indicator(folder: str, rules: RuleSet) -> None:
    assert CORPUS is not None
    document = investigate([str(CORPUS / folder)], rules=rules, options=Options(indicators=shipped()))
    assert told(document) == []
