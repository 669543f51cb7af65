"""Processes straight out of /proc: not through `ps`, which an intruder may have replaced.

First a quick pass over everything that changes by the second, then, after the sockets, the slow one: hashes of the
executables through /proc/PID/exe, which reaches deleted files, memfds and files of containers alike. A process is
looked for twice: as /proc lists it, and by asking the kernel for every number. What answers and is not listed is
hidden, by a preloaded library, a mount over its folder or a module of the kernel (which can lie to both).

Source: proc(5); Documentation/filesystems/proc.rst. `comm` may contain ")": fields are counted from the last one.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import msgspec

from kubewitness.collect.repetition import repeats
from kubewitness.collect.rooted import Root, link_target, when
from kubewitness.collect.secrets import Redactor, mark, names_a_secret
from kubewitness.model.collection import ProcessRecord

TEMPORARY: Final = ("/tmp/", "/var/tmp/", "/dev/shm/", "/run/user/", "/run/shm/", "/var/run/user/", "/dev/mqueue/")  # noqa: S108
_FILES: Final = 400
_MAPS: Final = 200
_VARIABLES: Final = 400
_ARGUMENTS: Final = 256 * 1024
_HASHED: Final = 1024 * 1024 * 1024  # a larger executable is not hashed
_ASKED: Final = 4 * 1024 * 1024  # numbers
_NAMESPACES: Final = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
_PROCESSES: Final = 100_000
_DELETED: Final = " (deleted)"


@dataclass(frozen=True)
class Executable:
    """A program worth keeping: nobody can fetch it again later."""

    pid: int
    path: str  # as /proc/PID/exe names it
    size: int
    sha256: str
    padding: bool = False  # nothing but repetition: it would make a bomb of the archive


def is_temporary(path: str) -> bool:
    """Where anybody may write, and what lies there is gone after a restart."""
    return path.startswith(TEMPORARY)


def is_odd(exe: str) -> bool:
    """A program that cannot be had again from a package: deleted, only in memory, or in a temporary folder."""
    return exe.endswith(_DELETED) or exe.startswith("/memfd:") or is_temporary(exe)


@dataclass
class Proc:
    """/proc of a machine.

    Args:
        root: Its file system.
        values: Keep the values of environment variables, too.
        stopped: Asked now and then whether time is up.

    Attributes:
        not_asked: Numbers that there was no time to ask for.
    """

    root: Root = field(default_factory=Root)
    values: bool = False
    stopped: Callable[[], bool] = lambda: False
    redacted: int = 0
    not_asked: int = 0
    _hashes: dict[tuple[int, int, int, int], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """What turns ticks into times."""
        found = re.search(r"^btime (\d{1,12})$", self.root.text("/proc/stat", 8 * 1024 * 1024), re.M)
        self.booted = int(found[1]) if found else 0
        self._tick = os.sysconf("SC_CLK_TCK")

    def listed(self) -> set[int]:
        """The numbers /proc lists."""
        with suppress(OSError), os.scandir(self.root.outer("/proc")) as entries:
            return {int(entry.name) for entry in entries if entry.name.isascii() and entry.name.isdigit()}
        return set()

    def hidden(self, listed: set[int], seconds: float = 10.0) -> set[int]:
        """Processes that answer when asked by number and are not listed."""
        if self.root.path != "/":
            return set()
        text = self.root.text("/proc/sys/kernel/pid_max").strip()
        last = min(int(text) if text.isascii() and text.isdigit() else 32768, _ASKED)
        until = time.monotonic() + seconds
        answered: set[int] = set()
        ask = _answers() if os.geteuid() == 0 else _exists
        for pid in range(1, last + 1):
            if pid % 4096 == 0 and (time.monotonic() > until or self.stopped()):
                self.not_asked = last - pid
                break
            if ask(pid) and pid not in listed and not self._is_thread(pid):
                answered.add(pid)
        if not answered:
            return answered
        time.sleep(0.05)  # one that was only just started is listed by now, and one that was ending has ended
        return {pid for pid in answered - self.listed() if _exists(pid) and not self._is_thread(pid)}

    def _is_thread(self, pid: int) -> bool:
        found = re.search(r"^Tgid:\s+(\d{1,10})$", self._text(pid, "status"), re.M)
        return found is not None and int(found[1]) != pid

    def quick(self) -> Iterator[ProcessRecord]:
        """Every process with all but its hash, in the order of numbers; the hidden ones last."""
        listed = self.listed()
        yield from self.visible(listed)
        yield from self.unlisted(listed)

    def visible(self, listed: set[int]) -> Iterator[ProcessRecord]:
        """The processes of a listing."""
        for pid in sorted(listed)[:_PROCESSES]:
            if (record := self._record(pid)) is not None:
                yield record
            elif self.root.path == "/" and _exists(pid):  # its folder is there and empty: something is mounted over it
                yield ProcessRecord(pid, hidden=True)

    def unlisted(self, listed: set[int]) -> Iterator[ProcessRecord]:
        """Those that are in no listing, of then or now: every number is asked for, which takes seconds."""
        for pid in sorted(self.hidden(listed)):
            record = self._record(pid) or ProcessRecord(pid)
            yield msgspec.structs.replace(record, hidden=True)

    def _record(self, pid: int) -> ProcessRecord | None:
        numbers = self._text(pid, "stat")
        head, _, tail = numbers.rpartition(")")
        columns = tail.split()
        if len(columns) < 20:
            return None
        status = dict(line.split(":", 1) for line in self._text(pid, "status").splitlines() if ":" in line)
        maps, anonymous = self._mapped(pid)
        return ProcessRecord(
            pid,
            ppid=_number(columns[1]),
            name=head.partition("(")[2],
            argv=self._argv(pid),
            state=columns[0][:1],
            uid=_number((status.get("Uid", "").split() or ["", ""])[1]),
            started=when(self.booted + _number(columns[19]) / self._tick) if self.booted else "",
            exe=self._link(pid, "exe"),
            cwd=self._link(pid, "cwd"),
            root=self._link(pid, "root"),
            cgroup=self._text(pid, "cgroup", 16 * 1024),
            environ=self._environ(pid),
            namespaces={
                name: found[1] for name in _NAMESPACES
                if (found := re.search(r":\[(\d{1,20})\]$", self._link(pid, f"ns/{name}")))
            },
            files=self._files(pid),
            maps=maps,
            anonymous_executable=anonymous,
            capabilities=status.get("CapEff", "").strip(),
            seccomp=status.get("Seccomp", "").strip(),
            tracer=max(0, _number(status.get("TracerPid", "").strip())),
            inner_pid=max(0, _number((status.get("NSpid", "").split() or [""])[-1])),
        )  # fmt: skip

    def with_hash(self, record: ProcessRecord) -> tuple[ProcessRecord, Executable | None]:
        """The record with its executable's hash, and the executable if it is worth keeping."""
        if not record.exe or not self._same(record):
            return record, None
        with suppress(OSError), Path(self._path(record.pid, "exe")).open("rb", buffering=0) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size > _HASHED:
                return record, None
            key = (about.st_dev, about.st_ino, about.st_mtime_ns, about.st_size)
            if key not in self._hashes:
                self._hashes[key] = hashlib.file_digest(file, "sha256").hexdigest()
            digest = self._hashes[key]
            odd = is_odd(record.exe) or (about.st_nlink == 0)
            kept = self._program(record, about.st_size, digest, file) if odd else None
            return msgspec.structs.replace(record, sha256=digest), kept
        return record, None

    @staticmethod
    def _program(record: ProcessRecord, size: int, digest: str, file: IO[bytes]) -> Executable:
        return Executable(record.pid, record.exe, size, digest, repeats(file, size, size))

    def program(self, pid: int) -> Iterator[bytes]:
        """The bytes of a process's executable."""
        with suppress(OSError), Path(self._path(pid, "exe")).open("rb", buffering=0) as file:
            while data := file.read(1024 * 1024):
                yield data

    def _same(self, record: ProcessRecord) -> bool:
        """The number was not given to another process meanwhile."""
        return self._link(record.pid, "exe") == record.exe

    def _path(self, pid: int, name: str) -> str:
        return self.root.outer(f"/proc/{pid}/{name}")

    def _bytes(self, pid: int, name: str, limit: int) -> bytes:
        try:
            with Path(self._path(pid, name)).open("rb", buffering=0) as file:
                pieces: list[bytes] = []
                while limit > 0 and (piece := file.read(min(limit, 1024 * 1024))):
                    pieces.append(piece)
                    limit -= len(piece)
                return b"".join(pieces)
        except (OSError, ValueError):
            return b""

    def _text(self, pid: int, name: str, limit: int = 64 * 1024) -> str:
        return self._bytes(pid, name, limit).decode("utf-8", "backslashreplace")

    def _link(self, pid: int, name: str) -> str:
        try:
            return os.fsencode(link_target(self._path(pid, name))).decode("utf-8", "backslashreplace")
        except OSError:
            return ""

    def _redact(self, data: bytes, *, configuration: bool = False) -> bytes:
        redactor = Redactor(configuration=configuration)
        data = redactor.whole(data)
        self.redacted += redactor.count
        return data

    def _argv(self, pid: int) -> tuple[str, ...]:
        data = self._bytes(pid, "cmdline", _ARGUMENTS)
        if not data.strip(b"\0"):
            return ()
        # A flag and its value are two words: `--token abc`. Overwriting keeps the length, so words can be told again.
        kept = self._redact(data.replace(b"\0", b" "), configuration=True)
        if kept != data.replace(b"\0", b" "):
            data = bytes(now if was else 0 for now, was in zip(kept, data, strict=True))
        return tuple(word.decode("utf-8", "backslashreplace") for word in data.removesuffix(b"\0").split(b"\0"))

    def _environ(self, pid: int) -> tuple[str, ...]:
        kept: list[str] = []
        for entry in self._bytes(pid, "environ", _ARGUMENTS).split(b"\0")[:_VARIABLES]:
            name, sign, value = entry.partition(b"=")
            if not sign:
                continue
            if self.values:
                secret = names_a_secret(name) or name.upper().endswith((b"KEY", b"PASS"))
                self.redacted += secret
                value = mark(len(value)) if secret else self._redact(value)
                name += b"=" + value
            kept.append(name[:4096].decode("utf-8", "backslashreplace"))
        return tuple(kept)

    def _files(self, pid: int) -> tuple[str, ...]:
        try:
            with os.scandir(self._path(pid, "fd")) as entries:
                numbers = sorted(int(entry.name) for entry in entries if entry.name.isdigit())
        except OSError:
            return ()
        return tuple(f"{number} {target}" for number in numbers[:_FILES] if (target := self._link(pid, f"fd/{number}")))

    def _mapped(self, pid: int) -> tuple[tuple[str, ...], int]:
        """Files mapped executable, and how many bytes are executable without a file."""
        files: dict[str, None] = {}
        anonymous = 0
        for line in self._text(pid, "maps", 4 * 1024 * 1024).splitlines():
            fields = line.split(None, 5)
            if len(fields) < 5 or "x" not in fields[1]:
                continue
            path = fields[5] if len(fields) > 5 else ""
            if path.startswith("/"):
                if len(files) < _MAPS:
                    files[path] = None
            elif not path.startswith("[v"):  # vdso and vsyscall are the kernel's
                begin, _, end = fields[0].partition("-")
                with suppress(ValueError):
                    anonymous += int(end, 16) - int(begin, 16)
        return tuple(files), anonymous


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # asks, sends nothing
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _answers() -> Callable[[int], bool]:
    """As `_exists`, for root, to whom nothing is forbidden: without an exception for each of four million numbers."""
    kill = ctypes.PyDLL(None).kill
    return lambda pid: kill(pid, 0) == 0


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
