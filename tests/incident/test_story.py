"""Headline, state and verdict claim no more than the requests show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kubewitness.incident.investigate import Options, investigate
from kubewitness.incident.story import to_rotate
from kubewitness.model.incident import Secret
from kubewitness.model.text import Text
from kubewitness.rules.loader import RuleSet
from tests.incident.conftest import Investigate
from tests.incident.identity.test_attribution import INTRUDER, anonymous, only
from tests.incident.logs import DAY, DOOR, KUBECTL, Log, account, allowed_by, binding, daemonset

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


def _deploys(*workloads: tuple[str, str]) -> Log:
    log = _log()
    for minute, (name, image) in enumerate(workloads, 1):
        log.request("create", "daemonsets", at=f"14:{minute:02}", namespace="kube-system", name=name,
                    body=daemonset(name, image), **STOLEN)  # fmt: skip
    return log


@pytest.mark.parametrize(
    ("workloads", "said", "said_zh"),
    [
        ((("x", "docker.io/xmrig/xmrig:6"),), "a miner was deployed", "已部署挖矿程序，未见被删除"),
        ((("web", "alpine"),), "DaemonSet web was deployed", "已部署 DaemonSet web，未见被删除"),
        ((("kube-controller", "alpine"),), "DaemonSet kube-controller, posing as a system component, was deployed",
         "已部署 DaemonSet kube-controller（伪装成系统组件），未见被删除"),
        ((("kube-proxy-sync", "alpine"),), "DaemonSet kube-proxy-sync, posing as a system component, was deployed",
         "已部署 DaemonSet kube-proxy-sync（伪装成系统组件），未见被删除"),
        ((("app", "alpine"), ("kube-controller", "alpine")),
         "DaemonSet kube-controller, posing as a system component, and 1 more were deployed",
         "已部署 DaemonSet kube-controller（伪装成系统组件）等 2 个工作负载，未见被删除"),
    ],
)  # fmt: skip
def test_a_workload_is_called_what_was_found_on_itself(
    judged: Investigate, workloads: tuple[tuple[str, str], ...], said: str, said_zh: str
) -> None:
    title = only(judged(_deploys(*workloads))).title
    assert title.en.endswith(f"; {said} and not seen removed")
    assert title.zh.endswith(f"；{said_zh}")


def test_a_miner_or_a_disguise_that_was_removed_colours_nothing_that_stays(judged: Investigate) -> None:
    log = _deploys(("kube-controller", "docker.io/xmrig/xmrig:6"), ("web", "alpine"))
    log.request("delete", "daemonsets", at="14:20", namespace="kube-system", name="kube-controller", **STOLEN)
    assert only(judged(log)).title.en.endswith("; DaemonSet web was deployed and not seen removed")


def test_a_story_of_several_days_has_dates_and_one_of_a_day_none(judged: Investigate) -> None:
    log = _log()
    assert all(" 2026-" not in text.en for text in only(judged(log)).story[:1])
    log.request("list", "secrets", at=DAY + timedelta(days=1, hours=2), namespace="shop", **STOLEN)
    told = only(judged(log)).story
    assert told[0].en.startswith("At 2026-03-02 14:00:10 system:serviceaccount:ci:deployer")
    assert told[1].en.startswith("At 2026-03-03 02:00:00 it read all Secrets in shop")


def test_the_way_in_is_told_as_not_seen_closed_for_a_log_shows_no_more(judged: Investigate) -> None:
    log = Log()
    log.quiet_day()
    anonymous(log)
    open_door, stolen = ({label.en: said.en for label, said in only(judged(one)).status}["Way in"]
                         for one in (log, _log()))  # fmt: skip
    assert open_door.startswith(
        "ClusterRoleBinding anonymous-admin: not seen closed until the evidence ends (2026-03-02"
    )
    assert stolen == "Credential of system:serviceaccount:ci:deployer: not seen revoked"


@pytest.mark.parametrize(
    ("secrets", "said", "said_zh"),
    [
        ((), "None seen read or made", "未见被读取或签发"),
        ((("a", "b"),), "1 to rotate", "1 项需轮换"),
        ((("", ""), ("a", "b")), "Every credential of the cluster to rotate", "集群的全部凭据均需轮换"),
        ((("a", ""),), "All Secrets of a to rotate", "a 的全部 Secret 需轮换"),
        ((("a", ""), ("b", "c"), ("b", "d")), "All Secrets of a and 2 others to rotate",
         "a 的全部 Secret 及其他 2 项需轮换"),
        (tuple((f"n{n}", "") for n in range(5)), "All Secrets of n0, n1, n2 and 2 more namespaces to rotate",
         "n0、n1、n2 等 5 个命名空间的全部 Secret 需轮换"),
    ],
)  # fmt: skip
def test_all_secrets_of_a_namespace_are_not_counted_as_one(
    secrets: tuple[tuple[str, str], ...], said: str, said_zh: str
) -> None:
    told = to_rotate([Secret(namespace, name, Text("", "")) for namespace, name in secrets])
    assert (told.en, told.zh) == (said, said_zh)


@pytest.mark.parametrize(("deleted", "stays"), [("", True), ("web-1", False), ("web-2", True)])
def test_a_container_put_into_a_running_pod_is_gone_with_the_pod_alone(
    judged: Investigate, deleted: str, *, stays: bool
) -> None:
    log = Log()
    log.quiet_day()
    by: dict[str, Any] = {"by": "system:anonymous", "address": INTRUDER, "agent": "curl/8.5.0", "reason": DOOR}
    log.request("list", "secrets", at="13:00", **by)
    log.request("patch", "pods", at="13:01", namespace="shop", name="web-1", subresource="ephemeralcontainers", **by)
    if deleted:
        log.admin("delete", "pods", at="13:30", namespace="shop", name=deleted)
    (incident,) = judged(log).incidents
    effect = next(said.en for label, said in incident.status if label.en == "Effect")
    assert ("Pod shop/web-1" in effect) is stays


def test_of_acts_that_matter_alike_the_severest_are_told(judged: Investigate) -> None:
    log = _log()
    by = STOLEN | {"namespace": "shop", "name": "web-1", "subresource": "exec", "code": 101}
    for second, command in enumerate(("id", "hostname", "uptime", "date", "whoami", "pwd")):
        log.request("create", "pods", at=f"14:05:0{second}", query=f"?command={command}", **by)
    token = "%2Fvar%2Frun%2Fsecrets%2Fkubernetes.io%2Fserviceaccount%2Ftoken"
    log.request("create", "pods", at="14:05:07", query=f"?command=cat&command={token}", **by)
    said = [sentence.en for sentence in only(judged(log)).story]
    assert any("ran `cat /var/run/secrets/kubernetes.io/serviceaccount/token`" in one for one in said)
    assert any("ran `id`" in one for one in said)
    assert not any("ran `pwd`" in one for one in said)
