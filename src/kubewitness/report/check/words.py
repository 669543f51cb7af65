"""The words of the report of a check, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.posture import Group, Status
from kubewitness.model.text import Language, Text
from kubewitness.report.words import SEVERITY

STATUS: Final[dict[Status, Text]] = {
    "fail": Text("failed", "不合格"),
    "pass": Text("passed", "合格"),
    "not_evaluated": Text("not evaluated", "未评估"),
    "not_applicable": Text("not applicable", "不适用"),
}
GROUP: Final[dict[Group, Text]] = {
    "access": Text("access", "访问权限"),
    "control_plane": Text("control plane", "控制平面"),
    "nodes": Text("nodes", "节点"),
    "fleet": Text("fleet", "节点对比"),
    "workloads": Text("workloads", "工作负载"),
    "credentials": Text("credentials", "凭据"),
}
TITLE = Text("Kubewitness check", "Kubewitness 自检")
CLUSTER = Text("cluster", "集群")
NODES = Text("{} nodes", "{} 个节点")
NODE = Text("1 node", "1 个节点")
LIVE = Text("Kubernetes", "Kubernetes")
NOTHING = Text(
    "NOTHING WAS JUDGED: the evidence does not hold what the checks need.",
    "未作任何判定：证据中没有检查所需的内容。",
)
NONE_FAILED = Text("Nothing failed", "没有不合格项")
BELOW = Text(
    "not listed, as it is below {severity}: {count} (--severity informational lists all)",
    "另有 {count} 项低于{severity}，未列出（--severity informational 可列出全部）",
)
INCOMPLETE = Text(
    "INCOMPLETE EVIDENCE: {what}. Do not take what is missing here for good.",
    "证据不完整：{what}。此处未列出的，不能视为没有问题。",
)
UNREADABLE = Text("pieces that could not be read: {count}", "{count} 处无法读取")
UNOPENED = Text("items that could not be opened: {count}", "{count} 项无法打开")
UNKNOWN_ITEMS = Text("items that told nothing to any check: {count}", "{count} 项中没有可供检查的内容")
MISSING = Text("something was refused or left out when it was collected", "收集时有内容被拒绝或略去")
KNOWN = Text("{count} known from {name}", "{count} 项已见于 {name}")
NEW = Text("new since {name}: {count}", "自 {name} 以来新增：{count} 项")
GONE = Text("{count} gone", "{count} 项已消除")
UNSEEN = Text("{count} that this evidence does not show", "{count} 项在本次证据中无法判断")
WAIVED = Text("{count} accepted by waivers", "{count} 项已豁免")
EXPIRED = Text("Waivers that have ended; what they accepted counts again:", "以下豁免已到期，对应的不合格项重新计入：")
NOT_EVALUATED = Text("Not evaluated", "未评估")
TO_DO = Text("What to do, worst first", "处理事项（按严重程度排序）")
MENDS = Text("mends", "解决")
MENDS_N = Text("mends {}", "解决 {} 项")
DO = Text("do", "操作")
SAFETY = Text("effect", "影响")
SAFE = Text("safe", "安全")
UNSAFE = Text("UNSAFE", "有风险")
UNSAFE_MAY = Text("may break what relies on it", "可能影响依赖它的组件")
WHY = Text("why", "原因")
OBSERVED = Text("observed", "实际")
EXPECTED = Text("expected", "应为")
READ_AT = Text("read at", "出处")
BECAUSE = Text("because", "理由")
INCLUDES = Text("includes", "包括")
WITHIN = Text("counted in: {}", "计入：{}")
SUBJECTS = Text("of", "对象")
PATH = Text("path", "路径")
CHECK = Text("check", "检查项")
TARGET = Text("target", "目标")
SUBJECT = Text("subject", "对象")
SEVERITY_LABEL = Text("severity", "级别")
STATUS_LABEL = Text("result", "结果")
FRAMEWORK = Text("framework", "框架")
FRAMEWORKS = Text("Frameworks", "框架对照")
POINTS = Text("points", "条目")
FLEET = Text("The machines side by side", "各节点对照")
FLEET_MORE = Text("{} machines: the HTML form shows them side by side", "共 {} 台机器：HTML 格式可并排显示")
PASSED = Text("Passed: looked for, and not the case", "合格：已检查，以下情况均不存在")
NOT_APPLICABLE = Text("Not applicable", "不适用")
ACCEPTED = Text("Accepted by waivers", "已豁免")
ACCEPTED_SHORT = Text("waived", "已豁免")
KNOWN_SHORT = Text("known", "基线已有")
KNOWN_TITLE = Text("Known from the baseline", "基线中已有")
GONE_TITLE = Text("Gone since the baseline", "自基线以来已消除")
UNTIL = Text("{owner}, until {expires}: {reason}", "{owner}，至 {expires}：{reason}")
CREDENTIALS = Text("Credentials", "凭据清单")
KIND = Text("kind", "类型")
NAME = Text("name", "名称")
IDENTITY = Text("identity", "身份")
EXPIRES = Text("until", "有效至")
LAST_USED = Text("last used", "最后使用")
ISSUER = Text("issuer", "签发者")
FINGERPRINT = Text("SHA-256", "SHA-256")
MORE = Text("... and {} more; the JSON form has all", "……另有 {} 项，JSON 格式含全部内容")
MORE_SUBJECTS = Text("and {} more", "等另外 {} 个")
NOTES = Text("Notes", "附注")
MATCHES = Text("{count}×", "{count} 项")
NO_REASON = Text("no reason given", "未说明理由")
CHECK_NOUN = Text("check", "自检报告")
TO_DO_SHORT = Text("What to do", "处理事项")
TO_DO_INTRO = Text(
    "Each entry is done once and mends everything listed in it. Nothing has been run.",
    "每一条只需处理一次，即可解决其中列出的全部问题。以下命令均未执行。",
)
FIRST = Text("Do this first", "优先处理")
BREAKS = Text("May break:", "可能影响：")
FILL_IN = Text("Not to be run as it is; fill in first: {}", "不能直接运行，请先替换：{}")
CAREFUL = Text("careful", "注意")
MENDS_TOO = Text("It mends these, too:", "同时还会解决：")
PATHS = Text("Attack paths", "攻击路径")
PATHS_INTRO = Text(
    "What could happen with the rights that exist, step by step; not what did happen.",
    "现有权限下可能发生的逐步提权过程，并非已经发生的事件。",
)
NOT_EVALUATED_INTRO = Text(
    "No answer is no pass. What would be needed is said with each reason.",
    "未评估不等于合格；每条原因都说明了还需要什么。",
)
FLEET_INTRO = Text(
    "One row a check, the worst of each machine. ≠ marks rows in which the machines differ.",
    "每行一个检查项，取各节点最差的结果。≠ 表示各节点不一致。",
)
CREDENTIALS_INTRO = Text(
    "What lets somebody in, as far as the evidence shows. The credentials themselves are not in it.",
    "证据中可见的各类登录凭据清单，不含凭据本身。",
)
FRAMEWORKS_INTRO = Text(
    "Points that a check of this run speaks of, and the worst result; other points are not covered.",
    "本次检查涉及的条目及其最差结果；未列出的条目不在覆盖范围内。",
)
POINT = Text("point", "条目")
AMOUNT = Text("number", "数量")
RESULTS = Text("All results", "全部结果")
EVIDENCE = Text("Evidence", "证据")
INCOMPLETE_PAGE = Text(
    "The evidence is incomplete. Do not take what is missing here for good.",
    "证据不完整：此处未列出的，不能视为没有问题。",
)
FOOT = Text(
    "The same evidence gives the same bytes, but for the time. Made by",
    "相同证据生成的内容逐字节一致（时间除外）。生成工具：",
)
COUNT: Final[dict[Status, Text]] = {
    "pass": Text("{} passed", "{} 项合格"),
    "not_evaluated": Text("{} not evaluated", "{} 项未评估"),
    "not_applicable": Text("{} not applicable", "{} 项不适用"),
}
ANSWER: Final[Mapping[Status, str]] = {"fail": "✗", "pass": "✓", "not_evaluated": "?", "not_applicable": "–"}


def counted(by: Mapping[Severity, int], language: Language) -> str:
    """As in "1 critical, 3 high": worst first."""
    order = [one for one in reversed(SEVERITIES) if by.get(one)]
    if language == "zh":
        return "、".join(f"{SEVERITY[one].zh} {by[one]:,}" for one in order)
    return ", ".join(f"{by[one]:,} {SEVERITY[one].en}" for one in order)


def below(count: int, minimum: Severity) -> Text:
    """What is not listed."""
    return Text(
        BELOW.en.format(count=count, severity=SEVERITY[minimum].en),
        BELOW.zh.format(count=count, severity=SEVERITY[minimum].zh),
    )
