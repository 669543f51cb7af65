"""How verdicts, exposed data and kinds of evidence are worded, in both languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

from kubewitness.model.incident import Exposure, Incident, SourceCoverage, Verdict
from kubewitness.model.text import Text
from kubewitness.report import words
from kubewitness.report.citation import object_words

Detail = Literal["content", "likely_content", "mounted", "names", "possible"]

ANSWER: Final[dict[str, Text]] = {
    "worm": Text("a worm: automated, non-targeted", "非定向的蠕虫自动化入侵"),
    "hands_on": Text("a person at the keyboard", "人工操作的入侵"),
    "insider": Text("an insider: the owner of the identity", "内部人员：身份的所有者本人"),
    "intruder": Text("an intruder", "外来入侵者"),
    "contained": Text("contained when the evidence ends", "证据结束时已遏制"),
    "active": Text("still active when the evidence ends", "证据结束时仍在活动"),
}
UNDETERMINED: Final[dict[str, Text]] = {
    "worm_or_hands_on": Text("worm or person: undetermined", "蠕虫还是人工：无法判定"),
    "insider_or_intruder": Text("insider or intruder: undetermined", "内部人员还是入侵者：无法判定"),
    "contained_or_active": Text("contained or active: undetermined", "已遏制还是仍在活动：无法判定"),
}
SURE: Final[dict[str, Text]] = {
    "high": Text("high confidence", "置信度高"),
    "medium": Text("medium confidence", "置信度中"),
    "low": Text("low confidence", "置信度低"),
}

EXPOSED: Final = Text("Exposed data", "数据暴露")
EXPOSED_INTRODUCTION: Final = Text(
    "The surest first: what the log shows to have been read, what most likely was, what lay within reach, what a right "
    "allowed.",
    "按确定程度排列：日志表明已读取的、很可能已读取的、可触及的、有权限读取的。",
)
GRADE: Final[dict[Detail, Text]] = {
    "content": Text("read", "已读取"),
    "likely_content": Text("most likely read", "很可能已读取"),
    "mounted": Text("within reach", "可触及"),
    "names": Text("names only", "仅名称"),
    "possible": Text("possible", "可能"),
}
OBJECT: Final = Text("Object", "对象")
HOW_SURE: Final = Text("How sure", "确定程度")
WHAT_TELLS: Final = Text("What tells", "依据")

SOURCES: Final = Text("Kinds of evidence", "证据种类")
SOURCE: Final = Text("Evidence", "证据")
STATE_LABEL: Final = Text("There", "有无")
STATE: Final[dict[str, Text]] = {
    "present": Text("yes", "有"),
    "partial": Text("in part", "部分"),
    "absent": Text("no", "无"),
}
WOULD_SHOW: Final = Text("It would have shown", "本可显示")
WHAT_IS_THERE: Final = Text("What is there", "现有内容")
ALL_THERE: Final = Text("All kinds of evidence were there.", "各类证据齐全。")


def answer(verdict: Verdict) -> Text:
    """What a verdict says."""
    return ANSWER.get(verdict.verdict) or UNDETERMINED[verdict.question]


def title(verdict: Verdict) -> Text:
    """The head of a verdict's reasons; the answer with its first letter large."""
    said = answer(verdict)
    return Text(said.en[:1].upper() + said.en[1:], said.zh)


def actor_label(incident: Incident) -> Text:
    """What the one who did it is called: nobody is an intruder where the verdict is that the owner did it."""
    owner = any(one.verdict == "insider" for one in incident.verdicts)
    return Text("Who did it", "操作者") if owner else words.INTRUDER


def verdicts_of(incident: Incident) -> tuple[Verdict, ...]:
    """All verdicts, in the order in which they are asked."""
    first = (incident.verdict,) if incident.verdict else ()
    return (*first, *incident.verdicts)


def in_one(incident: Incident) -> Text:
    """All verdicts in one line."""
    said = [(answer(one), SURE[one.confidence]) for one in verdicts_of(incident)]
    return Text(
        "; ".join(f"{what.en} ({sure.en})" for what, sure in said),
        "；".join(f"{what.zh}（{sure.zh}）" for what, sure in said),
    )


def exposed_in_one(exposures: Sequence[Exposure]) -> Text:
    """How much of each grade, the surest first."""
    counts = Counter(one.detail for one in exposures)
    grades = [grade for grade in GRADE if counts[grade]]
    return Text(
        ", ".join(f"{GRADE[grade].en}: {counts[grade]}" for grade in grades),
        "，".join(f"{GRADE[grade].zh} {counts[grade]} 项" for grade in grades),
    )


def exposed_object(exposure: Exposure) -> Text:
    """The object; "secrets shop/db", "all secrets in shop", "all secrets"."""
    name = exposure.object
    if name.name:
        said = object_words(name)
        return Text(said, said)
    where, where_zh = (f" in {name.namespace}", f"{name.namespace} 中") if name.namespace else ("", "集群中")
    return Text(f"all {name.kind}{where}", f"{where_zh}的全部 {name.kind}")


def lacking(sources: Sequence[SourceCoverage]) -> tuple[SourceCoverage, ...]:
    """What was not there, or only in part and would have shown more; the partial first."""
    found = [one for one in sources if one.state != "present" and one.would_show.en]
    return tuple(sorted(found, key=lambda one: one.state != "partial"))
