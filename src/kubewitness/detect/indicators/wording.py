"""What a finding of an indicator says: how grave, how sure, and in which words.

An indicator weighs less than behaviour. Alone it is at most medium and an activity: somebody's address, name or path
may be somebody else's today. One thing is different: the exact SHA-256 of a known miner or worm is that program.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from kubewitness.detect.indicators.index import Sighting
from kubewitness.detect.indicators.indicator import TYPE_WORDS, Indicator
from kubewitness.model.judgement import Confidence, Kind, Severity
from kubewitness.model.text import Text

LIST: Final = "indicators/list"
_NAMED: Final = 8  # values told of many
_SLUG = re.compile(r"[^a-z0-9]+")
_SEVERITY: Final[dict[Confidence, Severity]] = {"high": "medium", "medium": "low", "low": "informational"}


class Weight(NamedTuple):
    """How a sighting is judged."""

    severity: Severity
    confidence: Confidence
    kind: Kind
    expired: bool


def rule_of(indicator: Indicator) -> str:
    """The id that a finding carries as its rule: "indicators/teamtnt-chimaera-kube"."""
    return "indicators/" + (_SLUG.sub("-", indicator.campaign.lower()).strip("-")[:60] or "imported")


def weight(sighting: Sighting, when: str) -> Weight:
    """Severity, confidence and kind. `when`: of the sighting, RFC 3339, empty if nothing tells."""
    one = sighting.indicator
    expired = bool(one.valid_until and when and _day(when) > _end(one.valid_until))
    if expired:
        return Weight("informational", "low", "activity", True)
    if one.type == "sha256" and one.confidence == "high":
        return Weight("high", "high", "intrusion", False)
    return Weight(_SEVERITY[one.confidence], one.confidence, "activity", False)


class ListWords(NamedTuple):
    """What the finding of a list says."""

    title: Text
    description: Text
    runbook: Text
    matched: tuple[tuple[str, str], ...]


def title(indicator: Indicator, count: int = 1) -> Text:
    """The headline of a finding; `count`: values of the campaign, in one file."""
    if count > 1:
        en, zh = f"Known from {indicator.campaign}: {count} values in a file", f"一个文件含有其 {count} 个值"
        return Text(en, f"已知于 {indicator.campaign}：{zh}")
    word = TYPE_WORDS[indicator.type]
    return Text(f"Known from {indicator.campaign}: {word.en}", f"已知于 {indicator.campaign}：{word.zh}")


def description(sighting: Sighting, judged: Weight) -> Text:
    """What is known of it, and what that is worth."""
    one = sighting.indicator
    en = [f"“{_cut(sighting.seen)}” is listed as an indicator of {one.campaign}."]
    zh = [f"“{_cut(sighting.seen)}”被列为 {one.campaign} 的威胁指标。"]
    if sighting.truncated:
        en.append(f"It is the truncated beginning ({len(sighting.seen)} of {len(one.value)} characters) of that value.")
        zh.append(f"它是该值被截断的开头（共 {len(one.value)} 个字符，此处 {len(sighting.seen)} 个）。")
    if one.first_seen or one.last_seen:
        en.append(f"It was seen from {one.first_seen or '?'} to {one.last_seen or '?'}.")
        zh.append(f"其活动时间为 {one.first_seen or '?'} 至 {one.last_seen or '?'}。")
    if judged.expired:
        en.append(f"It expired on {one.valid_until}, before this was seen: it may well be somebody else's by now.")
        zh.append(f"该指标已于 {one.valid_until} 过期，早于此次出现：如今很可能已属他人。")
    elif judged.kind == "intrusion":
        en.append("A file with this hash is that program, whatever it is called.")
        zh.append("哈希相同即为该程序，无论文件名是什么。")
    else:
        en.append("By itself it proves nothing: look at what was done beside it.")
        zh.append("单凭此项不能证明任何事：应结合其周边的行为判断。")
    return Text(" ".join(en), "".join(zh))


def harmless(indicator: Indicator) -> tuple[Text, ...]:
    """When it means nothing; the note of the list is a line of the list's language."""
    said = [Text(indicator.note, indicator.note)] if indicator.note else []
    return (
        *said,
        Text(
            "A list of blocked values, a report or a sensor's rule that names it",
            "其出现于封禁清单、分析报告或检测规则之中",
        ),
    )


def matched(sighting: Sighting) -> tuple[tuple[str, str], ...]:
    """The why of a finding, field by field."""
    one = sighting.indicator
    told = (
        ("indicator", one.value),
        ("type", one.type),
        ("campaign", one.campaign),
        ("source", one.source),
        ("seen", _cut(sighting.seen)),
        ("dates", " – ".join(filter(None, (one.first_seen, one.last_seen)))),
        ("valid_until", one.valid_until),
        ("truncated", f"prefix of {one.value}" if sighting.truncated else ""),
    )
    return tuple((name, value) for name, value in told if value)


def named(some: Sequence[Indicator]) -> tuple[Text, ...]:
    """The first few of many values, one a reason."""
    shown = [
        Text(f"{TYPE_WORDS[one.type].en} {_cut(one.value)}", f"{TYPE_WORDS[one.type].zh} {_cut(one.value)}")
        for one in some[:_NAMED]
    ]
    left = len(some) - len(shown)
    return (*shown, Text(f"and {left} more", f"另有 {left} 个")) if left else tuple(shown)


def also(indicator: Indicator, some: Sequence[Indicator]) -> tuple[tuple[str, str], ...]:
    """The why of a finding about many values, beside that of the one it is told by."""
    others = [one for one in some if one != indicator]
    if not others:
        return ()
    left = len(others) - _NAMED
    values = ", ".join(_cut(one.value) for one in others[:_NAMED]) + (f", … (+{left})" if left > 0 else "")
    types = ", ".join(dict.fromkeys(one.type for one in (indicator, *others)))
    return (("also", values), ("types", types))


def list_words(some: Sequence[Indicator], *, in_file: bool) -> ListWords:
    """The words of a text that names values of several campaigns."""
    campaigns = sorted({one.campaign for one in some})
    left = len(campaigns) - _NAMED
    names = ", ".join(campaigns[:_NAMED]) + (f", … (+{left})" if left > 0 else "")
    en, zh = ("file", "文件") if in_file else ("command or line", "命令或日志行")
    return ListWords(
        Text(
            f"A {en} that names {len(some)} indicators of {len(campaigns)} campaigns: a list",
            f"一个{zh}列出了 {len(campaigns)} 个攻击活动的 {len(some)} 个威胁指标：应为清单",
        ),
        Text(
            f"It names values of {names}. Nobody is all of them: it is an analyst's or a sensor's list, a report, a "
            "block list, or a script that ends its rivals. It is told once and counts for nothing; what ran, connected "
            "or lies there is judged for itself.",
            f"其中出现了 {names} 的指标。没有谁会同时是它们全部：这应是分析人员或检测工具的清单、报告、封禁列表，"
            "或清除竞争对手的脚本。此处只列一次，不作为依据；运行过的程序、连接与留下的文件另行判断。",
        ),
        Text(
            "Look who wrote it and when. A script that stops others' miners is an intruder's.",
            "查看其作者与写入时间。若是用来终止他人挖矿程序的脚本，则属于入侵者。",
        ),
        (("campaigns", names), ("values", ", ".join(_cut(one.value) for one in some[:_NAMED]))),
    )


RUNBOOK: Final = Text(
    "Look at what was done beside it, by whom and since when; take the value itself for a hint, not for proof.",
    "查看其周边的行为、行为者与起始时间；该值本身只是线索，不是证据。",
)


def _cut(text: str) -> str:
    return text if len(text) <= 160 else text[:159] + "…"


def _day(when: str) -> str:
    return when[:10]


def _end(date: str) -> str:
    """The last day that a date may mean: "2022" is all of it."""
    return date + "-12-31"[3 * (date.count("-")) :] if date.count("-") < 2 else date
