"""What is said about an incident that only a node tells of: headline, story, way in, state, verdict, limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kubewitness.correlate.lineage import Seat, cite
from kubewitness.detect.host.finding import HostFinding
from kubewitness.incident.when import moment
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host
from kubewitness.model.incident import EntryPoint, Evidence, RootCause, Verdict
from kubewitness.model.judgement import SEVERITIES
from kubewitness.model.text import Text
from kubewitness.rules.attack import technique
from kubewitness.rules.features.address import scope_of

SUBJECT = 200  # characters of a command or line that are shown
_TOLD = 90  # ... and in a sentence of the story
COMMANDS = ("host/kubelet_exec_fan_out", "host/exec_download")  # rules about commands that came through the kubelet
_FETCHES = ("host/exec_download", "host/download_and_run", "host/environment_sent")
_SHOWN = 8  # places cited for a step or finding
_TITLES = 3  # findings on nodes that the state of an incident names, and nodes
_GRAVE = SEVERITIES.index("high")


def cited(places: Iterable[tuple[Place, str]], time: str, hashes: Mapping[str, str]) -> tuple[Evidence, ...]:
    """Citations of lines as found."""
    return tuple(cite(Seat(place, text, time), hashes) for place, text in list(places)[:_SHOWN])


def shown(text: str, room: int = SUBJECT) -> str:
    """A command or line as a sentence has room for it; cut visibly."""
    return text if len(text) <= room else text[: room - 1].rstrip() + "…"


def _ended(text: str, mark: str) -> str:
    """As the end of a sentence: what was cut has its mark already."""
    said = shown(text, _TOLD)
    return said if said.endswith("…") else said + mark


def entry_of(
    host: Host, finding: HostFinding, by_kubelet: bool, is_open: bool, hashes: Mapping[str, str]
) -> EntryPoint:
    """The way in: through the kubelet, or not known.

    A kubelet's log names no caller: that commands came past the API server is said of a kubelet that obeys anybody,
    of others only that they came through the kubelet.
    """
    if by_kubelet and not is_open:
        en = (
            f"Commands were run through the kubelet of {host.name}. Its log names no caller: they came to its port "
            "10250, or through the API server (nodes/proxy), of which an audit log would tell."
        )
        zh = (
            f"有人通过 {host.name} 的 kubelet 执行了命令。kubelet 日志不记录调用方：可能直接访问了 10250 端口，"
            "也可能经由 API server（nodes/proxy），后者可由审计日志查明。"
        )
        used: tuple[str, ...] = ("T1609",)
    elif by_kubelet:
        en = f"Commands were sent straight to the kubelet of {host.name} (port 10250), past the API server."
        zh = f"有人绕过 API server，直接向 {host.name} 的 kubelet（10250 端口）发送命令。"
        used = ("T1133", "T1609")
    else:
        en = f"First sign on {host.name}: {finding.title.en}. How it came there is not in this evidence."
        zh = f"{host.name} 上最早的迹象：{finding.title.zh}。如何进入不在本证据中。"
        used = ()
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
    miners = [finding for finding in told if finding.rule == "host/miner_process" and finding.process]
    if miners and all(finding.process and finding.process.told_by for finding in miners):
        en.append("a miner was started there" if en else f"A miner was started on {host.name}")
        zh.append("启动过挖矿程序" if zh else f"{host.name} 上启动过挖矿程序")
    elif miners:
        en.append("a miner runs there" if en else f"A miner runs on {host.name}")
        zh.append("挖矿程序正在运行" if zh else f"{host.name} 上有挖矿程序")
    if "host/scanner_process" in rules and (en or len(rules) > 1):
        en.append("and it attacks others" if en else f"{host.name} attacks others")
        zh.append("并且正在攻击他人" if zh else f"{host.name} 正在攻击他人")
    elif "host/scanner_process" in rules:  # it may be the owner's own scan
        en.append(f"{host.name} searches networks for open ports")
        zh.append(f"{host.name} 正在扫描网络端口")
    if not en:
        strongest = max(told, key=lambda finding: SEVERITIES.index(finding.severity))
        return Text(f"{strongest.title.en} on {host.name}", f"{host.name}：{strongest.title.zh}")
    return Text("; ".join(en).replace("; and", ", and"), "；".join(zh))


def story_of(told: Sequence[HostFinding], causes: Sequence[RootCause]) -> tuple[Text, ...]:
    """Sentences in the order of what matters."""
    out = [cause.description for cause in causes[:1]]
    for finding in told:
        if finding.rule in COMMANDS:
            out.append(_tried(finding))
            break
    processes = sorted(
        (finding for finding in told if finding.process is not None), key=lambda f: -SEVERITIES.index(f.severity)
    )
    told_of = set[int]()
    for rule in dict.fromkeys(finding.rule for finding in processes):
        same = [f for f in processes if f.rule == rule and f.process and f.process.pid not in told_of]
        if not same:
            continue  # said already, of the same processes, with a graver rule
        told_of |= {f.process.pid for f in same if f.process}
        one = same[0]
        assert one.process is not None
        # two lists may show one process under two commands, for programs change their words
        numbers = list(dict.fromkeys(f.process.pid for f in same if f.process))
        pids = ", ".join(map(str, numbers[:6])) + (", …" if len(numbers) > 6 else "")
        source = one.process.told_by if all(f.process and f.process.told_by for f in same) else ""
        pids, pids_zh = (f"{pids}; told of by {source}", f"{pids}；由 {source} 记录") if source else (pids, pids)
        said, said_zh = _ended(one.process.command, "."), _ended(one.process.command, "。")
        out.append(Text(f"{one.title.en} (pid {pids}): {said}", f"{one.title.zh}（pid {pids_zh}）：{said_zh}"))
    return tuple(out[:6])


def _tried(finding: HostFinding) -> Text:
    """Commands that the kubelet was asked for: in many containers, or in one."""
    number = len(finding.containers)
    said, said_zh = _ended(finding.subject, "."), _ended(finding.subject, "。")
    at = f"From {moment(finding.first)}" if finding.first else "At a time that is not known"
    at_zh = f"自 {moment(finding.first)} 起" if finding.first else "在未知的时间"
    if number > 1:
        return Text(
            f"{at} the same commands were tried in {number} containers, one after another, whatever runs in "
            f"them: {said}",
            f"{at_zh}，有人在 {number} 个容器中逐一尝试同样的命令，而不管其中运行什么：{said_zh}",
        )
    return Text(
        f"{at} the kubelet was asked to run this in a container, and it failed to start: {said}",
        f"{at_zh}，有人通过 kubelet 在一个容器中执行以下命令但未能启动：{said_zh}",
    )


def fetched_from(told: Sequence[HostFinding]) -> tuple[str, ...]:
    """Addresses that the intruder's commands fetched files from; a pool is somebody else's service."""
    fetched = (address for f in told if f.rule in _FETCHES for address in f.addresses)
    return tuple(dict.fromkeys(address for address in fetched if scope_of(address) != "unknown"))


def why_unknown() -> tuple[Text, ...]:
    """Why nobody is named."""
    return (
        Text(
            "The evidence of this node does not name who came: a kubelet logs no caller at its usual verbosity.",
            "该节点的证据没有记录来者：kubelet 在默认日志级别下不记录调用方。",
        ),
    )


def also_found(status: tuple[tuple[Text, Text], ...], told: Sequence[HostFinding]) -> tuple[tuple[Text, Text], ...]:
    """The state as the audit log tells it, with what was found on nodes: a deleted pod may have left a cron job."""
    grave = sorted(
        (one for one in told if one.kind == "intrusion" and SEVERITIES.index(one.severity) >= _GRAVE),
        key=lambda one: (-SEVERITIES.index(one.severity), one.rule, one.host),
    )
    if not status or not grave:
        return status
    hosts = list(dict.fromkeys(sorted(one.host for one in grave)))[:_TITLES]
    titles = list({one.rule: one.title for one in grave}.values())
    en, zh = [one.en for one in titles[:_TITLES]], [one.zh for one in titles[:_TITLES]]
    more = len(titles) - len(en)
    (label, effect), *rest = status
    effect = Text(
        f"{effect.en}. Found on {', '.join(hosts)}: {'; '.join(en)}{f' and {more} more' if more else ''}",
        f"{effect.zh}。在 {'、'.join(hosts)} 上发现：{'；'.join(zh)}{f'，另有 {more} 项' if more else ''}",
    )
    return ((label, effect), *rest)


def status_of(host: Host, told: Sequence[HostFinding], causes: Sequence[RootCause]) -> tuple[tuple[Text, Text], ...]:
    """Effect, way in, credentials when the evidence ends."""
    processes = [finding.process for finding in told if finding.process is not None]
    running = len({process.pid for process in processes if not process.told_by})
    started = len({(process.pid, process.command) for process in processes if process.told_by})
    were = "process of the intruder was" if running == 1 else "processes of the intruder were"
    effect = (
        Text(
            f"{running} {were} running on {host.name} when the list was taken",
            f"采集进程列表时，{host.name} 上仍有 {running} 个入侵者进程",
        )
        if running
        else Text(
            f"Programs of the intruder were started on {host.name} ({started}); whether they still run is not known",
            f"{host.name} 上启动过 {started} 个入侵者的程序，是否仍在运行不得而知",
        )
        if started
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
    return (
        (Text("Effect", "影响"), effect),
        (Text("Way in", "入侵入口"), way),
        (
            Text("Credentials", "凭据"),
            Text(
                f"Every service-account token and Secret mounted in pods of {host.name} could be read: rotate them",
                f"{host.name} 上各 Pod 挂载的 ServiceAccount 令牌与 Secret 都可能已被读取：请轮换",
            ),
        ),
    )


def verdict_of(commands: Sequence[HostFinding]) -> Verdict:
    """Worm or person: one download alone tells neither."""
    containers = {name for finding in commands for name in finding.containers or (finding.container,) if name}
    number = len(containers)
    if number > 1:
        reason = Text(
            f"The same list of commands was tried in {number} containers, whatever runs in them.",
            f"同一组命令在 {number} 个容器中逐一尝试，而不管其中运行什么。",
        )
        return Verdict("worm", "high", (reason,))
    if any(finding.rule == "host/kubelet_exec_fan_out" for finding in commands):
        reason = Text(
            "Package managers of several distributions were tried in one container: who knows the image needs one.",
            "在同一容器中尝试了多个发行版的包管理器：了解镜像的人只需要一个。",
        )
        return Verdict("worm", "medium", (reason,))
    return Verdict("undetermined", "low")


def limitations_of(commands: Sequence[HostFinding], causes: Sequence[RootCause], closed: bool) -> tuple[Text, ...]:
    """What this evidence cannot tell. `closed`: its settings show that the kubelet asks for credentials."""
    out = list[Text]()
    if causes and not commands:
        out.append(
            Text(
                "No command through the kubelet is in this evidence: "
                f"that {causes[0].name} was the way in is inferred.",
                f"证据中没有经由 kubelet 的命令：以 {causes[0].name} 为入口属推断。",
            )
        )
    if not causes and closed:
        out.append(
            Text(
                "The settings of this kubelet that are in the evidence let nobody in without a credential: how the "
                "intruder came is not known.",
                "证据中该 kubelet 的配置不允许无凭据访问：入侵者如何进入不得而知。",
            )
        )
    elif not causes:
        out.append(
            Text(
                "Why it was possible is not in this evidence: the kubelet's unit, drop-ins, configuration "
                "and command line would tell.",
                "为何可行不在本证据中：需要 kubelet 的 unit、drop-in、配置文件与命令行。",
            )
        )
    return tuple(out)


def harmless_if(told: Sequence[HostFinding]) -> tuple[Text, ...]:
    """What else it may be, where all rests on one rule."""
    if len({finding.rule for finding in told}) != 1:
        return ()
    said = tuple(dict.fromkeys(text for finding in told for text in finding.falsepositives))
    return tuple(
        Text(f"All of this rests on one kind of sign. Harmless if: {text.en}", f"以上仅凭一类迹象。无害情形：{text.zh}")
        for text in said
    )
