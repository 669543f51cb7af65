"""Commands: what they print, and how they are ended."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubewitness.collect import commands
from kubewitness.collect.commands import Running, member


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(commands, "PATH", f"{tmp_path}:/usr/bin:/bin")
    yield tmp_path
    assert subprocess.run(["pgrep", "-f", f"{tmp_path}/"], capture_output=True, check=False).stdout == b""


def script(place: Path, name: str, text: str) -> None:
    (place / name).write_text(f"#!/bin/sh\n{text}\n")
    (place / name).chmod(0o755)


def test_output_exit_code_and_errors_are_kept(place: Path) -> None:
    script(place, "x", "echo out; echo err >&2; exit 3")
    running = Running(("x",), 5, 1000)
    assert b"".join(running) == b"out\n"
    assert (running.exit_code, running.error, running.timed_out, running.cut) == (3, "err", False, False)


def test_what_is_not_there_has_127() -> None:
    running = Running(("no-such-program",), 5, 1000)
    assert list(running) == []
    assert (running.exit_code, running.error) == (127, "not installed")


def test_what_hangs_is_ended_with_everything_it_started(place: Path) -> None:
    script(place, "x", f"echo first; sh -c 'sleep 50; : {place}/' & sleep 50")
    begun = time.monotonic()
    running = Running(("x",), 0.5, 1000)
    assert b"".join(running) == b"first\n"
    assert (running.exit_code, running.timed_out) == (124, True)
    assert time.monotonic() - begun < 5


def test_what_never_stops_printing_is_cut(place: Path) -> None:
    script(place, "x", "while :; do echo aaaaaaaaaaaaaaa; done")
    running = Running(("x",), 20, 100_000)
    assert len(b"".join(running)) == 100_000
    assert (running.cut, running.exit_code) == (True, 0)


def test_it_gets_no_input_no_colours_and_none_of_our_variables(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD_NOT", "x")
    script(place, "x", "cat; env; pwd")
    text = b"".join(Running(("x",), 5, 10_000)).decode()
    assert "LC_ALL=C\n" in text
    assert "LD_PRELOAD_NOT" not in text
    assert text.splitlines()[-1] == "/"


def test_a_private_key_it_prints_is_overwritten(place: Path) -> None:
    script(place, "x", "printf -- '-----BEGIN PRIVATE KEY-----\\nMIIEabc\\n-----END PRIVATE KEY-----\\n'")
    running = Running(("x",), 5, 1000)
    assert b"MIIEabc" not in b"".join(running)
    assert running.redacted == 1


@pytest.mark.parametrize(
    ("argv", "path"),
    [
        (("ss", "-tunap"), "live_response/network/ss_-tunap.txt"),
        (("ip", "-j", "addr"), "live_response/network/ip_-j_addr.txt"),
        (("x", "a/../../b", "\n;"), "live_response/network/x_a_.._.._b.txt"),
    ],
)
def test_a_member_is_named_after_its_command(argv: tuple[str, ...], path: str) -> None:
    assert member("network", argv) == path
