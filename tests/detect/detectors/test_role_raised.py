"""A role that rises to wildcards is found by comparing what was written to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubewitness.detect.detectors.role_raised import role_raised
from tests.detect.detectors.evidence import Row, role, scanned

READ = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
ALL = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
OWN_GROUP = [{"apiGroups": ["example.com"], "resources": ["*"], "verbs": ["*"]}]
LEASES = [{"apiGroups": [""], "resources": ["leases"], "verbs": ["*"]}]
JSON_PATCH = [{"op": "replace", "path": "/rules/0", "value": ALL[0]}]
AGGREGATOR: dict[str, Any] = {
    "user": {"username": "system:serviceaccount:kube-system:clusterrole-aggregation-controller"}
}
RAISED, OLDER = "detectors/role_raised_to_wildcard", "detectors/older_role_given_wildcard"


def found(tmp_path: Path, rows: list[Row]) -> list[str]:
    return [one.rule.id for one in role_raised(scanned(tmp_path, rows))]


@pytest.mark.parametrize(
    ("rows", "rules"),
    [
        ([(0, role(READ)), (60, role(ALL, verb="update"))], [RAISED]),
        ([(0, role(READ)), (60, {**role(READ, verb="patch"), "requestObject": JSON_PATCH})], [RAISED]),
        ([(0, role(READ)), (30, role([], verb="delete")), (60, role(ALL))], [RAISED]),
        ([(60, role(ALL, verb="update"))], [OLDER]),
        ([(0, role(ALL, verb="update")), (60, role(ALL, verb="update"))], [OLDER]),
    ],
    ids=["update", "JSON patch", "deleted and made again", "older than the log", "once only"],
)
def test_a_role_that_rises_is_found(rows: list[Row], rules: list[str], tmp_path: Path) -> None:
    assert found(tmp_path, rows) == rules


@pytest.mark.parametrize(
    "rows",
    [
        [(0, role(ALL))],
        [(0, role(ALL)), (60, role(ALL, verb="update"))],
        [(0, role(READ)), (60, role(READ + LEASES, verb="update"))],
        [(0, role(READ)), (60, role(OWN_GROUP, verb="update"))],
        [(0, role(READ)), (60, role(ALL, verb="update", **AGGREGATOR))],
        [(0, role(READ)), (60, role(ALL, verb="update", responseStatus={"code": 403}))],
        [(0, role(READ)), (60, {**role(READ, verb="update", level="Metadata"), "requestObject": None})],
    ],
    ids=["new role", "written again", "leases", "own group", "aggregation", "refused", "no body"],
)
def test_what_does_not_rise_is_not(rows: list[Row], tmp_path: Path) -> None:
    assert found(tmp_path, rows) == []
