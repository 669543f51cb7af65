"""An audit policy is judged by what it would keep of an intruder's requests, rule by rule, the first that fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.model.posture import Result, Where
from kubewitness.posture.control_plane.audit_policy import Asked, policy_of
from kubewitness.posture.control_plane.audit_questions import QUESTIONS
from kubewitness.posture.yaml_text import read
from tests.posture.control_plane.plane import api, asked, file, machine, manifest
from tests.posture.made import results, snapshot

REPO = Path(__file__).parents[3]
PATH = "/etc/kubernetes/audit-policy.yaml"
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
EVERYTHING = "- level: Metadata\n"


def judged(policy: str) -> list[Result]:
    """What the check says of a policy."""
    server = api(audit_policy_file=PATH, audit_log_path="/var/log/audit.log")
    return results("control_plane/audit_policy", snapshot(hosts=[machine(manifest(server), file(PATH, policy))]))


def failed(policy: str) -> dict[str, str]:
    """Question → severity, of those the policy fails."""
    return {one.aspect: one.severity or "" for one in judged(policy) if one.status == "fail"}


def test_the_policy_this_program_recommends_keeps_everything() -> None:
    found = judged((REPO / "docs/audit-policy.yaml").read_text())
    assert {one.status for one in found} == {"pass"}
    assert {one.aspect for one in found} == {one.id for one in QUESTIONS}


def test_metadata_alone_lacks_only_what_was_written() -> None:
    assert failed((REPO / "range/policies/metadata.yaml").read_text()) == {"rbac_writes": "low", "workloads": "low"}


def test_bodies_of_everything_put_secrets_and_tokens_into_the_log() -> None:
    policy = (REPO / "range/policies/request_response.yaml").read_text()
    assert failed(policy) == {"secrets": "medium", "secret_writes": "medium", "tokens": "medium"}


@pytest.mark.parametrize(
    ("rules", "lost"),
    [
        ("- level: None\n  userGroups: [system:unauthenticated]\n", {"anonymous", "secrets", "exec", "rbac_writes"}),
        ("- level: None\n  users: ['system:anonymous']\n", {"anonymous", "workloads"}),
        ("- level: None\n  userGroups: ['system:serviceaccounts']\n", {"secrets", "tokens", "exec"}),
        ("- level: None\n  userGroups: ['system:masters']\n", {"rbac_writes", "deletions"}),
        ("- level: None\n  verbs: [get, list, watch]\n", {"secrets", "kubelet_proxy", "anonymous"}),
        ("- level: None\n  resources: [{group: '', resources: [secrets]}]\n", {"secrets", "secret_writes"}),
        ("- level: None\n  resources: [{group: '', resources: ['pods/*']}]\n", {"exec", "workloads"}),
        ("- level: None\n  resources: [{group: '', resources: ['*/exec']}]\n", {"exec"}),
        ("- level: None\n  resources: [{group: certificates.k8s.io}]\n", {"certificates"}),
        ("- level: None\n  namespaces: [kube-system]\n", {"workloads"}),
    ],
)
def test_a_rule_that_swallows_an_intruders_requests_is_named(rules: str, lost: set[str]) -> None:
    found = [one for one in judged(HEAD + "rules:\n" + rules + EVERYTHING) if one.severity == "medium"]
    assert lost <= {one.aspect for one in found if one.status == "fail"}
    where = next(one for one in found if one.aspect in lost).where[0]
    assert (where.line, where.path) == (4, PATH)


@pytest.mark.parametrize(
    "rule",
    [
        "- level: None\n  nonResourceURLs: ['/healthz*', /version, '/swagger*']\n",
        "- level: None\n  userGroups: [system:nodes]\n  verbs: [get]\n",
        "- level: None\n  users: ['system:kube-proxy']\n  verbs: [watch]\n",
        "- level: None\n  resources: [{group: '', resources: [events]}]\n",
        "- level: None\n  users: ['system:apiserver', 'system:kube-scheduler']\n",
        "- level: None\n  resources: [{group: '', resources: [pods/log, pods/status]}]\n",
        "- level: None\n  resources: [{group: '', resources: [configmaps], resourceNames: [controller-leader]}]\n",
        "- level: None\n  resources: [{group: 'apps', resources: [secrets]}]\n",  # another group: no Secret
        "- level: None\n  resources: [{group: '', resources: [pods], resourceNames: [one]}]\n",
    ],
)
def test_rules_against_noise_lose_nothing(rule: str) -> None:
    assert failed(HEAD + "rules:\n" + rule + EVERYTHING) == {"rbac_writes": "low", "workloads": "low"}


def test_what_no_rule_fits_is_not_recorded() -> None:
    only = "rules:\n- level: Metadata\n  resources: [{group: '', resources: [secrets]}]\n"
    found = failed(HEAD + only)
    assert {"rbac_writes", "exec", "anonymous"} <= set(found)
    assert "secrets" not in found


def test_the_order_of_rules_counts() -> None:
    none = "- level: None\n  resources: [{group: '', resources: [secrets]}]\n"
    assert "secrets" not in failed(HEAD + "rules:\n" + EVERYTHING + none)


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ("[RequestReceived]", set()),
        ("[ResponseComplete]", {"low"}),
        ("[RequestReceived, ResponseComplete]", {"medium"}),
    ],
)
def test_stages_left_out_take_the_outcome_along(stages: str, expected: set[str]) -> None:
    policy = f"{HEAD}omitStages: {stages}\nrules:\n- level: Metadata\n"
    assert {level for aspect, level in failed(policy).items() if aspect == "deletions"} == expected


def test_every_loss_says_for_whom_in_both_languages() -> None:
    found = judged(HEAD + "rules:\n- level: None\n  userGroups: ['system:serviceaccounts']\n" + EVERYTHING)
    one = next(one for one in found if one.aspect == "exec")
    assert "rule 1: not recorded for service accounts" in one.observed.en
    assert "规则 1：不记录，涉及：ServiceAccount" in one.observed.zh


@pytest.mark.parametrize(
    "text",
    ["", "{", "rules: []\n", HEAD, HEAD + "rules: []\n", HEAD + "rules:\n- level: Everything\n", "kind: Pod\n" * 3,
     HEAD.replace("v1\n", "v1\nrules: &a [*a]\n")],
)  # fmt: skip
def test_what_the_api_server_would_not_take_is_no_policy(text: str) -> None:
    assert {one.status for one in judged(text)} == {"not_evaluated"}


@pytest.mark.parametrize(
    ("spec", "path", "fits"),
    [("*", "/x", True), ("/healthz", "/healthz", True), ("/healthz*", "/healthz/etcd", True), ("/a", "/ab", False)],
)
def test_paths_are_compared_as_the_api_server_does(spec: str, path: str, fits: bool) -> None:
    document = read(f"{HEAD}rules:\n- level: Metadata\n  nonResourceURLs: ['{spec}']\n", Where())
    policy = policy_of(document) if document else None
    assert policy
    assert (policy.decide(Asked("u", (), "get", path=path)).number == 1) is fits


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, ["fail"]),
        ({"audit_policy_file": PATH}, ["fail"]),
        ({"audit_log_path": "/var/log/audit.log"}, ["fail"]),
        ({"audit_policy_file": PATH, "audit_log_path": "-"}, ["pass"]),
        ({"audit_policy_file": PATH, "audit_webhook_config_file": "/etc/w"}, ["pass"]),
    ],
)
def test_an_audit_log_needs_a_policy_and_somewhere_to_go(flags: dict[str, str], expected: list[str]) -> None:
    assert [one[0] for one in asked("audit_log", api(**flags))] == expected


KEPT = {"audit_policy_file": PATH, "audit_log_path": "/var/log/audit.log"}
SENT = {"audit_policy_file": PATH, "audit_webhook_config_file": "/etc/w"}


@pytest.mark.parametrize(
    ("flags", "aspects"),
    [
        (KEPT, {""}),
        ({**KEPT, "audit_log_maxage": "30", "audit_log_maxbackup": "10", "audit_log_maxsize": "100"}, {""}),
        ({**KEPT, "audit_log_maxage": "3"}, {"maxage"}),
        ({**KEPT, "audit_log_maxbackup": "1", "audit_log_maxsize": "5"}, {"size"}),
        ({**KEPT, "audit_log_maxage": "0", "audit_log_maxbackup": "0"}, {""}),
        ({**KEPT, "audit_log_mode": "batch", "audit_log_batch_buffer_size": "10"}, {"log buffer"}),
        ({**KEPT, "audit_log_batch_buffer_size": "10"}, {""}),  # not queued at all
        (SENT, {""}),
        ({**SENT, "audit_webhook_batch_buffer_size": "10"}, {"webhook buffer"}),
        ({**SENT, "audit_webhook_batch_throttle_qps": "1", "audit_webhook_batch_max_size": "10"}, {"webhook throttle"}),
        ({**SENT, "audit_webhook_mode": "blocking", "audit_webhook_batch_buffer_size": "10"}, {""}),
        ({**KEPT, "audit_log_maxage": "many"}, {""}),
        ({}, {""}),
    ],
)
def test_what_gets_lost_is_told_by_the_flags(flags: dict[str, str], aspects: set[str]) -> None:
    assert {one[1] for one in asked("audit_losses", api(**flags))} == aspects
