"""Insider or intruder: the accustomed speaks for the owner, the foreign against; who opened the door is neither."""

from __future__ import annotations

import pytest

from kubewitness.model.incident import Verdict
from tests.incident.conftest import Investigate
from tests.incident.identity.test_attribution import INTRUDER, MINER, anonymous, only
from tests.incident.logs import DOOR, KUBECTL, MASTERS, OFFICE, Log, account, binding, daemonset
from tests.incident.verdicts.test_pace import STOLEN, log_of_a_theft


def who(judged: Investigate, log: Log) -> Verdict:
    (found,) = [one for one in only(judged(log)).verdicts if one.question == "insider_or_intruder"]
    return found


def said(found: Verdict) -> str:
    return " ".join(text.en for text in found.reasons)


def _anonymous() -> Log:
    log = Log()
    log.quiet_day()
    return log


def test_who_comes_without_a_credential_from_outside_is_an_intruder(judged: Investigate) -> None:
    log = _anonymous()
    anonymous(log)
    found = who(judged, log)
    assert found.verdict == "intruder"
    assert f"without any credential from a public address ({INTRUDER})" in said(found)


def test_who_bound_anonymous_by_hand_made_a_mistake_and_is_no_part_of_the_intruder(judged: Investigate) -> None:
    log = _anonymous()
    body = binding("quick-fix", "cluster-admin", "User system:anonymous")
    log.admin("create", "clusterrolebindings", at="09:00", name="quick-fix", body=body, response=body)
    door = DOOR.replace(DOOR.split('"')[1], "quick-fix")
    anonymous(log, at="13:00") if door == DOOR else log.request(
        "list", "secrets", at="13:00", by="system:anonymous", address=INTRUDER, agent="curl/8.5.0", reason=door
    )
    found = who(judged, log)
    assert found.verdict == "intruder"
    assert "kubernetes-admin made ClusterRoleBinding quick-fix at" in said(found)
    assert "more likely an insider's mistake, and no part of the intruder" in said(found)


def test_a_token_where_it_never_worked_is_an_intruders(judged: Investigate) -> None:
    found = who(judged, log_of_a_theft())
    assert found.verdict == "intruder"
    assert f"system:serviceaccount:ci:deployer had worked from 10.0.1.7 until then, never from {INTRUDER}." in said(
        found
    )


def _at_home(agent: str = KUBECTL) -> Log:
    """An administrator, at the accustomed desk, starts a privileged DaemonSet that mines."""
    log = Log()
    log.quiet_day()
    log.request("create", "daemonsets", at="15:00", by="kubernetes-admin", groups=MASTERS, address=OFFICE, agent=agent,
                namespace="kube-system", name="kube-controller", body=MINER)  # fmt: skip
    return log


def test_the_owner_at_the_accustomed_place_may_be_an_insider(judged: Investigate) -> None:
    found = who(judged, _at_home())
    assert (found.verdict, found.confidence) == ("insider", "low")
    assert f"kubernetes-admin has worked from {OFFICE} since" in said(found)
    assert "With the client it always uses (kubectl/v1.31.0)." in said(found)
    assert "before and after: ordinary work." in said(found)


def test_no_step_of_an_owner_at_the_accustomed_place_is_called_the_intruders(judged: Investigate) -> None:
    (step,) = only(judged(_at_home())).steps
    assert step.why.en.startswith(f"By kubernetes-admin from {OFFICE}, where it always works: its owner or a thief; ")
    assert step.why.zh.startswith(f"{OFFICE} 的 kubernetes-admin（其惯用地址）所为：可能是本人，也可能被盗用；")
    stolen = only(judged(log_of_a_theft())).steps[0]
    assert stolen.why.en.startswith(f"By the intruder ({account('ci', 'deployer')} from {INTRUDER})")


def test_a_new_client_at_the_accustomed_place_is_not_told_as_accustomed(judged: Investigate) -> None:
    found = who(judged, _at_home("python-requests/2.31.0"))
    assert (found.verdict, found.confidence) == ("undetermined", "low")
    assert found.reasons == ()
    assert not any("client it always uses" in text.en for text in found.against)


def test_mining_serves_no_owner(judged: Investigate) -> None:
    log = log_of_a_theft()
    log.request("create", "daemonsets", at="14:02", namespace="ci", name="x",
                body=daemonset("x", "docker.io/xmrig/xmrig:latest"), **STOLEN)  # fmt: skip
    assert "serves nobody who runs this cluster" in said(who(judged, log))


@pytest.mark.parametrize("mines", [False, True])
def test_two_identities_at_one_new_place_are_no_certainty_unless_they_do_what_no_owner_does(
    mines: bool, judged: Investigate
) -> None:
    log = log_of_a_theft()
    runner = STOLEN | {"by": account("ci", "runner")}
    for hour in range(6, 20):
        log.request("list", "endpoints", at=f"{hour:02}:12", by=runner["by"], address="10.0.1.8", namespace="ci")
    log.request("list", "secrets", at="14:00:20", **runner)
    if mines:
        log.request("create", "daemonsets", at="14:02", namespace="ci", name="x",
                    body=daemonset("x", "docker.io/xmrig/xmrig:latest"), **STOLEN)  # fmt: skip
    found = who(judged, log)
    assert (found.verdict, found.confidence) == ("intruder", "high" if mines else "medium")
    assert any("Only the place speaks for it" in text.en for text in found.against) is not mines


@pytest.mark.parametrize(("name", "hides"), [("kube-controller", True), ("web", False)])
def test_a_workload_in_kube_system_hides_only_behind_a_name(name: str, hides: bool, judged: Investigate) -> None:
    log = log_of_a_theft()
    log.request("create", "daemonsets", at="14:02", namespace="kube-system", name=name,
                body=daemonset(name, "xmrig/xmrig"), **STOLEN)  # fmt: skip
    assert ("It hid itself or removed traces" in said(who(judged, log))) is hides
