"""Refused → granted → allowed is found with its order, and told apart by whose interest the grant was in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubewitness.detect.detection import Detection
from kubewitness.detect.detectors.opened_by_grant import covers, opened_by_grant
from kubewitness.rules.features.rbac import Subject
from tests.detect.detectors.evidence import ANONYMOUS, REFUSED, Row, account, bind, scanned, secrets

ADMIN = {"username": "kubernetes-admin", "groups": ["system:masters"]}
WEB = account("shop", "web")
SUBJECT = {"kind": "ServiceAccount", "namespace": "shop", "name": "web"}
OWN, OTHER = "detectors/granted_own_request", "detectors/granted_after_refusal"
OFFICE, POD, THIEF = "198.51.100.20", "10.244.1.7", "203.0.113.7"


def found(tmp_path: Path, rows: list[Row]) -> list[Detection]:
    return list(opened_by_grant(scanned(tmp_path, rows)))


def story(grant: dict[str, Any], *, address: str = POD) -> list[Row]:
    """Account web is at work, refused Secrets at 4,000 s, given the grant at 5,000 s and allowed at 6,000 s."""
    pods = {"verb": "list", "objectRef": {"resource": "pods", "namespace": "shop", "apiVersion": "v1"}}
    return [
        (0, {**pods, "user": WEB, "sourceIPs": [address]}),
        (4000, secrets(WEB, address, **REFUSED)),
        (5000, grant),
        (6000, secrets(WEB, address)),
    ]


def test_an_administrator_who_fixes_rights_is_worth_a_line_no_more(tmp_path: Path) -> None:
    (one,) = found(tmp_path, story(bind(ADMIN, OFFICE, SUBJECT)))
    assert (one.rule.id, one.rule.severity, one.rule.kind) == (OTHER, "low", "activity")
    assert (one.identity, one.address, one.count) == (WEB["username"], POD, 1)
    assert [place.line for place, _ in one.places] == [2, 3, 4]  # refusal, grant, permission
    assert one.objects[0].name == "door"


@pytest.mark.parametrize(
    "grant",
    [
        bind(WEB, POD, SUBJECT),
        bind(ANONYMOUS, THIEF, SUBJECT),
        bind(account("ci", "deploy"), POD, SUBJECT),
        bind(WEB, POD, {"kind": "Group", "name": "system:serviceaccounts"}),
        bind(WEB, POD, {"kind": "User", "name": "system:serviceaccount:shop:web"}),
    ],
    ids=["itself", "anonymous", "another name at its address", "through a group", "as a user"],
)
def test_a_grant_in_its_own_interest_betrays_an_intruder(grant: dict[str, Any], tmp_path: Path) -> None:
    (one,) = found(tmp_path, story(grant))
    assert (one.rule.id, one.rule.severity, one.rule.kind) == (OWN, "high", "intrusion")


def test_an_administrator_who_tries_a_token_at_the_own_desk_is_none(tmp_path: Path) -> None:
    rows = [(0.0, {"user": ADMIN, "sourceIPs": [OFFICE]}), *story(bind(ADMIN, OFFICE, SUBJECT), address=OFFICE)]
    assert [one.rule.id for one in found(tmp_path, rows)] == [OTHER]


@pytest.mark.parametrize(
    ("address", "rule"), [("10.77.20.21", OTHER), (THIEF, OWN)], ids=["own network", "from outside"]
)
def test_a_person_who_breaks_the_glass_for_himself_is_an_intruder_only_from_outside(
    address: str, rule: str, tmp_path: Path
) -> None:
    nora: dict[str, Any] = {"username": "nora@example.com", "groups": ["platform-operators", "system:authenticated"]}
    rows: list[Row] = [
        (3900, {"user": nora, "sourceIPs": [address]}),
        (4000, secrets(nora, address, **REFUSED)),
        (4100, bind({**ADMIN, "username": "break-glass"}, address, {"kind": "User", "name": nora["username"]})),
        (4200, secrets(nora, address)),
    ]
    assert [one.rule.id for one in found(tmp_path, rows)] == [rule]


@pytest.mark.parametrize(
    "rows",
    [
        story(bind(ADMIN, OFFICE, {"kind": "ServiceAccount", "namespace": "shop", "name": "api"})),
        story(bind(ADMIN, OFFICE, SUBJECT, responseStatus={"code": 403})),
        [(0.0, secrets(WEB, POD)), *story(bind(ADMIN, OFFICE, SUBJECT))[:3]],
        [*story(bind(ADMIN, OFFICE, SUBJECT))[:2], (4500.0, secrets(WEB, POD)), (5000.0, bind(ADMIN, OFFICE, SUBJECT))],
        [*story(bind(ADMIN, OFFICE, SUBJECT))[:3], (6000.0, secrets(account("shop", "api"), POD))],
    ],
    ids=["names another", "was refused", "no permission after it", "allowed before it", "another was allowed"],
)
def test_without_all_three_in_order_there_is_nothing(rows: list[Row], tmp_path: Path) -> None:
    assert found(tmp_path, rows) == []


def test_the_authorizers_reason_decides_which_binding_it_was(tmp_path: Path) -> None:
    reason = 'RBAC: allowed by ClusterRoleBinding "other" of ClusterRole "x" to ServiceAccount "web/shop"'
    rows = story(bind(ADMIN, OFFICE, SUBJECT))
    rows[3][1]["annotations"] = {"authorization.k8s.io/reason": reason}
    assert found(tmp_path, rows) == []
    rows[3][1]["annotations"] = {"authorization.k8s.io/reason": reason.replace("other", "door")}
    assert len(found(tmp_path, rows)) == 1


def test_a_program_that_starts_before_its_rights_are_installed_is_nothing(tmp_path: Path) -> None:
    rows: list[Row] = [(0, {"user": ADMIN, "sourceIPs": [OFFICE]}), (5000, secrets(WEB, POD, **REFUSED))]
    rows += [(5010, bind(ADMIN, OFFICE, SUBJECT)), (5020, secrets(WEB, POD))]
    assert found(tmp_path, rows) == []


def test_a_role_binding_opens_its_own_namespace_only(tmp_path: Path) -> None:
    grant = bind(ADMIN, OFFICE, SUBJECT)
    grant["objectRef"] = {**grant["objectRef"], "resource": "rolebindings", "namespace": "billing"}
    assert found(tmp_path, story(grant)) == []
    grant["objectRef"] = {**grant["objectRef"], "namespace": "shop"}
    assert len(found(tmp_path, story(grant))) == 1


def test_a_group_of_the_provider_is_known_from_the_event(tmp_path: Path) -> None:
    grant = bind(ADMIN, OFFICE, {"kind": "Group", "name": "shop-team"})
    assert found(tmp_path, story(grant)) == []
    member = {**WEB, "groups": [*WEB["groups"], "shop-team"]}
    rows = [(at, {**event, "user": member} if event.get("user") == WEB else event) for at, event in story(grant)]
    assert len(found(tmp_path, rows)) == 1


@pytest.mark.parametrize(
    ("subject", "identity", "meant"),
    [
        (Subject("Group", "", "system:unauthenticated"), "system:anonymous", True),
        (Subject("Group", "", "system:authenticated"), "system:anonymous", False),
        (Subject("Group", "", "system:authenticated"), "alice", True),
        (Subject("Group", "", "system:serviceaccounts:shop"), "system:serviceaccount:shop:web", True),
        (Subject("Group", "", "system:serviceaccounts:shop"), "system:serviceaccount:shopping:web", False),
        (Subject("Group", "", "system:serviceaccounts"), "alice", False),
        (Subject("ServiceAccount", "shop", "web"), "system:serviceaccount:shop:web", True),
        (Subject("User", "", "alice"), "bob", False),
    ],
)
def test_subjects_mean_identities(subject: Subject, identity: str, meant: bool) -> None:
    assert covers(subject, identity) is meant
