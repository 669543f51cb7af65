"""What is known about single processes besides the list: their control groups, executables and open sockets.

`PID N:controller:/path` is a line of /proc/PID/cgroup with the PID in front; `ps -axo pid,user,cgroup` prints the
same in columns. The path names pod and container, in the ways of both cgroup drivers (cgroupfs:
`/kubepods/besteffort/pod<uid>/<id>`; systemd: `/kubepods.slice/…-pod<uid with _>.slice/cri-containerd-<id>.scope`,
also `crio-` and `docker-`). `PID /path` and `ls -l /proc/*/exe` name the executable, with " (deleted)" behind it if
it is gone from the disk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from msgspec import Struct

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.sources.host.context import Context, Misfits

MAX_FACTS: Final = 500_000
GROUP = re.compile(r"^\s{0,20}(\d{1,9})\s{1,20}(?:[^\s:]{1,64}\s{1,20})?(\d{1,3}:[\w,=.-]{0,200}:/\S*)\s*$")
EXECUTABLE = re.compile(r"^(\d{1,9}) (/[^\n]*|)$")
LINK = re.compile(r"^l[rwx-]{9}.{0,200} /proc/(\d{1,9})/exe -> (\S.*)$")
_NO_GROUP = re.compile(r"\s*(?:PID\b.*CGROUP\s*$|\d{1,9}\s*(?:\s\S{1,64}\s+-)?\s*$)")
_CONTAINER = re.compile(r"(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?=/|$)")
_POD = re.compile(r"pod([0-9a-f]{8})[-_]([0-9a-f]{4})[-_]([0-9a-f]{4})[-_]([0-9a-f]{4})[-_]([0-9a-f]{12})(?=[./]|$)")
_STATIC_POD = re.compile(r"pod([0-9a-f]{32})(?=[./]|$)")  # of a static pod: a hash of its manifest, no UUID


class Membership(Struct, frozen=True):
    """The control group of a process."""

    pid: int
    cgroup: str
    container: str
    pod_uid: str
    place: Place


class Executable(Struct, frozen=True):
    """The program file of a process."""

    pid: int
    path: str
    place: Place


class Descriptors(Struct, frozen=True):
    """The sockets a process holds open, by inode."""

    pid: int
    name: str
    inodes: tuple[int, ...]


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Membership | ParseFailure]:
    """Control groups, one line each."""
    yield from _facts(lines, context, _membership, "no control group of a process")


def read_executables(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Executable | ParseFailure]:
    """Executables, one line each."""
    yield from _facts(lines, context, _executable, "no executable of a process")


_Fact = TypeVar("_Fact", Membership, Executable)


def _facts(
    lines: Iterator[tuple[Place, str]],
    context: Context,
    parse: Callable[[Place, str], _Fact | bool],
    reason: str,
) -> Iterator[_Fact | ParseFailure]:
    """What `parse` makes of each line: a fact, True if it rightly holds none, False if it does not belong here."""
    misfits, known, over = Misfits(), 0, 0
    for place, line in lines:
        fact = parse(place, line)
        if not isinstance(fact, bool):
            known += 1
            if known <= MAX_FACTS:
                yield fact
            else:
                over += 1
        elif not fact and (failure := misfits.add(unreadable(place, reason, line.encode()))):
            yield failure
    if failure := misfits.rest():
        yield failure
    if over:
        context.note(Place(context.item, 0, 0), f"{over} more lines than are kept")


def _membership(place: Place, line: str) -> Membership | bool:
    found = GROUP.match(line)
    if found:
        path = heaviest(re.split(r"[;,](?=\d+:)", found[2]))
        return Membership(int(found[1]), path, *owner(path), place)
    return _NO_GROUP.match(line) is not None  # the headings of ps, a process without a group, one that had just ended


def _executable(place: Place, line: str) -> Executable | bool:
    found = EXECUTABLE.match(line) or LINK.match(line)
    if found and found[2]:
        return Executable(int(found[1]), found[2], place)
    return found is not None or line.startswith(("ls: ", "l", "total "))  # kernel threads have no executable


def heaviest(groups: Iterable[str]) -> str:
    """Of "N:controller:/path" in several hierarchies the path that tells most, "" for none."""
    return max((group.split(":", 2)[-1] for group in groups), key=_weight, default="")


def owner(path: str) -> tuple[str, str]:
    """Container id and pod uid in a control group's path, each empty if it names none."""
    containers = _CONTAINER.findall(path)
    pod, static = _POD.search(path), _STATIC_POD.search(path)
    uid = "-".join(pod.groups()) if pod else static[1] if static else ""
    return (containers[-1] if containers else ""), uid


def _weight(path: str) -> int:
    container, pod = owner(path)
    return 4 * bool(container) + 2 * bool(pod) + (len(path) > 1)
