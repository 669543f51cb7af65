"""Workloads that are as good as root of their node, and sockets of the runtime inside of pods.

A privileged container sees the node's devices; one that can write the node's root, its cron tables, the kubelet's
folder or static pods starts what it likes there; with the node's processes in view and the right to trace them it
enters any of them. Whoever talks to the runtime's socket starts any container, and the API server hears nothing.

Source: "Pod Security Standards"; man 7 capabilities; Docker's "Protect the Docker daemon socket".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result, Where
from kubewitness.model.text import Text
from kubewitness.posture.check import CLUSTER, Snapshot
from kubewitness.posture.pods.exposed import Exposed, ways
from kubewitness.posture.pods.gathered import SYSTEM, Workload, workloads
from kubewitness.posture.pods.node_hold import is_brief, is_privileged, mounted
from kubewitness.posture.reading import flag, text, texts

_TAKING: Final = frozenset({"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF"})
_TRACING: Final = frozenset({"SYS_PTRACE"})


class _Sign(NamedTuple):
    aspect: str
    text: Text
    where: Where
    is_brief: bool  # of a container that has ended before the pod serves anybody


def takeovers(snapshot: Snapshot) -> Iterator[Result]:
    """Workloads that are as good as root of their node."""
    yield from _told(snapshot, _signs, _NOT_ROOT)


def sockets(snapshot: Snapshot) -> Iterator[Result]:
    """Workloads that can talk to the node's container runtime."""
    yield from _told(snapshot, _sockets, _NO_SOCKET)


_NOT_ROOT: Final = Text("only what it needs of its node", "只拥有其所需的节点权限")
_NO_SOCKET: Final = Text("no socket of the runtime in a pod", "Pod 中没有容器运行时的套接字")


_BRIEF: Final = Text(
    "only while the pod starts: that container has ended before anybody can reach the pod",
    "仅在 Pod 启动期间：该容器在 Pod 可被访问之前就已结束",
)


def _told(snapshot: Snapshot, judge: object, expected: Text) -> Iterator[Result]:
    assert callable(judge)
    if snapshot.cluster is None:
        return
    reach = ways(snapshot.cluster).into
    for one in workloads(snapshot.cluster):
        if one.is_platform:
            continue
        found: list[_Sign] = list(judge(one))
        if not found:
            continue
        observed = Text(
            "; ".join(dict.fromkeys(sign.text.en for sign in found))[:400],
            "；".join(dict.fromkeys(sign.text.zh for sign in found))[:400],
        )
        severity, reason = _rated(one, reach.get((one.kind, one.namespace, one.name), ()))
        if all(sign.is_brief for sign in found):
            severity, reason = "low", _BRIEF
        where = tuple(sign.where for sign in found[:8])
        yield Result("fail", CLUSTER, str(one), observed, expected, where, reason, severity)


def _rated(one: Workload, open_: tuple[Exposed, ...]) -> tuple[Severity, Text]:
    if open_ and any(each.is_open for each in open_):
        names = ", ".join(f"{each.source.kind} {each.source.name}" for each in open_[:3])
        return "high", Text(
            f"it is reached from outside ({names}): a hole in it is root of the node",
            f"可从外部访问（{names}）：它的一个漏洞就等于节点的 root 权限",
        )
    if one.namespace == SYSTEM:
        return "low", Text(
            "in kube-system, and none of the addons known here by kind and name",
            "位于 kube-system，但按类型和名称不属于已知的附加组件",
        )
    if one.kind == "DaemonSet":
        return "low", Text(
            "agents of nodes often need it; make sure that this is one", "节点代理常有此需要；请确认它确实是节点代理"
        )
    return "medium", Text("", "")


def _signs(one: Workload) -> Iterator[_Sign]:
    sees = flag(one.spec, "hostPID") is True
    for path, box in one.boxes():
        name, brief = text(box, "name")[:100], is_brief(path, box)
        if is_privileged(box):
            yield _Sign(
                "privileged", Text(f"container {name} is privileged", f"容器 {name} 以特权模式运行"),
                one.where(f"{path}.securityContext.privileged", "true"), brief,
            )  # fmt: skip
            continue
        added = {each.upper().removeprefix("CAP_") for each in texts(box, "securityContext", "capabilities", "add")}
        taking = added & (_TAKING | _TRACING if sees else _TAKING)
        if taking:
            names = ", ".join(sorted(taking))
            also = Text(" with hostPID", "（并启用 hostPID）") if sees else Text("", "")
            yield _Sign(
                "capabilities", Text(f"container {name} has {names}{also.en}", f"容器 {name} 拥有 {names}{also.zh}"),
                one.where(f"{path}.securityContext.capabilities.add", names), brief,
            )  # fmt: skip
        for hold in mounted(one.spec, path, box):
            if hold.means == "folder":
                said = Text(
                    f"container {name} can write {hold.folder} of the node", f"容器 {name} 可写节点的 {hold.folder}"
                )
                yield _Sign("hostPath", said, one.where(hold.path, hold.folder), brief)


def _sockets(one: Workload) -> Iterator[_Sign]:
    for path, box in one.boxes():
        for hold in mounted(one.spec, path, box):
            if hold.means == "socket":
                name = text(box, "name")[:100]
                said = Text(
                    f"container {name} has {hold.folder} of the node", f"容器 {name} 挂载了节点的 {hold.folder}"
                )
                yield _Sign("socket", said, one.where(hold.path, hold.folder), is_brief(path, box))
