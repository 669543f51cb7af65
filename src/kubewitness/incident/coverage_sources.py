"""The kinds of evidence an investigation lives on: which were there, which only in part, and what the rest would show.

What is missing is told for the case at hand: names of the nodes that were reached, of the pods in which somebody typed,
of the writes whose content is not known. A source that is there is not praised, its limits are named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

from kubewitness.detect.run import Scan
from kubewitness.incident.node.story import COMMANDS
from kubewitness.incident.requests import Request
from kubewitness.incident.verdicts.weighing import listed
from kubewitness.model.evidence import EvidenceItem
from kubewitness.model.host import Host
from kubewitness.model.incident import Gap, Incident, SourceCoverage
from kubewitness.model.text import Text
from kubewitness.sources.host.hosts import HostEvidence
from kubewitness.sources.kube_objects import KIND as OBJECTS

State = Literal["present", "partial", "absent"]

_NOTHING: Final = Text("", "")
_SHELLS: Final = ("sh", "bash", "ash", "zsh", "dash", "/bin/sh", "/bin/bash")
_FLOWS: Final = ("flow", "conntrack", "network policy log")
_CLOUD: Final = ("cloudtrail", "actiontrail", "activity log", "cloud audit")


class Seen(NamedTuple):
    """What was looked at. `levels` and `stages` are the audit log's; `blind`: intruders' writes without their body."""

    scan: Scan
    levels: Counter[str]
    stages: Counter[str]
    gaps: Sequence[Gap]
    machines: HostEvidence
    items: Sequence[EvidenceItem]
    incidents: Sequence[Incident]
    blind: int = 0

    @property
    def nodes(self) -> list[str]:
        """Machines that incidents reached."""
        return sorted({node for incident in self.incidents for node in incident.nodes})

    def on(self, test: Iterable[Host]) -> list[str]:
        """Names of machines."""
        return sorted(host.name for host in test)


def sources_of(seen: Seen) -> tuple[SourceCoverage, ...]:
    """Every kind of evidence, in the order in which it is asked for."""
    hosts = seen.machines.hosts
    categories = {host.name: {event.category for event in host.events} for host in hosts}
    return (
        _audit_log(seen),
        _of_machines(
            seen, "kubelet_log", Text("Kubelet log", "kubelet 日志"),
            seen.on(host for host in hosts if _logs(host, "kubelet")),
            Text("commands sent straight to a kubelet (port 10250): they are in no audit log",
                 "直接发往 kubelet（10250 端口）的命令：任何审计日志都没有"),
            limit=_kubelet_limit(seen),
        ),
        _of_machines(
            seen, "container_runtime_log", Text("Container runtime log", "容器运行时日志"),
            seen.on(host for host in hosts if _logs(host, "containerd")),
            Text("which containers and commands started, with times", "启动了哪些容器与命令，以及时间"),
        ),
        _of_machines(
            seen, "node_archive", Text("Processes of nodes", "节点上的进程"),
            seen.on(host for host in hosts if host.processes), _left_on(seen),
        ),
        _of_machines(
            seen, "process_events", Text("Process events", "进程事件"),
            seen.on(host for host in hosts if "process_creation" in categories[host.name]), _typed(seen),
        ),
        _of_machines(
            seen, "container_log", Text("Container logs", "容器日志"),
            seen.on(host for host in hosts if "container log" in host.sources.values()), _printed(seen),
        ),
        _of_machines(
            seen, "logins", Text("Logins to nodes", "节点登录记录"),
            seen.on(host for host in hosts if "login" in categories[host.name]),
            Text("who logged in to the nodes (ssh, su, sudo)", "谁登录过节点（ssh、su、sudo）"),
        ),
        _of_machines(
            seen, "firewall", Text("Firewall of nodes", "节点防火墙"),
            seen.on(host for host in hosts if host.firewalls),
            Text("who could reach the ports of kubelets and the API server", "谁能访问 kubelet 与 API server 的端口"),
        ),
        _flows(seen),
        _by_format(
            seen, "cloud_log", Text("Cloud provider's log", "云平台操作日志"), _CLOUD,
            Text("what was done with cloud credentials of pods and nodes", "Pod 与节点的云凭据被用来做了什么"),
        ),
        _objects(seen),
    )  # fmt: skip


def _audit_log(seen: Seen) -> SourceCoverage:
    source, name = "k8s_audit", Text("API server audit log", "API server 审计日志")
    if not seen.scan.events:
        why = Text(
            "a kubeadm cluster writes none unless --audit-policy-file is set: this says nothing about whether an "
            "intrusion took place",
            "kubeadm 集群在未设置 --audit-policy-file 时不写审计日志：这并不说明没有发生入侵",
        )
        show = Text("who asked the API server for what, from where", "谁从何处向 API server 请求了什么")
        if any(not incident.audit_ids for incident in seen.incidents):
            show = Text(
                "whether commands came through the API server, and who used the tokens of pods",
                "命令是否经由 API server，以及谁使用了 Pod 的令牌",
            )
        return SourceCoverage(source, name, "absent", why, show)
    detail, shows = list(_audit_limits(seen)), list(_audit_would_show(seen))
    en, zh = [text.en for text in detail], [text.zh for text in detail]
    return SourceCoverage(
        source, name, "partial" if detail and shows else "present", Text("; ".join(en), "；".join(zh)),
        Text("; ".join(text.en for text in shows), "；".join(text.zh for text in shows)),
    )  # fmt: skip


def _audit_limits(seen: Seen) -> Iterable[Text]:
    levels = seen.levels
    bodies, total = levels["Request"] + levels["RequestResponse"], sum(levels.values()) or 1
    if not bodies:
        yield Text("all events are at level Metadata, without bodies", "所有事件均为 Metadata 级别，没有请求体")
    elif bodies < total / 2:
        yield Text(f"{bodies:,} of {total:,} events carry a body", f"{total:,} 条事件中 {bodies:,} 条带有请求体")
    if bodies and not levels["RequestResponse"]:
        yield Text("answers were not logged", "未记录响应体")
    if not seen.stages["ResponseComplete"] and not seen.stages["Panic"]:
        yield Text("stage ResponseComplete is missing", "缺少 ResponseComplete 阶段")
    if n := len(seen.gaps):
        yield Text(f"{n} gap{'' if n == 1 else 's'}", f"{n} 处空白")


def _audit_would_show(seen: Seen) -> Iterable[Text]:
    """What more detail would show of this case; without an incident, of any."""
    levels = seen.levels
    bodies = levels["Request"] + levels["RequestResponse"]
    if blind := seen.blind:
        yield Text(
            f"at level Request: what {blind} of the intruder's writes contained",
            f"Request 级别：入侵者 {blind} 次写操作的内容",
        )
    elif not bodies:
        yield Text(
            "at level Request: images, commands, roles and subjects; rules that need them could not fire",
            "Request 级别：镜像、命令、特权设置、角色与绑定主体；依赖它们的规则无法触发",
        )
    if any(one.detail == "likely_content" for incident in seen.incidents for one in incident.exposures):
        yield Text(
            "at level RequestResponse: which values its reads returned",
            "RequestResponse 级别：其读取返回了哪些内容",
        )
    if not seen.stages["ResponseComplete"] and not seen.stages["Panic"]:
        yield Text("how requests ended", "请求的最终结果")
    if seen.gaps:
        yield Text("what happened in the gaps", "空白期间发生的事")


def blind_writes(requests: Iterable[Request]) -> int:
    """Writes of which the log holds no body."""
    writes = (one for one in requests if one.succeeded and one.resource and not one.subresource)
    return sum(one.verb in ("create", "update", "patch") and one.final.request_object is None for one in writes)


def _of_machines(  # noqa: PLR0917 -- one row of the table
    seen: Seen, source: str, name: Text, there: Sequence[str], would_show: Text, limit: Text = _NOTHING
) -> SourceCoverage:
    """A source that is kept on machines: absent, of some of the machines reached, of all."""
    if not there:
        return SourceCoverage(source, name, "absent", _NOTHING, would_show)
    missing = [node for node in seen.nodes if node not in there]
    on = listed(there)
    if missing:
        lack = listed(missing)
        detail = Text(f"of {on.en}, not of {lack.en}", f"有 {on.zh} 的，缺 {lack.zh} 的")
        return SourceCoverage(source, name, "partial", detail, would_show)
    detail = Text(f"of {on.en}", f"{on.zh}")
    if limit.en:
        return SourceCoverage(source, name, "partial", detail, limit)
    return SourceCoverage(source, name, "present", detail)


def _logs(host: Host, component: str) -> bool:
    return f"{component} log" in host.sources.values() or any(line.component == component for line in host.logs)


def _kubelet_limit(seen: Seen) -> Text:
    """A kubelet's log is told as partial where commands came through it."""
    if not any(set(COMMANDS).intersection(step.rules) for one in seen.incidents for step in one.steps):
        return _NOTHING
    return Text(
        "at -v=3: commands that succeeded and who sent them (else it logs those that failed to start)",
        "-v=3 级别：执行成功的命令及其来源（默认只记录启动失败的命令）",
    )


def _before(names: str) -> str:
    """A space stands between a name and a Chinese word, none between two Chinese words ("等 4 个")."""
    return names if names.endswith("个") else f"{names} "


def _left_on(seen: Seen) -> Text:
    if not seen.nodes:
        return Text("what runs on nodes and in containers", "节点与容器中正在运行的程序")
    nodes = listed(seen.nodes)
    return Text(f"what still runs or was left on {nodes.en}", f"{_before(nodes.zh)}上仍在运行或残留的内容")


def _typed(seen: Seen) -> Text:
    shells = [
        f"{name.namespace}/{name.name}"
        for incident in seen.incidents
        for step in incident.steps
        if step.act == "execute" and step.command.strip() in _SHELLS
        for name in step.objects
    ]
    if shells:
        pods = listed(list(dict.fromkeys(shells)))
        return Text(f"what was typed into the shell in {pods.en}", f"在 {_before(pods.zh)}的 shell 中输入的命令")
    return Text(
        "every program that was started (linux_audit, Falco, Tetragon)",
        "启动过的每个程序（linux_audit、Falco、Tetragon）",
    )


def _printed(seen: Seen) -> Text:
    pods = listed(sorted({f"{pod.namespace}/{pod.name}" for one in seen.incidents for pod in one.pods}), 2)
    if not pods.en:
        return Text("what programs in pods printed", "Pod 中程序的输出")
    return Text(f"what ran and was printed in {pods.en}", f"{_before(pods.zh)}中程序的输出")


def _flows(seen: Seen) -> SourceCoverage:
    show = Text("where data went, and who connected to nodes and pods", "数据流向何处，谁连接过节点与 Pod")
    if any(not incident.audit_ids for incident in seen.incidents):
        show = Text("from where the kubelet was reached, and where data went", "从何处访问了 kubelet，数据流向何处")
    hosts = seen.machines.hosts
    watched = seen.on(h for h in hosts if any(event.category == "network_connection" for event in h.events))
    source, name = "network_flow", Text("Network flow logs", "网络流日志")
    if _has(seen, _FLOWS):
        return SourceCoverage(source, name, "present")
    if watched:
        on = listed(watched)
        detail = Text(f"connections seen by sensors of {on.en}", f"仅 {on.zh} 的传感器记录了连接")
        return SourceCoverage(source, name, "partial", detail, show)
    return SourceCoverage(source, name, "absent", _NOTHING, show)


def _by_format(seen: Seen, source: str, name: Text, words: Sequence[str], would_show: Text) -> SourceCoverage:
    if _has(seen, words):
        return SourceCoverage(source, name, "present")
    return SourceCoverage(source, name, "absent", _NOTHING, would_show)


def _has(seen: Seen, words: Sequence[str]) -> bool:
    return any(word in item.format.lower() for item in seen.items for word in words)


def _objects(seen: Seen) -> SourceCoverage:
    source, name = "cluster_objects", Text("Objects of the cluster", "集群对象")
    count = sum(OBJECTS in item.format.split(" + ") for item in seen.items)
    if not count:
        show = Text("roles, bindings and pods older than the log", "早于日志的角色、绑定与 Pod")
        return SourceCoverage(source, name, "absent", _NOTHING, show)
    detail = Text(
        f"{count} item{'' if count == 1 else 's'}: roles, bindings and pods were used, nothing else judged",
        f"{count} 项：使用了其中的角色、绑定与 Pod，其余未作判断",
    )
    return SourceCoverage(source, name, "present", detail)
