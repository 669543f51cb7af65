"""The program as a whole: help, exit codes, and how it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from kubewitness import __version__
from kubewitness.cli.main import COMMANDS, program
from kubewitness.model.errors import EvidenceError, UsageError
from tests.cli.fake import Fake


def _commands(group: click.Group, *path: str) -> list[tuple[str, ...]]:
    every: list[tuple[str, ...]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        every.append((*path, name))
        if isinstance(command, click.Group):
            every += _commands(command, *path, name)
    return every


@pytest.mark.parametrize("path", _commands(program), ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(program, [*path, "-h"])
    assert result.exit_code == 0
    assert f"kubewitness {' '.join(path)}" in result.output
    assert "Examples:" in result.output or path == ("rules",)


def test_the_version_is_told_without_loading_the_rest() -> None:
    code = (
        "import sys; from kubewitness.cli.main import program\n"
        "try: program(['--version'])\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'sigma', 'rich', 'jinja2', 'yaml'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"kubewitness {__version__}\n"


@pytest.mark.parametrize("args", [["nope"], ["investigate"], ["investigate", "x", "--format", "pdf"], ["--nope"], []])
def test_a_wrong_call_ends_with_2(args: list[str]) -> None:
    result = CliRunner().invoke(program, args)
    assert result.exit_code == 2
    assert "Usage:" in result.output


@pytest.mark.parametrize(("error", "code"), [(UsageError("no such glob"), 2), (EvidenceError("x.log: gone"), 3)])
def test_our_errors_are_one_sentence(fake: Fake, error: Exception, code: int) -> None:
    fake.answer = error
    result = CliRunner().invoke(program, ["investigate", "x.log"])
    assert result.exit_code == code
    assert result.stderr == f"Error: {error}\n"
    assert result.stdout == ""


def test_an_unexpected_error_says_what_was_kept_and_how_to_report(fake: Fake) -> None:
    fake.answer = RuntimeError("boom \x1b[31m\nsecond line")
    result = CliRunner().invoke(program, ["investigate", "x.log"])
    assert result.exit_code == 3
    assert r"RuntimeError: boom \x1b[31m" in result.stderr
    assert "Nothing was written" in result.stderr
    assert "--debug" in result.stderr
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stderr


def test_debug_shows_the_traceback(fake: Fake) -> None:
    fake.answer = RuntimeError("boom")
    result = CliRunner().invoke(program, ["--debug", "investigate", "x.log"])
    assert result.exit_code == 3
    assert "Traceback" in result.stderr


def test_interrupting_ends_with_130_and_a_sentence(fake: Fake) -> None:
    fake.answer = KeyboardInterrupt()
    result = CliRunner().invoke(program, ["investigate", "x.log"])
    assert result.exit_code == 130
    assert "Interrupted. Nothing was written" in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_program(shell: str) -> None:
    result = CliRunner().invoke(program, ["completion", shell])
    assert result.exit_code == 0
    assert "_KUBEWITNESS_COMPLETE" in result.output


def test_commands_are_completed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kubewitness"], capture_output=True, text=True, check=False,
        env={"_KUBEWITNESS_COMPLETE": "bash_complete", "COMP_WORDS": "kubewitness inv", "COMP_CWORD": "1"},
    )  # fmt: skip
    assert "plain,investigate" in done.stdout


def test_python_m_kubewitness_lists_all_commands() -> None:
    done = subprocess.run([sys.executable, "-m", "kubewitness", "-h"], capture_output=True, text=True, check=True)
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


def test_a_reader_that_stops_early_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m kubewitness rules list --format json | head -c 1", shell=True,
        executable="/bin/bash", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "["
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("words", ["rules list", "completion bash", "check --list"])
def test_a_full_disk_behind_standard_output_is_told_in_a_sentence_and_is_no_error_of_ours(words: str) -> None:
    done = subprocess.run(
        f"{sys.executable} -m kubewitness {words} > /dev/full", shell=True, executable="/bin/bash",
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr == "Error: standard output could not be written: No space left on device\n"


@pytest.mark.parametrize(("closed", "code", "told"), [(">&-", 0, ""), ("2>&-", 0, "rules\n"), ("<&-", 0, "rules\n")])
def test_a_stream_that_the_caller_closed_is_no_error_of_ours(closed: str, code: int, told: str) -> None:
    done = subprocess.run(
        f"{sys.executable} -m kubewitness rules list --lang en {closed}", shell=True, executable="/bin/bash",
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.endswith(told)


def test_without_standard_error_a_log_is_investigated_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "empty.log").write_bytes(b"")
    done = subprocess.run(
        f"{sys.executable} -m kubewitness investigate --workers 1 --lang en empty.log 2>&-", shell=True, cwd=tmp_path,
        executable="/bin/bash", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "No audit event was found, so nothing can be said" in done.stdout
