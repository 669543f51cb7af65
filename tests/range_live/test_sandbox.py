"""The sandbox alone, without a cluster: nothing gets out of it, and nothing is left of it however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.range_live.footprint import Footprint
from tests.range_live.played import REPO

Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def sandboxed(tmp_path: Path) -> Iterator[Start]:
    """Starts a body of tests.range_live.sandboxed, whose work folder is tmp_path/work; ends what a failed test left."""
    started = list[subprocess.Popen[str]]()

    def start(body: str) -> subprocess.Popen[str]:
        work = tmp_path / "work"
        work.mkdir()
        (work / "something").write_text("to be removed")
        words = [sys.executable, "-m", "tests.range_live.sandboxed", body, str(work)]
        started.append(subprocess.Popen(words, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        with process:
            process.kill()


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("litter", 7, ""),
        ("refuse", 2, "range: the made-up reason\n"),
        ("break_down", 1, "ValueError: the made-up mistake\n"),
    ],
)
def test_a_body_that_ends_leaves_nothing_and_its_status_and_words_come_out(
    sandboxed: Start, body: str, status: int, said: str, tmp_path: Path
) -> None:
    process = sandboxed(body)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == status
    assert errors.endswith(said)
    assert Footprint(process.pid, tmp_path).left() == []
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGHUP, 130)],
)
def test_a_signal_ends_everything_inside(sandboxed: Start, number: signal.Signals, status: int, tmp_path: Path) -> None:
    process = sandboxed("stay")
    assert process.stdout
    assert process.stdout.readline() == "littered\n"
    there = Footprint(process.pid, tmp_path)
    assert len(there.processes) >= 3
    assert {line.split()[0] for line in there.left(0)} >= {"cgroup", "process", "caller"}  # it would be seen
    process.send_signal(number)
    assert process.wait(20) == status
    assert there.left() == []
    assert not (tmp_path / "work").exists()


def test_if_the_init_inside_is_killed_the_caller_says_so_by_its_status_and_nothing_is_left(
    sandboxed: Start, tmp_path: Path
) -> None:
    process = sandboxed("stay")
    assert process.stdout
    process.stdout.readline()
    there = Footprint(process.pid, tmp_path)
    signal.pidfd_send_signal(os.pidfd_open(_init(process.pid)), signal.SIGKILL)
    assert process.wait(20) == 128 + signal.SIGKILL
    assert there.left() == []


def test_nothing_but_the_ranges_own_hosts_can_be_seen_or_reached(sandboxed: Start) -> None:
    process = sandboxed("look")
    said, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    seen = json.loads(said)
    assert set(seen["sandbox links"]) <= {"lo", "range0", "veth0", "veth1"}
    assert seen["sandbox routes"] == ""
    assert set(seen["host links"]) == {"lo", "eth0"}
    assert " via " not in seen["host routes"]  # on link only: no gateway
    assert seen["a neighbour"] == "hello"
    assert seen["nobody"] in {"TimeoutError", "OSError"}
    assert seen["nobody, from the sandbox"] == "Network is unreachable"
    assert seen["processes"] < 10


def _init(caller: int) -> int:
    """The sandbox's first process: the only child the caller has (the reaper is nobody's)."""
    (child,) = Path(f"/proc/{caller}/task/{caller}/children").read_text().split()
    return int(child)
