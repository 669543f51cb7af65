"""Times and spans as people read them."""

from __future__ import annotations

from kubewitness.model.event import parse_time
from kubewitness.model.text import Text

_UNITS = ((86_400, "d", "天"), (3_600, "h", "小时"), (60, "min", "分钟"), (1, "s", "秒"))


def moment(time: str) -> str:
    """`2022-10-23 17:39:40 UTC`; the text as it is if it is no time."""
    when = parse_time(time)
    return when.strftime("%Y-%m-%d %H:%M:%S UTC") if when else time


def span(seconds: float) -> Text:
    """The two largest units: `3 h 20 min`."""
    rest = round(seconds)
    en: list[str] = []
    zh: list[str] = []
    for size, unit, word in _UNITS:
        count, left = divmod(rest, size)
        if (count or (size == 1 and not en)) and len(en) < 2:
            en.append(f"{count} {unit}")
            zh.append(f"{count} {word}")
            rest = left
    return Text(" ".join(en), " ".join(zh))
