"""Claims about certificates that an intruder had issued: what is advised, and when taking bindings away is no help."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubewitness.incident.certificates import advice, issued
from kubewitness.incident.requests import requests_of
from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.evidence import Place
from kubewitness.model.incident import Action
from tests.incident.identity.test_attribution import INTRUDER, signing_request
from tests.incident.logs import Log, account

BY: dict[str, Any] = {"by": account("pki", "issuer"), "address": INTRUDER}


def advised(user: str, *, kind: str = "Approved", name: str = "csr", body: bool = True, delete: bool = False) -> Action:
    (action,) = advised_all(user, kind=kind, name=name, body=body, delete=delete)
    return action


def advised_all(user: str, *, kind: str, name: str = "csr", body: bool = True, delete: bool = False) -> list[Action]:
    log, asked = Log(), signing_request(user)
    answer = asked | {"status": {"conditions": [{"type": kind}]}}
    log.request("create", "certificatesigningrequests", at="13:00", name=name, body=asked if body else None, **BY)
    log.request("update", "certificatesigningrequests", at="13:01", name=name, subresource="approval",
                body=answer if body else None, **BY)  # fmt: skip
    if delete:
        log.request("delete", "certificatesigningrequests", at="13:02", name=name, **BY)
    events = [
        Event(msgspec.json.decode(line, type=AuditRecord), Place("audit.log", number, 0, len(line)), line)
        for number, line in enumerate(log.lines(), 1)
    ]
    return advice(issued(requests_of(events)))


def test_a_person_s_certificate_is_disarmed_by_its_bindings_and_its_request_kept_before_it_is_deleted() -> None:
    action = advised("mallory")
    assert action.title.en == "Disarm 1 certificate issued for mallory"
    keep, delete, search, *_ = action.command.splitlines()
    assert keep == "kubectl get certificatesigningrequests.certificates.k8s.io/csr -o yaml > " \
        "certificatesigningrequests-csr.yaml"  # fmt: skip
    assert delete.startswith("kubectl delete certificatesigningrequests.certificates.k8s.io/csr")
    assert search.endswith("grep -F -e mallory")
    assert "only a new CA" in action.detail.en
    assert "mallory 的全部绑定" in action.detail.zh


@pytest.mark.parametrize("user", ["system:kube-controller-manager", "system:node:node1"])
def test_a_part_of_the_cluster_keeps_its_bindings_and_the_ca_is_renewed(user: str) -> None:
    action = advised(user)
    assert action.title.en == f"Renew the CA: 1 certificate for {user} stays valid"
    assert "grep" not in action.command
    assert "leave Kubernetes' own bindings as they are" in action.detail.en


def test_a_request_that_is_gone_is_not_deleted_again() -> None:
    action = advised("mallory", delete=True)
    assert "kubectl delete" not in action.command
    assert "deleted already" in action.detail.en


def test_a_certificate_without_a_body_is_advised_on_by_its_request() -> None:
    action = advised("mallory", body=False)
    assert "mallory" not in action.command
    assert "does not tell whom they are for" in action.detail.en


def test_a_denied_request_needs_nothing() -> None:
    assert advised_all("mallory", kind="Denied") == []


@pytest.mark.parametrize("user", ["--all", "x'; rm -rf /", "a\nb", "a\u202eb"])
def test_hostile_names_stay_words(user: str) -> None:
    action = advised(user)
    assert "\n" not in action.title.en
    assert "\u202e" not in action.title.en + action.detail.en
    for line in action.command.splitlines():
        assert user not in line or line.endswith(("-e --all", """-e 'x'"'"'; rm -rf /'"""))
