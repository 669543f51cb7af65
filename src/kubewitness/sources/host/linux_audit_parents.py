"""Who started a program: the audit gives the parent's number, and an earlier execution in the same log its program.

A process that never executed anything since (a shell's fork) is still what its number last executed. Numbers are given
out again only after all others were, so within one boot the last execution of a number is its process's, unless that
ended unseen and another took its number without executing anything.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from kubewitness.model.host import HostEvent

_REMEMBERED: Final = 20_000  # processes
_MAX_COMMAND: Final = 4096


class Parents:
    """What each process last executed."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, int], tuple[str, str]] = {}

    def told(self, event: HostEvent) -> HostEvent:
        """The event with its parent, if that is known; an execution is remembered."""
        if event.category != "process_creation":
            if event.fields.get("type") == "SYSTEM_BOOT":
                self._last.clear()
            return event
        node = event.fields.get("node", "")
        parent = self._last.get((node, event.ppid)) if event.ppid > 0 else None
        if event.pid > 0:
            key = (node, event.pid)
            self._last.pop(key, None)  # the newest stands last
            self._last[key] = event.image, event.command[:_MAX_COMMAND]
            if len(self._last) > _REMEMBERED:
                del self._last[next(iter(self._last))]
        return replace(event, parent_image=parent[0], parent_command=parent[1]) if parent else event
