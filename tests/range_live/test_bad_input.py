"""The command as it is typed: what cannot be played is refused in one sentence, at once, and nothing is started."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from range.build import cache_folder
from tests.range_live.footprint import Footprint
from tests.range_live.played import REPO, SCENARIOS, command, copied


def refused(*words: str | Path, before: tuple[str, ...] = (), **environment: str) -> str:
    """What `python -m range run` says when it refuses."""
    process = subprocess.Popen(
        [*before, *command("run", *words)], cwd=REPO, env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    out, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert out == ""
    assert said.startswith("Error: ")
    assert said.count("\n") == 1, said
    assert Footprint(process.pid, Path("/nowhere")).processes == {}
    assert not any(folder.exists() for folder in Footprint(process.pid, Path("/nowhere")).cgroups)
    return said


def test_a_scenario_that_is_no_folder() -> None:
    assert "a scenario is a folder with a scenario.yaml" in refused("no_such_scenario")


def test_an_unknown_field(tmp_path: Path) -> None:
    script = copied("fails", tmp_path) / "scenario.yaml"
    script.write_text(script.read_text() + "colour: red\n")
    said = refused(script.parent)
    assert f"scenario.yaml:{len(script.read_text().splitlines())}: Object contains unknown field `colour`" in said


def test_unknown_ordinary_traffic(tmp_path: Path) -> None:
    script = copied("fails", tmp_path) / "scenario.yaml"
    script.write_text(script.read_text().replace("background: []", "background: [weather]"))
    assert "background 'weather': there are " in refused(script.parent)


def test_no_root(tmp_path: Path) -> None:
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is not on the PATH")
    before = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    if subprocess.run([*before, *command("--help")], cwd=REPO, capture_output=True, check=False).returncode:
        pytest.skip("nobody may not read this checkout")
    assert "the range needs root" in refused(SCENARIOS / "fails", before=before)


def test_a_half_built_cache(tmp_path: Path) -> None:
    half = tmp_path / cache_folder().name
    (half / "usr/bin").mkdir(parents=True)
    said = refused(SCENARIOS / "fails", KUBEWITNESS_RANGE_CACHE=str(tmp_path))
    assert said == f"Error: {half}: it was never finished; run `make range` first\n"
