"""The log of a machine as syslog or `journalctl -o short` writes it: auth.log, secure, syslog, messages, cron.

`Mar 23 15:05:36 node1 sshd[812]: Accepted password for root from 203.0.113.9 port 51022 ssh2`, the time also as RFC
3339 (rsyslog's default since 2023, `journalctl -o short-iso`). What matters in it is who came in and what cron and
sudo started; lines of the kubelet and of the runtime are read like those of their own logs.

A machine that the Internet reaches writes gigabytes of the same tries, so a text is understood once and then counted.

Source: RFC 3164; the programs' texts are in `logins`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import HostEvent, LogLine
from kubewitness.sources.host import containerd, klog, logins, logs
from kubewitness.sources.host.containerd import HEAD as LOGFMT
from kubewitness.sources.host.context import Clock, Context, month, stamp
from kubewitness.sources.host.folding import Events, Told
from kubewitness.sources.host.interface import Format

KIND: Final = "system log"
_NAMES = re.compile(
    r"(?:auth\.log|secure|syslog|messages|cron|cron\.log|daemon\.log|user\.log|journal(?:ctl)?(?:\.log|\.txt)?)(?:[.-]\d{1,8})?(?:\.gz|\.zst)?$"
)
_KNOWN: Final = 20_000  # texts that are remembered
_TEXT: Final = 512  # characters of one
# A group takes part where the text may be one that `logins` reads; what begins with white space is left to `logs`.
_TELLING = re.compile(
    rb"(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:.]{8,18}|[0-9]{4}-[0-9T:.,-]{15,25}(?:Z|[+-][0-9:]{4,5})) [^ ]{1,255} (?:"
    rb"sshd(?:-session|-auth)?(?:\[[0-9]{1,9}\])?: {0,4}"
    rb"(?:(Accepted |Failed |Invalid |Illegal |message repeated )|[!-~])"
    rb"|(?:CRON|cron|crond|CROND)(?:\[[0-9]{1,9}\])?: {0,4}(?:(\()|[!-~])"
    rb"|systemd-logind(?:\[[0-9]{1,9}\])?: {0,4}(?:(New session )|[!-~])"
    rb"|sudo(?:\[[0-9]{1,9}\])?: {0,4}(?:pam_[^ ]{1,80}: [a-z]|([!-~])))"
)
_WRITTEN = re.compile(
    r"([A-Z][a-z]{2} [ \d]\d \d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d):([0-5][0-9])(?:[.,]([0-9]{1,9}))?(Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_AUDIT = re.compile(r'auditID\\*"\s*:|stageTimestamp\\*"\s*:')


def looks_like(lines: list[str], name: str) -> bool:
    """Mostly lines of syslog, of a program that is read, and none of a component in it (then it is that one's log)."""
    written, known = 0, False
    for line in lines:
        prefix = logs.SYSLOG.match(line)
        if not prefix:
            continue
        if line.startswith("{", prefix.end()) and _AUDIT.search(line):
            return False
        if logs.component_of(prefix[2]) != "other":
            text = line[prefix.end() :]
            if klog.HEAD.match(text) or LOGFMT.match(text):
                return False
        written += 1
        known = known or logs.program_of(prefix[2]) in logins.PROGRAMS or prefix[2].startswith("systemd")
    return 2 * written >= len(lines) and (known or _NAMES.fullmatch(re.split("[/!]", name)[-1]) is not None)


def wanted(line: bytes) -> bool:
    """Whether a line is worth decoding: what those who log in leave behind is mostly nothing that `logins` reads."""
    found = _TELLING.match(line)
    return found.lastindex is not None if found else logs.wanted(line)


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[LogLine | HostEvent | ParseFailure]:
    """The entries of a log, events that are like counted."""
    kept = Events()
    repeats = _Repeats(kept, context.clock)
    for fact in logs.read(repeats.others(lines), context):
        if isinstance(fact, HostEvent):
            kept.add(fact)
            repeats.was_event()
        else:
            yield fact
    yield from kept.told(context)


class _Repeats:
    """Lines of those who log in, of which each text is read once."""

    def __init__(self, events: Events, clock: Clock) -> None:
        self._events = events
        self._known: dict[tuple[str, str, str], tuple[Told, int] | None] = {}
        self._times = _Times(clock)
        self._is_dated = self._may_guess = False

    def was_event(self) -> None:
        """The line handed on last was an event: `logs` has remarked on its time, if that was guessed."""
        self._may_guess = self._may_guess or not self._is_dated

    def others(self, lines: Iterator[tuple[Place, str]]) -> Iterator[tuple[Place, str]]:
        """The lines that are left to `logs`; so is the first one behind them, because it ends a block of lines."""
        here = True
        for place, line in lines:
            prefix = logs.SYSLOG.match(line)
            if prefix is None or prefix[2] not in logins.PROGRAMS:
                here, self._is_dated = False, prefix is None or prefix[1] is not None
            elif here and (prefix[1] or self._may_guess) and (time := self._times.of(line, prefix[1])):
                self._take(place, line, prefix, time)
                continue
            else:
                here, self._is_dated = True, prefix[1] is not None
            yield place, line

    def _take(self, place: Place, line: str, prefix: re.Match[str], time: str) -> None:
        program, text, rest = prefix[2], line[prefix.end() :], ""
        if text.startswith(("Failed ", "Invalid ")):  # the port of a failure is not told
            front, _, port = text.rpartition(" port ")
            number, _, behind = port.partition(" ")
            if front and number.isdecimal() and number.isascii() and len(number) < 6:
                text, rest = front, f" {behind}"
        key = program, text, rest
        if key in self._known:
            if (known := self._known[key]) is not None:
                known[0].again(time, "", known[1])
            return
        event = logins.event_of(
            program, line[prefix.end() :], HostEvent("record", "syslog", place, time, int(prefix[3] or -1))
        )
        told = self._events.add(event) if event else None
        if len(text) > _TEXT or (event and not told):
            return
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[key] = (told, event.count) if told and event else None


class _Times:
    """Times of lines as they are written, of which each minute is understood once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._minutes: dict[tuple[str, str], str] = {}
        self._state: tuple[object, object] = (None, None)

    def of(self, line: str, certain: str | None) -> str:
        """The time of a line in UTC, empty if it is not that simple."""
        found = _WRITTEN.match(certain or line)
        if found is None or (certain and found.end() != len(certain)):
            return ""
        minute, second, fraction, zone = found.groups()
        state = (self._clock.latest, self._clock.zone)
        if state != self._state or len(self._minutes) >= _KNOWN:
            self._minutes.clear()
            self._state = state
        key = minute, zone or ""
        if key not in self._minutes:
            self._minutes[key] = self._minute(minute, zone or "")
        begin = self._minutes[key]
        return f"{begin}:{second}.{(fraction or '')[:6]:0<6}Z" if begin else ""

    def _minute(self, text: str, zone: str) -> str:
        ends = set[str]()
        for second in ("00.000000", "59.999999"):
            if zone:
                moment = containerd.instant(f"{text}:{second}{zone}")
            else:
                name, day, clock = text[:3], text[4:6], text[7:]
                moment = self._clock.without_year(f"{month(name):02d}{int(day):02d} {clock}:{second}")
            ends.add(stamp(moment).rpartition(":")[0])
        return ends.pop() if len(ends) == 1 else ""  # a zone of seconds, or another year within the minute


FORMATS: tuple[Format, ...] = (Format(KIND, looks_like, read, wanted),)
