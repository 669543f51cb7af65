"""`kubewitness collect`: wrong calls, what it says, exit codes, its two other ways."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kubewitness.cli.main import program
from tests.collect.machine import build
from tests.collect.reading import proven


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    monkeypatch.setattr("kubewitness.cli.collect._be_gentle", lambda: None)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    return build(tmp_path / "root")


def collect(machine: Path, *words: str) -> Result:
    return CliRunner().invoke(program, ["collect", "--root", str(machine), *words])


def test_one_archive_named_after_host_and_time_comes_out_and_its_sums_are_told(machine: Path, tmp_path: Path) -> None:
    result = collect(machine)
    assert result.exit_code == 0, result.output
    [archive] = list((tmp_path / "out").iterdir())
    assert archive.name.startswith("kubewitness-node-7-20")
    assert archive.name.endswith("Z.tar.zst")
    proven(archive)
    assert hashlib.sha256(archive.read_bytes()).hexdigest() in result.stderr
    assert f"kubewitness investigate {archive.name}" in result.stderr
    assert "somewhere else" in result.stderr
    assert result.stdout == ""


def test_chinese_is_spoken_where_the_locale_is(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    result = collect(machine)
    assert "请将这两行另存他处" in result.stderr


def test_quiet_tells_the_sums_alone(machine: Path) -> None:
    assert len(collect(machine, "--quiet").stderr.splitlines()) == 4


@pytest.mark.parametrize("place", ["folder", "folder/named.tar.zst"])
def test_output_is_a_folder_or_a_file(machine: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    assert collect(machine, "--output", str(tmp_path / place)).exit_code == 0
    [archive] = list((tmp_path / "folder").iterdir())
    proven(archive)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--max-size", "much"], "no size"),
        (["--max-time", "-5"], "no time"),
        (["--since", "0d"], "no time"),
        (["--output", "nowhere/x.tar.zst"], "does not exist"),
        (["--output", "exists.tar.zst/x/y.tar.zst"], "exists.tar.zst is a file, not a folder"),
        (["--output", "exists.tar.zst"], "exists"),
        (["--script", "--cluster"], "choose one"),
        (["--context", "prod"], "--cluster"),
        (["--root", "/nowhere-at-all"], "does not exist"),
    ],
)
def test_a_wrong_call_ends_with_2_and_writes_nothing(
    machine: Path, tmp_path: Path, words: list[str], said: str
) -> None:
    (tmp_path / "out/exists.tar.zst").write_text("mine")
    result = collect(machine, *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert [(path.name, path.read_text()) for path in (tmp_path / "out").iterdir()] == [("exists.tar.zst", "mine")]


def test_a_limit_that_was_reached_ends_with_3_and_is_said(machine: Path) -> None:
    (machine / "var/log/messages").write_bytes(os.urandom(3_000_000))
    result = collect(machine, "--max-size", "2MiB")
    assert result.exit_code == 3
    assert "--max-size 2MiB" in result.stderr


def test_without_root_it_works_and_says_loudly_what_is_missing(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    result = collect(machine)
    assert result.exit_code == 3
    assert "NOT ROOT" in result.stderr


def test_a_full_disk_is_refused_before_anything_begins(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10 * 1024**2}))
    result = collect(machine)
    assert result.exit_code == 3
    assert "only 10 MiB free" in result.stderr


def test_a_small_disk_makes_the_limit_smaller(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1024**3}))
    result = collect(machine)
    assert result.exit_code == 0
    assert "will not exceed 0.8 GiB" in result.stderr


def test_the_script_is_printed(machine: Path) -> None:
    pytest.importorskip("kubewitness.collect.script")
    result = CliRunner().invoke(program, ["collect", "--script"])
    assert result.exit_code == 0
    assert result.stdout.startswith("#!/bin/sh")


def test_cluster_hands_over_its_options(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    def run(_session: object, **options: object) -> int:
        seen.update(options)
        return 3

    monkeypatch.setattr("kubewitness.cli.collect_cluster.run", run)
    words = ["--cluster", "--context", "prod", "-n", "a", "-n", "b", "--max-size", "1MiB"]
    assert CliRunner().invoke(program, ["collect", *words]).exit_code == 3
    assert (seen["context"], seen["namespaces"], seen["max_size"]) == ("prod", ("a", "b"), 1024**2)


def test_a_terminal_that_is_gone_costs_no_evidence(machine: Path, tmp_path: Path) -> None:
    words = ["collect", "--root", str(machine), "--output", str(tmp_path / "x.tar.zst")]
    code = f"from kubewitness.cli.main import program; program({words!r})"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) as running:
        assert running.stderr
        running.stderr.close()
        running.wait(30)
    proven(tmp_path / "x.tar.zst")


def test_ctrl_c_finishes_the_archive(machine: Path, tmp_path: Path) -> None:
    slow = (
        # What was started in the background of a shell would ignore Ctrl-C.
        "import signal, time, kubewitness.collect.node as node\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "take = node._Node._processes\n"
        "def slow(self):\n    print('begun', flush=True)\n    time.sleep(20)\n    take(self)\n"
        "node._Node._processes = slow\n"
        "from kubewitness.cli.main import program\n"
        f"program(['collect', '--root', {str(machine)!r}, '--output', {str(tmp_path / 'x.tar.zst')!r}])\n"
    )
    with subprocess.Popen([sys.executable, "-c", slow], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout
        assert running.stdout.readline() == b"begun\n"
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
    assert running.returncode == 130
    _, records = proven(tmp_path / "x.tar.zst")
    assert "complete" in records[-1]
    assert records[-1]["complete"] is False
    assert b"Interrupted" in said
