"""Sockets as the kernel lists them, in every network namespace of the machine.

`ss` shows the host's namespace only; pods have their own. /proc/PID/net of any process in a namespace shows all of its
sockets, so one process of each is asked. No command is run and no namespace is entered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from kubewitness.collect.archive import About, Archive
from kubewitness.collect.rooted import Root
from kubewitness.model.collection import NET, Omitted, ProcessRecord

TABLES: Final = ("tcp", "tcp6", "udp", "udp6", "raw", "raw6", "unix", "packet")
_NAMESPACES: Final = 1000
_TABLE: Final = 64 * 1024 * 1024
_TRIED: Final = 5  # processes, until one answers


def take_tables(
    root: Root, archive: Archive, processes: Iterable[ProcessRecord], stopped: Callable[[], bool] = lambda: False
) -> int:
    """The tables of every network namespace; how many namespaces there were."""
    members: dict[str, list[int]] = {}
    for process in processes:
        if inode := process.namespaces.get("net"):
            members.setdefault(inode, []).append(process.pid)
    for number, (inode, pids) in enumerate(members.items()):
        if number >= _NAMESPACES or stopped():
            archive.omit(Omitted("/proc/PID/net", f"{len(members) - number} network namespaces were not asked"))
            break
        for table in TABLES:
            _take(root, archive, inode, pids[:_TRIED], table)
    return len(members)


def _take(root: Root, archive: Archive, inode: str, pids: list[int], table: str) -> None:
    for pid in pids:
        path = f"/proc/{pid}/net/{table}"
        with suppress(OSError), Path(root.outer(path)).open("rb", buffering=0) as file:
            first = file.read(64 * 1024)
            if not first:
                continue
            with archive.growing(f"{NET}/{inode}/{table}", About(path)) as sink:
                for piece in _bounded(first, file):
                    sink.write(piece)
            return


def _bounded(first: bytes, file: IO[bytes]) -> Iterator[bytes]:
    room = _TABLE
    piece = first
    while piece and room > 0:
        yield piece[:room]
        room -= len(piece)
        piece = file.read(64 * 1024)
