"""Run a command and measure what it took: CPU of the whole process tree, wall time, peak memory of the tree."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024
_PAGE = os.sysconf("SC_PAGE_SIZE")
_EVERY = 0.02  # seconds between looks at the memory


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    cpu: float  # seconds, user and system, of the process and all children it waited for
    wall: float
    peak: float  # MiB, resident, summed over the tree; pages shared by workers count in each
    code: int


def run(command: list[str]) -> Cost:
    """Run `command` with its output thrown away."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    over = threading.Event()
    peak = [0]
    watcher = threading.Thread(target=_watch, args=(process.pid, over, peak))
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begun
    over.set()
    watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    # A child inherits the peak of the process that forked it, so the kernel's figure says something only above our own.
    exact = usage.ru_maxrss * 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    largest = max(peak[0], exact if exact > own else 0)
    return Cost(usage.ru_utime + usage.ru_stime, wall, largest / MIB, process.returncode)


def _watch(pid: int, over: threading.Event, peak: list[int]) -> None:
    while not over.wait(_EVERY):
        peak[0] = max(peak[0], _tree(pid))


def _tree(pid: int) -> int:
    """Resident bytes of `pid` and everything below it; what vanished meanwhile counts nothing."""
    total = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        total = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += sum(_tree(int(child)) for child in (task / "children").read_text().split())
    return total


def machine() -> str:
    """Processor, memory and system in one line; no names of hosts or people."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in _read("/proc/cpuinfo").splitlines()
            if line.startswith("model name")
        ),
        "unknown processor",
    )
    kib = next((int(line.split()[1]) for line in _read("/proc/meminfo").splitlines() if line.startswith("MemTotal")), 0)
    system = next(
        (
            line.split("=", 1)[1].strip('"')
            for line in _read("/etc/os-release").splitlines()
            if line[:12] == "PRETTY_NAME="
        ),
        os.uname().sysname,
    )
    return f"{os.cpu_count()} cores of {cpu}, {kib / MIB:.0f} GiB, {system}, Linux {os.uname().release.split('-')[0]}"


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
