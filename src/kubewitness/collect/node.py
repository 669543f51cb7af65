"""A node, collected: every piece in the order in which it would be lost, each on its own.

What fails costs its piece and is said; what takes too long is cut off. Size and time are bounded, and the manifest is
always written. Nothing outside of the archive is changed: no file, no access time where the kernel lets us, no cache of
a command that is known to keep one.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec

from kubewitness import __version__
from kubewitness.collect import configz, network, plan, referenced
from kubewitness.collect.archive import About, Archive, CollectError, Written, harmless
from kubewitness.collect.commands import MISSING, Running, member
from kubewitness.collect.containers import containers_of, without_values
from kubewitness.collect.files import Files, record_of
from kubewitness.collect.listing import Listing
from kubewitness.collect.plan import Pick, Run
from kubewitness.collect.processes import Executable, Proc, is_odd
from kubewitness.collect.rooted import Root, when
from kubewitness.collect.secrets import Redactor
from kubewitness.model.collection import (
    FORMAT,
    LISTING,
    PROCESSES,
    RECOVERED,
    ROOT,
    Command,
    Header,
    Omitted,
    ProcessRecord,
)
from kubewitness.model.text import Text

_LINKS: Final = "live_response/files/links.jsonl"
_PROGRAM: Final = 64 * 1024 * 1024  # bytes of one executable that are kept
_PROGRAMS: Final = 512 * 1024 * 1024
_CONTAINERS: Final = 500
_SETTINGS: Final = 1024 * 1024  # bytes of one container's
_HOMES: Final = 500
_UNSYNCHRONISED: Final = 5  # TIME_ERROR of adjtimex(2)


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    max_size: int = 2 * 1024**3
    max_time: float = 600.0
    since: float = 7 * 86400.0  # seconds back, of the journal
    values: bool = False  # of environment variables
    root: str = "/"


class Stop:
    """Whether to come to an end: time is up, or somebody asked for it."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._asked = threading.Event()

    def ask(self) -> None:
        """Come to an end soon."""
        self._asked.set()

    @property
    def asked(self) -> bool:
        """Somebody asked."""
        return self._asked.is_set()

    @property
    def left(self) -> float:
        """Seconds."""
        return 0.0 if self.asked else max(0.0, self._until - time.monotonic())

    def __call__(self) -> bool:
        """Stop now."""
        return self.left <= 0


@dataclass(frozen=True)
class Result:
    """What came of it."""

    written: Written
    complete: bool
    interrupted: bool
    out_of_time: bool
    failed: tuple[str, ...]  # pieces
    processes: int
    hidden: tuple[int, ...]
    timed_out: tuple[str, ...]  # commands
    missing: int  # commands that are not installed


Progress = Callable[[Text, int, int, int], None]  # what is done now, its number, of how many, bytes written


def header(options: Options, now: float) -> Header:
    """The machine and its clock."""
    root = Root(options.root)
    live = options.root == "/"
    name = os.uname().nodename if live else root.text("/etc/hostname", 1024).strip()
    uptime = root.text("/proc/uptime", 100).split()
    booted = ""
    with suppress(ValueError):
        booted = when(now - float(uptime[0])) if uptime else ""
    return Header(
        FORMAT, f"kubewitness {__version__}", harmless(name) or "unknown", when(now),
        kernel=" ".join(os.uname()[2:]) if live else "",
        boot_id=root.text("/proc/sys/kernel/random/boot_id", 100).strip(),
        machine_id=root.text("/etc/machine-id", 100).strip(),
        booted=booted, zone=time.strftime("%z", time.localtime(now)),
        clock_synchronised=_synchronised() if live else None,
        uid=os.geteuid(),
        options={
            "max_size": str(options.max_size), "max_time": f"{options.max_time:g}", "since": f"{options.since:g}",
            "environ_values": str(options.values).lower(), "root": options.root,
        },
    )  # fmt: skip


def collect(options: Options, target: Path, about: Header, stop: Stop, progress: Progress = lambda *_: None) -> Result:
    """Collect this machine into `target`.

    Raises:
        CollectError: the archive could not be written; nothing is left of it.
        UsageError: `target` exists.
    """
    archive = Archive(target, _folder(target), about, max_size=options.max_size)
    try:
        return _Node(options, archive, stop, progress).run()
    finally:
        archive.abandon()


def _folder(target: Path) -> str:
    name = target.name
    for ending in (".zst", ".tar"):
        name = name.removesuffix(ending)
    return name or "kubewitness"


@dataclass
class _Node:
    options: Options
    archive: Archive
    stop: Stop
    progress: Progress
    records: list[ProcessRecord] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    timed_out: list[str] = field(default_factory=list)
    missing: int = 0
    hung: set[str] = field(default_factory=set)
    listed: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.root = Root(self.options.root)
        self.live = self.options.root == "/"
        self.proc = Proc(self.root, self.options.values, self.stop)
        self.files = Files(self.root, self.archive, self.stop)

    def run(self) -> Result:
        """Every piece."""
        pieces: tuple[tuple[Text, Callable[[], None]], ...] = (
            (Text("Processes", "进程"), self._processes),
            (Text("Sockets", "套接字"), self._sockets),
            (Text("Hidden processes", "隐藏进程"), self._hidden),  # four million numbers take seconds: sockets first
            (Text("Executables: hashes and deleted ones", "可执行文件：哈希与已删除的文件"), self._executables),
            (Text("Network and packet filters", "网络与防火墙"), lambda: self._commands(plan.NETWORK)),
            (Text("Kernel, mounts, logins", "内核、挂载与登录"), self._system),
            (Text("Container runtime", "容器运行时"), self._runtime),
            (Text("Services", "系统服务"), lambda: self._commands(plan.SERVICES)),
            (Text("Configuration", "配置文件"), self._configuration),
            (Text("Temporary folders", "临时目录"), self._temporary),
            (Text("Journal", "系统日志（journal）"), self._journal),
            (Text("Logs", "日志"), lambda: self._take(*plan.LOGS)),
            (Text("Audit log of the API server", "API server 审计日志"), self._audit),
            (Text("Logs of containers", "容器日志"), lambda: self._take(plan.CONTAINER_LINKS, plan.CONTAINER_LOGS)),
            (Text("Listing", "文件清单"), self._listing),
        )
        for number, (title, piece) in enumerate(pieces):
            self.progress(title, number, len(pieces), self.archive.written)
            if self.stop() and piece != self._listing:
                self.archive.omit(Omitted(title.en, "interrupted" if self.stop.asked else "time was up"))
                continue
            try:
                piece()
            except CollectError:
                raise
            except Exception as error:  # the machine will not be in this state again: the other pieces go on
                self._broken(title.en, error)
        self.progress(Text("Finishing the archive", "完成归档"), len(pieces), len(pieces), self.archive.written)
        complete = self.stop.left > 0 and not self.failed and not self.archive.full
        written = self.archive.finish(when(time.time()), complete=complete)
        hidden = tuple(record.pid for record in self.records if record.hidden)
        return Result(
            written, complete, self.stop.asked, not self.stop.asked and not self.stop.left, tuple(self.failed),
            len(self.records), hidden, tuple(self.timed_out), self.missing,
        )  # fmt: skip

    def _broken(self, piece: str, error: Exception) -> None:
        self.failed.append(piece)
        self.archive.omit(Omitted(piece, f"failed: {type(error).__name__}: {str(error)[:300]}"))

    def _processes(self) -> None:
        self.listed = self.proc.listed()
        self.records.extend(self.proc.visible(self.listed))

    def _hidden(self) -> None:
        found = list(self.proc.unlisted(self.listed))
        self.records.extend(found)
        known = {record.namespaces.get("net") for record in self.records if not record.hidden}
        alone = [record for record in found if record.namespaces.get("net") not in known]
        if alone:
            network.take_tables(self.root, self.archive, alone, self.stop)
        if self.proc.not_asked:
            what = f"{self.proc.not_asked} numbers of processes were not asked for: time was up"
            self.archive.omit(Omitted("hidden processes", what))

    def _sockets(self) -> None:
        network.take_tables(self.root, self.archive, self.records, self.stop)
        self._commands(plan.VOLATILE)

    def _executables(self) -> None:
        programs: dict[str, Executable] = {}
        for number, record in enumerate(self.records):
            if self.stop():
                self.archive.omit(
                    Omitted("/proc/PID/exe", f"time was up after {number} of {len(self.records)} processes")
                )
                break
            self.records[number], program = self.proc.with_hash(record)
            if program:
                programs.setdefault(program.sha256, program)
        encode = msgspec.json.Encoder().encode
        with self.archive.growing(PROCESSES, About("/proc", redacted=self.proc.redacted)) as sink:
            for record in self.records:
                sink.write(encode(record) + b"\n")
        room = _PROGRAMS
        for program in programs.values():
            origin = f"/proc/{program.pid}/exe {program.path}"
            if program.size > min(_PROGRAM, room) or program.padding or self.stop():
                reason = "nothing but repetition" if program.padding else "too large, or time was up"
                self.archive.omit(Omitted(origin, reason, program.size, program.sha256))
                continue
            room -= program.size
            chunks = self.proc.program(program.pid)
            self.archive.stream(f"{RECOVERED}/{program.sha256}", program.size, chunks, About(origin))

    def _system(self) -> None:
        for name in plan.PROC:
            if text := _whole(self.root.outer(f"/proc/{name}")):
                self.archive.add(
                    f"{ROOT}/proc/{name}", Redactor(configuration=False).whole(text), About(f"/proc/{name}")
                )
        self._commands(plan.SYSTEM)

    def _settings_of_containers(self) -> None:
        paths = [path for pattern in plan.CONTAINER_SETTINGS for path in self.root.matching(pattern)]
        for number, path in enumerate(paths):
            if number >= _CONTAINERS or self.stop():
                self.archive.omit(Omitted(path, f"settings of {len(paths) - number} containers are not copied"))
                return
            try:
                with self.root.open(self.root.resolved(path)) as (file, about):
                    data = file.read(_SETTINGS) or b""
                    told = About(path, max(0, about.st_size - len(data)), modified=when(about.st_mtime))
                    self.archive.add(f"{ROOT}{path}", without_values(data), told)
            except OSError as error:
                self.archive.omit(Omitted(path, f"cannot be read: {error.strerror or error}"))

    def _runtime(self) -> None:
        self._settings_of_containers()
        ids: dict[str, list[str]] = {}
        for run in plan.RUNTIME:
            data = self._command(run)
            if run.argv[:2] in {("crictl", "ps"), ("docker", "ps")}:
                ids[run.argv[0]] = containers_of(data)
        for program, found in ids.items():
            for one in found[: plan.INSPECTED]:
                if self.stop():
                    return
                self._command(Run("containers", (program, "inspect", one), 10.0, 4 * 1024 * 1024, runtime=True))
            if len(found) > plan.INSPECTED:
                what = f"{len(found) - plan.INSPECTED} containers were not inspected"
                self.archive.omit(Omitted(f"{program} inspect", what))

    def _configuration(self) -> None:
        if self.live:
            configz.take(self.root, self.archive)
        first, *rest = plan.CONFIGURATION
        self._take(first)
        named = tuple(referenced.patterns(self.root, self.records))
        self._take(Pick(named, follow=("/etc/", "/var/lib/", "/run/", "/opt/")), *rest)
        for home in self._homes():
            self._take(*(_with(pick, tuple(f"{home}/{name}" for name in pick.patterns)) for pick in plan.HOME))

    def _temporary(self) -> None:
        odd = {
            folder
            for record in self.records
            if is_odd(record.exe) and record.root in {"", "/"}  # of a container's root the path means another folder
            for folder in (record.exe.rpartition("/")[0], record.cwd.removesuffix(" (deleted)"))
            if folder.startswith("/")
        }
        listing = Listing(self.root, self.archive, self.files, frozenset(odd), self.stop)
        encode = msgspec.json.Encoder().encode
        with self.archive.growing(LISTING) as sink:
            for record in listing.of((*plan.TEMPORARY, *plan.LOOSE)):
                sink.write(encode(record) + b"\n")
        listing.copy_scripts()

    def _listing(self) -> None:
        """Links and special files that were met, and files whose content is never copied: when they were changed."""
        for path in ("/etc/shadow", "/etc/gshadow", "/etc/ld.so.cache", *_TOOLS):
            with suppress(OSError):
                self.files.seen.append(record_of(self.root, path, os.lstat(self.root.outer(path))))
        encode = msgspec.json.Encoder().encode
        with self.archive.growing(_LINKS) as sink:
            for record in self.files.seen:
                sink.write(encode(record) + b"\n")

    def _journal(self) -> None:
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(time.time() - self.options.since))
        self._commands(plan.journal(since))

    def _audit(self) -> None:
        patterns = (*referenced.audit_logs(self.records), *plan.AUDIT.patterns)
        self._take(_with(plan.AUDIT, patterns))

    def _homes(self) -> list[str]:
        homes = dict.fromkeys(("/root",))
        for line in self.root.text("/etc/passwd").splitlines():
            fields = line.split(":")
            if len(fields) > 5 and fields[5].startswith("/") and not any(char in fields[5] for char in "*?["):
                homes[fields[5].rstrip("/")] = None
        homes |= dict.fromkeys(self.root.matching("/home/*"))
        system = ("", "/", "/bin", "/usr/bin", "/sbin", "/usr/sbin", "/dev", "/proc", "/nonexistent", "/var/empty")
        return [home for home in homes if home not in system][:_HOMES]

    def _take(self, *picks: Pick) -> None:
        for pick in picks:
            try:
                self.files.take(pick)
            except CollectError:
                raise
            except Exception as error:  # as above: one kind of files, not all of them
                self._broken(f"files like {pick.patterns[0] if pick.patterns else '-'}", error)

    def _commands(self, runs: tuple[Run, ...]) -> None:
        absent: set[str] = set()
        for run in runs:
            if run.fallback_for and run.fallback_for not in absent:
                continue
            if self.stop():
                self.archive.omit(Omitted(" ".join(run.argv), "interrupted" if self.stop.asked else "time was up"))
                continue
            before = self.missing
            self._command(run)
            if self.missing > before:
                absent.add(run.argv[0])

    def _command(self, run: Run) -> bytes:
        """Run it; what it printed, if it is about containers."""
        if not self.live:
            return b""  # it would tell of another machine
        if run.argv[0] in self.hung:
            self.archive.omit(Omitted(" ".join(run.argv), f"{run.argv[0]} hung before"))
            return b""
        running = Running(run.argv, min(run.timeout, self.stop.left), run.limit, lambda: self.stop.asked)
        path, kept, raw = member(run.part, run.argv), b"", b""
        if run.runtime:
            raw = b"".join(running)
            kept = without_values(raw) if raw else b""
            stored = bool(kept) and self.archive.add(path, kept, About(" ".join(run.argv)))
        else:
            pieces = iter(running)
            first = next(pieces, b"")
            stored = bool(first)
            if first:
                with self.archive.growing(path, About(" ".join(run.argv))) as sink:
                    sink.write(first)
                    for piece in pieces:
                        sink.write(piece)
        self.missing += running.exit_code == MISSING
        if running.timed_out:
            self.timed_out.append(" ".join(run.argv))
            self.hung.add(run.argv[0])
        error = running.error + (f" [cut after {run.limit} bytes]" if running.cut else "")
        self.archive.command(
            Command(run.argv, running.exit_code, running.seconds, path if stored else "", error, running.timed_out)
        )
        return raw


# What an intruder replaces to stay unseen: their times tell
_TOOLS: Final = tuple(
    f"{folder}/{name}"
    for folder in ("/usr/bin", "/usr/sbin", "/bin", "/sbin")
    for name in ("ps", "ss", "ls", "netstat", "top", "lsof", "find", "sshd", "login", "curl", "wget", "kubelet",
    "containerd", "runc")
)  # fmt: skip


def _with(pick: Pick, patterns: tuple[str, ...]) -> Pick:
    return replace(pick, patterns=patterns)


def _whole(path: str, limit: int = 16 * 1024 * 1024) -> bytes:
    """A file of /proc, whose size is not told."""
    pieces: list[bytes] = []
    with suppress(OSError), Path(path).open("rb", buffering=0) as file:
        while limit > 0 and (piece := file.read(64 * 1024)):
            pieces.append(piece)
            limit -= len(piece)
    return b"".join(pieces)


def _synchronised() -> bool | None:
    """Whether the kernel's clock is kept in step; asked of adjtimex(2) with nothing to adjust."""
    try:
        state: int = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _UNSYNCHRONISED
