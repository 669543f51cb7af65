"""One address with several collected identities is found; crowds, machines and reused addresses are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.detect.detectors.shared_address import shared_address
from tests.detect.detectors.evidence import ANONYMOUS, REFUSED, Row, account, scanned, secrets

X = "203.0.113.7"
WEB, API = account("shop", "web"), account("shop", "api")
NODE = {"username": "system:node:a", "groups": ["system:nodes"]}
PROBE = {"verb": "get", "user": ANONYMOUS, "sourceIPs": [X], "requestURI": "/healthz", "userAgent": "probe/1"}


def test_anonymous_and_a_service_account_by_hand(tmp_path: Path) -> None:
    rows: list[Row] = [(0, secrets(ANONYMOUS, X, **REFUSED)), (60, secrets(WEB, X)), (90, secrets(WEB, "10.0.0.9"))]
    (one,) = shared_address(scanned(tmp_path, rows))
    assert one.rule.id == "detectors/anonymous_and_service_account"
    assert (one.identity, one.address, one.count) == (WEB["username"], X, 2)
    assert {key.identity for key in one.accessors} == {"system:anonymous", WEB["username"]}
    assert len(one.audit_ids) == len(one.places) == 2


def test_two_service_accounts_by_hand(tmp_path: Path) -> None:
    (one,) = shared_address(scanned(tmp_path, [(0, secrets(WEB, X)), (60, secrets(API, X))]))
    assert (one.rule.id, one.rule.severity) == ("detectors/several_service_accounts", "medium")


@pytest.mark.parametrize(
    "rows",
    [
        [(0, secrets(WEB, X)), (60, secrets(WEB, X, userAgent="curl/8"))],
        [(0, secrets(WEB, X)), (60, secrets(API, "203.0.113.8"))],
        [(0, secrets(WEB, X)), (60, secrets(API, X, userAgent="api-server-of-the-shop/2"))],
        [(0, secrets(WEB, X)), (60, secrets(API, X, **REFUSED))],
        [(0, secrets(WEB, X)), (7200, secrets(API, X))],
        [(0, secrets(WEB, X)), (60, PROBE)],
        [(0, secrets(WEB, X)), (60, secrets(API, X)), (70, secrets(NODE, X, userAgent="kubelet/v1"))],
        [(n, secrets(account("shop", f"a{n}"), X)) for n in range(6)],
        [(0, secrets(WEB, "127.0.0.1")), (60, secrets(API, "127.0.0.1"))],
    ],
    ids=[
        "one account, two tools", "two addresses", "a program", "refused only", "the next pod with that address",
        "health probe", "a node", "many behind one address", "loopback",
    ],
)  # fmt: skip
def test_what_proves_nothing(rows: list[Row], tmp_path: Path) -> None:
    assert list(shared_address(scanned(tmp_path, rows))) == []
