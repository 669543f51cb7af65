"""Processes out of /proc, made up and real."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubewitness.collect import processes
from kubewitness.collect.processes import Proc, is_odd
from kubewitness.collect.rooted import Root
from kubewitness.model.collection import ProcessRecord

STAT = "{pid} ({name}) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 {ticks} 1 1 1"


def fake(
    root: Path, pid: int, name: str = "sh", cmdline: bytes = b"sh\0-c\0x\0", ticks: int = 100, **files: str
) -> None:
    folder = root / "proc" / str(pid)
    (folder / "ns").mkdir(parents=True)
    (folder / "fd").mkdir()
    (folder / "stat").write_text(STAT.format(pid=pid, name=name, ticks=ticks))
    (folder / "status").write_text(
        "Name:\tx\nTgid:\t7\nUid:\t1000\t0\t0\t0\nNSpid:\t4411\t7\nCapEff:\t000001ffffffffff\n"
    )
    (folder / "cmdline").write_bytes(cmdline)
    for file, text in files.items():
        (folder / file).write_text(text)


def only(root: Path, *, values: bool = False) -> ProcessRecord:
    (root / "proc" / "stat").write_text("cpu 1\nbtime 1600000000\n")
    [record] = Proc(Root(str(root)), values).quick()
    return record


def test_a_name_with_brackets_does_not_shift_the_columns(tmp_path: Path) -> None:
    fake(tmp_path, 7, "evil) R 99 (x", ticks=1000)
    record = only(tmp_path)
    assert (record.name, record.ppid, record.state, record.uid, record.inner_pid) == ("evil) R 99 (x", 1, "S", 0, 7)
    assert record.started == "2020-09-13T12:26:50Z"
    assert record.capabilities == "000001ffffffffff"


def test_words_stay_apart_and_odd_bytes_are_written_out(tmp_path: Path) -> None:
    fake(tmp_path, 7, cmdline=b"[kworker/0:1]\0a b\0\xff\x1b[2J\0\0")
    assert only(tmp_path).argv == ("[kworker/0:1]", "a b", "\\xff\x1b[2J", "")


def test_a_kernel_thread_has_no_words(tmp_path: Path) -> None:
    fake(tmp_path, 7, cmdline=b"")
    assert only(tmp_path).argv == ()


def test_a_token_on_a_command_line_is_overwritten_and_the_words_stay(tmp_path: Path) -> None:
    fake(tmp_path, 7, cmdline=b"agent\0--token\0abcdefghij\0--level=3\0-p\0GesichtsKirmes\0")
    assert only(tmp_path).argv == ("agent", "--token", "REDACTED-R", "--level=3", "-p", "GesichtsKirmes")


def test_variables_are_named_without_values_unless_asked_and_secrets_never_shown(tmp_path: Path) -> None:
    fake(tmp_path, 7, environ="PATH=/bin\0DB_PASSWORD=hunter2\0SSH_KEY=abc\0broken\0")
    assert only(tmp_path).environ == ("PATH", "DB_PASSWORD", "SSH_KEY")
    assert only(tmp_path, values=True).environ == ("PATH=/bin", "DB_PASSWORD=REDACTE", "SSH_KEY=RED")


def test_maps_tell_executable_files_once_and_memory_without_a_file(tmp_path: Path) -> None:
    maps = (
        "55a0-55b0 r-xp 00000000 fd:00 1 /usr/bin/sh\n55b0-55c0 r-xp 00000000 fd:00 1 /usr/bin/sh\n"
        "55c0-55d0 rw-p 00000000 fd:00 1 /usr/lib/data.so\n7000-8000 rwxp 00000000 00:00 0\n"
        "8000-9000 r-xp 00000000 00:01 9 /memfd:x (deleted)\n9000-a000 r-xp 00000000 00:00 0 [vdso]\n"
    )
    fake(tmp_path, 7, maps=maps)
    record = only(tmp_path)
    assert record.maps == ("/usr/bin/sh", "/memfd:x (deleted)")
    assert record.anonymous_executable == 0x1000


@pytest.mark.parametrize(
    "exe", ["/usr/bin/x (deleted)", "/memfd:x (deleted)", "/tmp/x", "/dev/shm/.x", "/var/tmp/.system"]
)
def test_programs_nobody_can_get_again_are_odd(exe: str) -> None:
    assert is_odd(exe)


@pytest.mark.parametrize("exe", ["/usr/bin/x", "/opt/tmp/x", "/tmpfiles/x", "/home/a/tmp/x", ""])
def test_installed_programs_are_not(exe: str) -> None:
    assert not is_odd(exe)


@pytest.fixture
def deleted(tmp_path: Path) -> Iterator[tuple[int, str]]:
    program = tmp_path / ".system"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    running = subprocess.Popen([str(program), "60"], env={"SECRET_WORD": "x", "PATH": "/bin"})
    while not os.readlink(f"/proc/{running.pid}/exe").endswith(".system"):  # noqa: PTH115 - until it has begun
        time.sleep(0.01)
    program.unlink()
    yield running.pid, digest
    running.kill()
    running.wait()


def test_a_deleted_executable_is_hashed_and_kept(deleted: tuple[int, str]) -> None:
    pid, digest = deleted
    proc = Proc()
    [record] = [one for one in proc.quick() if one.pid == pid]
    assert record.exe.endswith(".system (deleted)")
    assert record.argv[1:] == ("60",)
    assert record.environ == ("SECRET_WORD", "PATH")
    assert record.ppid == os.getpid()
    assert "pid" in record.namespaces
    record, kept = proc.with_hash(record)
    assert record.sha256 == digest
    assert kept is not None
    assert hashlib.sha256(b"".join(proc.program(pid))).hexdigest() == kept.sha256 == digest


def test_an_installed_program_is_hashed_and_not_kept() -> None:
    proc = Proc()
    [record] = [one for one in proc.quick() if one.pid == os.getpid()]
    record, kept = proc.with_hash(record)
    assert record.sha256 == hashlib.sha256(Path(sys.executable).resolve().read_bytes()).hexdigest()
    assert kept is None or is_odd(record.exe)


def test_what_answers_by_number_and_is_not_listed_is_hidden_and_threads_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proc = Proc()
    whole = proc.listed()
    monkeypatch.setattr(Proc, "listed", lambda self: whole - {os.getpid()})
    found = proc.hidden(whole - {os.getpid()})
    assert os.getpid() in found
    assert all(not proc._is_thread(pid) for pid in found)
    hidden = [record for record in proc.quick() if record.hidden]
    assert [record.name for record in hidden if record.pid == os.getpid()] == [
        Path("/proc/self/comm").read_text().strip()
    ]


def test_a_process_that_ends_meanwhile_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "proc" / "9").mkdir(parents=True)
    fake(tmp_path, 7)
    assert only(tmp_path).pid == 7
    assert processes._number("x") == -1
