"""Claims about small, straightforward intrusions: the way in, what opened it, what was done, and by whom alone."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.document import Document
from kubewitness.model.incident import Incident
from kubewitness.rules.loader import RuleSet
from tests.incident.conftest import Investigate
from tests.incident.logs import DOOR, Log, account, allowed_by, binding, daemonset

INTRUDER = "203.0.113.77"
DEFAULT = account("kube-system", "default")
BACKDOOR = allowed_by("helper", "ClusterRole cluster-admin", "ServiceAccount default/kube-system")


def anonymous_intrusion(log: Log) -> list[str]:
    """Somebody finds that anonymous is cluster-admin, settles in and closes the door behind himself."""
    thief: dict[str, Any] = {
        "by": "system:anonymous",
        "address": INTRUDER,
        "agent": "python-requests/2.31",
        "reason": DOOR,
    }
    token: dict[str, Any] = {"by": DEFAULT, "address": INTRUDER, "agent": "kubectl/v1.24.4", "reason": BACKDOOR}
    secret = {"metadata": {"name": "default-token-x2z7", "namespace": "kube-system"}}
    return [
        log.request("list", "secrets", at="13:00", **thief),
        log.request("create", "clusterrolebindings", at="13:00:05", name="helper", **thief,
                    body=binding("helper", "cluster-admin", "ServiceAccount kube-system/default")),
        log.request("get", "secrets", at="13:00:09", namespace="kube-system", name="default-token-x2z7",
                    response=secret, **thief),
        log.request("list", "pods", at="13:01", **token),
        log.request("list", "nodes", at="13:01:03", **token),
        log.request("delete", "deployments", at="13:01:20", namespace="default", name="rival", code=404, **token),
        log.request("create", "daemonsets", at="13:02", namespace="kube-system", name="kube-controller",
                    body=daemonset("kube-controller", "docker.io/kubrnetesio/kube-controller:1.0.1"), **token),
        log.request("delete", "clusterrolebindings", at="13:03", name="anonymous-admin", **token),
    ]  # fmt: skip


def open_the_door(log: Log) -> str:
    """An administrator makes anonymous cluster-admin: a misconfiguration, hours before anybody finds it."""
    body = binding("anonymous-admin", "cluster-admin", "User system:anonymous")
    return log.admin("create", "clusterrolebindings", at="08:30", name="anonymous-admin", body=body)


@pytest.fixture
def story(judged: Investigate) -> tuple[Document, list[str], str, list[str]]:
    log = Log()
    log.quiet_day()
    door = open_the_door(log)
    own = anonymous_intrusion(log)
    cascade = log.cascade("kube-controller", at="13:02")
    return judged(log), own, door, cascade


def only(document: Document) -> Incident:
    assert len(document.incidents) == 1, [incident.title.en for incident in document.incidents]
    return document.incidents[0]


Story = tuple[Document, list[str], str, list[str]]


def test_exactly_the_intruders_requests_are_attributed(story: Story) -> None:
    document, own, _, _ = story
    assert set(only(document).audit_ids) == set(own)
    assert len(only(document).audit_ids) == len(own)


def test_the_way_in_is_the_first_request_that_was_let_through(story: Story) -> None:
    document, own, _, _ = story
    entry = only(document).entry_point
    assert entry is not None
    assert (entry.identity, entry.address) == ("system:anonymous", INTRUDER)
    assert entry.time == "2026-03-02T13:00:00.000000Z"
    assert [evidence.audit_id for evidence in entry.evidence] == own[:1]
    assert {t.id for t in entry.techniques} == {"T1190", "T1078.001"}


def test_the_root_cause_names_who_made_it_and_who_removed_it(story: Story) -> None:
    document, _, door, _ = story
    (cause,) = only(document).root_causes
    assert (cause.kind, cause.name, cause.role) == (
        "ClusterRoleBinding",
        "anonymous-admin",
        "ClusterRole cluster-admin",
    )
    assert cause.subject == "User system:anonymous"
    assert (cause.created, cause.created_by) == ("2026-03-02T08:30:00.000000Z", "kubernetes-admin")
    assert (cause.deleted, cause.deleted_by) == ("2026-03-02T13:03:00.000000Z", DEFAULT)
    assert (cause.requests_authorised, cause.requests_total) == (3, 8)
    assert door in {evidence.audit_id for evidence in cause.evidence}


def test_steps_are_in_order_and_hold_every_request_once(story: Story) -> None:
    document, own, _, _ = story
    incident = only(document)
    assert [step.number for step in incident.steps] == list(range(1, len(incident.steps) + 1))
    assert [step.time for step in incident.steps] == sorted(step.time for step in incident.steps)
    assert sum(step.requests for step in incident.steps) == len(own)
    acts = [step.act for step in incident.steps]
    assert acts == ["read", "create", "read", "read", "delete", "create", "delete"]
    made = next(step for step in incident.steps if step.objects[0].kind == "daemonsets")
    assert {"T1610", "T1036.005"} <= {t.id for t in made.techniques}
    for step in incident.steps:
        assert step.evidence
        assert {evidence.audit_id for evidence in step.evidence} <= set(own)
        assert all(evidence.line > 0 and evidence.sha256 for evidence in step.evidence)


def test_what_controllers_did_folds_under_the_deed_and_is_not_the_intruders(story: Story) -> None:
    document, _, _, cascade = story
    incident = only(document)
    assert not set(cascade) & set(incident.audit_ids)
    made = next(step for step in incident.steps if step.objects[0].kind == "daemonsets")
    assert made.effect_events == len(cascade)
    assert made.effects[0].en.startswith("3 pods started on 3 nodes")
    assert incident.nodes == ("node-a", "node-b", "node-c")
    assert [pod.name for pod in incident.pods] == [f"kube-controller-{c}x2z7" for c in "bcd"]


def test_the_administrators_mistake_is_a_finding_and_no_step(story: Story) -> None:
    document, _, door, _ = story
    assert door not in only(document).audit_ids
    mistake = [f for f in document.findings if f.identity == "kubernetes-admin" and f.kind == "exposure"]
    assert mistake
    assert all(finding.incident == "" for finding in mistake)
    assert door in {evidence.audit_id for finding in mistake for evidence in finding.evidence}
    assert "kubernetes-admin" not in {identity for actor in only(document).actors for identity in actor.identities}


def test_created_deleted_and_read_objects_are_listed(story: Story) -> None:
    incident = only(story[0])
    assert [(o.kind, o.name) for o in incident.created] == [
        ("clusterrolebindings", "helper"), ("daemonsets", "kube-controller")]  # fmt: skip
    assert [(o.kind, o.name) for o in incident.deleted] == [("clusterrolebindings", "anonymous-admin")]
    assert ("secrets", "default-token-x2z7") in {(o.kind, o.name) for o in incident.read}
    assert {("kube-system", "default-token-x2z7"), ("", "")} <= {(s.namespace, s.name) for s in incident.secrets}


def test_the_same_log_gives_the_same_bytes(rules: RuleSet, tmp_path: Path) -> None:
    log = Log()
    log.quiet_day(12, 14)
    anonymous_intrusion(log)
    path = log.write(tmp_path / "audit.log")
    one, two = (msgspec.json.encode(investigate([path], rules=rules, options=Options())) for _ in range(2))
    assert one == two


def test_an_intruder_is_followed_over_rotated_files_of_which_one_is_compressed(tmp_path: Path, rules: RuleSet) -> None:
    log = Log()
    log.quiet_day()
    open_the_door(log)
    own = anonymous_intrusion(log)
    cascade = log.cascade("kube-controller", at="13:02")
    lines = log.lines()
    cut = next(n for n, line in enumerate(lines) if own[3].encode() in line)
    (tmp_path / "audit-1.log.gz").write_bytes(gzip.compress(b"\n".join(lines[:cut]) + b"\n"))
    (tmp_path / "audit.log").write_bytes(b"\n".join(lines[cut:]) + b"\n")
    document = investigate([str(tmp_path)], rules=rules, options=Options())
    incident = only(document)
    assert set(incident.audit_ids) == set(own)
    assert incident.root_causes[0].created_by == "kubernetes-admin"
    items = {evidence.item.rpartition("/")[2] for step in incident.steps for evidence in step.evidence}
    assert items == {"audit-1.log.gz", "audit.log"}
    assert sum(step.effect_events for step in incident.steps) == len(cascade)


def test_two_independent_intruders_are_two_incidents(judged: Investigate) -> None:
    log = Log()
    log.quiet_day()
    open_the_door(log)
    first = anonymous_intrusion(log)
    other: dict[str, Any] = {"by": "system:anonymous", "address": "192.0.2.9", "agent": "curl/8.5.0", "reason": DOOR}
    second = [
        log.request("list", "secrets", at="11:00", **other),
        log.request("create", "pods", at="11:00:30", namespace="default", name="run", **other,
                    body={"kind": "Pod", "metadata": {"name": "run"}, "spec": {"hostPID": True, "containers": [
                        {"name": "c", "image": "alpine", "securityContext": {"privileged": True}}]}}),
    ]  # fmt: skip
    document = judged(log)
    assert [set(incident.audit_ids) for incident in document.incidents] == [set(second), set(first)]
    assert [incident.id for incident in document.incidents] == ["INC-20260302-01", "INC-20260302-02"]
    assert all(incident.root_causes[0].name == "anonymous-admin" for incident in document.incidents)


def test_scanning_that_was_always_refused_is_no_incident(judged: Investigate) -> None:
    log = Log()
    log.quiet_day()
    for number, resource in enumerate(("secrets", "pods", "nodes", "configmaps", "namespaces", "services", "events")):
        log.request("list", resource, at=f"13:00:{number:02}", by="system:anonymous", address=INTRUDER, code=403,
                    agent="zgrab/0.x")  # fmt: skip
        log.request("list", resource, at=f"13:01:{number:02}", by="", address=INTRUDER, code=401, agent="zgrab/0.x",
                    stages=("ResponseStarted",))  # fmt: skip
    document = judged(log)
    assert document.incidents == ()
    assert document.findings
    assert {accessor.incident for accessor in document.accessors} == {""}


def test_a_quiet_day_has_no_incident_and_says_what_could_not_be_seen(judged: Investigate) -> None:
    log = Log()
    log.quiet_day()
    document = judged(log)
    assert document.incidents == ()
    assert [f.title.en for f in document.findings if f.severity in ("medium", "high", "critical")] == []
    assert document.complete
    assert document.coverage.events == len(log.events)
    (audit,) = [one for one in document.coverage.sources if one.source == "k8s_audit"]
    assert (audit.state, "level Metadata" in audit.detail.en) == ("partial", True)


def test_of_no_evidence_at_all_nothing_is_claimed(tmp_path: Path, rules: RuleSet) -> None:
    (tmp_path / "audit.log").write_bytes(b"")
    document = investigate([str(tmp_path / "audit.log")], rules=rules, options=Options())
    assert (document.incidents, document.findings, document.accessors) == ((), (), ())
    assert document.coverage.events == 0
    assert "says nothing about whether an intrusion took place" in document.coverage.sources[0].detail.en


def test_the_json_holds_to_the_published_schema(story: Story) -> None:
    from jsonschema import Draft202012Validator

    from kubewitness.report.schema import generate

    found = msgspec.json.decode(msgspec.json.encode(story[0]))
    errors = list(Draft202012Validator(msgspec.json.decode(generate())).iter_errors(found))
    assert errors == []


def test_an_event_that_names_a_field_twice_is_told(rules: RuleSet, tmp_path: Path) -> None:
    """No API server writes that: a reader must know that the record was changed."""
    log = Log()
    log.quiet_day()
    open_the_door(log)
    own = anonymous_intrusion(log)
    lines = [
        line.replace(b'"verb":', b'"verb":"get","verb":', 1) if own[1].encode() in line else line
        for line in log.lines()
    ]
    path = tmp_path / "audit.log"
    path.write_bytes(b"\n".join(lines))
    told = [text.en for text in only(investigate([str(path)], rules=rules, options=Options())).limitations]
    assert any("1 events name a field twice" in text for text in told)
