"""The archive proves itself, is bounded, and never stands half-written under its name."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubewitness.collect.archive import About, Archive, CollectError, harmless
from kubewitness.model.collection import Command, Header
from kubewitness.model.errors import UsageError
from tests.collect.reading import omitted, proven

HEADER = Header("kubewitness-node/1", "test", "node-1", "2026-01-02T03:04:05Z")


def archive(folder: Path, max_size: int = 100_000_000) -> Archive:
    return Archive(folder / "a.tar.zst", "a", HEADER, max_size=max_size)


def test_what_went_in_comes_out_and_every_sum_is_right(tmp_path: Path) -> None:
    one = archive(tmp_path)
    one.add("[root]/etc/hosts", b"127.0.0.1 localhost\n", About("/etc/hosts", mode="-rw-r--r--"))
    one.add("empty", b"")
    with one.growing("live_response/x.txt") as sink:
        sink.write(b"a" * 10_000_000)
        sink.write(b"b")
    one.command(Command(("ss", "-tunap"), 127, error="not installed"))
    written = one.finish("2026-01-02T03:05:00Z", complete=True)
    members, records = proven(written.path)
    assert members["[root]/etc/hosts"] == b"127.0.0.1 localhost\n"
    assert members["live_response/x.txt"] == b"a" * 10_000_000 + b"b"
    assert records[0]["host"] == "node-1"
    assert {"record": "command", "argv": ["ss", "-tunap"], "exit_code": 127, "error": "not installed"} in records
    assert written.items == 3
    assert written.size == written.path.stat().st_size
    assert stat.S_IMODE(written.path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["a.tar.zst"]  # noqa: PTH208


def test_a_name_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.tar.zst").write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        archive(tmp_path)
    assert (tmp_path / "a.tar.zst").read_text() == "mine"


def test_a_name_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    one = archive(tmp_path)
    (tmp_path / "a.tar.zst").write_text("mine")
    with pytest.raises(CollectError, match="appeared"):
        one.finish("", complete=True)
    one.abandon()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.tar.zst", "mine")]


def test_what_does_not_fit_is_left_out_and_said(tmp_path: Path) -> None:
    one = archive(tmp_path, max_size=2_500_000)
    assert one.add("first", os.urandom(1_000_000), About("/first"))
    assert not one.add("second", os.urandom(1_000_000), About("/second"))
    assert one.add("third", b"small")
    written = one.finish("", complete=True)
    members, records = proven(written.path)
    assert set(members) == {"first", "third"}
    assert "limit of size" in omitted(records)["/second"]
    assert records[-1]["complete"] is False
    assert written.full
    assert written.size < 2_500_000


def test_an_archive_never_looks_like_a_decompression_bomb(tmp_path: Path) -> None:
    one = archive(tmp_path, max_size=10**9)
    zeros = bytes(1024 * 1024)
    assert [one.stream(f"{n}", 64 * 1024**2, iter(lambda: zeros, b"")) for n in range(4)] == [True, True, True, False]
    members, records = proven(one.finish("", complete=True).path)
    assert set(members) == {"0", "1", "2"}
    assert "decompression bomb" in omitted(records)["3"]
    assert records[-1]["complete"] is False


def test_a_file_that_shrinks_is_filled_up_and_one_that_grows_is_cut(tmp_path: Path) -> None:
    one = archive(tmp_path)
    one.stream("shrunk", 10, iter((b"abc", b"def")))
    one.stream("grown", 4, iter((b"abc", b"def")))
    members, records = proven(one.finish("", complete=True).path)
    assert members == {"shrunk": b"abcdef\0\0\0\0", "grown": b"abcd"}
    assert "shorter" in omitted(records)["shrunk"]
    assert "grown" not in omitted(records)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("tmp/a\nb", "tmp/a\\x0ab"),
        ("tmp/\x1b]0;x\x07", "tmp/\\x1b]0;x\\x07"),
        ("tmp/\udcff\udcfe", "tmp/\\xff\\xfe"),
        ("tmp/../../etc/cron.d/x", "tmp/\\x2e\\x2e/\\x2e\\x2e/etc/cron.d/x"),
        ("tmp/\u202egpj.sh", "tmp/\\xe2\\x80\\xaegpj.sh"),
        ("tmp/文件", "tmp/文件"),
        ("tmp/..hidden", "tmp/..hidden"),
        ("tmp/" + "n" * 255, "tmp/" + "n" * 255),
    ],
)
def test_hostile_names_are_harmless_in_tar_and_manifest(tmp_path: Path, name: str, shown: str) -> None:
    assert harmless(name) == shown
    one = archive(tmp_path)
    one.add(name, b"x")
    one.add(name, b"y")  # and a twin does not hide it
    members, _ = proven(one.finish("", complete=True).path)
    assert members == {shown: b"x", f"{shown}~2": b"y"}


def test_a_full_disk_leaves_nothing_and_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = archive(tmp_path)

    def full(data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(one, "_zstd", type("Full", (), {"write": staticmethod(full)}))
    with pytest.raises(CollectError, match=r"No space left on device.*--output"):
        one.add("x", b"data")
    assert list(tmp_path.iterdir()) == []


def test_what_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    one = archive(tmp_path)

    def broken() -> Iterator[bytes]:
        yield b"a"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one.stream("x", 5, broken())
    one.abandon()
    assert list(tmp_path.iterdir()) == []
