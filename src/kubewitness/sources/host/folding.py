"""Many tellings of the same thing become one: processes of several lists, events that repeat.

A collection holds the process list in three or four column sets, and /proc besides; a process is the same if its
number is and its command line agrees as far as both were printed. An audit of the kernel tells of every health probe
anew; events that differ in time and process number alone are counted, though the first starts of a program stay apart,
because who was started by whom is told by these numbers. How many different events are kept of one machine is bounded,
because an intruder chooses command lines; what comes behind is counted and told.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from kubewitness.model.evidence import Place
from kubewitness.model.host import HostEvent, Process, Socket
from kubewitness.sources.host.cgroups import Descriptors
from kubewitness.sources.host.context import Context

MAX_EVENTS: Final = 100_000
MAX_DESCRIPTORS: Final = 2_000_000
_HOLDERS: Final = 64
_NAME: Final = 15  # what comm holds
_WORK = re.compile(r"[-+][^\]]{0,64}\]?$|\]$")
_CHARACTERS: Final = 256 * 1024 * 1024
_STARTS: Final = 20  # of one program, kept apart


class Told:
    """A thing that was told, and how often.

    Attributes:
        event: The first time it was told.
        number: How many like it were kept apart before it.
    """

    __slots__ = ("_count", "_first", "_last", "event", "number")

    def __init__(self, event: HostEvent, number: int) -> None:
        self.event, self.number = event, number
        self._count, self._first, self._last = event.count, event.time, event.last or event.time

    def again(self, time: str, last: str = "", count: int = 1) -> None:
        """It was told again."""
        self._count += count
        self._last = max(self._last, time, last)
        for moment in (time, last):
            if moment and (moment < self._first or not self._first):
                self._first = moment

    def whole(self) -> HostEvent:
        """The event with its number and times."""
        event = self.event
        if self._count == event.count:
            return event
        first = min(filter(None, (self._first, event.last)), default="")
        return replace(event, count=self._count, time=first, last=max(self._last, event.time))


class Events:
    """Events of one machine while they are read."""

    def __init__(self) -> None:
        self._told: dict[tuple[object, ...], Told] = {}
        self._kept: list[Told] = []
        self._room, self._over = _CHARACTERS, 0

    def add(self, event: HostEvent) -> Told | None:
        """Keep the event, or count it.

        Returns:
            What only counts the events that are like it from now on; None if they must be added.
        """
        starts = event.category == "process_creation" and event.pid >= 0 and event.count == 1
        key = _key(event, starts)
        known = self._told.get(key)
        if known is not None and (not starts or known.number >= _STARTS):
            known.again(event.time, event.last, event.count)
            return known
        size = 200 + len(event.command) + len(event.message) + sum(map(len, event.fields.values()))
        if len(self._kept) >= MAX_EVENTS or size > self._room:
            self._over += event.count
            return None
        self._room -= size
        told = Told(event, known.number + 1 if known else 0)
        self._told[key] = told
        self._kept.append(told)
        return told if not starts or told.number >= _STARTS else None

    def kept(self) -> tuple[list[HostEvent], str]:
        """The events in time order, those without a time last; and what to say of those left out."""
        events = [told.whole() for told in self._kept]
        events.sort(key=lambda event: event.time or "~")
        return events, f"{self._over} more events than are kept of one machine" if self._over else ""

    def told(self, context: Context) -> list[HostEvent]:
        """The events of one item, as `kept`; what is left out is noted."""
        events, left_out = self.kept()
        if left_out:
            context.note(Place(context.item, 0, 0), left_out)
        return events


def _key(event: HostEvent, starts: bool) -> tuple[object, ...]:
    fields = event.fields
    return (
        starts, event.category, event.source, event.user, event.image, event.command, event.parent_command,
        event.container, event.path, event.address, event.port, event.rule, event.message, event.succeeded,
        *fields, None, *fields.values(),
    )  # fmt: skip


def merged(processes: Iterable[Process]) -> list[Process]:
    """Each process once, with all that any of its tellings says."""
    out: dict[int, list[Process]] = {}
    for process in processes:
        same = out.setdefault(process.pid, [])
        for number, known in enumerate(same):
            if _agree(known, process):
                same[number] = _joined(known, process)
                break
        else:
            same.append(process)
    return [_named(process) for same in out.values() for process in same]


def _named(process: Process) -> Process:
    """A process of which no source shows the command goes by its name."""
    return process if process.command else replace(process, command=process.name or process.executable or "?")


def _agree(one: Process, other: Process) -> bool:
    short, long = sorted((one.command, other.command), key=len)
    if one.command == other.command or not short:
        return True
    if short[0] == long[0] == "[" and len(short) > _NAME and long.startswith(short.rstrip("]")):
        return True  # a kernel thread: some lists cut its name
    if short.startswith("[kworker/") and _WORK.sub("", short) == _WORK.sub("", long):
        return True  # behind its name stands what it works on just now
    shorter = one if one.command == short else other
    return long.startswith(short) and (shorter.truncated or shorter.pid == 0)


def distinct(sockets: Iterable[Socket]) -> list[Socket]:
    """Each socket once, though several lists show it; what one list shows twice (SO_REUSEPORT) is two.

    Two tellings are of one socket if its ends and state are the same and neither inode nor owners contradict.
    """
    groups: dict[tuple[object, ...], list[_Told]] = {}
    order: list[_Told] = []
    for socket in sockets:
        same = groups.setdefault((_ends(socket), socket.namespace), [])
        known = next((one for one in same[:_HOLDERS] if one.is_told_by(socket)), None)
        if known is None:
            known = _Told(socket)
            same.append(known)
            order.append(known)
        known.add(socket)
    return [one.socket for one in order]


class _Told:
    """A socket, and the lists that show it."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self._lists = set[str]()

    def is_told_by(self, socket: Socket) -> bool:
        """Whether a line of another list is of the same socket."""
        return socket.place.item not in self._lists and _is_same(self.socket, socket)

    def add(self, socket: Socket) -> None:
        """Take over what this list knows and the others did not."""
        self._lists.add(socket.place.item)
        known = self.socket
        owners, inode = known.owners or socket.owners, known.inode or socket.inode
        if (owners, inode) != (known.owners, known.inode):
            self.socket = replace(known, owners=owners, inode=inode)


def _is_same(one: Socket, other: Socket) -> bool:
    if one.inode and other.inode:
        return one.inode == other.inode
    mine, others = ({pid for _, pid in socket.owners} for socket in (one, other))
    return not mine or not others or bool(mine & others)


def _joined(one: Process, other: Process) -> Process:
    """Both tellings in one; where they differ, the one that knows more."""
    best, rest = (one, other) if len(one.command) >= len(other.command) else (other, one)
    dated = [p.started for p in (best, rest) if p.started.endswith("Z")]
    started = max(dated, default=best.started or rest.started)  # of a minute and a second in it, the second
    return replace(
        best,
        ppid=best.ppid if best.ppid >= 0 else rest.ppid,
        user=best.user or rest.user,
        started=started,
        executable=best.executable or rest.executable,
        cgroup=best.cgroup or rest.cgroup,
        container=best.container or rest.container,
        pod_uid=best.pod_uid or rest.pod_uid,
        name=best.name or rest.name,
        argv=best.argv or rest.argv,
        cwd=best.cwd or rest.cwd,
        sha256=best.sha256 or rest.sha256,
        environment=best.environment or rest.environment,
        namespaces=best.namespaces or rest.namespaces,
        deleted_maps=best.deleted_maps or rest.deleted_maps,
        capabilities=best.capabilities or rest.capabilities,
        visible=best.visible or rest.visible,  # one list that shows it is enough
        truncated=best.truncated and rest.truncated,
    )


class Owners:
    """Who holds which socket, as the open descriptors of processes tell."""

    def __init__(self) -> None:
        self._of: dict[int, list[tuple[str, int]]] = {}
        self._room = MAX_DESCRIPTORS

    def add(self, fact: Descriptors) -> None:
        """Remember a process's sockets."""
        for inode in fact.inodes[: self._room]:
            holders = self._of.setdefault(inode, [])
            if len(holders) < _HOLDERS and (fact.name, fact.pid) not in holders:
                holders.append((fact.name, fact.pid))
        self._room = max(0, self._room - len(fact.inodes))

    def joined(self, sockets: Sequence[Socket], processes: Iterable[Process]) -> list[Socket]:
        """The sockets with their owners, each once.

        `ss` lists those of the network namespace it runs in, the machine's own, which is that of process 1; the
        kernel's table of the same namespace tells of them again.
        """
        if not any(socket.inode for socket in sockets):
            return list(sockets)
        processes = list(processes)
        names = {one.pid: one.name or one.command.partition(" ")[0].rpartition("/")[2] for one in processes}
        owned = [
            replace(socket, owners=tuple((name or names.get(pid, ""), pid) for name, pid in self._of[socket.inode]))
            if socket.inode in self._of and not socket.owners
            else socket
            for socket in sockets
        ]
        home = _home(processes)
        tables: dict[tuple[object, ...], list[Socket]] = {}
        for socket in owned:
            if socket.inode and socket.namespace in ("", home):
                tables.setdefault(_ends(socket), []).append(socket)
        told = set[int]()
        out = []
        for socket in owned:
            if socket.inode or socket.namespace:
                out.append(socket)
                continue
            same = [one for one in tables.get(_ends(socket), ()) if id(one) not in told]
            if not same:
                out.append(socket)
                continue
            # Several of one address (SO_REUSEPORT): the one with the same owner, if it has any.
            best = next((one for one in same if set(one.owners) & set(socket.owners)), same[0])
            told.add(id(best))
            out.append(
                replace(
                    socket, owners=socket.owners or best.owners, inode=best.inode, namespace=best.namespace,
                )
            )  # fmt: skip
        return [socket for socket in out if id(socket) not in told]


def _home(processes: Iterable[Process]) -> str:
    """The machine's own network namespace: that of process 1, of the kernel's threads, else the one most are in."""
    spaces = [(one.pid, dict(one.namespaces).get("net", "")) for one in processes if one.namespaces]
    known = Counter(space for _, space in spaces if space)
    first = next((space for pid, space in sorted(spaces) if pid in {1, 2} and space), "")
    return first or max(known, key=lambda space: (known[space], space), default="")


def _ends(socket: Socket) -> tuple[object, ...]:
    """What a socket is told by in `ss` and in the kernel's table alike; `ss` writes "*" for any address."""
    local, peer = (
        "" if text in {"*", "0.0.0.0", "::"} else text.partition("%")[0]  # noqa: S104 (compared, not bound)
        for text in (socket.local_address, socket.peer_address)
    )
    six = ":" in socket.local_address or socket.local_address == "*"
    wild = socket.peer_port == 0 and not local
    return (socket.protocol, socket.state, local, socket.local_port, peer, socket.peer_port, six if wild else None)
