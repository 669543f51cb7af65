"""Open files as `lsof` lists them: of all that it shows, sockets with their owners and the executables that run.

Formats (lsof 4.8 to 4.99): the table (`COMMAND PID [TID TASKCMD] [PPID] [PGID] USER FD TYPE DEVICE SIZE/OFF NODE NAME`;
TID, DEVICE and SIZE/OFF may be empty, so that columns are told by what FD and TYPE can be) and `-F`, one field a line
named by its first letter. DEVICE of a socket is its inode; FD `txt` on Linux is the executable, its NAME ends with
" (deleted)" if it is gone. A row a thread repeats its process and is passed over. COMMAND is cut at nine characters
unless asked for more (`+c 0`); blanks and control bytes in it are escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import Socket
from kubewitness.sources.host import sockets
from kubewitness.sources.host.cgroups import Executable
from kubewitness.sources.host.context import Context, Misfits
from kubewitness.sources.host.interface import Fact, Format

MAX_OWNERS: Final = 1_000
_HEADER = re.compile(
    r"COMMAND\s+PID\s+(?:(?:TID|TASKCMD|PGID|PPID)\s+){0,4}USER\s+FD\s+TYPE\s+DEVICE\s.{0,80}\bNAME\s*$"
)
_ROW = re.compile(
    r"(?P<command>\S{1,200})\s+(?P<pid>\d{1,9})\s+(?P<between>(?:\S{1,200}\s+){0,5}?)(?P<user>\S{1,200})\s+"
    r"(?P<fd>cwd|rtd|txt|mem|mmap|DEL|NOFD|err|jld|ltx|pd|tr|m86|Lnn|\d{1,7}[rwu-]?[a-zA-Z]?|\d{1,7}[a-zA-Z]{1,2})\s+"
    r"(?P<rest>.*)$"
)
_INTERNET = re.compile(
    r"IPv[46]\s+(?P<inode>\d{1,10})\s+(?:0[tx][0-9a-f]{1,20}\s+)?(?P<protocol>TCP|UDP)\s+(?P<name>\S{1,300})"
    r"(?: \((?P<state>\w{1,16})\))?"
)
_EXECUTABLE = re.compile(r"REG\s+(?:\S{1,40}\s+){2,3}(/.*)$")
_NODE = re.compile(r" \(path (?:inode|dev)=[^)]{0,80}\)$")
_NO_ROW: Final = ("lsof:", "Output information may be incomplete", "      Output information", "COMMAND ")
_ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})")
_FIELD = re.compile(r"[pgRcuLfaltDsidnPTGkSKMmoN0Crz].{0,5000}$")


def _is_table(lines: list[str], name: str) -> bool:
    del name
    return any(map(_HEADER.match, lines[:8]))


def _is_fields(lines: list[str], name: str) -> bool:
    del name
    first = [line.strip("\0") for line in lines[:40]]
    return (
        re.fullmatch(r"p\d{1,9}(?:\0.*)?", first[0]) is not None
        and len(first) > 3
        and all(map(_FIELD.match, first))
        and any(re.match(r"f(?:cwd|txt|rtd|mem|\d{1,7})(?:\0|$)", line) for line in first)
        and any(line.startswith(("c", "g", "R")) or "\0c" in line for line in first[1:6])
    )


class _Found:
    """Sockets put together from the rows of all their holders."""

    def __init__(self) -> None:
        self._sockets: dict[tuple[object, ...], tuple[Socket, list[tuple[str, int]]]] = {}
        self._programs: set[int] = set()
        self.over = 0

    def add(self, socket: Socket, owner: tuple[str, int]) -> None:
        """A descriptor of a socket."""
        key = (socket.inode,) if socket.inode else (socket.protocol, socket.local_port, socket.place.line)
        if key not in self._sockets and len(self._sockets) >= sockets.MAX_SOCKETS:
            self.over += 1
            return
        _, owners = self._sockets.setdefault(key, (socket, []))
        if owner not in owners[-8:] and len(owners) < MAX_OWNERS:
            owners.append(owner)

    def is_new(self, pid: int) -> bool:
        """Whether this is the first executable of the process."""
        if pid in self._programs or len(self._programs) >= sockets.MAX_SOCKETS:
            return False
        self._programs.add(pid)
        return True

    def sockets(self) -> Iterator[Socket]:
        """Each once, with all that hold it."""
        for one, owners in self._sockets.values():
            yield Socket(
                one.protocol, one.state, one.local_address, one.local_port, one.peer_address, one.peer_port, one.place,
                tuple(dict.fromkeys(owners)), one.inode,
            )  # fmt: skip


def read_table(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Fact | ParseFailure]:
    """Executables as they come, then the sockets."""
    found, misfits, fixed = _Found(), Misfits(), 0
    for place, line in lines:
        if _HEADER.match(line):
            fixed = len(set(line.split()) & {"PPID", "PGID"})
            continue
        row = _ROW.match(line)
        if row is None:
            if not line.startswith(_NO_ROW) and (
                failure := misfits.add(unreadable(place, "no line of lsof", line.encode()))
            ):
                yield failure
            continue
        if len(row["between"].split()) > fixed:
            continue  # a thread
        pid, rest = int(row["pid"]), row["rest"]
        if row["fd"] == "txt" and (program := _EXECUTABLE.match(rest)) and found.is_new(pid):
            yield Executable(pid, _NODE.sub("", program[1]), place)
        elif internet := _INTERNET.match(rest):
            protocol, name, state = internet["protocol"], internet["name"], internet["state"] or ""
            if socket := _socket(protocol, name, state, int(internet["inode"]), place):
                found.add(socket, (_plain(row["command"]), pid))
            elif failure := misfits.add(unreadable(place, _UNNAMED, line.encode())):
                yield failure
    yield from _last(found, misfits, context)


def read_fields(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Fact | ParseFailure]:
    """Executables as they come, then the sockets; a set of fields ends where the next one begins."""
    found, misfits = _Found(), Misfits()
    owner = ("", -1)
    fields: dict[str, str] = {}
    start = Place(context.item, 0, 0)
    for place, text in (*_split(lines), (start, "p")):
        kind, value = text[:1], text[1:]
        if kind in "pf":
            fact = _of_fields(fields, owner, start, found)
            if isinstance(fact, ParseFailure):
                if failure := misfits.add(fact):
                    yield failure
            elif fact is not None:
                yield fact
            fields, start = {}, place
        if kind == "p" and value:
            if not value.isdecimal() or len(value) > 9:
                owner = ("", -1)
                if failure := misfits.add(unreadable(place, "no line of lsof -F", text.encode())):
                    yield failure
            else:
                owner = ("", int(value))
        elif kind == "c":
            owner = (_plain(value[:200]), owner[1])
        elif kind == "T":
            if value.startswith("ST="):
                fields["T"] = value[3:20]
        elif _FIELD.match(text):
            fields[kind] = value
        elif kind != "p" and (failure := misfits.add(unreadable(place, "no line of lsof -F", text.encode()))):
            yield failure
    yield from _last(found, misfits, context)


def _split(lines: Iterator[tuple[Place, str]]) -> Iterator[tuple[Place, str]]:
    """With -F0 the fields of a set stand on one line, each ended by a NUL."""
    for place, line in lines:
        for piece in line.split("\0"):
            if piece:
                yield place, piece


def _of_fields(
    fields: dict[str, str], owner: tuple[str, int], place: Place, found: _Found
) -> Executable | ParseFailure | None:
    if owner[1] < 0:
        return None
    name = fields.get("n", "")
    if fields.get("f") == "txt" and fields.get("t") == "REG" and name.startswith("/") and found.is_new(owner[1]):
        return Executable(owner[1], _NODE.sub("", name), place)
    if fields.get("t") in {"IPv4", "IPv6"} and (protocol := fields.get("P", "")) in {"TCP", "UDP"}:
        device = fields.get("d", "")
        inode = int(device) if device.isascii() and device.isdecimal() and len(device) < 11 else 0
        socket = _socket(protocol, name, fields.get("T", ""), inode, place)
        if socket is None:
            return unreadable(place, _UNNAMED, name.encode())
        found.add(socket, owner)
    return None


_UNNAMED: Final = "a socket with names instead of numbers: list it with lsof -nP"


def _socket(protocol: str, name: str, state: str, inode: int, place: Place) -> Socket | None:
    here, arrow, there = name.partition("->")
    local, peer = sockets.address(here), sockets.address(there) if arrow else ("*", 0)
    if local is None or peer is None:
        return None
    told = sockets.STATE_NAMES.get(state, "")
    if not told:
        told = ("ESTAB" if arrow else "UNCONN") if protocol == "UDP" else "CLOSED"
    return Socket(protocol.lower(), told, *local, *peer, place, inode=inode)


def _plain(command: str) -> str:
    """The command with its escapes undone where they are printable."""
    return _ESCAPE.sub(lambda one: chr(int(one[1], 16)) if 32 <= int(one[1], 16) < 127 else one[0], command)


def _last(found: _Found, misfits: Misfits, context: Context) -> Iterator[Fact | ParseFailure]:
    yield from found.sockets()
    if failure := misfits.rest():
        yield failure
    if found.over:
        context.note(Place(context.item, 0, 0), f"{found.over} more sockets than are kept")


FORMATS: tuple[Format, ...] = (
    Format("lsof", _is_table, read_table),
    Format("lsof fields", _is_fields, read_fields),
)
