"""Which pods of an intruder a level of its namespace would have refused, and whose else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.incident import Cut, CutPart, ObjectName
from kubewitness.rules.loader import RuleSet
from tests.incident.conftest import Investigate
from tests.incident.logs import CONTROL_PLANE, DOOR, MANAGER, Log, account, daemonset

INTRUDER = "203.0.113.77"
RECORDED = Path(__file__).parents[3] / "scenarios" / "recorded"


def deploy(log: Log, body: dict[str, Any], *, namespace: str = "shop", at: str = "13:00", **more: Any) -> None:
    log.request(
        "create", "daemonsets", at=at, by="system:anonymous", address=INTRUDER, reason=DOOR, namespace=namespace,
        name=body["metadata"]["name"], body=body, response=body, **more,
    )  # fmt: skip


def pod_of_others(
    log: Log, name: str, *, at: str, owner: str = "web-5c9d", body: bool = True, namespace: str = "shop", **spec: Any
) -> None:
    container = {"name": "main", "image": "nginx", **spec}
    pod = {
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {
            "name": name, "namespace": namespace,
            "ownerReferences": [{"kind": "ReplicaSet", "name": owner, "controller": True}],
        },
        "spec": {"containers": [container]},
    }  # fmt: skip
    log.request(
        "create", "pods", at=at, by=account("kube-system", "replicaset-controller"), address=CONTROL_PLANE,
        agent=MANAGER + "replicaset-controller", namespace=namespace, name=name,
        body=pod if body else None, response=pod if body else None,
    )  # fmt: skip


def levels(judged: Investigate, log: Log) -> list[Cut]:
    [incident] = judged(log).incidents
    return [cut for cut in incident.cuts if cut.of == "pods"]


def miner(privileged: bool = True) -> dict[str, Any]:
    body = daemonset("miner", "evil/xmrig", "shop")
    if not privileged:
        body["spec"]["template"]["spec"] = {"containers": [{"name": "main", "image": "evil/xmrig"}]}
    return body


PRIVILEGED: dict[str, Any] = {"securityContext": {"privileged": True}}


def test_a_level_that_refuses_the_miner_and_nobody_else_is_told(judged: Investigate) -> None:
    log = Log()
    deploy(log, miner())
    pod_of_others(log, "web-5c9d-a", at="12:00")
    [cut] = levels(judged, log)
    namespace = ObjectName("namespaces", "", "shop")
    assert cut.parts == (CutPart("pod_security", namespace, "enforce=baseline"),)
    assert (cut.refused, cut.total, cut.broken, cut.unknown) == (1, 1, 0, False)


def test_restricted_is_told_where_baseline_admits_it(judged: Investigate) -> None:
    log = Log()
    deploy(log, miner(privileged=False))
    [cut] = levels(judged, log)
    assert cut.parts[0].what == "enforce=restricted"


def test_pods_of_others_that_it_refuses_too_are_counted_by_what_makes_them(judged: Investigate) -> None:
    log = Log()
    deploy(log, miner())
    deploy(log, daemonset("miner2", "evil/xmrig", "shop"), at="13:01")
    pod_of_others(log, "agent-a", at="12:00", owner="agent-77", **PRIVILEGED)
    pod_of_others(log, "agent-b", at="12:01", owner="agent-77", **PRIVILEGED)
    pod_of_others(log, "elsewhere", at="12:02", owner="agent-78", namespace="apps", **PRIVILEGED)
    [cut] = levels(judged, log)
    assert (cut.refused, cut.total) == (2, 2)
    assert cut.by == {"ReplicaSet agent-77": 2}


def test_a_level_that_refuses_more_of_others_than_of_the_intruder_is_no_remedy(judged: Investigate) -> None:
    log = Log()
    deploy(log, miner())
    for number in range(2):
        pod_of_others(log, f"agent-{number}", at=f"12:0{number}", **PRIVILEGED)
    assert not levels(judged, log)


def test_the_pods_of_the_intruders_own_workloads_are_nobodys_loss(judged: Investigate) -> None:
    log = Log()
    deploy(log, miner())
    for number in range(3):
        pod_of_others(log, f"miner-{number}", at=f"13:0{number}", owner="miner", **PRIVILEGED)
    [cut] = levels(judged, log)
    assert (cut.broken, cut.unknown) == (0, False)


def test_of_pods_without_a_body_nothing_is_known(judged: Investigate) -> None:
    log = Log()
    deploy(log, miner())
    pod_of_others(log, "web-5c9d-a", at="12:00", body=False)
    [cut] = levels(judged, log)
    assert (cut.broken, cut.unknown) == (0, True)


@pytest.mark.parametrize(("more", "seen"), [({}, 1), ({"query": "?dryRun=All"}, 0), ({"code": 403}, 0)])
def test_what_was_not_made_is_not_judged(judged: Investigate, more: dict[str, Any], seen: int) -> None:
    log = Log()
    for minute in range(5):
        log.request("list", "secrets", at=f"12:0{minute}", by="system:anonymous", address=INTRUDER, reason=DOOR)
    deploy(log, miner(), **more)
    assert len(levels(judged, log)) == seen


def test_a_workload_without_a_body_is_part_of_the_total_alone(judged: Investigate) -> None:
    log = Log()
    deploy(log, miner())
    log.request(
        "create", "daemonsets", at="13:05", by="system:anonymous", address=INTRUDER, reason=DOOR, namespace="shop",
        name="other",
    )  # fmt: skip
    [cut] = levels(judged, log)
    assert (cut.refused, cut.total) == (1, 2)


def test_bodies_of_wrong_types_are_no_pods(judged: Investigate) -> None:
    log = Log()
    deploy(log, miner())
    for number, body in enumerate(([], "x", {"kind": 3}, {"kind": "Pod", "metadata": 7, "spec": []})):
        log.request(
            "create", "pods", at=f"12:0{number}", by="jane", namespace="shop", name=f"p{number}", body=body,
            response=body,
        )  # fmt: skip
    [cut] = levels(judged, log)
    assert cut.unknown


def test_what_kube_systems_own_pods_need_is_not_known(rules: RuleSet) -> None:
    evidence = RECORDED / "lookalike_cronjob" / "evidence" / "control-plane"
    [incident] = investigate([str(evidence)], rules=rules, options=Options()).incidents
    [cut] = [cut for cut in incident.cuts if cut.of == "pods"]
    assert (cut.parts[0].object.name, cut.refused, cut.unknown) == ("kube-system", 2, True)


def a_pod(name: str, namespace: str = "shop", **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "nginx", **spec}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"containers": [container]}}


@pytest.mark.parametrize(
    ("kind", "each"), [("PodList", {}), ("List", {"kind": "Pod", "apiVersion": "v1"})], ids=["api", "kubectl"]
)
def test_pods_of_a_dump_would_be_refused_the_next_time(
    tmp_path: Path, rules: RuleSet, kind: str, each: dict[str, str]
) -> None:
    log = Log()
    deploy(log, miner())
    pod_of_others(log, "agent-a", at="12:00", **PRIVILEGED)
    seen = [
        a_pod("agent-a", **PRIVILEGED),  # the same as in the log
        a_pod("web"),
        a_pod("elsewhere", "apps", **PRIVILEGED),
        a_pod("miner-x", **PRIVILEGED),
        {"metadata": [], "spec": 3},
    ]
    seen[3]["metadata"]["ownerReferences"] = [{"kind": "DaemonSet", "name": "miner"}]
    items = [one | each for one in seen]
    path = tmp_path / "pods.json"
    path.write_text(
        json.dumps({"kind": kind, "apiVersion": "v1", "metadata": {"resourceVersion": "9"}, "items": items})
    )
    paths = [log.write(tmp_path / "audit.log"), str(path)]
    [incident] = investigate(paths, rules=rules, options=Options()).incidents
    [cut] = [cut for cut in incident.cuts if cut.of == "pods"]
    assert cut.by == {"Pod agent-a": 1}
    assert not cut.unknown
