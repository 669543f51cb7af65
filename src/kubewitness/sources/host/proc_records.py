"""Processes, sockets and files as our own archive has them, and sockets as the kernel prints them.

`processes.jsonl` and `listing.jsonl` hold one record a line (`kubewitness.model.collection`). /proc/PID/net/{tcp,tcp6,
udp,udp6} (proc_net(5)) has addresses as 32-bit words in the machine's byte order in hexadecimal digits, here little
endian, ports in hexadecimal digits, and the inode of the socket; who owns it is told by the open descriptors
(`socket:[inode]`) of the processes. Each network namespace has tables of its own: in our archive the folder is called
by its inode.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Final

import msgspec

from kubewitness.evidence.failures import unreadable
from kubewitness.model.collection import NET, FileRecord, ProcessRecord
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import FileEntry, Process, Socket
from kubewitness.sources.host.cgroups import Descriptors, heaviest, owner
from kubewitness.sources.host.collected import RECORDS, decoded_line
from kubewitness.sources.host.context import Context, Misfits
from kubewitness.sources.host.interface import Fact, Format
from kubewitness.sources.host.processes import MAX_PROCESSES
from kubewitness.sources.host.sockets import MAX_SOCKETS

MAX_FILES: Final = 500_000
_MAX_LINE: Final = 4 * 1024 * 1024  # a command line may have 2 MiB
_BUDGET: Final = 128 * 1024 * 1024  # characters of all records of a list that are kept
_MAX_PID: Final = 1 << 30
_PROCESS: Final = msgspec.json.Decoder(ProcessRecord)
_FILE: Final = msgspec.json.Decoder(FileRecord)
_KEYS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SOCKET = re.compile(r"\d{1,10} socket:\[(\d{1,18})\]$")
_STATES: Final = {
    "01": "ESTAB", "02": "SYN-SENT", "03": "SYN-RECV", "04": "FIN-WAIT-1", "05": "FIN-WAIT-2", "06": "TIME-WAIT",
    "07": "CLOSED", "08": "CLOSE-WAIT", "09": "LAST-ACK", "0A": "LISTEN", "0B": "CLOSING", "0C": "SYN-RECV",
}  # fmt: skip
_NET_HEADER = re.compile(r"\s*sl\s+local_address\s+(?:rem|remote)_address\s+st\s+tx_queue\s")
_NET_ROW = re.compile(
    r"\s{0,20}\d{1,9}: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{2})"
    r" [0-9A-F]{8}:[0-9A-F]{8} [0-9A-F]{2}:[0-9A-F]{1,16} [0-9A-F]{1,16}"
    r" {1,20}\d{1,10} {1,20}\d{1,10} (\d{1,18})(?: |$)"
)
_NAMESPACE = re.compile(rf"(?:^|[/!]){NET}/(\d{{1,18}})/[^/!]{{1,20}}$")


def _keys(line: str) -> frozenset[str]:
    found = decoded_line(_KEYS, line)
    return frozenset(found or ())


def looks_like_processes(lines: list[str], name: str) -> bool:
    """Its first line is a process and has keys of one alone."""
    del name
    line = lines[0]
    if not line.startswith("{") or '"pid"' not in line[:4096]:
        return False
    keys = _keys(line)
    known = keys <= set(ProcessRecord.__struct_fields__) and keys >= {"pid", "name", "state"}
    return known and decoded_line(_PROCESS, line) is not None and bool(keys & {"ppid", "cgroup", "namespaces", "exe"})


def read_processes(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Fact | ParseFailure]:
    """The processes, each followed by the sockets it holds."""
    misfits, kept, over, budget = Misfits(), 0, 0, _BUDGET
    for place, line in lines:
        record = decoded_line(_PROCESS, line)
        if record is None or not 0 < record.pid < _MAX_PID:
            if failure := misfits.add(unreadable(place, "no record of a process", line[:2000].encode())):
                yield failure
            continue
        if kept >= MAX_PROCESSES or budget < len(line):
            over += 1
            continue
        kept += 1
        budget -= len(line)
        yield process(record, place)
        inodes = tuple(int(found[1]) for file in record.files if (found := _SOCKET.match(file)))
        if inodes:
            yield Descriptors(record.pid, record.name, inodes)
    if failure := misfits.rest():
        yield failure
    if over:
        context.note(Place(context.item, 0, 0), f"{over} more processes than are kept")


def process(record: ProcessRecord, place: Place) -> Process:
    """A process as everything else knows it."""
    cgroup = heaviest(line for line in record.cgroup.split("\n") if line.count(":") >= 2)
    container, pod_uid = owner(cgroup)
    gone = (path for path in record.maps if path.endswith(" (deleted)") or path.startswith("/memfd:"))
    return Process(
        pid=record.pid,
        command=" ".join(record.argv) or f"[{record.name}]",
        place=place,
        ppid=max(record.ppid, -1),
        user="root" if record.uid == 0 else str(record.uid) if record.uid > 0 else "",
        started=record.started,
        executable=record.exe,
        cgroup=cgroup,
        container=container,
        pod_uid=pod_uid,
        name=record.name,
        argv=record.argv,
        cwd=record.cwd,
        sha256=record.sha256.lower(),
        environment=record.environ,
        namespaces=tuple(sorted(record.namespaces.items())),
        deleted_maps=tuple(gone),
        capabilities=record.capabilities,
        visible=not record.hidden,
    )


def looks_like_files(lines: list[str], name: str) -> bool:
    """Its first line is a file and has keys of one alone."""
    del name
    line = lines[0]
    if not line.startswith("{") or '"path"' not in line[:8192]:
        return False
    keys = _keys(line)
    known = keys <= set(FileRecord.__struct_fields__) and keys >= {"path", "mode", "uid", "modified"}
    record = decoded_line(_FILE, line) if known else None
    return record is not None and record.path.startswith("/")


def read_files(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[FileEntry | ParseFailure]:
    """The files of a listing."""
    misfits, kept, over = Misfits(), 0, 0
    for place, line in lines:
        record = decoded_line(_FILE, line)
        if record is None or not record.path:
            if failure := misfits.add(unreadable(place, "no record of a file", line[:2000].encode())):
                yield failure
        elif kept >= MAX_FILES:
            over += 1
        else:
            kept += 1
            yield FileEntry(
                record.path, place, record.kind, record.size, record.mode, str(record.uid) if record.uid >= 0 else "",
                record.modified, record.changed, record.sha256.lower(), record.target,
            )  # fmt: skip
    if failure := misfits.rest():
        yield failure
    if over:
        context.note(Place(context.item, 0, 0), f"{over} more files than are kept")


def looks_like_net(lines: list[str], name: str) -> bool:
    """A table of /proc/net: its headings, or nothing but its rows."""
    del name
    return _NET_HEADER.match(lines[0]) is not None or all(map(_NET_ROW.match, lines[:60]))


def read_net(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Socket | ParseFailure]:
    """TCP and UDP sockets of a table; raw sockets have the same form and are passed over."""
    misfits, kept, over = Misfits(), 0, 0
    table = re.split("[/!]", context.item)[-1].lower()
    protocol = "udp" if table.startswith("udp") else "raw" if table.startswith(("raw", "icmp")) else "tcp"
    found = _NAMESPACE.search(context.item)
    namespace = found[1] if found else ""
    for place, line in lines:
        if _NET_HEADER.match(line):
            if line.rstrip().endswith("drops") and protocol == "tcp":
                protocol = "udp"  # TCP counts no drops
            continue
        row = _NET_ROW.match(line)
        if row is None or row[5] not in _STATES:
            if failure := misfits.add(unreadable(place, "no line of a socket table", line.encode())):
                yield failure
        elif kept >= MAX_SOCKETS:
            over += 1
        elif protocol != "raw":
            kept += 1
            state = "UNCONN" if protocol == "udp" and row[5] == "07" else _STATES[row[5]]
            yield Socket(
                protocol, state, address(row[1]), int(row[2], 16), address(row[3]), int(row[4], 16), place,
                inode=int(row[6]), namespace=namespace,
            )  # fmt: skip
    if failure := misfits.rest():
        yield failure
    if over:
        context.note(Place(context.item, 0, 0), f"{over} more sockets than are kept")


def address(text: str) -> str:
    """An address out of its 32-bit words; a v4-mapped one as plain IPv4."""
    words = bytes.fromhex(text)
    data = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
    if len(data) == 4:
        return str(IPv4Address(data))
    six = IPv6Address(data)
    return str(six.ipv4_mapped or six)


FORMATS: tuple[Format, ...] = (
    Format(RECORDS, looks_like_processes, read_processes, max_line=_MAX_LINE),
    Format("file records", looks_like_files, read_files),
    Format("socket table", looks_like_net, read_net),
)
