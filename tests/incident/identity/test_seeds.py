"""Suspected for several unlike acts, and not: one act that many rules speak of, a pipeline at its place."""

from __future__ import annotations

from typing import Any

import pytest

from tests.incident.conftest import Investigate
from tests.incident.identity.test_attribution import only
from tests.incident.logs import KUBECTL, OFFICE, Log, account, allowed_by, binding, daemonset

HOME, RUNNER = "203.0.113.140", "10.0.0.50"
INSTALLER = account("platform", "installer")
BINDING: dict[str, Any] = {"name": "x", "body": binding("x", "cluster-admin", "ServiceAccount default/default")}
ON_NODE = {
    "kind": "Pod",
    "metadata": {"name": "node-debugger"},
    "spec": {
        "nodeName": "node-a",
        "hostPID": True,
        "hostNetwork": True,
        "containers": [
            {
                "name": "debugger",
                "image": "busybox",
                "command": ["chroot", "/host", "ls", "/var/log"],
                "securityContext": {"privileged": True},
                "volumeMounts": [{"name": "host", "mountPath": "/host"}],
            }
        ],
        "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
    },
}


@pytest.fixture
def log() -> Log:
    log = Log()
    log.quiet_day()
    return log


def on_call(log: Log, **by: Any) -> list[str]:
    """A person of the office looks into a pod, a password and a node at night, from home."""
    for hour in range(7, 18):
        log.request("list", "pods", at=f"{hour:02}:03", by="sara", namespace="shop", address=OFFICE)
    at_home: dict[str, Any] = {"by": "sara", "address": HOME, **by}
    return [
        log.request("list", "pods", at="22:00", **at_home),
        log.request("get", "secrets", at="22:01", namespace="shop", name="database", **at_home),
        log.request("create", "pods", at="22:02", namespace="shop", name="web-1", subresource="exec", code=101,
                    query="?command=ps&container=web", **at_home),
        log.request("create", "pods", at="22:03", namespace="default", name="node-debugger", body=ON_NODE, **at_home),
    ]  # fmt: skip


def test_a_debugging_pod_is_one_act_however_many_rules_speak_of_it(log: Log, judged: Investigate) -> None:
    on_call(log)
    document = judged(log)
    assert not document.incidents
    about = {finding.rule for finding in document.findings if finding.identity == "sara"}
    assert len(about) > 5  # they are told all the same


def test_an_unlike_act_beside_it_is_one_more(log: Log, judged: Investigate) -> None:
    own = on_call(log)
    own.append(log.request("create", "clusterrolebindings", at="22:05", by="sara", address=HOME, **BINDING))
    own.append(log.request("create", "daemonsets", at="22:06", by="sara", address=HOME, namespace="kube-system",
                           name="agent", body=daemonset("agent", "registry.example.com/agent:1")))  # fmt: skip
    assert set(only(judged(log)).audit_ids) == set(own)


def deploys(log: Log, agent: str = KUBECTL) -> list[str]:
    by: dict[str, Any] = {"by": account("ci", "deployer"), "address": RUNNER, "agent": agent,
          "reason": allowed_by("deployer", "ClusterRole cluster-admin", "ServiceAccount deployer/ci")}  # fmt: skip
    return [
        log.request("create", "selfsubjectrulesreviews", at="15:00", body={"spec": {"namespace": "default"}}, **by),
        log.request("list", "secrets", at="15:00:30", **by),
        log.request("create", "clusterrolebindings", at="15:01", **BINDING, **by),
        log.request("create", "daemonsets", at="15:02", namespace="kube-system", name="agent",
                    body=daemonset("agent", "registry.example.com/agent:1"), **by),
    ]  # fmt: skip


def test_a_pipeline_that_had_long_worked_from_there_by_a_hand_tool_is_at_its_place(
    log: Log, judged: Investigate
) -> None:
    for hour in range(6, 15):
        log.request("patch", "deployments", at=f"{hour:02}:20", by=account("ci", "deployer"), address=RUNNER,
                    namespace="shop", name="web")  # fmt: skip
    deploys(log)
    assert not judged(log).incidents


def test_an_account_that_comes_by_a_hand_tool_to_do_just_that_is_not(log: Log, judged: Investigate) -> None:
    own = deploys(log)
    assert set(only(judged(log)).audit_ids) == set(own)


def installs(log: Log, *, more: bool) -> list[str]:
    """An installer's new account brings an operator with cluster-admin, webhooks and privileged DaemonSets."""
    reason = allowed_by("installer", "ClusterRole cluster-admin", "ServiceAccount installer/platform")
    by: dict[str, Any] = {"by": INSTALLER, "address": RUNNER, "agent": KUBECTL, "reason": reason}
    bound: dict[str, Any] = {
        "name": "operator",
        "body": binding("operator", "cluster-admin", "ServiceAccount operator/operator"),
    }
    rules = [{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["bind", "escalate"]}]
    hook = {"name": "a.example.com", "failurePolicy": "Ignore", "clientConfig": {"service": {"name": "a"}}}
    done = [
        log.request("create", "clusterroles", at="15:00", name="operator", body={"rules": rules}, **by),
        log.request("create", "clusterrolebindings", at="15:00:10", **bound, **by),
        log.request(
            "create", "mutatingwebhookconfigurations", at="15:00:20", name="a", body={"webhooks": [hook]}, **by
        ),
    ]
    for number, name in enumerate(("cni", "csi", "agent")):
        body = daemonset(name, "registry.example.com/agent:1")
        spec = body["spec"]["template"]["spec"]
        spec["volumes"] = [{"name": "v", "hostPath": {"path": ("/", "/var/lib/kubelet", "/etc/kubernetes")[number]}}]
        done.append(log.request("create", "daemonsets", at=f"15:01:{number}0", namespace="kube-system", name=name,
                                body=body, **by))  # fmt: skip
    if more:
        done.append(log.request("list", "secrets", at="15:02", **by))
        done.append(log.request("create", "selfsubjectrulesreviews", at="15:02:10",
                                body={"spec": {"namespace": "default"}}, **by))  # fmt: skip
    return done


def test_what_an_installation_holds_is_no_heap_of_acts(log: Log, judged: Investigate) -> None:
    installs(log, more=False)
    document = judged(log)
    assert not document.incidents
    assert sum(one.identity == INSTALLER for one in document.findings) > 8


def test_an_installer_that_looks_for_rights_and_secrets_does_unlike_things(log: Log, judged: Investigate) -> None:
    own = installs(log, more=True)
    assert set(only(judged(log)).audit_ids) == set(own)
