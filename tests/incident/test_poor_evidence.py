"""The recorded attacks and benign days in the evidence that people really have: poorer than what the range writes.

Each recording's audit log is made poorer in one way and investigated without anything of the nodes. Whatever is missing
may cost recall, never a bystander: nobody benign in an incident, no incident on a benign day, and a way in that is
either right or not claimed.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.document import Document
from kubewitness.rules.loader import RuleSet
from range.labels import Labels, read_labels
from range.score_recording import Recording, read

pytestmark = pytest.mark.recordings

RECORDED = Path(__file__).parents[2] / "scenarios" / "recorded"
BALANCER = "10.0.0.5"
INSIDE = ("10.77.0.", "10.244.", "127.", "::1")  # the range's nodes and pods
ONE_TEXT = "kubectl/v1.30.0 (linux/amd64) kubernetes/abc"
Event = dict[str, Any]


def behind(address: str) -> str:
    """The address as the API server sees it behind a balancer with source NAT."""
    return address if address.startswith(INSIDE) else BALANCER


def one_address(event: Event) -> Event:
    return {**event, "sourceIPs": [behind(event["sourceIPs"][-1])]}


def passed_on(event: Event) -> Event:
    peer = event["sourceIPs"][-1]
    return event if behind(peer) == peer else {**event, "sourceIPs": [peer, BALANCER]}


def no_extra(event: Event) -> Event:
    return {**event, "user": {key: value for key, value in event["user"].items() if key != "extra"}}


def no_annotations(event: Event) -> Event:
    return {key: value for key, value in event.items() if key != "annotations"}


def metadata(event: Event) -> Event:
    bare = {key: value for key, value in event.items() if key not in ("requestObject", "responseObject")}
    return {**bare, "level": "Metadata"}


def one_client(event: Event) -> Event:
    return {**event, "userAgent": ONE_TEXT}


def no_client(event: Event) -> Event:
    return {key: value for key, value in event.items() if key != "userAgent"}


POORER: dict[str, Callable[[Event], Event]] = {
    "one address": one_address,
    "passed on": passed_on,
    "no extra": no_extra,
    "no annotations": no_annotations,
    "metadata": metadata,
    "one client": one_client,
    "no client": no_client,
}
ATTACKS = (
    ("anonymous_cluster_admin", "one address"),
    ("anonymous_cluster_admin", "no annotations"),
    ("leaked_kubeconfig", "passed on"),
    ("pod_token_theft", "no extra"),
    ("pod_token_theft", "no annotations"),
    ("quiet_metadata", "one address"),
    ("two_intruders", "one client"),
    ("nodes_proxy", "metadata"),
    ("csr_client_certificate", "no client"),
)
BENIGN = (
    ("anonymous_cluster_admin_twin", "no annotations"),
    ("benign_day_ugly", "one client"),
    ("benign_day_ugly", "one address"),
    ("benign_day_busy", "no client"),
    ("leaked_kubeconfig_twin", "metadata"),
)


@cache
def recording(name: str) -> Recording:
    return read(RECORDED / name)


@cache
def events(name: str) -> tuple[Event, ...]:
    (log,) = (RECORDED / name / "evidence" / "control-plane").glob("audit*.log.gz")
    return tuple(json.loads(line) for line in gzip.decompress(log.read_bytes()).splitlines())


@pytest.fixture
def judged(tmp_path: Path, rules: RuleSet) -> Callable[[str, str], Document]:
    def judge(name: str, how: str) -> Document:
        log = tmp_path / "audit.log"
        log.write_text("".join(json.dumps(POORER[how](event)) + "\n" for event in events(name)))
        return investigate([str(log)], rules=rules, options=Options())

    return judge


def others(document: Document, labels: Labels) -> dict[str, int]:
    """Requests of people and programs that did nothing wrong, in incidents, by whose they are."""
    whose = {request.audit_id: request.actor for request in labels.requests}
    named = [whose[audit_id] for incident in document.incidents for audit_id in incident.audit_ids]
    return {name: named.count(name) for name in sorted(set(named)) if labels.actors[name].role != "intruder"}


@pytest.mark.parametrize(("name", "how"), ATTACKS)
def test_an_attack_in_poorer_evidence_accuses_nobody_and_claims_no_wrong_way_in(
    name: str, how: str, judged: Callable[[str, str], Document]
) -> None:
    document, known = judged(name, how), recording(name)
    assert document.incidents
    assert others(document, read_labels(RECORDED / name / "labels.json")) == {}
    right = {one.entry_identity for one in known.script.expected.incidents}
    assert {one.entry_point.identity for one in document.incidents if one.entry_point} <= right


@pytest.mark.parametrize(("name", "how"), BENIGN)
def test_a_benign_day_in_poorer_evidence_is_no_incident(
    name: str, how: str, judged: Callable[[str, str], Document]
) -> None:
    document = judged(name, how)
    assert [incident.title.en for incident in document.incidents] == []
    assert [finding.rule for finding in document.findings if finding.severity in ("high", "critical")] == []


def test_two_clusters_logs_given_together_accuse_nobody(tmp_path: Path, rules: RuleSet) -> None:
    """An attack in one cluster and a busy day in another, whose addresses and names are alike."""
    attack, quiet = "two_intruders", "benign_day_busy"
    for name in (attack, quiet):
        (tmp_path / f"{name}.log").write_text("".join(json.dumps(event) + "\n" for event in events(name)))
    document = investigate([str(tmp_path)], rules=rules, options=Options())
    labels = [recording(name).labels for name in (attack, quiet)]
    whose = {request.audit_id: one.actors[request.actor].role for one in labels for request in one.requests}
    found = [audit_id for incident in document.incidents for audit_id in incident.audit_ids]
    assert found
    assert {whose[audit_id] for audit_id in found} == {"intruder"}
