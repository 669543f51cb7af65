"""A known campaign that an incident runs like, in words: how much of it was seen, and what could not be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kubewitness.model.incident import CampaignMatch
from kubewitness.model.text import Text

STATE: Final[dict[str, Text]] = {
    "seen": Text("seen", "已见"),
    "not_seen": Text("not seen", "未见"),
    "not_visible": Text("not visible from this evidence", "现有证据无法显示"),
    "out_of_order": Text("seen, but out of its order", "已见，但次序不符"),
}


def statement(match: CampaignMatch) -> Text:
    """One line: "RBAC Buster: 8 of 10 steps seen, steps 2 and 3 not visible from this evidence"."""
    like = match.confidence == "low"
    en = f"{'resembles ' if like else ''}{match.name.en}: {match.seen} of {match.total} steps seen"
    zh = f"{'类似 ' if like else ''}{match.name.zh}：{match.total} 个步骤中已见 {match.seen} 个"
    hidden = [number for number, step in enumerate(match.steps, 1) if step.state == "not_visible"]
    if hidden:
        noun = "step" if len(hidden) == 1 else "steps"
        en += f", {noun} {_numbers(hidden)} not visible from this evidence"
        zh += f"，第 {_numbers(hidden)} 步在现有证据中无法看到"
    return Text(en, zh)


def _numbers(numbers: Sequence[int]) -> str:
    """As "1–4, 7"."""
    parts = list[str]()
    start = 0
    for at, number in enumerate(numbers):
        if at + 1 < len(numbers) and numbers[at + 1] == number + 1:
            continue
        first = numbers[start]
        parts.append(str(first) if first == number else f"{first}–{number}")
        start = at + 1
    return ", ".join(parts)
