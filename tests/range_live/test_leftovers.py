"""However a run ends, nothing of it stays on this machine: no process, mount, namespace, cgroup or work folder."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.range_live.footprint import Footprint
from tests.range_live.played import REPO, command, copied

Start = Callable[..., "Run"]


class Run:
    """A run of `python -m range run` in a session of its own, as a terminal's is."""

    def __init__(self, folder: Path, *words: str | Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            command("run", folder, *words), cwd=REPO, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self.said = list[str]()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def until(self, words: str, seconds: float = 90) -> Footprint:
        """Wait until it says these words; gives everything that is there of it then."""
        end = time.monotonic() + seconds
        while not any(words in line for line in self.said):
            assert self.process.poll() is None, self.said
            assert time.monotonic() < end, self.said
            time.sleep(0.1)
        return Footprint(self.process.pid, self.folder)

    def end(self, seconds: float = 60) -> int:
        """Wait for its end; gives the exit status."""
        status = self.process.wait(seconds)
        self._reader.join(5)
        return status

    def _read(self) -> None:
        assert self.process.stderr
        self.said.extend(iter(self.process.stderr.readline, ""))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts runs, and ends what a failed test left of them."""
    runs = list[Run]()

    def one(name: str, *words: str | Path) -> Run:
        runs.append(Run(copied(name, tmp_path), *words))
        return runs[-1]

    yield one
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()


def test_sigkill_in_the_middle_of_a_run_leaves_nothing(start: Start) -> None:
    run = start("waits")
    there = run.until("phase: waits")
    assert len(there.processes) > 12  # control plane, file server, containerd, kubelet, pods
    assert there.work
    assert len(there.namespaces) >= 10  # of the sandbox and of its node
    assert {line.split()[0] for line in there.left(0)} >= {"cgroup", "process", "caller", "work"}  # it would be seen
    run.process.kill()
    assert run.end() == -signal.SIGKILL
    assert there.left() == []


def test_ctrl_c_in_the_middle_of_a_run_leaves_nothing_and_gives_130(start: Start) -> None:
    run = start("waits")
    there = run.until("phase: waits")
    os.killpg(run.process.pid, signal.SIGINT)  # a terminal sends it to everybody in the foreground
    assert run.end() == 130
    assert there.left() == []
    assert run.said[-1] == "range: interrupted; everything it started is gone\n"


def test_termination_while_the_cluster_comes_up_leaves_nothing(start: Start) -> None:
    run = start("waits")
    there = run.until("control plane ready")
    run.process.terminate()
    assert run.end() == 130
    assert there.left() == []


def test_a_scenario_that_fails_says_which_step_and_why_records_nothing_and_leaves_nothing(
    start: Start, tmp_path: Path
) -> None:
    run = start("fails", "--record", tmp_path / "recorded")
    there = run.until("phase: asks")
    assert run.end() == 1
    (line,) = [line for line in run.said if line.startswith("the scenario did not go as its script says: ")]
    assert "ops, 'asks in vain': ended with 1, not (0,)" in line
    assert 'secrets "nothing" not found' in line
    assert not any("Traceback" in line for line in run.said)
    assert not (tmp_path / "recorded/labels.json").exists()
    assert there.left() == []
