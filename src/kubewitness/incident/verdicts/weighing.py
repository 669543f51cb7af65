"""Signs for and against an answer, each with the weight it has: what verdicts are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kubewitness.model.text import Text


class Sign(NamedTuple):
    """A countable fact of an incident. `weight` 0: worth telling, decides nothing."""

    text: Text
    weight: int = 1


def sign(en: str, zh: str, weight: int = 1) -> Sign:
    """A sign in both languages."""
    return Sign(Text(en, zh), weight)


def weight_of(signs: Iterable[Sign]) -> int:
    """What they weigh together."""
    return sum(one.weight for one in signs)


def told(signs: Sequence[Sign]) -> tuple[Text, ...]:
    """Their words, the weightiest first."""
    return tuple(one.text for one in sorted(signs, key=lambda one: -one.weight))


def listed(names: Sequence[str], most: int = 3) -> Text:
    """Names of evidence in a sentence: the first few, and how many more there are."""
    cut = [name if len(name) <= 80 else name[:79] + "…" for name in names[:most]]
    more = len(names) - len(cut)
    return Text(
        ", ".join(cut) + (f" and {more} more" if more else ""),
        "、".join(cut) + (f"等 {len(names)} 个" if more else ""),
    )
