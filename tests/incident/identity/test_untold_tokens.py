"""Who asked for the token that an intruder used, where the log does not tell which token is which (older servers)."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.model.document import Document
from kubewitness.model.incident import Incident
from tests.incident.conftest import Investigate
from tests.incident.logs import KUBECTL, OFFICE, Log, account, daemonset

ELSEWHERE = "203.0.113.77"
DEPLOYER = account("kube-system", "deployer")
FRONT = account("shop", "front")
MINER = daemonset("kube-controller", "docker.io/kubrnetesio/kube-controller:1.0.1")
IDS = {"authentication.kubernetes.io/credential-id": ["JTI=5f012c75-c8c5-4bc4-b077-bcad06720891"]}


@pytest.fixture
def log() -> Log:
    log = Log()
    log.quiet_day()
    return log


def only(document: Document) -> Incident:
    assert len(document.incidents) == 1, [incident.title.en for incident in document.incidents]
    return document.incidents[0]


def asks(log: Log, by: str = FRONT, at: str = "12:59", name: str = "deployer", **more: Any) -> str:
    more = {"agent": "curl/8.5.0", "address": "10.244.1.2", **more}
    return log.request(
        "create", "serviceaccounts", at=at, by=by, namespace="kube-system", name=name, subresource="token", **more
    )


def uses(log: Log, **more: Any) -> list[str]:
    by: dict[str, Any] = {"by": DEPLOYER, "address": ELSEWHERE, "agent": KUBECTL, **more}
    body: dict[str, Any] = {"namespace": "kube-system", "name": "kube-controller", "body": MINER}
    return [
        log.request("list", "secrets", at="13:00", **by),
        log.request("create", "daemonsets", at="13:02", **body, **by),
    ]


def test_who_asked_by_hand_for_a_token_of_the_account_is_the_way_in(log: Log, judged: Investigate) -> None:
    asked, used = asks(log), uses(log)
    incident = only(judged(log))
    assert set(incident.audit_ids) == {asked, *used}
    assert incident.entry_point is not None
    assert (incident.entry_point.identity, incident.entry_point.address) == (FRONT, "10.244.1.2")
    assert any("likely, not proven" in why.en for why in incident.actors[0].why)


@pytest.mark.parametrize(
    "other",
    [
        {"name": "backup"},
        {"at": "13:05"},
        {"code": 403},
        {"by": "kubernetes-admin", "address": OFFICE, "agent": KUBECTL},
        {"by": account("vault", "operator"), "agent": "vault-operator/1.4 (linux/amd64)"},
        {"by": "system:node:node-a", "address": "10.0.0.11", "agent": "kubelet/v1.31.0 (linux/amd64)"},
    ],
    ids=["another account's", "afterwards", "refused", "an administrator", "an operator's program", "a kubelet"],
)
def test_who_asked_for_another_token_or_as_a_matter_of_course_is_not_the_thief(
    log: Log, judged: Investigate, other: dict[str, Any]
) -> None:
    asked, used = asks(log, **other), uses(log)
    found = set(only(judged(log)).audit_ids)
    assert set(used) <= found
    assert asked not in found


def test_a_pipeline_that_asks_for_such_tokens_all_day_is_not_the_thief(log: Log, judged: Investigate) -> None:
    work = [asks(log, by=account("ci", "runner"), at=f"{hour:02}:30", agent=KUBECTL) for hour in range(7, 19)]
    used = uses(log)
    found = set(only(judged(log)).audit_ids)
    assert found >= set(used)
    assert not found & set(work)


def test_where_both_ids_are_told_and_differ_it_is_another_token(log: Log, judged: Investigate) -> None:
    issued = {
        "authorization.k8s.io/decision": "allow",
        "authorization.k8s.io/reason": "",
        "authentication.kubernetes.io/issued-credential-id": "JTI=00000000-c8c5-4bc4-b077-bcad06720891",
    }
    asked, used = asks(log, annotations=issued), uses(log, extra=IDS)
    found = set(only(judged(log)).audit_ids)
    assert set(used) <= found
    assert asked not in found
