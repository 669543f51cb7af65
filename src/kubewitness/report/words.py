"""The words of the text and Markdown reports in both languages, and how times and counts are written."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from kubewitness.model.event import parse_time
from kubewitness.model.incident import Act
from kubewitness.model.judgement import Confidence, Severity
from kubewitness.model.text import Language, Text

SEVERITY: Final[dict[Severity, Text]] = {
    "critical": Text("critical", "严重"),
    "high": Text("high", "高危"),
    "medium": Text("medium", "中危"),
    "low": Text("low", "低危"),
    "informational": Text("informational", "提示"),
}
CONFIDENCE: Final[dict[Confidence, Text]] = {
    "high": Text("high", "高"),
    "medium": Text("medium", "中"),
    "low": Text("low", "低"),
}
# How sure it is that what is told of an incident is one intruder's; verdicts have their own.
ATTRIBUTED: Final[dict[Confidence, Text]] = {
    "high": Text("attributed with high confidence", "归因置信度高"),
    "medium": Text("attributed with medium confidence", "归因置信度中"),
    "low": Text("attributed with low confidence", "归因置信度低"),
}
# Glyphs are one column wide in every terminal, also where East Asian "ambiguous" characters take two.
GLYPH: Final[dict[Act, str]] = {
    "read": "◦",
    "create": "•",
    "change": "~",
    "delete": "✗",
    "execute": "►",
    "refused": "⊘",
    "effect": "▪",
}
ACT: Final[dict[Act, Text]] = {
    "read": Text("read", "读取"),
    "create": Text("create", "创建"),
    "change": Text("change", "修改"),
    "delete": Text("delete", "删除"),
    "execute": Text("execute", "执行"),
    "refused": Text("refused", "被拒绝"),
    "effect": Text("effect", "后果"),
}
PHASE: Final[dict[str, Text]] = {
    "snapshot": Text("snapshot", "留存快照"),
    "isolate": Text("isolate", "隔离"),
    "dump": Text("dump", "取证"),
    "stop": Text("stop", "止血"),
    "revoke": Text("revoke", "吊销轮换"),
    "fix": Text("fix", "修复"),
    "verify": Text("verify", "验证"),
}

REPORT = Text("Kubewitness report", "Kubewitness 报告")
MADE = Text("made", "生成于")
INCIDENTS = Text("Incidents", "入侵事件")
NO_INCIDENT = Text("No intrusion found in what was looked at", "在已查看的证据中没有发现入侵")
NOTHING_SEEN = Text("No audit event was found, so nothing can be said", "没有找到审计事件，无法得出任何结论")
INCOMPLETE = Text(
    "Some evidence could not be read, so this report may miss things.", "部分证据无法读取，本报告可能有遗漏。"
)
ALTERED = Text(
    "{archive} is not as it was collected: {count} differences from its manifest, listed below. Somebody or something "
    "changed it; do not rely on it before you know why.",
    "{archive} 与收集时不一致：与清单有 {count} 处差异（见下文）。它已被更改，在查明原因之前请勿采信。",
)
PROVED = Text(
    "{archive}: {count} items as they were collected from {host} at {time}. Compare with what the collector printed: "
    "sha256 of the manifest {sha256}",
    "{archive}：{count} 项与 {time} 从 {host} 收集时一致。请与收集程序当时打印的值核对：清单 sha256 {sha256}",
)
CONFIDENCE_LABEL = Text("confidence", "置信度")
STATUS = Text("Status", "现状")
VERDICT_LABEL = Text("Verdict", "结论")
CAMPAIGN = Text("Campaign", "已知活动")
CAMPAIGN_STEPS = Text("Runs like a known campaign", "与已知攻击活动相符")
ACTIVE = Text("Active", "活跃时间")
SOURCES = Text("Sources", "来源")
KNOWN = Text("Known indicators seen in it", "其中出现的已知威胁指标")
FAILED_INDICATORS = Text("Lines of indicator lists that could not be used", "指标列表中无法使用的行")
WAY_IN = Text("How they got in", "入侵入口与根因")
ENTRY = Text("Way in", "入侵入口")
ROOT_CAUSE = Text("Root cause", "根因")
INTRUDER = Text("Intruder", "入侵者")
ADDRESSES = Text("Addresses", "来源地址")
SERVERS = Text("Fetched from", "下载来源")
NOT_NAMED = Text("unknown: the evidence names nobody", "未知：证据中没有记录来者")
IDENTITIES = Text("Identities", "身份")
CREDENTIALS = Text("Credentials", "凭据")
AGENTS = Text("Agents", "客户端")
IMPERSONATED = Text("In the name of", "冒用的身份")
CLAIMED = Text("Claimed (not fact)", "自称地址（不可信）")
TOUCHED = Text("Touched", "波及")
ROTATE = Text("Rotate", "需轮换")
CHAIN = Text("Attack chain", "攻击链")
DO_NOW = Text("What to do now", "现在要做的事")
NOT_RUN = Text("Nothing of this has been run.", "以上均未执行。")
SAFE = Text("safe", "安全")
UNSAFE = Text("read first what it breaks", "有影响，先看后果")
NOT_SEEN = Text("What could not be seen", "看不到的部分")
OTHER_FINDINGS = Text("Other findings", "其他发现")
UNREAD = Text("Evidence that could not be read", "无法读取的证据")
DETAILS = Text("Details", "详情")
DETAILS_BELOW = Text("Details follow: the evidence for every step and finding.", "以下为详情：每个步骤与发现的证据。")
WHEN = Text("When", "时间")
STEPS = Text("Steps and their evidence", "步骤与证据")
ACTIONS = Text("Actions in full", "处置步骤全文")
BLAST_RADIUS = Text("Blast radius", "波及范围")
ACCESSORS = Text("Who else used the API, most requests first", "访问者（按请求数排列）")
MANIFEST = Text("Evidence items", "证据清单")
INFERRED = Text("inferred", "推断")
REJECTED = Text("(rejected credential)", "（凭据被拒）")
UNKNOWN = Text("unknown", "未知")

COLUMN_TIME = Text("UTC", "UTC")
COLUMN_WHO = Text("Who", "身份")
COLUMN_WHAT = Text("What", "行为")
COLUMN_OBJECT = Text("Object", "对象")
COLUMN_TECHNIQUE = Text("Technique", "技术")
COLUMN_COUNT = Text("Count", "次数")
COLUMN_SEVERITY = Text("Severity", "级别")
COLUMN_FINDING = Text("Finding", "发现")
COLUMN_REFUSED = Text("Refused", "被拒")
COLUMN_ADDRESS = Text("Address", "地址")
COLUMN_ITEM = Text("Item", "证据")
COLUMN_FORMAT = Text("Format", "格式")
COLUMN_EVENTS = Text("Events", "事件数")
COLUMN_FAILURES = Text("Unreadable", "不可读")

SIGNS = Text("Signs", "迹象")
PATH = Text("Path", "路径")
WHY = Text("Why it is here", "归入原因")
AGENT = Text("Agent", "客户端")
COMMAND = Text("Command", "命令")
EFFECTS = Text("Effects", "后果")
RULES = Text("Rules", "规则")
RULE = Text("Rule", "规则")
SECRETS = Text("Secrets", "敏感凭据")
CREATED = Text("Created", "创建")
CHANGED = Text("Changed", "修改")
DELETED = Text("Deleted", "删除")
READ = Text("Read", "读取")
PODS = Text("Pods", "Pod")
NODES = Text("Nodes", "节点")
JOINED = Text("Why one intruder", "为何认定为同一入侵者")
UNACCUSTOMED = Text("Unaccustomed", "异于平常")
REASONS = Text("For", "支持")
AGAINST = Text("Against", "反对")
BREAKS = Text("Breaks", "影响")
UNDO = Text("Undo", "撤销")
RUNBOOK = Text("Look at", "排查")
BENIGN_IF = Text("Harmless if", "可能无害")
MATCHED = Text("Matched", "命中字段")
ORIGINAL = Text("original event", "原始事件")
FAILED_RULES = Text("Rules that could not be loaded", "未能加载的规则")
NOTES = Text("Oddities in readable records", "可读记录中的异常")


def number(value: int) -> str:
    """With thousands separators, the same in both languages."""
    return f"{value:,}"


def counted(value: int, one: str, many: str, zh: str, language: Language) -> str:
    """A count with its noun: "1 step", "2 steps", "2 个步骤"; `zh` carries its measure word."""
    return f"{number(value)} {zh}" if language == "zh" else f"{number(value)} {one if value == 1 else many}"


def moment(text: str, language: Language) -> str:
    """As "2022-10-23 17:30:24 UTC"; the word for unknown where there is no time."""
    when = parse_time(text) if text else None
    return f"{when:%Y-%m-%d %H:%M:%S} UTC" if when else UNKNOWN.in_(language)


def clock(text: str, *, dated: bool) -> str:
    """A time within a table whose head names the zone; with the day if the table spans several."""
    when = parse_time(text) if text else None
    if when is None:
        return "?"
    return f"{when:%m-%d %H:%M:%S}" if dated else f"{when:%H:%M:%S}"


def duration(seconds: float, language: Language) -> str:
    """The two greatest units: "10 min 55 s", "2 天 3 小时"."""
    zh = language == "zh"
    units = ((86400, "d", "天"), (3600, "h", "小时"), (60, "min", "分钟"), (1, "s", "秒"))
    left = max(round(seconds), 0)
    parts: list[str] = []
    for size, en, chinese in units:
        if left >= size and len(parts) < 2:
            parts.append(f"{left // size} {chinese if zh else en}")
            left %= size
        elif parts:
            break
    return " ".join(parts) or ("不到 1 秒" if zh else "under 1 s")


def period(first: str, last: str, language: Language) -> str:
    """As "2022-10-23 17:30:24 – 17:41:19 UTC (10 min 55 s)", with the second day only if it is another."""
    begin, end = parse_time(first) if first else None, parse_time(last) if last else None
    if begin is None or end is None:
        return moment(first or last, language)
    if begin == end:
        return moment(first, language)
    until = f"{end:%H:%M:%S}" if begin.date() == end.date() else f"{end:%Y-%m-%d %H:%M:%S}"
    length = duration((end - begin).total_seconds(), language)
    brackets = ("（", "）") if language == "zh" else (" (", ")")
    return f"{begin:%Y-%m-%d %H:%M:%S} – {until} UTC{brackets[0]}{length}{brackets[1]}"


def same_day(times: list[str]) -> bool:
    """Whether all known times fall on one UTC day."""
    days = {when.date() for when in map(_time, times) if when}
    return len(days) <= 1


def _time(text: str) -> datetime | None:
    return parse_time(text) if text else None


def actor(identity: str, address: str, language: Language) -> str:
    """The full identity and where it came from."""
    name = identity or REJECTED.in_(language)
    if not address:
        return name
    return f"{name}（来自 {address}）" if language == "zh" else f"{name} from {address}"


def who(identity: str, language: Language) -> str:
    """A short name for an identity: service accounts as namespace:name."""
    return identity.removeprefix("system:serviceaccount:") or REJECTED.in_(language)
