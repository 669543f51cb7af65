"""The range's own small machine inside this one: PID, mount, network, UTS and IPC namespaces and a cgroup of its own.

Everything the range starts lives below one process, the init of a new PID namespace. When that process ends the
kernel ends all others with it and the mounts and network namespaces go away with their last user; so nothing has to
be undone in order, and a crash leaves what a clean end leaves. Two things outlive a namespace, cgroup folders and
the work folder: a reaper that waits on a pipe for the caller's end, however it came about (SIGKILL too), removes
those.

The new network namespace has no link to outside. What runs in it can reach the range's hosts and nothing else.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

# <linux/sched.h>, <sys/mount.h>, <sys/prctl.h>: Python 3.11 has no os.unshare.
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = (
    0x20000,
    0x4000000,
    0x8000000,
    0x20000000,
    0x40000000,
)
MS_REC, MS_PRIVATE, MS_NOSUID = 0x4000, 0x40000, 0x2
PR_SET_PDEATHSIG = 1
CGROUPS = Path("/sys/fs/cgroup")
WORK = Path("/var/tmp")
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids")

_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_libc = ctypes.CDLL(None, use_errno=True)


class RangeError(Exception):
    """The range cannot do what was asked; the message says why and what to do."""


def missing() -> str:
    """Why this machine cannot host the range; empty if it can."""
    if sys.platform != "linux":
        return "the range needs Linux: it is made of namespaces and cgroups"
    if os.geteuid() != 0:
        return "the range needs root, for namespaces, mounts and cgroups; run it with sudo or on a disposable machine"
    gone = [name for name in CONTROLLERS if not (CGROUPS / name / "cgroup.procs").exists()]
    if gone:
        return (
            f"the range needs cgroup v1 controllers under {CGROUPS}, and {', '.join(gone)} is not there "
            "(a machine with cgroup v2 alone has not been tried)"
        )
    absent = [tool for tool in ("ip", "nsenter", "unshare", "curl", "openssl", "ps", "ss") if not shutil.which(tool)]
    if absent:
        return (
            f"the range needs {', '.join(absent)}; on Debian: apt-get install iproute2 util-linux curl openssl procps"
        )
    return ""


def run_inside(work: Path, body: Callable[[], int]) -> int:
    """Run `body` in a sandbox and return its exit status; `work` is removed when it ends, by whatever way.

    Raises:
        RangeError: this machine cannot host a range.
    """
    reason = missing()
    if reason:
        raise RangeError(reason)
    sweep()
    name = f"kubewitness-range-{os.getpid()}"
    folders = [CGROUPS / controller / name for controller in CONTROLLERS]
    alive, end = os.pipe()
    _start_reaper(alive, end, folders, work)
    os.close(alive)
    try:
        for folder in folders:
            folder.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            (CGROUPS / "cpuset" / name / setting).write_text((CGROUPS / "cpuset" / setting).read_text())
        return _wait_for(_fork_inside(folders, end, body))
    finally:
        _remove_cgroups(folders)


def cgroup() -> str:
    """The name of this sandbox's cgroup below every controller."""
    return os.environ["KUBEWITNESS_RANGE_CGROUP"]


def _fork_inside(folders: list[Path], end: int, body: Callable[[], int]) -> int:
    """Fork the sandbox's init and return its process id."""
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    _check(_libc.unshare(CLONE_NEWPID), "unshare")  # takes effect for the next child
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        os.close(end)
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()  # Ctrl-C goes to the caller, who passes it on once
        for folder in folders:
            (folder / "cgroup.procs").write_text("0")
        os.environ["KUBEWITNESS_RANGE_CGROUP"] = folders[0].name
        if not Path(f"/proc/{parent}").exists():  # it ended before prctl
            os._exit(status)
        _check(_libc.unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC), "unshare")
        _mount(None, "/", None, MS_REC | MS_PRIVATE)
        _mount("proc", "/proc", "proc", MS_NOSUID)
        _mount("tmpfs", "/run", "tmpfs", MS_NOSUID)
        status = _as_init(body)
    except BaseException as error:
        print(f"range: the sandbox could not be set up: {error}", file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _as_init(body: Callable[[], int]) -> int:
    """Run `body` in a child and reap whatever else ends, until the child does."""
    worker = os.fork()
    if not worker:
        status = 1
        try:
            for number in _INTERRUPTIONS:
                signal.signal(number, signal.default_int_handler)
            status = body()
        except KeyboardInterrupt:
            print("range: interrupted; everything it started is gone", file=sys.stderr)
            status = 130
        except RangeError as error:
            print(f"range: {error}", file=sys.stderr)
            status = 2
        except Exception:  # os._exit below would swallow it
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    for number in _INTERRUPTIONS:  # the kernel drops what the init of a namespace has no handler for
        signal.signal(number, lambda number, _frame: os.kill(worker, number))
    while True:
        try:
            ended, status = os.wait()
        except InterruptedError:
            continue
        if ended == worker:
            return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1


def _wait_for(child: int) -> int:
    """Wait for the sandbox to end, passing on Ctrl-C and termination."""
    asked = 0

    def ask(number: int, _frame: object) -> None:
        nonlocal asked
        asked += 1
        os.kill(child, signal.SIGKILL if asked > 1 else number)  # a second Ctrl-C does not wait for manners

    before = {number: signal.signal(number, ask) for number in _INTERRUPTIONS}
    try:
        _, status = os.waitpid(child, 0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


# Waits for the end of its input, which is the caller's end, then removes the cgroups and the work folder ($1).
_TIDY = """\
cat >/dev/null
work=$1; shift
tries=0
while [ $tries -lt 200 ]; do
  left=
  for folder in "$@"; do
    [ -d "$folder" ] || continue
    left=yes
    find "$folder" -depth -type d | while read -r inner; do
      while read -r pid; do kill -9 "$pid"; done <"$inner/cgroup.procs"
      rmdir "$inner"
    done
  done 2>/dev/null
  [ "$left" ] || break
  tries=$((tries + 1))
  sleep 0.05
done
rm -rf "$work"
"""


def _start_reaper(alive: int, end: int, folders: list[Path], work: Path) -> None:
    """A process of its own session that tidies up once nobody holds the pipe's other `end` any more.

    It is a shell with a name of its own: what ends every process called like the caller (pkill -f) must not end it.
    """
    first = os.fork()
    if first:
        os.waitpid(first, 0)
        return
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        os.close(end)
        os.chdir("/")
        nothing = os.open(os.devnull, os.O_RDWR)
        for source, number in ((alive, 0), (nothing, 1), (nothing, 2)):
            os.dup2(source, number)
        for number in _INTERRUPTIONS:
            signal.signal(number, signal.SIG_IGN)
        os.execv("/bin/sh", ["tidy-up", "-c", _TIDY, "tidy-up", str(work), *map(str, folders)])
    finally:
        os._exit(0)


def sweep() -> None:
    """Remove what runs left whose reaper was ended as well: what is named after a process that is gone."""
    for folder in CGROUPS.glob("*/kubewitness-range-*"):
        if not Path(f"/proc/{folder.name.rpartition('-')[2]}").exists():
            _remove_cgroups([folder])
    for folder in WORK.glob("kubewitness-range-*-*"):
        owner = folder.name.split("-")[2]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _remove_cgroups(folders: list[Path]) -> None:
    """End whatever is left in the cgroups and remove them, deepest first; gives up after ten seconds."""
    until = time.monotonic() + 10
    while any(folder.exists() for folder in folders) and time.monotonic() < until:
        for folder in folders:
            for inner, _, _ in os.walk(folder, topdown=False):
                try:
                    for pid in Path(inner, "cgroup.procs").read_text().split():
                        os.kill(int(pid), signal.SIGKILL)
                    Path(inner).rmdir()
                except OSError:
                    continue  # still busy, or gone meanwhile: the next round sees
        time.sleep(0.05)


def _mount(source: str | None, target: str, kind: str | None, flags: int) -> None:
    _check(
        _libc.mount(source and source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), None),
        f"mount {target}",
    )


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise RangeError(f"{what}: {os.strerror(number)}")
