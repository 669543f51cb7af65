"""Single processes as copies of their files under /proc tell of them, and lists of their links and hashes.

`…/proc/PID/{cmdline,environ,status,comm,maps,cgroup}` (proc(5)), plain or with `.txt` behind the name as UAC writes
them, `fd.txt` (`ls -la /proc/PID/fd`), `ls -l /proc/[0-9]*/cwd`, `ls -l /proc/[0-9]*` with a section a process, and
`sha256 /proc/PID/exe` a line. Each makes a `Process` that holds what this file tells and no more, without a command
unless the file is the command; `folding` puts the pieces of one process number together. Other files of a process
(stat, stack, mounts, strings of its memory) are known and not read.

cmdline and environ are words ended by NUL; UAC passes environ through `strings`, which makes lines of them. A process
can write both, and its name; maps and the links are the kernel's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import Process
from kubewitness.sources.host.cgroups import Descriptors, Executable, Membership, heaviest, owner
from kubewitness.sources.host.context import Context, Misfits
from kubewitness.sources.host.folders import machine_path
from kubewitness.sources.host.interface import Fact, Format

KIND: Final = "process file"
MAX_FACTS: Final = 200_000
_MAX_LINE: Final = 256 * 1024
_MAX_TEXT: Final = 1024 * 1024  # of a command line or an environment
_MAX_VARIABLES: Final = 2_000
_MAX_MAPS: Final = 64
_FILE = re.compile(r"/proc/(\d{1,9})/(.{1,200})$", re.DOTALL)
_VARIABLE = re.compile(r"[A-Za-z_][\w.-]{0,200}=")
_STATUS = re.compile(r"(Name|PPid|Uid|CapEff):\s(.{0,200})$")
_MAP = re.compile(
    r"[0-9a-f]{1,16}-[0-9a-f]{1,16} ([r-][w-][x-][sp]) [0-9a-f]{1,16} [0-9a-f]+:[0-9a-f]+ \d{1,20}(?: +(\S.*)| *)$"
)
_GROUP = re.compile(r"\d{1,9}:[\w,=.-]{0,200}:/")
_DESCRIPTOR = re.compile(r"l[rwx-]{9}.{1,200} \d{1,10} -> (?:socket:\[(\d{1,18})\]|.*)$")
_SECTION = re.compile(r"/proc/(\d{1,9}):$")
_LINK = re.compile(r"l[rwx-]{9}.{1,200} (?:/proc/(\d{1,9})/)?(cwd|exe) -> (\S.*)$")
_HASH = re.compile(r"([0-9a-fA-F]{64})\s{1,4}\*?/proc/(\d{1,9})/exe$")
_Lines = Iterator[tuple[Place, str]]


def of_process(path: str) -> bool:
    """Whether a path on a machine is that of a file of a process."""
    return _FILE.match(path) is not None


def _read(lines: _Lines, context: Context) -> Iterator[Fact | ParseFailure]:
    found = _FILE.match(machine_path(context.item))
    reader = _READERS.get(found[2].removesuffix(".txt")) if found else None
    if found and reader:
        yield from reader(int(found[1]), lines)


def _whole(lines: _Lines) -> tuple[Place, str]:
    """The text of a file, its empty lines put back."""
    pieces: list[str] = []
    first = last = Place("", 1, 0)
    size = 0
    for place, line in lines:
        if not pieces:
            first = place
        gap = place.line - last.line if pieces else 0
        pieces += ["\n"] * gap
        size += len(line) + gap
        if size > _MAX_TEXT:
            pieces.append(line[: max(0, _MAX_TEXT - size + len(line))])
            break
        pieces.append(line)
        last = place
    return first, "".join(pieces)


def _cmdline(pid: int, lines: _Lines) -> Iterator[Fact | ParseFailure]:
    place, text = _whole(lines)
    argv = tuple(text.rstrip("\0\n ").split("\0"))
    if any(argv):
        yield Process(pid, " ".join(argv).strip(), place, argv=argv)


def _environ(pid: int, lines: _Lines) -> Iterator[Fact | ParseFailure]:
    place, text = _whole(lines)
    words = text.split("\0" if "\0" in text else "\n")
    variables = tuple(word[:4096] for word in words[:_MAX_VARIABLES] if _VARIABLE.match(word))
    if variables:
        yield Process(pid, "", place, environment=variables)


def _comm(pid: int, lines: _Lines) -> Iterator[Fact | ParseFailure]:
    for place, line in lines:
        yield Process(pid, "", place, name=line[:64])
        return


def _status(pid: int, lines: _Lines) -> Iterator[Fact | ParseFailure]:
    values: dict[str, str] = {}
    start: Place | None = None
    for place, line in lines:
        start = start or place
        if found := _STATUS.match(line):
            values.setdefault(found[1], found[2].strip())
    if start is None:
        return
    if "Name" not in values:
        yield unreadable(start, "no status of a process")
        return
    parent, uids = values.get("PPid", ""), values.get("Uid", "").split()
    uid = uids[1] if len(uids) == 4 and uids[1].isdecimal() else ""
    yield Process(
        pid, "", start, ppid=int(parent) if parent.isascii() and parent.isdecimal() and len(parent) < 10 else -1,
        user="root" if uid == "0" else uid, name=values["Name"][:64], capabilities=values.get("CapEff", "")[:16],
    )  # fmt: skip


def _maps(pid: int, lines: _Lines) -> Iterator[Fact | ParseFailure]:
    misfits = Misfits()
    gone: dict[str, Place] = {}
    for place, line in lines:
        found = _MAP.match(line)
        if found is None:
            if failure := misfits.add(unreadable(place, "no line of a map of memory", line.encode())):
                yield failure
        elif "x" in found[1] and _is_gone(found[2] or "") and len(gone) < _MAX_MAPS:
            gone.setdefault(found[2], place)
    if failure := misfits.rest():
        yield failure
    if gone:
        yield Process(pid, "", next(iter(gone.values())), deleted_maps=tuple(gone))


def _is_gone(path: str) -> bool:
    return path.endswith(" (deleted)") or path.startswith("/memfd:")


def _cgroup(pid: int, lines: _Lines) -> Iterator[Fact | ParseFailure]:
    misfits, groups, first = Misfits(), list[str](), Place("", 0, 0)
    for place, line in lines:
        if not _GROUP.match(line):
            if failure := misfits.add(unreadable(place, "no control group", line.encode())):
                yield failure
        elif len(groups) < 64:
            first = first if groups else place
            groups.append(line.rstrip())
    if failure := misfits.rest():
        yield failure
    if groups:
        path = heaviest(groups)
        yield Membership(pid, path, *owner(path), first)


def _descriptors(pid: int, lines: _Lines) -> Iterator[Fact | ParseFailure]:
    inodes = [int(found[1]) for _, line in lines if (found := _DESCRIPTOR.match(line)) and found[1]]
    if inodes:
        yield Descriptors(pid, "", tuple(inodes[:MAX_FACTS]))


_READERS: Final[dict[str, Callable[[int, _Lines], Iterator[Fact | ParseFailure]]]] = {
    "cmdline": _cmdline, "environ": _environ, "comm": _comm, "status": _status, "maps": _maps, "cgroup": _cgroup,
    "fd": _descriptors,
}  # fmt: skip


def _are_links(lines: list[str], name: str) -> bool:
    del name
    links = [found for line in lines if (found := _LINK.match(line))]
    sections = sum(bool(_SECTION.match(line)) for line in lines)
    return any(found[2] == "cwd" and found[1] for found in links) or (sections > 0 and len(links) > 0)


def _read_links(lines: _Lines, context: Context) -> Iterator[Fact | ParseFailure]:
    """Of a list with sections only what a section's process is known for counts."""
    section, kept, over = -1, 0, 0
    for place, line in lines:
        if heading := _SECTION.match(line):
            section = int(heading[1])
        elif found := _LINK.match(line):
            pid = int(found[1]) if found[1] else section
            if pid < 0:
                continue
            kept += 1
            if kept > MAX_FACTS:
                over += 1
            elif found[2] == "exe":
                yield Executable(pid, found[3], place)
            else:
                yield Process(pid, "", place, cwd=found[3])
    if over:
        context.note(Place(context.item, 0, 0), f"{over} more links than are kept")


def _are_hashes(lines: list[str], name: str) -> bool:
    del name
    return all(map(_HASH.match, lines[:60]))


def _read_hashes(lines: _Lines, context: Context) -> Iterator[Fact | ParseFailure]:
    misfits, kept = Misfits(), 0
    for place, line in lines:
        kept += 1
        if (found := _HASH.match(line)) is None:
            if failure := misfits.add(unreadable(place, "no hash of an executable", line.encode())):
                yield failure
        elif kept <= MAX_FACTS:
            yield Process(int(found[2]), "", place, sha256=found[1].lower())
    if failure := misfits.rest():
        yield failure
    if kept > MAX_FACTS:
        context.note(Place(context.item, 0, 0), f"{kept - MAX_FACTS} more hashes than are kept")


FORMATS: tuple[Format, ...] = (
    Format(KIND, lambda lines, name: bool(lines) and of_process(machine_path(name)), _read, max_line=_MAX_LINE),
    Format("process links", _are_links, _read_links),
    Format("executable hashes", _are_hashes, _read_hashes),
)
