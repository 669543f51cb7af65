"""Programs that events tell of and no list of processes shows, as processes.

A process list is a moment; the kernel's audit and sensors tell of all that was started in between, and a miner that
was killed a minute before the collection is in them alone. So that every rule about processes judges these too, each
execution becomes a `Process` that is marked as `told_by` its source: it ran at `started`, whether it still runs is not
known. What a list shows as well, told by the same process number and command, stays as the list has it.

Sensors cut container ids (12 or 31 of 64 digits); where exactly one container of the machine begins so, it is that one.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from kubewitness.model.host import Host, HostEvent, Process
from kubewitness.model.text import Text

_TELLS = ("process_creation", "alert")  # a sensor's alert names the process that it is about
_ID = re.compile(r"[0-9a-f]{12,64}")


def with_executions(host: Host) -> Host:
    """The machine, its processes followed by those that only events tell of."""
    told = list(_told(host))
    return replace(host, processes=[*host.processes, *told]) if told else host


def told_reason(process: Process) -> tuple[Text, ...]:
    """How it is known, for what no list shows."""
    if not process.told_by:
        return ()
    source = process.told_by[:40]
    if not process.started:
        return (Text(f"told of by {source}; no list of processes shows it", f"由 {source} 记录，进程列表中没有它"),)
    said = f"told of by {source} at {process.started[:30]}; no list of processes shows it"
    return (Text(said, f"由 {source} 于 {process.started[:30]} 记录，进程列表中没有它"),)


class Containers:
    """The full ids of a machine's containers."""

    def __init__(self, host: Host) -> None:
        known = {process.container: process.pod_uid for process in host.processes if process.container}
        for event in host.events:
            if len(event.container) == 64 and _ID.fullmatch(event.container):
                known[event.container] = known.get(event.container) or event.pod_uid
        self._pods = known
        self._ids = sorted(known)

    def whole(self, container: str) -> str:
        """The full id of what may be its first characters; empty for what is no id."""
        if not _ID.fullmatch(container):
            return ""
        at = bisect_left(self._ids, container)
        same = [one for one in self._ids[at : at + 2] if one.startswith(container)]
        return same[0] if len(same) == 1 else container

    def pod_of(self, container: str) -> str:
        """The uid of its pod, empty if that is not known."""
        return self._pods.get(container, "")


def _told(host: Host) -> Iterator[Process]:
    if not any(event.category in _TELLS and event.command for event in host.events):
        return
    containers = Containers(host)
    listed = dict[int, list[Process]]()
    for process in host.processes:
        listed.setdefault(process.pid, []).append(process)
    seen = set[tuple[int, str, str]]()
    for event in host.events:
        if event.category not in _TELLS or not event.command or event.succeeded is False:
            continue
        container = containers.whole(event.container)
        key = (event.pid, event.command, container)
        if key in seen or _is_listed(event, listed.get(event.pid, ())):
            continue
        seen.add(key)
        yield Process(
            event.pid,
            event.command,
            event.place,
            ppid=event.ppid,
            user=event.user,
            started=event.time,
            executable=event.image if event.image.startswith("/") else "",
            container=container,
            pod_uid=event.pod_uid or containers.pod_of(container),
            argv=event.argv,
            cwd=event.cwd,
            told_by=event.source or "an event",
        )


def _is_listed(event: HostEvent, processes: Iterable[Process]) -> bool:
    """A list shows it: the same number, and the command as far as both tell it."""
    for process in processes:
        if process.command == event.command or (process.truncated and event.command.startswith(process.command)):
            return True
        if len(process.command) > len(event.command) >= 80 and process.command.startswith(event.command):
            return True  # sensors cut long commands
    return False
