"""Where linux_audit was interrupted: what happened meanwhile is not in the log, and that must be said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from kubewitness.model.evidence import Place
from kubewitness.sources.host.linux_audit_records import Record

ABOUT_AUDIT: Final = frozenset(("CONFIG_CHANGE", "DAEMON_START", "DAEMON_END", "DAEMON_ABORT"))
_TOLD: Final = 20
_RESTART: Final = 5  # seconds that a restart of auditd may take


class Gaps:
    """What a log says about its own holes."""

    def __init__(self) -> None:
        self._ended: tuple[Place, str, str] | None = None  # where, when, how
        self._found: list[tuple[Place, str]] = []
        self._more = 0
        self._drops, self._lost, self._dropped_at = 0, "", Place("", 0, 0)

    def see(self, place: Place, time: str, record: Record) -> None:
        """A record about the audit itself."""
        if record.kind in ("DAEMON_END", "DAEMON_ABORT"):
            self._ended = place, time, f"auditd ended ({record.kind})"
        elif record.values.get("audit_enabled") == "0" and record.values.get("res") != "0":
            self._ended = place, time, "linux_audit was switched off (audit_enabled=0)"
        elif record.kind == "DAEMON_START" or record.values.get("audit_enabled") in ("1", "2"):
            self._close(time)

    def at(self, time: str) -> None:
        """A record of this time stands in the log."""
        if self._ended is not None and _seconds(self._ended[1], time) > _RESTART:
            self._close(time)

    def lost(self, place: Place, number: str) -> None:
        """The kernel says that it dropped records."""
        self._drops += 1
        self._lost = number or self._lost
        if not self._dropped_at.item:
            self._dropped_at = place

    def told(self) -> Iterator[tuple[Place, str]]:
        """What to say, in the order of the log."""
        if self._ended is not None:
            place, time, how = self._ended
            self._add(place, f"{how} at {time}; nothing in this log is later")
        yield from self._found
        if self._more:
            yield self._found[-1][0], f"{self._more} more interruptions of linux_audit"
        if self._drops:
            many = f"{self._lost} in all, as it counts" if self._lost else f"told {self._drops} times"
            yield self._dropped_at, f"the kernel dropped linux_audit records it could not hand on ({many})"

    def _close(self, time: str) -> None:
        if self._ended is None:
            return
        place, since, how = self._ended
        self._ended = None
        if _seconds(since, time) > _RESTART:
            self._add(place, f"{how} at {since}; the next record is of {time}")

    def _add(self, place: Place, reason: str) -> None:
        if len(self._found) < _TOLD:
            self._found.append((place, reason))
        else:
            self._more += 1


def _seconds(since: str, until: str) -> float:
    if not since or not until:
        return 0
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()
