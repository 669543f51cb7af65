"""Claims about compressed logs in pass 2: unpacked once, and with the same result where there is no room for that."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubewitness.detect.unpacked import Stored, Unpacked
from kubewitness.evidence.opening import Source, walk
from tests.detect.scanning import scan_paths
from tests.detect.test_places import second_pass, write

CONTENT = b"a\nb\n" * 1_000


def packed(folder: Path, name: str = "audit.log.gz", content: bytes = CONTENT) -> Source:
    """A compressed log."""
    path = folder / name
    path.write_bytes(gzip.compress(content))
    (source,) = walk([str(path)])
    return source


def read(stored: Stored | None, size: int) -> bytes:
    """What lies there."""
    assert stored is not None
    return os.pread(stored.descriptor, size, stored.start)


def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of sources, as they are opened from now on."""
    names, whole = list[str](), Source.open

    def noting(source: Source) -> Iterator[bytes]:
        names.append(source.name)
        return whole(source)

    monkeypatch.setattr(Source, "open", noting)
    return names


def test_a_compressed_log_is_unpacked_once_for_all_that_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = scan_paths([write(tmp_path, packed=True)])
    names = opened(monkeypatch)
    first = second_pass(found)
    assert second_pass(found) == first
    assert len(names) == 1


def test_a_plain_log_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = scan_paths([write(tmp_path)])
    names = opened(monkeypatch)
    monkeypatch.setattr(Unpacked, "of", lambda *_: pytest.fail("copied"))
    assert second_pass(found)
    assert not names


@pytest.mark.parametrize("trouble", ["no room", "no folder", "full disk", "changed"])
def test_a_log_that_cannot_be_kept_is_read_as_a_stream(
    trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, packed=True)
    expected = second_pass(scan_paths([path]))
    found = scan_paths([path])
    names = opened(monkeypatch)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    if trouble == "no room":
        found.unpacked = Unpacked(most=10)
    elif trouble == "no folder":
        monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "none"))
    elif trouble == "full disk":
        monkeypatch.setattr(os, "pwrite", full)
    else:
        monkeypatch.setattr(Unpacked, "_copy", lambda *_: 5)
    assert second_pass(found) == expected
    assert len(names) > 1


def test_several_logs_share_a_file_and_keep_apart(tmp_path: Path) -> None:
    kept = Unpacked()
    one, other = packed(tmp_path), packed(tmp_path, "other.log.gz", b"c\n" * 10)
    first, second = kept.of(0, one, len(CONTENT)), kept.of(1, other, 20)
    assert first is not None
    assert second is not None
    assert first.descriptor == second.descriptor
    assert read(first, len(CONTENT)) == CONTENT
    assert read(second, 100) == b"c\n" * 10
    assert kept.of(0, one, len(CONTENT)) == first


def test_only_what_the_first_pass_read_is_kept(tmp_path: Path) -> None:
    assert read(Unpacked().of(0, packed(tmp_path), 10), 100) == CONTENT[:10]


def test_a_stream_that_is_shorter_now_takes_no_room(tmp_path: Path) -> None:
    kept = Unpacked(most=len(CONTENT) + 10)
    assert kept.of(0, packed(tmp_path, "short.log.gz", b"x\n"), 20) is None
    assert read(kept.of(1, packed(tmp_path), len(CONTENT)), len(CONTENT)) == CONTENT
