"""Contained or active: what stands is told, silence alone contains nothing, and who shuts the door matters."""

from __future__ import annotations

from typing import Any

from kubewitness.model.incident import Incident, Verdict
from tests.incident.conftest import Investigate
from tests.incident.identity.test_attribution import only
from tests.incident.logs import Log, allowed_by, binding, daemonset
from tests.incident.verdicts.test_pace import STOLEN, log_of_a_theft

BODY = binding("ci-admin", "cluster-admin", "ServiceAccount ci/deployer")


def state(incident: Incident) -> Verdict:
    (found,) = [one for one in incident.verdicts if one.question == "contained_or_active"]
    return found


def said(found: Verdict) -> str:
    return " ".join(text.en for text in found.reasons)


def _with_workload() -> Log:
    log = log_of_a_theft()
    log.request("create", "daemonsets", at="14:02", namespace="ci", name="x", body=daemonset("x", "a"), **STOLEN)
    return log


def test_a_workload_that_nobody_deleted_is_active(judged: Investigate) -> None:
    incident = only(judged(_with_workload()))
    assert state(incident).verdict == "active"
    assert "Nobody is seen to delete DaemonSet ci/x." in said(state(incident))


def test_a_workload_that_an_administrator_deleted_is_not_told_as_left(judged: Investigate) -> None:
    log = _with_workload()
    log.admin("delete", "daemonsets", at="14:40", namespace="ci", name="x")
    incident = only(judged(log))
    assert "Nobody is seen to delete" not in said(state(incident))
    assert "not seen removed" not in incident.title.en
    assert not incident.status[0][1].en.startswith("Not seen removed")


def test_a_namesake_that_was_deleted_elsewhere_or_before_removes_nothing(judged: Investigate) -> None:
    log = _with_workload()
    log.admin("delete", "daemonsets", at="13:00", namespace="ci", name="x")
    log.admin("delete", "daemonsets", at="14:40", namespace="shop", name="x")
    assert "Nobody is seen to delete DaemonSet ci/x." in said(state(only(judged(log))))


def test_a_deleted_namespace_takes_its_workloads_along(judged: Investigate) -> None:
    log = _with_workload()
    log.admin("delete", "namespaces", at="14:40", name="ci")
    assert "Nobody is seen to delete" not in said(state(only(judged(log))))


def test_what_was_made_again_after_it_was_deleted_is_left(judged: Investigate) -> None:
    """By the intruder itself in the one log, by an administrator in the other."""
    for deletes in ("intruder", "administrator"):
        log = _with_workload()
        if deletes == "intruder":
            log.request("delete", "daemonsets", at="14:03", namespace="ci", name="x", **STOLEN)
        else:
            log.admin("delete", "daemonsets", at="14:03", namespace="ci", name="x")
        log.request("create", "daemonsets", at="14:04", namespace="ci", name="x", body=daemonset("x", "a"), **STOLEN)
        incident = only(judged(log))
        assert "Nobody is seen to delete DaemonSet ci/x." in said(state(incident)), deletes
        assert incident.status[0][1].en.startswith("Not seen removed: DaemonSet ci/x"), deletes


def test_a_namespace_that_the_intruder_made_is_named_once_and_gone_once_deleted(judged: Investigate) -> None:
    """All requests on a Namespace but its making name the Namespace itself as where it lies."""
    for by in (None, "intruder", "administrator"):
        log = log_of_a_theft()
        log.request("create", "namespaces", at="14:01", name="dev", uri="/api/v1/namespaces", **STOLEN)
        log.request("create", "daemonsets", at="14:02", namespace="dev", name="x", body=daemonset("x", "a"), **STOLEN)
        where: dict[str, Any] = {"namespace": "dev", "name": "dev", "uri": "/api/v1/namespaces/dev"}
        if by == "intruder":
            log.request("delete", "namespaces", at="14:40", **where, **STOLEN)
        elif by:
            log.admin("delete", "namespaces", at="14:40", **where)
        incident = only(judged(log))
        effect = incident.status[0][1].en
        assert effect == (
            "What the intruder deployed was removed"
            if by
            else "Not seen removed: DaemonSet dev/x; nor undone: Namespace dev"
        ), by
        assert not any("dev/dev" in text.en for step in incident.steps for text in (step.description, *step.effects))
        deleted = [step.description.en for step in incident.steps if step.act == "delete"]
        assert deleted == (["deleted Namespace dev"] if by == "intruder" else [])


def test_rights_that_others_took_away_with_all_it_made_contain_it(judged: Investigate) -> None:
    log = _with_workload()
    log.admin("create", "clusterrolebindings", at="06:05", name="ci-admin", body=BODY, response=BODY)
    log.admin("delete", "daemonsets", at="14:40", namespace="ci", name="x")
    log.admin("delete", "clusterrolebindings", at="14:41", name="ci-admin")
    for minute in (50, 55):
        log.request("list", "secrets", at=f"14:{minute}", code=403, **STOLEN | {"reason": ""})
    found = state(only(judged(log)))
    told = " ".join(text.en for text in (*found.reasons, *found.against))
    assert "kubernetes-admin deleted ClusterRoleBinding ci-admin" in told
    assert "Its last 2 requests, from" in told
    assert "What it made was removed by kubernetes-admin (DaemonSet ci/x)." in told
    assert found.verdict == "contained"


def test_a_credential_of_which_nothing_more_is_known_is_active_at_low_confidence_at_most(judged: Investigate) -> None:
    found = state(only(judged(log_of_a_theft())))
    assert (found.verdict, found.confidence) in (("active", "low"), ("undetermined", "low"))


def test_a_binding_of_a_namespace_is_named_with_it_in_verdict_advice_and_root_cause(judged: Investigate) -> None:
    reason = {"reason": allowed_by("deployer", "Role deployer", "ServiceAccount deployer/ci", namespace="ci")}
    log = log_of_a_theft()
    log.request("create", "daemonsets", at="14:02", namespace="ci", name="x", body=daemonset("x", "a"),
                **STOLEN | reason)  # fmt: skip
    incident = only(judged(log))
    assert "RoleBinding ci/deployer" in said(state(incident))
    assert [cause.place for cause in incident.root_causes if cause.kind == "RoleBinding"] == ["ci/deployer"]
    assert "Close the way in: RoleBinding ci/deployer" in [action.title.en for action in incident.actions]
