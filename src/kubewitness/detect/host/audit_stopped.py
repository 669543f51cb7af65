"""The kernel's audit (linux_audit) was switched off, emptied of its rules, or its daemon stopped, by somebody.

Most of what looks like it is routine. At boot the audit is switched on and rules are added; a restart of auditd and
`augenrules --load` take all rules away and add them again a moment later; at shutdown the daemon ends. So rules that
the same login adds again within a minute were reloaded, not flushed, and nothing is said of the last two minutes
before a shutdown. Like events are counted, so of many only the first and the last moment are known: where a later
reload by the same login hides a flush, the command that did it is still seen where executions are audited.

Sources: auditctl(8), augenrules(8); CONFIG_CHANGE, DAEMON_END and SYSTEM_SHUTDOWN records of auditd.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from kubewitness.detect.host.commands import MAX_COMMAND, SHELLS, Segment, script_segments, segments_of
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.stating import one_line, state
from kubewitness.model.host import Host, HostEvent
from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.text import Text

_RELOAD = 60  # seconds
_SHUTDOWN = 120
_MARKS = ("auditctl", "auditd")  # what no command that is meant lacks
_STOPS = frozenset(("stop", "disable", "mask", "kill"))
_KILLERS = frozenset(("kill", "pkill", "killall", "skill"))
_NOBODY = frozenset(("", "4294967295", "-1", "unset"))
_OFF = Text("linux_audit was switched off: audit_enabled=0", "linux_audit 已被关闭：audit_enabled=0")
_ENDED = Text("auditd ended and did not come back in this log", "auditd 已结束，此日志中未见其恢复")


def audit_stopped(host: Host) -> Iterator[HostFinding]:
    """Somebody made the audit blind."""
    found = list[tuple[HostEvent, Severity, Text]]()
    audit = [event for event in host.events if event.source in ("linux_audit", "laurel", "journal")]
    shutdowns = [time for event in audit if _is(event, "SYSTEM_SHUTDOWN") for time in _times(event)]
    added = [event for event in audit if _operation(event) == "add_rule"]
    begun = [event for event in audit if _is(event, "DAEMON_START")]
    for event in audit:
        if (told := _told(event, added, begun)) and not _near(event, shutdowns):
            found.append((event, *told))
    for event in host.events:
        if said := _commanded(event):
            found.append((event, "medium", said))
    if not found:
        return
    found.sort(key=lambda one: (one[0].time or "~", one[0].place))
    times = sorted(time for event, _, _ in found for time in (event.time, event.last) if time)
    commands = [event.command for event, _, _ in found if event.command]
    yield state(
        "audit_stopped",
        host,
        "; ".join(dict.fromkeys(commands[:20])) or found[0][2].en,
        [(event.place, one_line(event.command or event.message)) for event, _, _ in found],
        count=sum(event.count for event, _, _ in found),
        first=times[0] if times else "",
        last=times[-1] if times else "",
        severity=max((severity for _, severity, _ in found), key=SEVERITIES.index),
        containers=(event.container for event, _, _ in found),
        commands=commands,
        reasons=(reason for _, _, reason in found),
    )


def _told(event: HostEvent, added: Sequence[HostEvent], begun: Sequence[HostEvent]) -> tuple[Severity, Text] | None:
    """What an event of the audit itself says, if it is not routine."""
    fields = event.fields
    if _is(event, "CONFIG_CHANGE"):
        if event.succeeded is False:
            return None
        if fields.get("audit_enabled") == "0" and fields.get("old") != "0":
            return "medium", _OFF
        if _operation(event) == "remove_rule" and not _again(
            event, [one for one in added if _login(one) == _login(event)]
        ):
            key = fields.get("key", "")
            return "medium", Text(
                f"rules of linux_audit were removed and not added again: {key[:60] or 'without a key'}",
                f"linux_audit 规则被删除且未重新添加：{key[:60] or '无 key'}",
            )
    if _is(event, "DAEMON_END") and event.succeeded is not False and not _again(event, begun):
        return "low", _ENDED
    return None


def _again(event: HostEvent, others: Sequence[HostEvent]) -> bool:
    """What was undone was done again: at the last, and soon after."""
    ended = _moment(event.last or event.time)
    if ended is None:
        return False
    for other in others:
        first, last = _moment(other.time), _moment(other.last or other.time)
        if first and last and last >= ended and first <= ended + timedelta(seconds=_RELOAD):
            return True
    return False


def _near(event: HostEvent, shutdowns: Sequence[datetime]) -> bool:
    """It was one step of a shutdown."""
    times = _times(event)
    return bool(times) and all(
        any(abs((time - shutdown).total_seconds()) <= _SHUTDOWN for shutdown in shutdowns) for time in times
    )


def _commanded(event: HostEvent) -> Text | None:
    """What a command does to the audit, whether it ran or was typed."""
    if event.category not in ("process_creation", "command") and not _is(event, "USER_CMD"):
        return None
    text = event.command[:MAX_COMMAND]
    if event.succeeded is False or not any(mark in text for mark in _MARKS):
        return None
    if event.argv and event.argv[0].rpartition("/")[2] not in SHELLS:
        segments: tuple[Segment, ...] = segments_of(" ".join(event.argv))
    else:
        segments = script_segments(text) if event.category == "command" else segments_of(text)
    for segment in segments:
        words = segment.words[1:]
        if segment.program == "auditctl":
            if "-D" in words:
                return Text(
                    "all rules of linux_audit were removed: auditctl -D", "删除全部 linux_audit 规则：auditctl -D"
                )
            if "-e0" in words or ("-e", "0") in pairwise(words):
                return Text("linux_audit was switched off: auditctl -e 0", "关闭 linux_audit：auditctl -e 0")
        if any(word in ("auditd", "auditd.service") for word in words) and (
            segment.program in _KILLERS
            or (segment.program in ("systemctl", "service", "rc-service") and _STOPS.intersection(words))
        ):
            line = one_line(" ".join(segment.words), 100)
            return Text(f"auditd was stopped: {line}", f"停止 auditd：{line}")
    return None


def _is(event: HostEvent, kind: str) -> bool:
    return event.fields.get("type") == kind


def _operation(event: HostEvent) -> str:
    """add_rule, remove_rule or set of a CONFIG_CHANGE; older kernels write "add rule" with a quoted space."""
    return event.fields.get("op", "").replace(" ", "_") if _is(event, "CONFIG_CHANGE") else ""


def _login(event: HostEvent) -> str:
    login = event.fields.get("auid", "")
    return "" if login in _NOBODY else login


def _times(event: HostEvent) -> list[datetime]:
    return [moment for time in {event.time, event.last} if (moment := _moment(time)) is not None]


def _moment(time: str) -> datetime | None:
    return datetime.fromisoformat(time) if len(time) >= 20 else None
