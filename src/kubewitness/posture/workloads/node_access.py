"""Workloads that are as good as root of their node, and sockets of the runtime inside of pods.

A privileged container sees the node's devices; one that can write the node's root, its cron tables, the kubelet's
folder or static pods starts what it likes there; with the node's processes in view and the right to trace them it
enters any of them. Whoever talks to the runtime's socket starts any container, and the API server hears nothing.

Source: "Pod Security Standards"; man 7 capabilities; Docker's "Protect the Docker daemon socket".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result, Where
from kubewitness.model.text import Text
from kubewitness.posture.check import CLUSTER, Snapshot
from kubewitness.posture.reading import flag, nodes, text, texts
from kubewitness.posture.workloads.exposed import Exposed, ways
from kubewitness.posture.workloads.gathered import SYSTEM, Workload, workloads

# Folders with which one gets hold of the node, if they can be written.
_HOLD: Final = frozenset(
    ("/", "/etc", "/etc/kubernetes", "/etc/kubernetes/manifests", "/etc/kubernetes/pki", "/etc/cron.d",
     "/etc/systemd/system", "/root", "/root/.ssh", "/home", "/var", "/var/lib", "/var/lib/kubelet", "/var/lib/docker",
     "/var/lib/containerd", "/var/lib/etcd", "/var/spool/cron", "/proc", "/sys", "/dev", "/usr", "/usr/bin",
     "/usr/local/bin", "/bin", "/sbin", "/lib", "/opt/cni/bin", "/etc/cni/net.d", "/boot")
)  # fmt: skip
_SOCKET: Final = re.compile(
    r"(?:/var)?/run(?:/(?:docker\.sock|containerd(?:/containerd\.sock)?|k3s/containerd(?:/containerd\.sock)?"
    r"|crio(?:/crio\.sock)?|dockershim\.sock|cri-dockerd\.sock|podman(?:/podman\.sock)?))?"
)
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


def _is_brief(path: str, box: object) -> bool:
    """Whether it is an init container, and none of those that stay (sidecars since 1.28)."""
    return path.startswith("spec.initContainers") and text(box, "restartPolicy") != "Always"


def _mounted(folder: str, mount: object) -> str:
    """What of the folder the mount shows."""
    part = text(mount, "subPath")[:4096] or text(mount, "subPathExpr")[:4096]
    return posixpath.normpath(posixpath.join(folder, part.lstrip("/"))) if part else folder


def _signs(one: Workload) -> Iterator[_Sign]:
    sees = flag(one.spec, "hostPID") is True
    folders = _folders(one, _is_hold)
    for path, box in one.boxes():
        name, brief = text(box, "name")[:100], _is_brief(path, box)
        if flag(box, "securityContext", "privileged"):
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
        for at, mount in nodes(box, "volumeMounts"):
            volume = folders.get(text(mount, "name"))
            folder = _mounted(volume, mount) if volume else ""
            if folder and _is_hold(folder) and not flag(mount, "readOnly"):
                yield _Sign(
                    "hostPath",
                    Text(f"container {name} can write {folder} of the node", f"容器 {name} 可写节点的 {folder}"),
                    one.where(f"{path}.volumeMounts[{at}]", folder),
                    brief,
                )


def _sockets(one: Workload) -> Iterator[_Sign]:
    folders = _folders(one, lambda path: _SOCKET.fullmatch(path) is not None)
    for path, box in one.boxes():
        for at, mount in nodes(box, "volumeMounts"):
            folder = folders.get(text(mount, "name"))
            if folder:
                name = text(box, "name")[:100]
                said = Text(f"container {name} has {folder} of the node", f"容器 {name} 挂载了节点的 {folder}")
                yield _Sign("socket", said, one.where(f"{path}.volumeMounts[{at}]", folder), _is_brief(path, box))


def _is_hold(path: str) -> bool:
    return path in _HOLD


def _folders(one: Workload, wanted: object) -> Mapping[str, str]:
    """Volumes of the node's own folders, by name."""
    assert callable(wanted)
    out = dict[str, str]()
    for _, volume in nodes(one.spec, "volumes"):
        raw = text(volume, "hostPath", "path")[:4096]
        path = posixpath.normpath(raw) if raw else ""
        path = "/" + path.lstrip("/") if path else ""
        if path and wanted(path):
            out[text(volume, "name")] = path
    return out
