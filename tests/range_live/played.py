"""Plays a scenario of these tests with the real command and reads what it recorded."""

from __future__ import annotations

import functools
import gzip
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from range.labels import Labels, read_labels

REPO = Path(__file__).parents[2]
SCENARIOS = Path(__file__).parent / "scenarios"


def command(*words: str | Path) -> list[str]:
    """`python -m range` with these words."""
    return [sys.executable, "-m", "range", *map(str, words)]


def copied(name: str, target: Path) -> Path:
    """A copy of scenario `name` in `target`, whose path tells a run's processes from everybody else's."""
    shutil.copytree(SCENARIOS / name, target / name)
    return target / name


@dataclass(frozen=True)
class Played:
    """A scenario that was played and recorded into `folder`."""

    folder: Path
    status: int
    said: str
    archives: Path

    @functools.cached_property
    def labels(self) -> Labels:
        return read_labels(self.folder / "labels.json")

    @functools.cached_property
    def events(self) -> list[dict[str, Any]]:
        """The audit log, rotated files first."""
        folder = self.folder / "evidence/control-plane"
        names = [*sorted(folder.glob("audit-*")), folder / "audit.log.gz"]
        return [msgspec.json.decode(line) for path in names for line in gzip.decompress(path.read_bytes()).splitlines()]

    def text(self, path: str) -> str:
        """What is in a file of the evidence."""
        content = (self.folder / "evidence" / path).read_bytes()
        return (gzip.decompress(content) if path.endswith(".gz") else content).decode()

    def of(self, actor: str) -> list[tuple[dict[str, Any], str]]:
        """Events and step names of the requests labelled as this actor's, in the order of the log."""
        mine = {request.audit_id: request.step for request in self.labels.requests if request.actor == actor}
        return [(event, mine[event["auditID"]]) for event in self.events if event["auditID"] in mine]

    def whose(self, uri: str) -> set[tuple[str, str]]:
        """Actor and step of all requests whose URI fits the pattern."""
        label = {request.audit_id: (request.actor, request.step) for request in self.labels.requests}
        return {label[event["auditID"]] for event in self.events if re.fullmatch(uri, event["requestURI"])}


def play(name: str, target: Path, *, collect: bool = False) -> Played:
    """Play and record scenario `name`; it has to go as its script says.

    With `collect` both collectors run on every node at its end, and `archives` has what they wrote.
    """
    return play_folder(copied(name, target), target / "recorded", collect=collect)


def play_folder(folder: Path, recorded: Path, *, collect: bool = False) -> Played:
    """The same for the scenario in `folder`, recorded into the folder `recorded`."""
    archives = recorded.with_name("archives")
    done = subprocess.run(
        command("run", folder, "--record", recorded, *(("--collect", archives) if collect else ())),
        cwd=REPO, capture_output=True, text=True, timeout=400 if collect else 240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Played(recorded, done.returncode, done.stderr, archives)
