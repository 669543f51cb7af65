"""What opened the way in, where the log has no reasons of the authorizer: likely bindings are named as likely."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.model.incident import RootCause
from tests.incident.conftest import Investigate
from tests.incident.logs import DOOR, Log, binding

INTRUDER = "203.0.113.77"
ANYBODY = "User system:anonymous"


@pytest.fixture
def log() -> Log:
    log = Log()
    log.quiet_day()
    return log


def opens(log: Log, subject: str = ANYBODY, at: str = "08:00", name: str = "open", role: str = "cluster-admin") -> str:
    return log.admin("create", "clusterrolebindings", at=at, name=name, body=binding(name, role, subject))


def causes(log: Log, judged: Investigate, **more: Any) -> tuple[RootCause, ...]:
    """Of who reads all secrets without a credential at one o'clock."""
    more = {"annotations": None, **more}
    log.request("list", "secrets", at="13:00", by="system:anonymous", address=INTRUDER, agent="curl/8.5.0", **more)
    (incident,) = judged(log).incidents
    return incident.root_causes


@pytest.mark.parametrize("subject", [ANYBODY, "Group system:unauthenticated"])
def test_the_binding_that_stood_and_named_who_came_in_is_the_likely_cause(
    log: Log, judged: Investigate, subject: str
) -> None:
    made = opens(log, subject)
    (cause,) = causes(log, judged)
    assert (cause.kind, cause.name, cause.role, cause.subject) == (
        "ClusterRoleBinding", "open", "ClusterRole cluster-admin", subject
    )  # fmt: skip
    assert cause.created_by == "kubernetes-admin"
    assert cause.requests_authorised == 0
    assert "likely, not proven" in cause.description.en
    assert "未经证实" in cause.description.zh
    assert made in {evidence.audit_id for evidence in cause.evidence}


def test_a_binding_for_others_or_of_later_or_removed_before_is_not_named(log: Log, judged: Investigate) -> None:
    opens(log, "User jane", name="hers")
    opens(log, at="13:05", name="later")
    opens(log, name="removed")
    log.admin("delete", "clusterrolebindings", at="09:00", name="removed")
    opens(log, "Group system:unauthenticated", name="info", role="system:public-info-viewer")
    (cause,) = causes(log, judged)
    assert (cause.kind, cause.subject) == ("Setting", ANYBODY)


def test_where_the_reason_is_told_nothing_is_guessed(log: Log, judged: Investigate) -> None:
    opens(log, name="other")
    (cause,) = causes(log, judged, reason=DOOR, annotations={"authorization.k8s.io/decision": "allow",
                      "authorization.k8s.io/reason": DOOR})  # fmt: skip
    assert cause.name == "anonymous-admin"
    assert "not proven" not in cause.description.en
