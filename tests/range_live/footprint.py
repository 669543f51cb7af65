"""Everything of one run that this machine can see, found by the run's own process, and what of it is left later.

Other runs on the same machine are none of its business: it knows processes by number and start time, cgroups and the
work folder by name, and the caller by the scenario folder on its command line, which no other run has.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from range.sandbox import CGROUPS, CONTROLLERS

NAMESPACES = ("pid", "mnt", "net", "ipc", "uts")


class Footprint:
    """Of the run that process `caller` is, started for the scenario in `folder`."""

    def __init__(self, caller: int, folder: Path) -> None:
        self._folder = folder
        self.cgroups = [CGROUPS / name / f"kubewitness-range-{caller}" for name in CONTROLLERS]
        self.processes = {pid: _started(pid) for pid in sorted(self._inside())}
        self.work = {word for pid in self.processes for word in _work_folders(pid)}
        own = {_namespace(os.getpid(), kind) for kind in NAMESPACES}
        self.namespaces = {_namespace(pid, kind) for pid in self.processes for kind in NAMESPACES} - own - {""}
        self._taken = time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")

    def left(self, seconds: float = 20) -> list[str]:
        """What is still there after waiting at most that long for it to go."""
        until = time.monotonic() + seconds
        while left := list(self._left()):
            if time.monotonic() > until:
                return left
            time.sleep(0.2)
        return []

    def _left(self) -> Iterator[str]:
        yield from (f"cgroup {folder}" for folder in self.cgroups if folder.exists())
        yield from (f"work folder {folder}" for folder in self.work if Path(folder).exists())
        for pid in _all():
            if pid in self.processes and _started(pid) == self.processes[pid]:
                yield f"process {pid}: {_command(pid)}"
            elif str(self._folder) in _command(pid):
                yield f"caller or reaper {pid}: {_command(pid)}"
            elif _started(pid) < self._taken:  # numbers of namespaces are given again
                kinds = [kind for kind in NAMESPACES if _namespace(pid, kind) in self.namespaces]
                yield from (f"{kind} namespace of {pid}: {_command(pid)}" for kind in kinds)
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        names = {*self.work, *(folder.name for folder in self.cgroups)}
        yield from (f"mount {line}" for line in mounts if any(name in line for name in names))
        if Path("/sys/class/net/range0").exists():
            yield "bridge range0 in this machine's own network"
        if "actor0" in subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout:
            yield "network namespace actor0 in this machine's own /run/netns"

    def _inside(self) -> Iterator[int]:
        for top in self.cgroups:
            for folder, _, _ in os.walk(top):
                with contextlib.suppress(OSError):  # gone meanwhile
                    yield from map(int, Path(folder, "cgroup.procs").read_text().split())


def _all() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and int(path.name) != os.getpid()]


def _started(pid: int) -> int:
    """Start time in clock ticks since boot (proc(5), stat field 22); 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _namespace(pid: int, kind: str) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/{kind}").readlink())
    except OSError:
        return ""


def _work_folders(pid: int) -> Iterator[str]:
    for word in _command(pid).split():
        if word.startswith("/var/tmp/kubewitness-range-"):
            yield "/".join(word.split("/")[:4])
