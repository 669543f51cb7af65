"""When a collection was made and in which time zone: `date`, `timedatectl` and the log of UAC.

Formats: `date` in its usual languages ("Sun Nov 22 06:11:05 UTC 2026", "Sun 22 Nov 2026 02:11:05 PM CST",
"2026年 11月 22日 星期日 14:11:05 CST"), `-R` and `-I`; `timedatectl`; uac.log with `%Y-%m-%d %H:%M:%S %z` in front of
every line. Abbreviations of zones are ambiguous (CST is China's and Chicago's, IST India's and Israel's): only those
that mean one thing in practice are taken, and CST where the words around it are Chinese. A time in an unknown zone
tells neither moment nor zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.sources.host.context import Context, Misfits, month
from kubewitness.sources.host.interface import Fact, Format

_ZONES: Final = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "HKT": 8, "JST": 9,
    "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7,
}  # fmt: skip
_CLOCK: Final = r"(?P<hour>\d\d?)[:时](?P<minute>\d\d)[:分](?P<second>\d\d)秒?(?: (?P<half>[AP]M))?"
_ZONE: Final = r"(?P<zone>[A-Z]{1,5}|[+-]\d\d(?::?\d\d)?)"
_FORMS: Final = tuple(
    re.compile(form)
    for form in (
        rf"[A-Z][a-z]{{2}} (?P<month>[A-Z][a-z]{{2}}) +(?P<day>\d\d?) {_CLOCK} {_ZONE} (?P<year>\d{{4}})",
        rf"[A-Z][a-z]{{2}},? +(?P<day>\d\d?) (?P<month>[A-Z][a-z]{{2}}) (?P<year>\d{{4}}) {_CLOCK} {_ZONE}",
        rf"(?P<year>\d{{4}})年 ?(?P<month>\d\d?)月 ?(?P<day>\d\d?)日 (?P<chinese>星期.) {_CLOCK} {_ZONE}",
        rf"(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)[T ]{_CLOCK}(?:[.,]\d{{1,9}})? ?{_ZONE}",
    )
)
_NAME = re.compile(r"(?:^|[/!_])date(?:_[^/!]{0,120})?(?:\.(?:txt|out))?$")
_LOG = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}) [A-Z]{3,8}\b")
_LOG_NAME = re.compile(r"(?:^|[/!])uac\.log$")
_UNIVERSAL = re.compile(r"\s*Universal time: [A-Z][a-z]{2} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC\s*$")
_SET_ZONE = re.compile(r"\s*Time zone: \S{1,64} \(\S{1,16}, ([+-]\d{4})\)\s*$")


def parsed(text: str) -> tuple[datetime, timedelta] | None:
    """The moment and the zone of a line of `date`, None if it tells either only half."""
    found = next(filter(None, (form.fullmatch(text.strip()) for form in _FORMS)), None)
    if found is None:
        return None
    parts = found.groupdict()
    zone = _offset(parts["zone"], chinese=bool(parts.get("chinese")))
    number = int(parts["month"]) if parts["month"].isdecimal() else month(parts["month"])
    hour = int(parts["hour"])
    if parts["half"]:
        hour = hour % 12 + 12 * (parts["half"] == "PM")
    try:
        clock = (hour, int(parts["minute"]), int(parts["second"]))
        local = datetime(int(parts["year"]), number, int(parts["day"]), *clock, tzinfo=UTC)
        return None if zone is None else (local - zone, zone)
    except (ValueError, OverflowError):
        return None


def _offset(text: str, chinese: bool) -> timedelta | None:
    if text[0] in "+-":
        digits = text[1:].replace(":", "")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
        return (offset if text[0] == "+" else -offset) if offset < timedelta(hours=24) else None
    hours = 8 if text == "CST" and chinese else _ZONES.get(text)
    return None if hours is None else timedelta(hours=hours)


def _is_date(lines: list[str], name: str) -> bool:
    return (
        len(lines) == 1 and _NAME.search(name) is not None and any(form.fullmatch(lines[0].strip()) for form in _FORMS)
    )


def _is_status(lines: list[str], name: str) -> bool:
    del name
    return len(lines) < 40 and any(map(_UNIVERSAL.match, lines)) and any(map(_SET_ZONE.match, lines))


def _is_log(lines: list[str], name: str) -> bool:
    return _LOG_NAME.search(name) is not None and any(map(_LOG.match, lines))


def _read_date(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Fact | ParseFailure]:
    for place, line in lines:
        if not any(form.fullmatch(line.strip()) for form in _FORMS):
            yield unreadable(place, "no time as date prints it", line.encode())
        elif told := parsed(line):
            _tell(context, *told)
        else:
            context.note(place, "the abbreviation of this time zone means several: not taken")


def _read_status(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Fact | ParseFailure]:
    moment: datetime | None = None
    zone: timedelta | None = None
    for _, line in lines:
        if found := _UNIVERSAL.match(line):
            told = parsed(f"{found[1]} UTC")
            moment = told[0] if told else None
        elif found := _SET_ZONE.match(line):
            zone = _offset(found[1], chinese=False)
    if moment is not None and zone is not None:
        _tell(context, moment, zone)
    yield from ()


def _read_log(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Fact | ParseFailure]:
    misfits, known = Misfits(), 0
    for place, line in lines:
        found = _LOG.match(line)
        if found and (told := parsed(found[1])):
            known += 1
            _tell(context, *told)
        elif not known and (failure := misfits.add(unreadable(place, "no line of uac.log", line.encode()))):
            yield failure  # behind a line with a time, one without goes on with its message


def _tell(context: Context, moment: datetime, zone: timedelta) -> None:
    """The last of all times told is when the evidence was complete; process lists are among the first things taken."""
    context.clock.see(moment, zone)
    if context.clock.collected is None:
        context.clock.collected = moment


FORMATS: tuple[Format, ...] = (
    Format("date", _is_date, _read_date, first=True),
    Format("timedatectl", _is_status, _read_status, first=True),
    Format("uac.log", _is_log, _read_log, first=True),
)
