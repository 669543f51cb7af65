"""Times, durations and counts as people read them. Times stay UTC and say so; nothing is rounded upwards."""

from __future__ import annotations

from datetime import UTC, datetime

from kubewitness.model.event import parse_time
from kubewitness.model.text import Text
from kubewitness.report.html.inert import one_line

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def number(value: int) -> str:
    """412906 → 412,906."""
    return f"{value:,}"


def size(value: int) -> str:
    """Bytes in the unit that leaves one to four digits."""
    amount = float(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def seconds_between(first: str, last: str) -> float | None:
    """Seconds from one RFC 3339 time to another; None where either is unknown."""
    start, end = parse_time(first), parse_time(last)
    return None if start is None or end is None else (end - start).total_seconds()


def epoch(time: str) -> float | None:
    """Seconds since 1970, None where unknown."""
    when = parse_time(time)
    return None if when is None else when.timestamp()


def moment(time: str, *, seconds: bool = True, zone: bool = True) -> str:
    """2022-10-23 17:30:24 UTC; the text itself where it is no time. Without `zone` only where a heading names it."""
    when = parse_time(time)
    if when is None:
        return one_line(time, 40)
    return when.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M") + (" UTC" if zone else "")


def clock(time: str, *, fraction: bool = False) -> str:
    """17:30:24 or 17:30:24.602."""
    when = parse_time(time)
    if when is None:
        return "?"
    return when.strftime("%H:%M:%S") + (f".{when.microsecond // 1000:03d}" if fraction else "")


def day(time: str) -> Text:
    """The date alone, "23 Oct 2022"; empty where unknown."""
    when = parse_time(time)
    if when is None:
        return Text("", "")
    return Text(f"{when.day} {_MONTHS[when.month - 1]} {when.year}", when.strftime("%Y-%m-%d"))


def short_day(time: str) -> Text:
    """The date without its year, for axes: "24 Oct"."""
    when = parse_time(time)
    return Text("", "") if when is None else Text(f"{when.day} {_MONTHS[when.month - 1]}", when.strftime("%m-%d"))


def same_day(first: str, last: str) -> bool:
    """Both times fall on one UTC day (or one is unknown, so that no second date need be shown)."""
    start, end = parse_time(first), parse_time(last)
    return start is None or end is None or start.date() == end.date()


def instant(stamp: float) -> str:
    """RFC 3339 text of seconds since 1970."""
    return datetime.fromtimestamp(stamp, UTC).isoformat()


def duration(seconds: float) -> Text:
    """A length of time in its two largest units."""
    seconds = max(0.0, seconds)
    if seconds < 1:
        value = f"{seconds * 1000:.0f}"
        return Text(f"{value} ms", f"{value} 毫秒")
    if seconds < 10:
        value = f"{int(seconds * 10) / 10:.1f}"
        return Text(f"{value} s", f"{value} 秒")
    whole = int(seconds)
    if whole < 60:
        return Text(f"{whole} s", f"{whole} 秒")
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return Text(f"{minutes} min {rest:02d} s", f"{minutes} 分 {rest:02d} 秒") if rest else _minutes(minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return Text(f"{hours} h {minutes:02d} min", f"{hours} 小时 {minutes:02d} 分") if minutes else _hours(hours)
    days, hours = divmod(hours, 24)
    return Text(f"{days} d {hours} h", f"{days} 天 {hours} 小时")


def _minutes(minutes: int) -> Text:
    return Text(f"{minutes} min", f"{minutes} 分钟")


def _hours(hours: int) -> Text:
    return Text(f"{hours} h", f"{hours} 小时")
