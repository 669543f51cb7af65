"""How a check of one component is asked and answered: of each of its instances, and what to say if there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Remedy, Result, Where
from kubewitness.model.text import Text
from kubewitness.posture import reading
from kubewitness.posture.check import CLUSTER, ClusterCheck, Snapshot
from kubewitness.posture.control_plane.flags import Program
from kubewitness.posture.control_plane.nouns import Component, Given

Judge = Callable[[Component, Snapshot], Iterable[Result]]
_NOTHING: Final = Text("", "")
_ID: Final = "checks/control_plane/"
_NODES: Final = 200  # whose labels are looked at
# Label of a node → who runs its control plane, and how its audit log is asked for.
_PROVIDERS: Final = (
    ("eks.amazonaws.com/", "Amazon EKS"),
    ("cloud.google.com/gke-", "Google GKE"),
    ("kubernetes.azure.com/", "Azure AKS"),
    ("alibabacloud.com/nodepool-id", "Alibaba ACK"),
    ("doks.digitalocean.com/", "DigitalOcean DOKS"),
    ("oke.oraclecloud.com/", "Oracle OKE"),
    ("ibm-cloud.kubernetes.io/", "IBM IKS"),
)
_VERSIONS: Final = (("-eks-", "Amazon EKS"), ("-gke.", "Google GKE"), ("-aliyun.", "Alibaba ACK"))
_INSIDE: Final = (("+k3s", "K3s"), ("+rke2", "RKE2"))
_OPENSHIFT: Final = "openshift-kube-apiserver"


def check(name: str, judge: Judge, *programs: Program) -> ClusterCheck:
    """A check of these components."""

    def run(snapshot: Snapshot) -> Iterator[Result]:
        for program in programs:
            found = [one for one in snapshot.components if one.program == program]
            if not found:
                yield absent(program, snapshot)
            for one in found:
                yield from judge(one, snapshot)

    return ClusterCheck(_ID + name, run)


def told(
    component: Component,
    observed: Text,
    expected: Text,
    *where: Where,
    reason: Text = _NOTHING,
    severity: Severity | None = None,
    aspect: str = "",
    remedy: Remedy | None = None,
) -> Result:
    """A failure."""
    return Result(
        "fail", CLUSTER, component.subject, observed, expected, where, reason, severity, remedy, aspect=aspect
    )


def passed(component: Component, observed: Text, *where: Where, reason: Text = _NOTHING, aspect: str = "") -> Result:
    """A pass of what was seen."""
    return Result("pass", CLUSTER, component.subject, observed, where=where, reason=reason, aspect=aspect)


def unknown(component: Component, reason: Text, *where: Where, aspect: str = "") -> Result:
    """Not evaluated."""
    return Result("not_evaluated", CLUSTER, component.subject, where=where, reason=reason, aspect=aspect)


def unseen(component: Component, name: str, aspect: str = "") -> Result:
    """Not evaluated: the command line that was found does not tell."""
    return unknown(
        component,
        Text(
            f"the evidence does not hold the whole command line, so --{name} is not known",
            f"证据中的启动命令行不完整，无法得知 --{name} 的值",
        ),
        component.start.where,
        aspect=aspect,
    )


def unresolved(component: Component, given: Given) -> Result:
    """Not evaluated: a variable stands there."""
    return unknown(
        component,
        Text(
            f"--{given.name} holds a variable that is only known where it runs",
            f"--{given.name} 含有变量，只有在运行处才能得知其值",
        ),
        given.where,
    )


def said(given: Given) -> Text:
    """The value of a flag as observed."""
    value = given.value[:200]
    if given.by:
        return Text(f"{given.by} itself sets --{given.name}={value}", f"{given.by} 自身设置了 --{given.name}={value}")
    if given.is_set:
        return Text(f"--{given.name}={value}", f"--{given.name}={value}")
    if value:
        return Text(f"--{given.name} is not set; its default is {value}", f"未设置 --{given.name}，其默认值为 {value}")
    return Text(f"--{given.name} is not set", f"未设置 --{given.name}")


def wanted(text: str) -> Text:
    """Expected: a flag, the same in both languages."""
    return Text(text, text)


def provider(snapshot: Snapshot) -> str:
    """Who runs the control plane, if that is not the cluster's owner."""
    cluster = snapshot.cluster
    if cluster is None:
        return ""
    for mark, name in _VERSIONS:
        if mark in cluster.version:
            return name
    for number, node in enumerate(one for one in cluster.objects if one.kind == "Node"):
        if number >= _NODES:
            break
        labels = reading.mapping(node.document, "metadata", "labels")
        for mark, name in _PROVIDERS:
            if any(label.startswith(mark) for label in labels):
                return name
    return ""


def absent(program: Program, snapshot: Snapshot) -> Result:
    """That nothing tells of a component, and what would."""
    who = provider(snapshot)
    if who:
        reason = Text(
            f"{who} runs it; its flags are not shown to the customer", f"该组件由 {who} 托管，客户看不到其启动参数"
        )
        return Result("not_applicable", CLUSTER, program, reason=reason)
    cluster = snapshot.cluster
    if cluster and any(one.kind == "Namespace" and one.name == _OPENSHIFT for one in cluster.objects):
        reason = Text(
            f"OpenShift keeps its settings in an own configuration object (ConfigMap config in {_OPENSHIFT} and the "
            "like), which is not read",
            f"OpenShift 把其设置保存在自有的配置对象中（如 {_OPENSHIFT} 中的 ConfigMap config），本检查不读取它",
        )
        return Result("not_evaluated", CLUSTER, program, reason=reason)
    inside = next((name for mark, name in _INSIDE if cluster and mark in cluster.version), "")
    if inside == "K3s":
        reason = Text(
            "K3s runs it inside its own process: `kubewitness collect` on a server node shows its settings",
            "K3s 在自身进程内运行该组件：请在 server 节点上运行 `kubewitness collect`",
        )
        return Result("not_evaluated", CLUSTER, program, reason=reason)
    reason = Text(
        "nothing in the evidence shows how it is started: give the pods of kube-system, or `kubewitness collect` on a "
        "machine of the control plane",
        "证据中没有任何内容显示其启动方式：请提供 kube-system 的 Pod，或在控制平面机器上运行 `kubewitness collect`",
    )
    return Result("not_evaluated", CLUSTER, program, reason=reason)
