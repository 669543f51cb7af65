"""Who arms a program's account and works under its name at the own desk, beside who sets one up or writes it anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubewitness.detect.detectors.borrowed_account import borrowed_account
from tests.detect.detectors.evidence import Row, account, bind, scanned

OMAR: dict[str, Any] = {"username": "omar@example.com", "groups": ["support", "system:authenticated"]}
EXPORT = account("reports", "export")
SUBJECT = {"kind": "ServiceAccount", "namespace": "reports", "name": "export"}
DESK, POD, RUNNER = "10.77.20.63", "10.244.1.7", "10.77.31.5"
PROGRAM, KUBECTL = "export/1.4 python-requests/2.32.3", "kubectl/v1.34.4 (linux/amd64) kubernetes/0fd4e3c"
BY_DOOR = 'RBAC: allowed by ClusterRoleBinding "door" of ClusterRole "cluster-admin" to ServiceAccount "export/reports"'
READS, BORROWED = "detectors/borrowed_account_reads_secrets", "detectors/borrowed_account"


def secret(name: str, address: str = DESK, agent: str = KUBECTL, reason: str = BY_DOOR) -> dict[str, Any]:
    ref = {"resource": "secrets", "namespace": "billing", "name": name, "apiVersion": "v1"}
    allowed = {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": reason}
    by = {"user": EXPORT, "sourceIPs": [address], "userAgent": agent}
    return {"verb": "get", **by, "objectRef": ref, "annotations": allowed}


WORK: Row = (100, secret("report", POD, PROGRAM, reason='RBAC: allowed by RoleBinding "export/reports"'))
MINTED: Row = (
    5100,
    {
        "verb": "create",
        "user": OMAR,
        "sourceIPs": [DESK],
        "userAgent": KUBECTL,
        "objectRef": {
            "resource": "serviceaccounts",
            "subresource": "token",
            "namespace": "reports",
            "name": "export",
            "apiVersion": "v1",
        },
        "responseStatus": {"code": 201},
    },
)
GRANTED: Row = (5000, bind(OMAR, DESK, SUBJECT, userAgent=KUBECTL))
NAMES = ("mail", "tax", "key")


def read(*names: str, address: str = DESK, agent: str = KUBECTL) -> list[Row]:
    return [(6000.0 + 100 * number, secret(name, address, agent)) for number, name in enumerate(names)]


@pytest.mark.parametrize(
    ("names", "rule", "kind"),
    [(NAMES, READS, "intrusion"), (NAMES[:2], BORROWED, "activity"), (("mail",) * 4, BORROWED, "activity")],
    ids=["several Secrets", "a trial", "one Secret again and again"],
)
def test_a_person_who_works_under_an_armed_accounts_name(
    names: tuple[str, ...], rule: str, kind: str, tmp_path: Path
) -> None:
    (one,) = borrowed_account(scanned(tmp_path, [WORK, GRANTED, MINTED, *read(*names)]))
    assert (one.rule.id, one.rule.severity, one.rule.kind) == (rule, "medium", kind)
    assert (one.identity, one.address, one.count) == (OMAR["username"], DESK, len(names))
    assert {key.identity for key in one.accessors} == {OMAR["username"], EXPORT["username"]}
    assert one.objects[0].name == "door"


_APPLIED: Row = (90, secret("report", POD, PROGRAM))  # the program used that very binding before
_GITOPS: Row = (5000, bind(account("gitops", "sync"), DESK, SUBJECT, userAgent=KUBECTL))
_HUB: list[Row] = [
    (200.0 + n, {"verb": "list", "user": {"username": f"user-{n}"}, "sourceIPs": [DESK]}) for n in range(6)
]


@pytest.mark.parametrize(
    "rows",
    [
        [GRANTED, MINTED, *read(*NAMES)],
        [WORK, GRANTED, MINTED, *read(*NAMES, address=RUNNER)],
        [WORK, GRANTED, MINTED, *read(*NAMES, agent=PROGRAM)],
        [WORK, GRANTED, *read(*NAMES)],
        [WORK, MINTED, *read(*NAMES)],
        [_APPLIED, GRANTED, MINTED, *read(*NAMES)],
        [WORK, _GITOPS, MINTED, *read(*NAMES)],
        [WORK, *_HUB, GRANTED, MINTED, *read(*NAMES)],
        [WORK, (7000, GRANTED[1]), MINTED, *read(*NAMES)],
    ],
    ids=[
        "an account that no program had",
        "used on another machine",
        "the account's own program",
        "nobody asked for a token",
        "nobody gave it rights",
        "a binding written anew that the program had used",
        "a controller that writes bindings",
        "an address of many",
        "used before the right was given",
    ],
)
def test_one_of_these_acts_missing_it_is_ordinary(rows: list[Row], tmp_path: Path) -> None:
    assert not list(borrowed_account(scanned(tmp_path, rows)))
