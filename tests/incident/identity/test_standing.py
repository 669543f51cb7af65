"""Claims about credentials that outlive an intrusion, and about bindings that are Kubernetes' own and no cause."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubewitness.incident.cause import Binding, ships
from kubewitness.incident.identity.standing import standing
from kubewitness.incident.requests import requests_of
from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.evidence import Place
from tests.incident.identity.test_attribution import INTRUDER, signing_request
from tests.incident.logs import Log, account

END = "2026-03-02T20:00:00.000000Z"
BY: dict[str, Any] = {"by": account("pki", "issuer"), "address": INTRUDER}


def said(log: Log, end: str = END) -> list[tuple[str, str]]:
    events = [
        Event(msgspec.json.decode(line, type=AuditRecord), Place("audit.log", number, 0, len(line)), line)
        for number, line in enumerate(log.lines(), 1)
    ]
    for label, value in standing(requests_of(events), end):
        assert label.zh
        assert value.zh
    return [(label.en, value.en) for label, value in standing(requests_of(events), end)]


def certificate(log: Log, *, kind: str = "Approved", code: int = 200, body: bool = True, **spec: Any) -> None:
    asked = signing_request("system:kube-controller-manager")
    asked["spec"] |= spec
    answer = asked | {"status": {"conditions": [{"type": kind}]}}
    log.request("create", "certificatesigningrequests", at="13:00", name="node-csr", body=asked if body else None, **BY)
    log.request("update", "certificatesigningrequests", at="13:01", name="node-csr", subresource="approval",
                body=answer if body else None, code=code, **BY)  # fmt: skip


def test_an_approved_certificate_is_said_to_stay_valid_after_its_bindings() -> None:
    log = Log()
    certificate(log, expirationSeconds=86_400)
    ((label, text),) = said(log)
    assert label == "Certificates"
    assert "for system:kube-controller-manager: valid until 2026-03-03 13:01:00 UTC at the latest" in text
    assert "only a new CA does" in text


def test_a_certificate_whose_body_was_not_logged_is_still_told() -> None:
    log = Log()
    certificate(log, body=False)
    ((_, text),) = said(log)
    assert "One issued for ?" in text
    assert "the log does not tell" in text


@pytest.mark.parametrize("spec", ["soon", True, -1, 10**18, {"a": 1}])
def test_a_lifetime_that_is_none_is_no_end(spec: object) -> None:
    log = Log()
    certificate(log, expirationSeconds=spec)
    ((_, text),) = said(log)
    assert "the log does not tell" in text


@pytest.mark.parametrize("how", [{"kind": "Denied"}, {"code": 403}])
def test_a_certificate_that_was_denied_or_refused_is_none(how: dict[str, Any]) -> None:
    log = Log()
    certificate(log, **how)
    assert said(log) == []


def minted(log: Log, **status: str) -> None:
    log.request("create", "serviceaccounts", at="13:00", namespace="shop", name="web", subresource="token",
                body={"spec": {"expirationSeconds": 3600}}, response={"status": status}, **BY)  # fmt: skip


def test_a_minted_token_is_told_while_it_lives() -> None:
    log = Log()
    minted(log, expirationTimestamp="2026-03-03T13:00:00Z")
    ((label, text),) = said(log)
    assert (label, "shop/web (until 2026-03-03 13:00:00 UTC)" in text) == ("Tokens", True)


def test_a_minted_token_that_ended_or_whose_account_is_gone_is_not_told() -> None:
    log = Log()
    minted(log)  # an hour, by what was asked
    assert said(log) == []
    assert said(log, end="2026-03-02T13:30:00.000000Z")
    log = Log()
    minted(log, expirationTimestamp="2026-03-03T13:00:00Z")
    log.request("delete", "serviceaccounts", at="13:09", namespace="shop", name="web", **BY)
    assert said(log) == []


@pytest.mark.parametrize(
    ("name", "role", "subject", "own"),
    [
        ("system:kube-scheduler", "system:kube-scheduler", "User system:kube-scheduler", True),
        ("system:coredns", "system:coredns", "ServiceAccount kube-system/coredns", True),
        ("system:controller:job-controller", "system:controller:job-controller",
         "ServiceAccount kube-system/job-controller", True),
        ("system:controller:kube-controller", "cluster-admin", "ServiceAccount kube-system/kube-controller", False),
        ("system:kube-controller-manager", "system:kube-controller-manager", "User system:anonymous", False),
        ("system:coredns", "system:coredns", "ServiceAccount shop/coredns", False),
        ("system:monitoring", "system:monitoring", "Group system:unauthenticated", False),
        ("cluster-admin", "cluster-admin", "Group developers", False),
        ("contractors-debug", "contractors-debug", "Group contractors", False),
    ],
)  # fmt: skip
def test_only_a_components_own_binding_to_the_role_of_its_name_is_no_cause(
    name: str, role: str, subject: str, own: bool
) -> None:
    assert ships(Binding("ClusterRoleBinding", "", name, f"ClusterRole {role}", subject)) is own
