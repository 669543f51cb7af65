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


Program = tuple[str, str]  # its file and its command line


class Parents:
    """What each process last executed."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, int], Program] = {}

    def told(self, event: HostEvent) -> HostEvent:
        """The event with its parent, if that is known; an execution is remembered."""
        if event.category != "process_creation":
            if is_boot(event):
                self.forget()
            return event
        parent = self.started(event.fields.get("node", ""), event.pid, event.ppid, program_of(event))
        return replace(event, parent_image=parent[0], parent_command=parent[1]) if parent else event

    def started(self, node: str, pid: int, ppid: int, program: Program) -> Program | None:
        """Remember what a process executed; what its parent did, if that is known."""
        last = self._last
        parent = last.get((node, ppid)) if ppid > 0 else None
        if pid > 0:
            key = (node, pid)
            last.pop(key, None)  # the newest stands last
            last[key] = program
            if len(last) > _REMEMBERED:
                del last[next(iter(last))]
        return parent

    def forget(self) -> None:
        """Numbers begin anew."""
        self._last.clear()


def program_of(event: HostEvent) -> Program:
    """What an execution executed."""
    return event.image, event.command[:_MAX_COMMAND]


def is_boot(event: HostEvent) -> bool:
    """The machine started."""
    return event.fields.get("type") == "SYSTEM_BOOT"
