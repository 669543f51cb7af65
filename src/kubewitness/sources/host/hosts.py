"""From items of evidence to machines.

Every source is asked what it is; those that are host evidence are read to their end (so their hash is known) by the
reader of their kind and put together by machine: `folders` groups them, then the machine's own word (the kubelet's
`--hostname-override`, `/etc/hostname`, the node name in the kubelet's log) gives the name. The order of reading is
not the order of the evidence: what tells the machine's clock is read first, klog, which has neither year nor zone,
last. Everything is bounded, and what is dropped is counted in a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec

from kubewitness.evidence.failures import unreadable
from kubewitness.evidence.opening import Source
from kubewitness.model.collection import MANIFEST, PROCESSES
from kubewitness.model.evidence import ArchiveProof, Note, ParseFailure, Place
from kubewitness.model.host import (
    Address,
    Component,
    CronEntry,
    FileEntry,
    Firewall,
    Host,
    HostEvent,
    HostFile,
    KernelModule,
    LogLine,
    Process,
    Socket,
)
from kubewitness.sources.host import cgroups, collected, iptables, logs, nft, processes, recognise, sockets
from kubewitness.sources.host.cgroups import Descriptors, Executable, Membership
from kubewitness.sources.host.collected import Collection
from kubewitness.sources.host.commands import apply
from kubewitness.sources.host.context import Clock, Context, Room
from kubewitness.sources.host.first_look import Dates, Look, apart, look
from kubewitness.sources.host.folders import grouped, machine_path, name_of
from kubewitness.sources.host.folding import Events, Owners, distinct, merged
from kubewitness.sources.host.formats import BY_KIND
from kubewitness.sources.host.interface import Fact, Frames, Reader
from kubewitness.sources.host.lines import Lines, decoded, is_binary
from kubewitness.sources.host.own_name import HOST_NAME, override, own_name

MAX_FILE: Final = 1024 * 1024
_FILES: Final = 128 * 1024 * 1024  # of all files of a machine together

_LOGS: Final[dict[str, Component]] = {
    "kubelet log": "kubelet", "containerd log": "containerd", "control plane log": "control_plane",
    "component log": "other",
}  # fmt: skip
_READERS: Final[dict[str, Reader]] = {
    "processes": processes.read,
    "sockets": sockets.read,
    "iptables": iptables.read,
    "nft": nft.read,
    "cgroups": cgroups.read,
    "executables": cgroups.read_executables,
    **dict.fromkeys(_LOGS, logs.read),
    **{one.kind: one.read for one in BY_KIND.values()},
}
_COMPARED: Final = 40  # process lists of one machine
_OF_ONE: Final = frozenset(("processes", collected.RECORDS))  # a list of one machine at one moment
# What tells the clock, before the rest.
_FIRST: Final = (*(one.kind for one in BY_KIND.values() if one.first), "containerd log", "processes")
# Logs of text, by the names they have on every machine; wtmp, lastlog and the like are binary by nature.
_TEXT_LOG = re.compile(
    r"/var/log/(?:[^/]{1,255}/){0,9}(?:messages|syslog|secure|cron|maillog|[^/]{1,200}\.log)(?:[.-]\d{1,8})?"
)
_JOURNAL: Final = b"LPKSHHRH"  # the magic number of a journal file


@dataclass
class HostEvidence:
    """The machines, and what was odd or could not be read.

    Attributes:
        items: What each item of host evidence was read as.
        executables: Items that are programs, with the machine they are of.
        mixed: Folders whose files were taken for one machine and seem to be of several.
    """

    hosts: list[Host] = field(default_factory=list)
    failures: list[ParseFailure] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    items: dict[str, str] = field(default_factory=dict)
    executables: list[tuple[Host, Source]] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    proofs: list[ArchiveProof] = field(default_factory=list)


def kind_of_source(source: Source) -> str:
    """What a source is as host evidence, "" if it is none."""
    return _look(source).kind


def _look(source: Source) -> Look:
    """What a source is as host evidence, and what else its first bytes tell."""
    head = _head(source)
    kind = "" if head is None else recognise.kind_of(source.name, head)
    return look(kind, head) if head and kind else Look(kind)


def _head(source: Source) -> bytes | None:
    """The first bytes; None if it cannot be read or is an archive."""
    if source.kind in {"tar", "gzip", "zstd"} or source.is_archive:
        return None
    head = b""
    for chunk in source.open():
        head += chunk
        if len(head) >= recognise.HEAD:
            break
    return None if source.error and not head else head[: recognise.HEAD]


def _of_archive(source: Source) -> str:
    """What something is that nobody reads, but that our own archive holds: known and hashed."""
    head = _head(source)
    return "" if head is None or recognise.holds_audit_events(head) else "other file"


def read_hosts(sources: Iterable[Source], year: int) -> HostEvidence:
    """Read what is host evidence among `sources`.

    Args:
        sources: Everything that was given; the rest is left alone.
        year: The year taken for logs without one, where nothing else of the machine tells it.
    """
    sources = list(sources)
    looks = [_look(source) for source in sources]
    kinds = [one.kind for one in looks]
    seen = {source.name: one for source, one in zip(sources, looks, strict=True)}
    tops = collected.tops({source.name: kind for source, kind in zip(sources, kinds, strict=True) if kind})
    found = [
        (source, named)
        for source, kind in zip(sources, kinds, strict=True)
        if (named := kind or (_of_archive(source) if any(collected.below(source.name, top) for top in tops) else ""))
    ]
    result = HostEvidence(items={source.name: kind for source, kind in found})
    folders = grouped(result.items, tops)
    machines: dict[str, list[tuple[Source, str]]] = {}
    for source, kind in found:
        machines.setdefault(folders[source.name], []).append((source, kind))
    read = dict[str, tuple[Host, list[tuple[Source, str]]]]()
    for folder, members in machines.items():
        machine = _Machine(name_of(folder), year, result)
        read[folder] = (machine.read(members, seen), members)
        for collection in machine.collections:
            _verify(collection, [source for source in sources if collected.below(source.name, collection.top)], result)
    twins = _twins({folder: members for folder, (_, members) in read.items()})
    for folder, twin in twins.items():
        text = f"the same machine as {twin or 'the files beside it'}, byte for byte: counted once"
        result.notes.append(Note(Place(read[folder][1][0][0].name, 0, 0), text))
    kept = [folder for folder in read if folder not in twins]
    for host, members in (read[folder] for folder in kept):
        result.hosts.append(host)
        result.executables += [(host, source) for source, kind in members if kind == "executable"]
    for top in tops:
        if result.items.get(top + MANIFEST) != collected.KIND:
            reason = "no manifest beside it: the archive was cut off or its manifest removed, nothing could be verified"
            result.failures.append(unreadable(Place(top + PROCESSES, 0, 0), reason))
    _name_apart(result.hosts, kept)
    return result


def _twins(machines: Mapping[str, list[tuple[Source, str]]]) -> dict[str, str]:
    """Folders that hold nothing but what another one holds, with that one.

    A process list or a log is of one machine alone; unit files are the same on many. One file that the other does not
    have, and the folder stays a machine of its own: rather one machine twice than evidence not judged.
    """
    held = {folder: frozenset(one.sha256 for one, _ in members if one.size) for folder, members in machines.items()}
    twins, order = dict[str, str](), list(machines)
    for number, (folder, members) in enumerate(machines.items()):
        own = frozenset(one.sha256 for one, kind in members if one.size and (kind in _LOGS or kind in _OF_ONE))
        others = (
            other
            for place, other in enumerate(order)
            if held[folder] < held[other] or (place < number and held[folder] == held[other])
        )
        if own and (twin := next(others, None)) is not None:
            twins[folder] = twin
    return twins


def _verify(collection: Collection, sources: list[Source], result: HostEvidence) -> None:
    differences = 0
    for fact in (*collected.said(collection), *collected.verified(collection, sources)):
        if isinstance(fact, Note):
            result.notes.append(fact)
        else:
            result.failures.append(fact)
            differences += 1
    header, manifest = collection.header, next((one.sha256 for one in sources if one.name == collection.place.item), "")
    archive = collection.top.rstrip("/!") or "."
    result.proofs.append(
        ArchiveProof(archive, header.host, header.started, len(collection.items), differences, manifest)
    )


def _name_apart(hosts: list[Host], folders: list[str]) -> None:
    """Two machines of one name are told apart by where their evidence lies."""
    names = [host.name for host in hosts]
    for host, folder in zip(hosts, folders, strict=True):
        if names.count(host.name) > 1:
            host.name = f"{host.name} ({folder.rstrip('/!')})"


class _Machine:
    """One machine while its evidence is read."""

    def __init__(self, name: str, year: int, result: HostEvidence) -> None:
        self._host = Host(name)
        self._clock, self._room, self._files = Clock(year), Room(), _FILES
        self._result = result
        self._events = Events()
        self._printed: list[HostFile] = []
        self._owners = Owners()
        self.collections: list[Collection] = []
        self._groups: dict[int, Membership] = {}
        self._programs: dict[int, Executable] = {}

    def read(self, members: list[tuple[Source, str]], looks: Mapping[str, Look]) -> Host:
        """The machine these items are of."""
        facts: dict[str, list[Fact]] = {}
        order = {kind: number for number, kind in enumerate(_FIRST)}
        dated = {source.name for source, _ in members if looks[source.name].dated}
        for source, kind in sorted(
            members, key=lambda member: (order.get(member[1], len(order)), member[0].name not in dated)
        ):
            if kind in _READERS:
                facts[source.name] = self._listing(source, kind, source.name in dated)
        self._tell_apart(members, facts, looks)
        for source, kind in members:
            self._host.sources[source.name] = kind
            for fact in facts.get(source.name, ()):
                self._take(fact)
            if kind not in _READERS or (kind in BY_KIND and BY_KIND[kind].whole):
                self._file(source, kind)
            if source.failure is not None:
                self._result.failures.append(source.failure)
        copied = {file.path for file in self._host.files}  # a file itself says more than a listing that shows it
        self._host.files += (file for file in self._printed if file.path not in copied)
        for collection in self.collections:
            self._result.notes += apply(collection, self._host)
        self._host.sockets = self._owners.joined(distinct(self._host.sockets), self._host.processes)
        self._host.processes = merged(self._joined(process) for process in self._host.processes)
        self._host.events, left_out = self._events.kept()
        if left_out:
            self._result.notes.append(Note(Place(members[0][0].name, 0, 0), left_out))
        named = next((one.header.host for one in self.collections if HOST_NAME.fullmatch(one.header.host)), "")
        self._host.name = own_name(self._host, named) or self._host.name
        return self._host

    def _tell_apart(
        self, members: list[tuple[Source, str]], facts: Mapping[str, list[Fact]], looks: Mapping[str, Look]
    ) -> None:
        """Say so where the items seem to be of several machines; an archive of ours is of one."""
        if any(kind == collected.KIND for _, kind in members):
            return
        lists = [
            [fact for fact in facts[source.name] if isinstance(fact, Process)]
            for source, kind in members
            if kind == "processes"
        ]
        names = [looks[source.name].names for source, _ in members][: 10 * _COMPARED]
        kubelets = [frozenset(filter(None, map(override, some))) for some in lists]
        if why := apart(lists[:_COMPARED], names) or apart((), kubelets[:_COMPARED]):
            self._result.mixed.append(self._host.name)
            advice = "put each machine's into a folder of its own"
            text = f"the files of {self._host.name} seem to be of several machines, or from before and after a restart"
            self._result.notes.append(Note(Place(members[0][0].name, 0, 0), f"{text} ({why}): {advice}"))

    def _listing(self, source: Source, kind: str, dated: bool) -> list[Fact]:
        component, dates = _LOGS.get(kind, "other"), Dates()
        self._clock.reading = kind
        context = Context(source.name, self._clock, component, self._room)
        lines: Frames
        if (one := BY_KIND.get(kind)) and one.frames:
            lines = one.frames(source)
        elif one:
            lines = Lines(source, one.max_line, one.wanted)
        elif kind == "nft":
            lines = Lines(source, nft.MAX_DOCUMENT)
        else:
            lines = Lines(source, wanted=logs.wanted if kind in _LOGS else None)
        facts: list[Fact] = []
        stream = iter(lines)
        for fact in _READERS[kind](stream, context):
            if dated:
                dates.add(fact)
            if isinstance(fact, ParseFailure):
                self._result.failures.append(fact)
            elif isinstance(fact, HostEvent):
                self._take(fact)  # at once: a log of gigabytes tells of millions, most of them alike
            else:
                facts.append(fact)
        for _ in stream:  # the rest belongs to the hash
            pass
        self._clock.see(dates.last())
        if kind == "processes":
            self._clock.see(max(filter(None, (_started(fact) for fact in facts)), default=None))
        self._result.failures += filter(None, (lines.cut, lines.junk))
        if lines.passed:
            context.note(Place(source.name, 0, 0), f"{lines.passed} lines of mere information passed over")
        self._result.notes += context.notes
        return facts

    def _take(self, fact: Fact) -> None:
        host = self._host
        if isinstance(fact, LogLine):
            host.logs.append(fact)
        elif isinstance(fact, Process):
            host.processes.append(fact)
        elif isinstance(fact, Socket):
            host.sockets.append(fact)
        elif isinstance(fact, Firewall):
            host.firewalls.append(fact)
        elif isinstance(fact, HostEvent):
            self._events.add(fact)
        elif isinstance(fact, FileEntry):
            host.listing.append(fact)
        elif isinstance(fact, CronEntry):
            host.schedules.append(fact)
        elif isinstance(fact, KernelModule):
            host.modules.append(fact)
        elif isinstance(fact, Address):
            host.addresses.append(fact)
        elif isinstance(fact, HostFile):
            self._printed.append(fact)
        elif isinstance(fact, Descriptors):
            self._owners.add(fact)
        elif isinstance(fact, Collection):
            self.collections.append(fact)
            host.keys += fact.keys
        elif isinstance(fact, Membership):
            known = self._groups.get(fact.pid)
            if known is None or (fact.container and not known.container):
                self._groups[fact.pid] = fact
        else:
            self._programs.setdefault(fact.pid, fact)

    def _joined(self, process: Process) -> Process:
        group, program = self._groups.get(process.pid), self._programs.get(process.pid)
        if group is None and program is None:
            return process
        return msgspec.structs.replace(
            process,
            executable=program.path if program else process.executable,
            cgroup=group.cgroup if group else process.cgroup,
            container=group.container if group else process.container,
            pod_uid=group.pod_uid if group else process.pod_uid,
        )

    def _file(self, source: Source, kind: str) -> None:
        data, size = bytearray(), 0
        for chunk in source.open():
            size += len(chunk)
            data += chunk[: MAX_FILE + 1 - len(data)]
        place = Place(source.name, 1, 0, size)
        if data.startswith(_JOURNAL):
            reason = "binary journal of systemd, not read: export it with journalctl -o short-iso-precise"
            self._result.failures.append(unreadable(place, reason))
        nowhere = kind == "other file" and not machine_path(source.name)
        if nowhere or kind in ("container log", "executable"):
            return  # known to be there and hashed; nothing in it is a file's text
        if is_binary(bytes(data[:8192])):
            if _TEXT_LOG.fullmatch(machine_path(source.name)[:4096]):
                reason = f"no log: {size} bytes of binary data under the name of a log (damaged, or overwritten?)"
                self._result.failures.append(unreadable(place, reason))
            return
        if size > MAX_FILE or self._files < size:
            reason = f"file of {size} bytes, not kept" if size > MAX_FILE else "more files than are kept of one machine"
            self._result.notes.append(Note(place, reason))
            return
        self._files -= size
        if kind == "other file" and not machine_path(source.name):
            return  # what a command of the collector printed: no file of the machine
        path = machine_path(source.name) or "/" + re.split("[/!]", source.name)[-1]
        self._host.files.append(HostFile(path, decoded(bytes(data)), place))


def _started(fact: Fact) -> datetime | None:
    if not isinstance(fact, Process) or not fact.started.endswith("Z"):
        return None
    return datetime.fromisoformat(fact.started.replace("Z", "+00:00"))
