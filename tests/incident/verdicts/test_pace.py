"""Worm or hands-on: what an intruder picked here weighs more than how quickly it went."""

from __future__ import annotations

from typing import Any

from kubewitness.model.incident import Verdict
from tests.incident.conftest import Investigate
from tests.incident.identity.test_attribution import INTRUDER, only
from tests.incident.logs import KUBECTL, Log, account, allowed_by, daemonset

DEPLOYER = account("ci", "deployer")
STOLEN: dict[str, Any] = {
    "by": DEPLOYER, "address": INTRUDER, "agent": KUBECTL,
    "reason": allowed_by("ci-admin", "ClusterRole cluster-admin", "ServiceAccount deployer/ci"),
}  # fmt: skip


def log_of_a_theft() -> Log:
    log = Log()
    log.quiet_day()
    for hour in range(6, 20):
        log.request("list", "endpoints", at=f"{hour:02}:10", by=DEPLOYER, address="10.0.1.7", namespace="ci")
    log.request("create", "selfsubjectrulesreviews", at="14:00:05", body={"spec": {"namespace": "default"}}, **STOLEN)
    log.request("list", "secrets", at="14:00:10", **STOLEN)
    return log


def verdict(judged: Investigate, log: Log) -> Verdict:
    found = only(judged(log)).verdict
    assert found is not None
    return found


def said(found: Verdict) -> str:
    return " ".join(text.en for text in found.reasons)


def test_who_looks_around_and_changes_what_is_here_is_a_person(judged: Investigate) -> None:
    log = log_of_a_theft()
    log.request("list", "deployments", at="14:00:12", namespace="shop", **STOLEN)
    log.request("patch", "deployments", at="14:00:14", namespace="shop", name="web", body={}, **STOLEN)
    found = verdict(judged, log)
    assert found.verdict == "hands_on"
    assert "took what is here: Deployment shop/web" in said(found)


def test_what_the_intruder_made_itself_is_not_picked(judged: Investigate) -> None:
    log = log_of_a_theft()
    log.request("list", "pods", at="14:00:12", namespace="ci", **STOLEN)
    log.request("create", "daemonsets", at="14:00:14", namespace="ci", name="x", body=daemonset("x", "a"), **STOLEN)
    log.request("patch", "daemonsets", at="14:00:16", namespace="ci", name="x", body={}, **STOLEN)
    log.request("create", "pods", at="14:00:18", namespace="ci", name="x-b7", subresource="exec", code=101,
                query="?command=id", **STOLEN)  # fmt: skip
    found = verdict(judged, log)
    assert "took what is here" not in said(found)
    assert found.verdict != "hands_on"


def test_a_name_that_was_known_before_any_look_is_not_picked(judged: Investigate) -> None:
    log = log_of_a_theft()
    log.request("patch", "deployments", at="14:00:14", namespace="shop", name="web", body={}, **STOLEN)
    assert "took what is here" not in said(verdict(judged, log))


def test_whatever_there_is_one_after_another_is_no_choice(judged: Investigate) -> None:
    log = log_of_a_theft()
    log.request("list", "deployments", at="14:00:12", namespace="shop", **STOLEN)
    for number in range(6):
        log.request("patch", "deployments", at=f"14:00:2{number}", namespace="shop", name=f"d{number}", body={},
                    **STOLEN)  # fmt: skip
    assert "took what is here" not in said(verdict(judged, log))


def test_who_puts_right_what_was_refused_as_wrong_is_a_person(judged: Investigate) -> None:
    log = log_of_a_theft()
    log.request("create", "mutatingwebhookconfigurations", at="14:01", name="hook", code=422, body={}, **STOLEN)
    log.request("create", "mutatingwebhookconfigurations", at="14:01:09", name="hook", body={}, **STOLEN)
    assert "hook was refused as wrong (422) and then sent again, put right." in said(verdict(judged, log))


def test_who_is_refused_for_want_of_rights_corrects_nothing(judged: Investigate) -> None:
    log = log_of_a_theft()
    log.request("create", "mutatingwebhookconfigurations", at="14:01", name="hook", code=403, body={}, **STOLEN)
    log.request("create", "mutatingwebhookconfigurations", at="14:01:09", name="hook", body={}, **STOLEN)
    assert "put right" not in said(verdict(judged, log))


def test_rivals_that_never_existed_here_are_a_worms_list(judged: Investigate) -> None:
    log = log_of_a_theft()
    for number, name in enumerate(("kube-secure", "api-proxy")):
        log.request("delete", "daemonsets", at=f"14:00:2{number}", namespace="kube-system", name=name, code=404,
                    **STOLEN | {"agent": "python-requests/2.31.0"})  # fmt: skip
    found = verdict(judged, log)
    assert found.verdict == "worm"
    assert "a list of rivals carried along" in said(found)


def test_who_deletes_twice_what_was_there_brought_no_list_along(judged: Investigate) -> None:
    log = log_of_a_theft()
    for second, name in ((12, "a"), (14, "b")):
        where: dict[str, Any] = {"namespace": "shop", "name": name, **STOLEN}
        log.request("delete", "pods", at=f"14:00:{second}", **where)
        log.request("delete", "pods", at=f"14:00:{second + 1}", code=404, **where)
    assert "list of rivals" not in said(verdict(judged, log))


def test_names_that_never_were_there_are_a_list_that_was_brought_along(judged: Investigate) -> None:
    log = log_of_a_theft()
    for second, name in ((12, "a"), (14, "b")):
        log.request("delete", "pods", at=f"14:00:{second}", code=404, namespace="shop", name=name, **STOLEN)
    assert "Tried 2 times to delete what was not there (a, b): as from a list of rivals" in said(verdict(judged, log))
