"""Headline, state and verdict claim no more than the requests show."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kubewitness.incident.investigate import Options, investigate
from kubewitness.rules.loader import RuleSet
from tests.incident.conftest import Investigate
from tests.incident.identity.test_attribution import INTRUDER, only
from tests.incident.logs import KUBECTL, Log, account, allowed_by, binding, daemonset

DEPLOYER = account("ci", "deployer")
STOLEN: dict[str, Any] = {
    "by": DEPLOYER,
    "address": INTRUDER,
    "agent": KUBECTL,
    "reason": allowed_by("ci-admin", "ClusterRole cluster-admin", "ServiceAccount deployer/ci"),
}
PUBLIC = allowed_by(
    "system:public-info-viewer", "ClusterRole system:public-info-viewer", "Group system:unauthenticated"
)


def _log() -> Log:
    log = Log()
    log.quiet_day()
    for hour in range(6, 20):
        log.request("list", "endpoints", at=f"{hour:02}:10", by=DEPLOYER, address="10.0.1.7", namespace="ci")
    log.request("get", at="14:00", by="system:anonymous", address=INTRUDER, agent="curl/8.5.0", uri="/version",
                reason=PUBLIC)  # fmt: skip
    log.request("create", "selfsubjectrulesreviews", at="14:00:05", body={"spec": {"namespace": "default"}}, **STOLEN)
    log.request("list", "secrets", at="14:00:10", **STOLEN)
    return log


def test_a_probe_that_anybody_may_make_is_not_the_way_in_of_the_headline(judged: Investigate) -> None:
    incident = only(judged(_log()))
    assert incident.title.en == "A token of ci:deployer is in an intruder's hands; Secrets were read"
    assert incident.root_causes[1].subject == "ServiceAccount ci/deployer"


def test_a_webhook_and_a_changed_workload_that_stay_are_no_clean_state(judged: Investigate) -> None:
    log = _log()
    log.request("create", "mutatingwebhookconfigurations", at="14:01", name="hook", body={}, **STOLEN)
    log.request("patch", "deployments", at="14:02", namespace="shop", name="web", body={}, **STOLEN)
    status = only(judged(log)).status[0][1]
    assert status.en == ("Not seen removed or undone: MutatingWebhookConfiguration hook, Deployment shop/web")
    assert status.zh == "未见删除或恢复：MutatingWebhookConfiguration hook、Deployment shop/web"


def test_what_was_removed_again_is_not_told_as_left(judged: Investigate) -> None:
    log = _log()
    log.request("create", "mutatingwebhookconfigurations", at="14:01", name="hook", body={}, **STOLEN)
    log.request("delete", "mutatingwebhookconfigurations", at="14:02", name="hook", **STOLEN)
    assert only(judged(log)).status[0][1].en == "No workload was made; what else was made is gone again"


def test_a_token_that_was_minted_is_no_object_that_is_gone(judged: Investigate) -> None:
    log = _log()
    log.request("create", "serviceaccounts", at="14:01", namespace="ci", name="deployer", subresource="token",
                **STOLEN)  # fmt: skip
    assert only(judged(log)).status[0][1].en == "No workload was made"


def test_a_workload_that_was_removed_is_told_so(judged: Investigate) -> None:
    log = _log()
    log.request("create", "daemonsets", at="14:02", namespace="ci", name="x", body=daemonset("x", "alpine"), **STOLEN)
    log.request("delete", "daemonsets", at="14:03", namespace="ci", name="x", **STOLEN)
    assert only(judged(log)).status[0][1].en == "What the intruder deployed was removed"


def test_a_binding_left_beside_a_workload_is_told_with_it(judged: Investigate) -> None:
    log = _log()
    body = binding("back", "cluster-admin", "ServiceAccount ci/back")
    log.request("create", "clusterrolebindings", at="14:01", name="back", body=body, **STOLEN)
    log.request("create", "daemonsets", at="14:02", namespace="ci", name="x", body=daemonset("x", "alpine"), **STOLEN)
    assert only(judged(log)).status[0][1].en == "Not seen removed: DaemonSet ci/x; nor undone: ClusterRoleBinding back"


def test_speed_alone_makes_no_worm(judged: Investigate) -> None:
    log = _log()
    for second in range(20, 32, 2):
        log.request("create", "serviceaccounts", at=f"14:00:{second}", namespace="shop", name=f"s{second}", **STOLEN)
    verdict = only(judged(log)).verdict
    assert verdict is not None
    assert ["every 2.0 s" in reason.en for reason in verdict.reasons] == [True]
    assert (verdict.verdict, verdict.confidence) == ("undetermined", "low")


def test_what_was_tried_in_vain_is_told_in_chinese_too(judged: Investigate) -> None:
    log = _log()
    log.request("create", "serviceaccounts", at="14:01", namespace="ci", name="back", code=409, body={}, **STOLEN)
    titles = [step.description for step in only(judged(log)).steps]
    assert [title.en for title in titles if "tried" in title.en] == ["tried to create ServiceAccount ci/back: 409"]
    assert [title.zh for title in titles if "尝试" in title.zh] == ["尝试创建 ServiceAccount ci/back：409"]


def test_pods_that_a_change_replaced_are_not_said_to_have_started(rules: RuleSet) -> None:
    folder = Path(__file__).resolve().parents[2] / "scenarios" / "recorded" / "malicious_webhook" / "evidence"
    incident = only(
        investigate([str(folder)], rules=rules, options=Options(now=datetime(2026, 11, 23, tzinfo=UTC), workers=1))
    )
    assert sorted(pod.name for pod in incident.pods) == ["checkout-687cdb9f84-pvn6x", "checkout-7b76bdbcdf-vdd9j"]
    assert incident.nodes == ("node1",)
    assert not any("checkout-568c7b48df" in edge.target.name for edge in incident.edges)
