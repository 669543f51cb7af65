"""Temporary folders: everything named, scripts copied, floods bounded."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from kubewitness.collect import listing
from kubewitness.collect.archive import Archive
from kubewitness.collect.files import Files
from kubewitness.collect.listing import Listing
from kubewitness.collect.rooted import Root
from kubewitness.model.collection import FileRecord, Header
from tests.collect.reading import Records, omitted, proven


def listed(
    root: Path, folder: Path, *folders: str, watched: tuple[str, ...] = ()
) -> tuple[dict[str, FileRecord], set[str], Records]:
    archive = Archive(folder / "a.tar.zst", "a", Header("f", "t", "h", ""), max_size=10**9)
    files = Files(Root(str(root)), archive)
    one = Listing(Root(str(root)), archive, files, frozenset(watched))
    found = {record.path: record for record in one.of(folders)}
    one.copy_scripts()
    members, records = proven(archive.finish("", complete=True).path)
    return found, {name.removeprefix("[root]") for name in members}, records


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/tmp/deep/er").mkdir(parents=True)
    return tmp_path / "root"


def write(root: Path, name: str, text: str = "x", mode: int = 0o644) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def test_everything_is_named_with_times_modes_sums_and_targets(root: Path, tmp_path: Path) -> None:
    write(root, "tmp/deep/er/.system", "\x7fELF", 0o4755)
    (root / "tmp/link").symlink_to("/etc/shadow")
    found, copied, _ = listed(root, tmp_path, "/tmp")
    assert set(found) == {"/tmp/deep", "/tmp/deep/er", "/tmp/deep/er/.system", "/tmp/link"}
    program = found["/tmp/deep/er/.system"]
    assert (program.mode, program.size, program.sha256) == ("-rwsr-xr-x", 4, hashlib.sha256(b"\x7fELF").hexdigest())
    assert (found["/tmp/link"].kind, found["/tmp/link"].target) == ("link", "/etc/shadow")
    assert copied == set()


def test_scripts_are_copied_and_ordinary_files_are_not(root: Path, tmp_path: Path) -> None:
    write(root, "tmp/a", "#!/bin/sh\n")
    write(root, "tmp/b.sh", "id\n")
    write(root, "tmp/c", "id\n", 0o755)
    write(root, "tmp/.x1mr", "id\n")
    write(root, "tmp/[x]*.sh", "id\n")
    write(root, "tmp/notes", "text\n")
    write(root, "tmp/data.json", "{}\n")
    write(root, "tmp/binary.sh", "a\0b")
    write(root, "tmp/huge.sh", "#" * 300_000)
    _, copied, _ = listed(root, tmp_path, "/tmp")
    assert copied == {"/tmp/a", "/tmp/b.sh", "/tmp/c", "/tmp/.x1mr", "/tmp/[x]*.sh"}


def test_settings_beside_an_odd_program_are_copied_and_nothing_deeper(root: Path, tmp_path: Path) -> None:
    write(root, "opt/m/config.json", '{"pools": []}\n')
    write(root, "opt/m/deep/other.json")
    found, copied, _ = listed(root, tmp_path, watched=("/opt/m",))
    assert set(found) == {"/opt/m/config.json", "/opt/m/deep"}
    assert copied == {"/opt/m/config.json"}


def test_a_flood_is_bounded_said_and_does_not_hide_its_neighbour(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_IN_ONE", 20)
    for number in range(50):
        write(root, f"tmp/a/{number:03}")
    write(root, "tmp/z/evil.sh", "id\n")
    found, copied, records = listed(root, tmp_path, "/tmp")
    assert len([path for path in found if path.startswith("/tmp/a/")]) == 20
    assert "30 of its entries" in omitted(records)["/tmp/a"]
    assert copied == {"/tmp/z/evil.sh"}


def test_the_archive_does_not_list_itself(root: Path) -> None:
    found, _, _ = listed(root, root / "tmp", "/tmp")
    assert set(found) == {"/tmp/deep", "/tmp/deep/er"}
