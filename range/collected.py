"""Node archives as an investigator would bring them: both collectors, run on a node that is up.

The collectors are this checkout's. Nothing is installed on the node for the Python one: interpreter and packages lie
in folders that only this side of the node's mount namespace has, and are reached through file descriptors it inherits
(/proc/self/fd/N follows a descriptor into whatever mount it was opened in). The shell script comes through the standard
input. So what a collector finds on the node is the node's own; both write into /mnt, which is emptied again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from kubewitness.collect.script import text
from range.node import Node
from range.sandbox import RangeError

_TARGET = "mnt"
_SECONDS = 300


class Archive(msgspec.Struct, frozen=True):
    """One archive of a node and what it cost."""

    file: str
    seconds: float
    processor: float  # seconds of processor time, of all its commands
    size: int  # bytes
    status: int  # the collector's exit status: 3 means that something is missing, which the manifest names


def collect(node: Node, target: Path) -> tuple[Archive, Archive]:
    """Write `target`/NODE.tar.zst (the Python collector) and NODE-script.tar.gz (the shell script).

    Raises:
        RangeError: a collector wrote no archive; what it said is in the message.
    """
    target.mkdir(parents=True, exist_ok=True)
    script = [*node.enter(), "sh", "-s", "--", "-o", f"/{_TARGET}"]
    command, descriptors = _python(node)
    return (
        _run(node, target / f"{node.name}.tar.zst", command, "", descriptors),
        _run(node, target / f"{node.name}-script.tar.gz", script, text()),
    )


def _python(node: Node) -> tuple[list[str], tuple[int, ...]]:
    """The command that runs the Python collector on the node, and the descriptors it needs."""
    folders = [Path(sys.base_prefix), *(Path(entry) for entry in sys.path if _is_ours(Path(entry)))]
    opened = tuple(os.open(folder, os.O_PATH | os.O_DIRECTORY) for folder in folders)
    home, *packages = (f"/proc/self/fd/{number}" for number in opened)
    program = f"{home}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    environment = [
        f"LD_LIBRARY_PATH={home}/lib",
        f"PYTHONHOME={home}",
        f"PYTHONPATH={':'.join(packages)}",
        "PYTHONDONTWRITEBYTECODE=1",
    ]
    command = [*node.enter(), *environment, program, "-m", "kubewitness", "collect", "--output", f"/{_TARGET}"]
    return command, opened


def _is_ours(folder: Path) -> bool:
    return (folder / "kubewitness").is_dir() or (folder / "msgspec").is_dir()


def _run(node: Node, archive: Path, command: list[str], read: str, inherited: tuple[int, ...] = ()) -> Archive:
    folder = node.root / _TARGET
    folder.mkdir(exist_ok=True)
    begun, before = time.monotonic(), os.times()
    try:
        done = subprocess.run(
            command, input=read, capture_output=True, text=True, errors="replace", check=False, timeout=_SECONDS,
            pass_fds=inherited,
        )  # fmt: skip
        seconds, after = time.monotonic() - begun, os.times()
        written = list(folder.iterdir())
        if len(written) != 1 or done.returncode not in {0, 3}:
            names = ", ".join(path.name for path in written) or "nothing"
            raise RangeError(f"{node.name}: the collector ended with {done.returncode}, wrote {names}: {done.stderr}")
        shutil.move(written[0], archive)
    except subprocess.TimeoutExpired as error:
        raise RangeError(f"{node.name}: the collector did not end in {_SECONDS} s") from error
    finally:
        for number in inherited:
            os.close(number)
        shutil.rmtree(folder)
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Archive(archive.name, seconds, used, archive.stat().st_size, done.returncode)
