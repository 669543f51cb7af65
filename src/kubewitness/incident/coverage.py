"""What was looked at and what could not be seen: not knowing is said out loud, with what it would have shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from kubewitness.detect.descriptions import descriptions
from kubewitness.detect.gaps import find_gaps
from kubewitness.detect.host.yara_rules import Scanned
from kubewitness.detect.indicators.indicator import NOTHING, Pack
from kubewitness.detect.run import Scan
from kubewitness.incident.coverage_askers import askers
from kubewitness.incident.coverage_sources import Seen, sources_of
from kubewitness.incident.when import moment, span
from kubewitness.model.evidence import EvidenceItem, Note
from kubewitness.model.incident import ClockSkew, Coverage, Gap, Incident
from kubewitness.model.text import Text
from kubewitness.rules.loader import RuleSet
from kubewitness.sources.host.hosts import HostEvidence

_NAMED = 5


def coverage(
    scan: Scan,
    rules: RuleSet,
    machines: HostEvidence | None = None,
    read: Sequence[EvidenceItem] = (),
    clocks: Mapping[str, ClockSkew] = MappingProxyType({}),
    *,
    notes: Sequence[Note] = (),
    indicators: Pack = NOTHING,
    programs: Scanned | None = None,
    incidents: Sequence[Incident] = (),
    blind: int = 0,
) -> Coverage:
    """The statement of coverage.

    Args:
        scan: Pass 1.
        rules: What was judged by.
        machines: The machines among the evidence.
        read: The items that hold no log of events: of machines, of Kubernetes objects.
        clocks: The machines'.
        notes: What was odd about items of Kubernetes objects.
        indicators: What was looked for beside the rules.
        programs: What the scan of machines' programs left out.
        incidents: What was found: what a missing source would have shown is told for them.
        blind: Writes of intruders of which the log holds no body.
    """
    programs = programs or Scanned()
    machines = machines or HostEvidence()
    levels: Counter[str] = Counter()
    stages: Counter[str] = Counter()
    requests = 0
    for profile in scan.profiles.by_key.values():
        requests += profile.requests
        for kinds in (profile.allowed, profile.refused):
            for kind, n in kinds.items():
                levels[kind.level or "(none)"] += n
                stages[kind.stage or "(none)"] += n
    formats: Counter[str] = Counter()
    for item in scan.items:
        if item.events:
            formats[item.format] += item.events
    gaps = find_gaps(scan)
    return Coverage(
        first="" if scan.first == "~" else scan.first,
        last=scan.last,
        events=scan.events,
        requests=requests,
        duplicates=scan.duplicates,
        levels=dict(sorted(levels.items())),
        stages=dict(sorted(stages.items())),
        formats=dict(sorted(formats.items())),
        items=(*scan.items, *read),
        gaps=gaps,
        limitations=(
            *_limitations(scan, gaps),
            *askers(scan),
            *_of_mixed(machines),
            *_of_clocks(clocks),
            *programs.limitations,
        ),
        archives=tuple(machines.proofs),
        clocks=tuple(clock for clock in clocks.values() if clock.pairs),
        notes=tuple([*scan.notes, *machines.notes, *notes, *programs.notes][:200]),
        rules_loaded=len(rules.rules)
        + programs.rules
        + len(rules.correlations)
        + (len(rules.host_rules) if machines.hosts else 0)
        + sum(len(descriptions(one)) for one in ("detectors", *(["host"] if machines.hosts else []))),
        rules_failed=tuple(str(error) for error in rules.errors),
        indicators_loaded=len(indicators.indicators),
        indicators_failed=indicators.errors,
        sources=sources_of(Seen(scan, levels, stages, gaps, machines, (*scan.items, *read), incidents, blind)),
    )


def _limitations(scan: Scan, gaps: Sequence[Gap]) -> list[Text]:
    """What is not told of a kind of evidence (see `coverage_sources`)."""
    out: list[Text] = []
    out += [
        Text(
            f"Nothing was logged between {moment(gap.first)} and {moment(gap.last)} ({span(gap.seconds).en}): "
            "rotation, a stopped API server, or removed lines. What happened then is not known.",
            f"{moment(gap.first)} 至 {moment(gap.last)}（{span(gap.seconds).zh}）没有任何记录："
            "可能是日志轮转、API server 停止或日志被删除，其间发生的事不得而知。",
        )
        for gap in gaps[:5]
    ]
    if scan.failures_total:
        pieces = "1 piece" if scan.failures_total == 1 else f"{scan.failures_total:,} pieces"
        out.append(
            Text(
                f"{pieces} of evidence could not be read; each is listed with file, line and reason.",
                f"有 {scan.failures_total:,} 处证据无法读取，均已列出文件、行号与原因。",
            )
        )
    if scan.forgot:
        out.append(
            Text(
                "The log is so long that old events were forgotten: a duplicate of one more than three million "
                "events before "
                "may have been counted twice.",
                "日志过长，较早的事件已不再记忆：与三百万条以前的事件重复者可能被计数两次。",
            )
        )
    if scan.overflowed:
        out.append(
            Text(
                "More distinct groups than can be counted: some bursts may have been missed.",
                "不同分组过多，超出计数上限：部分突发行为可能遗漏。",
            )
        )
    if scan.baseline is not None:
        out.append(_learnt_of(scan.baseline))
    if scan.unlearned and scan.events:  # without any event no log is short
        out.append(
            Text(
                "The log is too short to know what is usual in this cluster: rules that look for what is new "
                f"(networks, clients, registries; {len(scan.unlearned)} rules) could not be judged.",
                f"日志时间太短，无法得知该集群的常态：查找新网段、新客户端、新镜像仓库的规则"
                f"（{len(scan.unlearned)} 条）未作判断。",
            )
        )
    if scan.unjudged:
        out.append(
            Text(
                f"{len(scan.unjudged)} rules that look for what is new met more different values than can be kept: "
                "some that came new may be missing.",
                f"{len(scan.unjudged)} 条查找新事物的规则遇到的不同取值超出上限：可能有遗漏。",
            )
        )
    return out


def _learnt_of(baseline: Scan) -> Text:
    """What of the baseline could be used."""
    if not baseline.events:
        return Text(
            "The baseline holds no audit event: nothing is known of what is usual, and nothing could be judged by it.",
            "基线日志中没有审计事件：常态不得而知，无法据此判断。",
        )
    failed = f"; {baseline.failures_total:,} of its lines could not be read" if baseline.failures_total else ""
    failed_zh = f"；其中 {baseline.failures_total:,} 行无法读取" if baseline.failures_total else ""
    return Text(
        f"What is usual was learnt of a baseline of {baseline.events:,} events, {baseline.first[:16]}Z to "
        f"{baseline.last[:16]}Z{failed}. An intruder who was at work in it already counts as usual.",
        f"常态取自基线日志：{baseline.events:,} 条事件，{baseline.first[:16]}Z 至 {baseline.last[:16]}Z{failed_zh}。"
        "若入侵者当时已在活动，则会被视为常态。",
    )


def _of_mixed(machines: HostEvidence) -> list[Text]:
    """Folders that seem to hold several machines: times, owners of sockets and parents of processes may be mixed up."""
    if not machines.mixed:
        return []
    names = ", ".join(name[:200] for name in machines.mixed[:_NAMED])
    return [
        Text(
            f"The files in {names} seem to be of several machines and were taken for one: processes, sockets and times "
            "may be mixed up. Put each machine's into a folder of its own.",
            f"{names} 中的文件似乎来自多台机器，却被当作一台处理：进程、套接字与时间可能混淆。"
            "请将每台机器的文件放入各自的文件夹。",
        )
    ]


def _of_clocks(clocks: Mapping[str, ClockSkew]) -> list[Text]:
    out = list[Text]()
    for clock in clocks.values():
        if clock.low is not None and clock.high is not None and clock.low > clock.high + 1:
            out.append(
                Text(
                    f"The clock of {clock.node} was set while this evidence was written: its times cannot be compared "
                    "with the audit log's to the second.",
                    f"{clock.node} 的时钟在证据记录期间被调整过：其时间无法与审计日志精确到秒地对照。",
                )
            )
        elif clock.moved:
            en, zh = ("ahead of", "快") if clock.moved > 0 else ("behind", "慢")
            seconds = f"{abs(clock.moved):.1f}"
            out.append(
                Text(
                    f"The clock of {clock.node} is about {seconds} s {en} the API server's ({clock.pairs} pairs of "
                    "times): what was found on it is told in the API server's time. Quoted lines keep their own.",
                    f"{clock.node} 的时钟比 API server 约{zh} {seconds} 秒（对照 {clock.pairs} 组时间）："
                    "其上的发现均按 API server 的时间叙述，引用的原文保持原有时间。",
                )
            )
    return out
