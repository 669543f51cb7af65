"""One line of logfmt, as containerd and dockerd (logrus) write their logs.

`time="2024-11-29T18:13:10.764041708Z" level=info msg="RunPodSandbox for …" key=value`: strings are quoted as Go
quotes them. Times carry the offset of the machine's zone. CRI-O writes the same with a blank instead of the T.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from kubewitness.sources.host.klog import pairs

HEAD = re.compile(r"time=\"?\d{4}-\d\d-\d\d[T ][\d:.]{8,20}(?:Z|[+-]\d\d:\d\d)\"? level=[a-z]+ msg=")
LEVELS: Final = {
    "trace": "info", "debug": "info", "info": "info", "warning": "warning", "warn": "warning", "error": "error",
    "fatal": "fatal", "panic": "fatal", "dpanic": "fatal",
}  # fmt: skip
_TIME = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)")


class Entry(Struct, frozen=True):
    """A line taken apart."""

    severity: str
    time: datetime | None
    zone: timedelta | None
    message: str
    fields: dict[str, str]


def parse(text: str) -> Entry | None:
    """The entry of a line, None if it is none."""
    if not HEAD.match(text):
        return None
    fields = pairs(text)
    time, level, message = (fields.pop(name, "") for name in ("time", "level", "msg"))
    moment = instant(time)
    return Entry(LEVELS.get(level, "info"), moment, moment.utcoffset() if moment else None, message, fields)


def instant(text: str) -> datetime | None:
    """The moment an RFC 3339 time names, to the microsecond, in its own zone."""
    found = _TIME.fullmatch(text)
    if not found:
        return None
    try:
        moment = datetime.fromisoformat(f"{found[1]}.{(found[2] or '0')[:6]:0<6}{found[3].replace('Z', '+00:00')}")
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment
