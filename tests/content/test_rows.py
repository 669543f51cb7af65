"""Test rows become the events an API server would have logged; what they leave out is filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubewitness.model.event import Event
from tests.content.rows import make_event, read_rows


@pytest.mark.parametrize(
    ("event", "uri"),
    [
        ({"objectRef": {"resource": "secrets"}}, "/api/v1/secrets"),
        ({"objectRef": {"resource": "pods", "namespace": "a", "name": "b"}}, "/api/v1/namespaces/a/pods/b"),
        (
            {"verb": "create", "objectRef": {"resource": "pods", "namespace": "a", "name": "b"}},
            "/api/v1/namespaces/a/pods",
        ),
        (
            {"verb": "create", "objectRef": {"resource": "pods", "namespace": "a", "name": "b", "subresource": "exec"}},
            "/api/v1/namespaces/a/pods/b/exec",
        ),
        (
            {"objectRef": {"resource": "clusterroles", "apiGroup": "rbac.authorization.k8s.io", "name": "system:x"}},
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Ax",
        ),
        ({"objectRef": {"resource": "namespaces", "namespace": "a", "name": "a"}}, "/api/v1/namespaces/a"),
        ({"verb": "watch", "objectRef": {"resource": "pods"}}, "/api/v1/pods?watch=true"),
        ({"requestURI": "/healthz"}, "/healthz"),
    ],
)
def test_the_uri_follows_from_the_object(event: dict[str, Any], uri: str) -> None:
    assert make_event(event).record.requestURI == uri


def test_rows_are_merged_deeply_lists_replace_and_null_deletes() -> None:
    event = make_event({"user": {"groups": ["a"]}, "userAgent": None, "sourceIPs": ["192.0.2.1"]})
    assert (event.user.username, event.user.groups, event.address) == ("alice", ("a",), "192.0.2.1")
    assert b"userAgent" not in event.original


def test_the_decision_follows_from_the_status() -> None:
    def decision(event: Event) -> str:
        return str(event.annotations.get("authorization.k8s.io/decision"))

    assert decision(make_event({})) == "allow"
    assert decision(make_event({"responseStatus": {"code": 403}})) == "forbid"
    assert decision(make_event({"responseStatus": {"code": 401}})) == "None"
    given = {"responseStatus": {"code": 403}, "annotations": {"authorization.k8s.io/decision": "allow"}}
    assert decision(make_event(given)) == "allow"
    assert make_event({"stage": "RequestReceived"}).code == 0


def test_a_row_keeps_its_line_its_reason_and_its_times(tmp_path: Path) -> None:
    path = tmp_path / "x.test.yml"
    path.write_text(
        "match:\n- why: one\n  events: [{at: 0, event: {}}, {at: 90, event: {verb: list}}]\nnear_miss: []\n"
    )
    (row,) = read_rows(path)
    assert (row.line, row.why, row.expected, row.events[1].verb) == (2, "one", True, "list")
    first, second = (event.time for event in row.events)
    assert first is not None
    assert second is not None
    assert (second - first).total_seconds() == 90
    assert row.events[0].audit_id != row.events[1].audit_id


@pytest.mark.parametrize("text", ["- x", "matches: []", "match: [{event: {}}]", "match: [{why: no, event: {}}]"])
def test_a_file_that_is_no_rows_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.test.yml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"x\.test\.yml:1: "):
        read_rows(path)
