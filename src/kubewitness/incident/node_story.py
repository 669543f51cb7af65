"""What is said about an incident that only a node tells of: headline, story, way in, state, verdict, limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kubewitness.detect.host.finding import HostFinding
from kubewitness.incident.when import moment
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host
from kubewitness.model.incident import EntryPoint, Evidence, RootCause, Verdict
from kubewitness.model.judgement import SEVERITIES
from kubewitness.model.text import Text
from kubewitness.rules.attack import technique
from kubewitness.rules.features.address import scope_of

SUBJECT = 200  # characters of a command or line that are shown in a sentence
COMMANDS = ("host/kubelet_exec_fan_out", "host/exec_download")  # rules about commands that came through the kubelet
_FETCHES = ("host/exec_download", "host/download_and_run", "host/environment_sent")
_SHOWN = 8  # places cited for a step or finding


def cited(places: Iterable[tuple[Place, str]], time: str, hashes: Mapping[str, str]) -> tuple[Evidence, ...]:
    """Citations of lines as found."""
    return tuple(
        Evidence(
            audit_id="",
            item=place.item,
            line=place.line,
            offset=place.offset,
            time=time,
            sha256=hashes.get(place.item, ""),
            summary=text[:400],
        )
        for place, text in list(places)[:_SHOWN]
    )


def entry_of(host: Host, finding: HostFinding, by_kubelet: bool, hashes: Mapping[str, str]) -> EntryPoint:
    """The way in: through the kubelet, or not known."""
    if by_kubelet:
        en = f"Commands were sent straight to the kubelet of {host.name} (port 10250), past the API server."
        zh = f"有人绕过 API server，直接向 {host.name} 的 kubelet（10250 端口）发送命令。"
        used: tuple[str, ...] = ("T1133", "T1609")
    else:
        en = f"First sign on {host.name}: {finding.title.en}. How it came there is not in this evidence."
        zh = f"{host.name} 上最早的迹象：{finding.title.zh}。如何进入不在本证据中。"
        used = tuple[str, ...]()
    return EntryPoint(
        finding.first,
        "",
        "",
        Text(en, zh),
        tuple(technique(name) for name in used),
        cited(finding.places[:1], finding.first, hashes),
    )


def title_of(host: Host, told: Sequence[HostFinding], causes: Sequence[RootCause]) -> Text:
    """The headline."""
    rules = {finding.rule for finding in told}
    en, zh = list[str](), list[str]()
    if causes and rules & set(COMMANDS):
        en.append(f"Anyone could run commands on {host.name} through its kubelet")
        zh.append(f"任何人都能通过 kubelet 在 {host.name} 上执行命令")
    elif rules & set(COMMANDS):
        en.append(f"Commands of an intruder were run through the kubelet of {host.name}")
        zh.append(f"入侵者通过 kubelet 在 {host.name} 上执行了命令")
    if "host/miner_process" in rules:
        en.append("a miner runs there" if en else f"A miner runs on {host.name}")
        zh.append("挖矿程序正在运行" if zh else f"{host.name} 上有挖矿程序")
    if "host/scanner_process" in rules:
        en.append("and it attacks others" if en else f"{host.name} attacks others")
        zh.append("并且正在攻击他人" if zh else f"{host.name} 正在攻击他人")
    if not en:
        strongest = max(told, key=lambda finding: SEVERITIES.index(finding.severity))
        return Text(f"{strongest.title.en} on {host.name}", f"{host.name}：{strongest.title.zh}")
    return Text("; ".join(en).replace("; and", ", and"), "；".join(zh))


def story_of(told: Sequence[HostFinding], causes: Sequence[RootCause]) -> tuple[Text, ...]:
    """Sentences in the order of what matters."""
    out = [cause.description for cause in causes[:1]]
    for finding in told:
        if finding.rule in COMMANDS:
            at, tried = moment(finding.first), len(finding.containers) or 1
            out.append(
                Text(
                    f"From {at} the same commands were tried in {tried} containers, one after "
                    "another, whatever runs in them: "
                    f"{finding.subject[:SUBJECT]}.",
                    f"自 {at} 起，有人在 {tried} 个容器中逐一尝试同样的命令，而不管其中运行什么："
                    f"{finding.subject[:SUBJECT]}。",
                )
            )
            break
    processes = sorted(
        (finding for finding in told if finding.process is not None), key=lambda f: -SEVERITIES.index(f.severity)
    )
    for rule in dict.fromkeys(finding.rule for finding in processes):
        same = [finding for finding in processes if finding.rule == rule]
        one = same[0]
        assert one.process is not None
        pids = ", ".join(str(f.process.pid) for f in same[:6] if f.process)
        out.append(
            Text(
                f"{one.title.en} (pid {pids}): {one.process.command[:SUBJECT]}",
                f"{one.title.zh}（pid {pids}）：{one.process.command[:SUBJECT]}",
            )
        )
    return tuple(out[:6])


def fetched_from(told: Sequence[HostFinding]) -> tuple[str, ...]:
    """Addresses that the intruder's commands fetched files from; a pool is somebody else's service."""
    fetched = (address for f in told if f.rule in _FETCHES for address in f.addresses)
    return tuple(dict.fromkeys(address for address in fetched if scope_of(address) != "unknown"))


def why_together(told: Sequence[HostFinding]) -> tuple[Text, ...]:
    """What the incident's addresses are."""
    if not fetched_from(told):
        return (
            Text(
                "The evidence of this node does not name who came: a kubelet logs no caller at its usual verbosity.",
                "该节点的证据没有记录来者：kubelet 在默认日志级别下不记录调用方。",
            ),
        )
    return (
        Text(
            "The addresses are those that the intruder's commands fetched files from; where the "
            "commands came from is not known.",
            "这些地址是入侵者的命令下载文件的来源；命令本身从何处发出不得而知。",
        ),
    )


def status_of(
    host: Host, told: Sequence[HostFinding], causes: Sequence[RootCause], last: str
) -> tuple[tuple[Text, Text], ...]:
    """Effect, way in, credentials when the evidence ends."""
    running = [finding for finding in told if finding.process is not None]
    effect = (
        Text(
            f"{len({f.process.pid for f in running if f.process})} processes of the intruder were "
            f"running on {host.name} when the list was taken",
            f"采集进程列表时，{host.name} 上仍有 {len({f.process.pid for f in running if f.process})} 个入侵者进程",
        )
        if running
        else Text("No process of the intruder in this evidence", "证据中没有入侵者的进程")
    )
    way = (
        Text(
            f"{causes[0].name} on {host.name}: open when the evidence ends",
            f"{host.name} 的 {causes[0].name}：证据结束时仍然敞开",
        )
        if causes
        else Text("Not in this evidence", "不在本证据中")
    )
    del last
    return (
        (Text("Effect", "影响"), effect),
        (Text("Way in", "入口"), way),
        (
            Text("Credentials", "凭据"),
            Text(
                f"Every service-account token and Secret mounted in pods of {host.name} could be read: rotate them",
                f"{host.name} 上各 Pod 挂载的 ServiceAccount 令牌与 Secret 都可能已被读取：请轮换",
            ),
        ),
    )


def verdict_of(commands: Sequence[HostFinding]) -> Verdict:
    """Worm or person."""
    containers = {name for finding in commands for name in finding.containers or (finding.container,) if name}
    if commands:
        return Verdict(
            "worm",
            "high" if len(containers) > 1 else "medium",
            (
                Text(
                    f"The same list of commands was tried in {max(1, len(containers))} containers, "
                    "whatever runs in them.",
                    f"同一组命令在 {max(1, len(containers))} 个容器中逐一尝试，而不管其中运行什么。",
                ),
            ),
        )
    return Verdict("undetermined", "low")


def limitations_of(commands: Sequence[HostFinding], causes: Sequence[RootCause]) -> tuple[Text, ...]:
    """What this evidence cannot tell."""
    out = [
        Text(
            "A kubelet logs commands that fail to start, not those that succeed, and no caller: "
            "what else was run, and from where, "
            "is not known. Flow logs or a kubelet at -v=3 would show it.",
            "kubelet 只记录启动失败的命令，不记录成功的命令和调用方：还执行了什么、从何处发起不得而知。"
            "网络流日志或 -v=3 的 kubelet 日志可以显示。",
        )
    ]
    if not commands:
        out = []
    if not causes:
        out.append(
            Text(
                "Why it was possible is not in this evidence: the kubelet's unit, drop-ins, configuration "
                "and command line would tell.",
                "为何可行不在本证据中：需要 kubelet 的 unit、drop-in、配置文件与命令行。",
            )
        )
    return tuple(out)
