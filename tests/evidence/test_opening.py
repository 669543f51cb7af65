"""Opening evidence: everything readable is read, nothing outside is touched, what breaks says where."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubewitness.evidence import compression, stretch
from kubewitness.evidence.opening import Source, walk


def event(day: int) -> bytes:
    return json.dumps({"kind": "Event", "auditID": f"a{day}", "requestReceivedTimestamp": f"2024-05-0{day}T00:00:00Z"}).encode() + b"\n"  # fmt: skip # noqa: E501


def content(source: Source) -> bytes:
    return b"".join(source.open())


def one(path: Path | str) -> Source:
    (source,) = walk([str(path)])
    return source


def named(found: list[Source], start: Path) -> dict[str, Source]:
    return {source.name.removeprefix(f"{start}/"): source for source in found}


def tar_of(files: dict[str, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def test_a_plain_file_can_be_read_at_any_offset_and_is_hashed(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(event(1) * 3_000)
    source = one(path)
    assert source.path == path
    assert (source.kind, source.compression, source.size) == ("lines", "", path.stat().st_size)
    assert content(source) == path.read_bytes()
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (source.error, source.failure) == ("", None)


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("gzip", gzip.compress(event(1) * 1000, mtime=0)),
        ("gzip", gzip.compress(event(1) * 400, mtime=0) + gzip.compress(event(1) * 600, mtime=0)),
        ("gzip", gzip.compress(event(1) * 1000, mtime=0) + bytes(512)),
        ("zstd", zstandard.compress(event(1) * 1000)),
        ("zstd", zstandard.compress(event(1) * 400) + zstandard.compress(event(1) * 600)),
        ("zstd+gzip", zstandard.compress(gzip.compress(event(1) * 1000, mtime=0))),
    ],
)
def test_compression_is_told_from_the_content_whatever_the_name(tmp_path: Path, name: str, packed: bytes) -> None:
    path = tmp_path / "audit.txt"
    path.write_bytes(packed)
    source = one(path)
    assert source.compression == name
    assert source.path is None
    assert content(source) == content(source) == event(1) * 1000
    assert source.sha256 == hashlib.sha256(packed).hexdigest()
    assert source.size == len(packed)
    assert source.error == ""


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_truncated_stream_keeps_what_was_read_and_says_where_it_broke(tmp_path: Path, pack: object) -> None:
    noise = os.urandom(400_000).hex().encode()  # compresses badly, so that half of the bytes give half of the text
    packed = pack(noise)  # type: ignore[operator]
    path = tmp_path / "audit.log.gz"
    path.write_bytes(packed[: len(packed) // 2])
    source = one(path)
    read = content(source)
    assert noise.startswith(read)
    assert len(read) > 200_000
    assert source.failure is not None
    assert source.failure.place.offset == len(read)
    assert "too early" in source.error
    assert source.sha256


def test_a_damaged_gzip_keeps_what_was_read(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(os.urandom(300_000).hex().encode()))
    packed[len(packed) // 2 : len(packed) // 2 + 40] = bytes(40)
    (tmp_path / "x").write_bytes(packed)
    source = one(tmp_path / "x")
    content(source)
    assert source.failure is not None


@pytest.mark.parametrize(("kind", "size"), [("gzip", 8), ("Zstandard", 4)])
def test_a_file_with_a_wrong_checksum_is_read_whole_and_told(tmp_path: Path, kind: str, size: int) -> None:
    text = event(1) * 200 + os.urandom(300_000).hex().encode()
    packed = gzip.compress(text) if kind == "gzip" else zstandard.ZstdCompressor(write_checksum=True).compress(text)
    (tmp_path / "x").write_bytes(packed[:-size] + bytes(size))
    source = one(tmp_path / "x")
    assert content(source) == text
    assert (
        source.error == f"damaged {kind}: its checksum is wrong, any of {len(text)} decompressed bytes may be wrong too"
    )


@pytest.mark.parametrize(("remembered", "kept"), [(1 << 22, 145_000), (0, 110_000)])
def test_damage_inside_a_gzip_costs_nothing_in_front_of_it(
    tmp_path: Path, remembered: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few bytes the file has; of one too large to remember, at most what one piece of input holds is lost."""
    monkeypatch.setattr(compression, "_REMEMBERED", remembered)
    text = os.urandom(100_000).hex().encode()
    whole = gzip.compress(event(1)) + gzip.compress(text)
    at = len(whole) - 30_000
    (tmp_path / "x").write_bytes(whole[:at] + b"\xff" * 400 + whole[at + 400 :])
    source = one(tmp_path / "x")
    read = content(source)
    assert read[:kept] == (event(1) + text)[:kept]
    assert len(read) >= kept
    assert source.failure is not None
    assert source.failure.place.offset == len(read)


def test_bytes_behind_a_gzip_are_a_failure_not_silence(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(gzip.compress(event(1)) + event(2))
    source = one(tmp_path / "x")
    assert content(source) == event(1)
    assert "behind the end" in source.error


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_bomb_is_cut_off(tmp_path: Path, pack: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "BOMB_FLOOR", 1_000_000)
    (tmp_path / "x").write_bytes(pack(bytes(40_000_000)))  # type: ignore[operator]
    source = one(tmp_path / "x")
    assert len(content(source)) < 40_000_000
    assert "bomb" in source.error


def test_utf16_of_a_windows_shell_is_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(event(1).decode(), encoding="utf-16")
    source = one(tmp_path / "x")
    assert (content(source), source.compression, source.path) == (event(1), "utf-16", None)


def test_rotated_files_come_in_the_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "audit.log").write_bytes(event(5))
    (tmp_path / "audit.log.1").write_bytes(event(4))
    (tmp_path / "audit.log.10.gz").write_bytes(gzip.compress(event(1)))
    (tmp_path / "audit.log.2").write_bytes(event(3))
    (tmp_path / "audit-2024-05-02T01-00-00.000.log").write_bytes(event(2))
    order = [
        "audit.log.10.gz",
        "audit-2024-05-02T01-00-00.000.log",
        "audit.log.2",
        "audit.log.1",
        "audit.log",
    ]
    assert [Path(source.name).name for source in walk([str(tmp_path)])] == order
    as_expanded_by_a_shell = sorted(str(path) for path in tmp_path.iterdir())
    assert [Path(source.name).name for source in walk(as_expanded_by_a_shell)] == order


def test_without_times_numbers_in_names_count_as_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        (tmp_path / f"x.{number}").write_bytes(b"text\n")
    assert [Path(source.name).name for source in walk([str(tmp_path)])] == ["x.1", "x.2", "x.10"]


def test_the_same_file_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(event(1))
    (tmp_path / "same.log").symlink_to(path)
    os.link(path, tmp_path / "hard.log")
    found = list(walk([str(path), str(tmp_path), f"{tmp_path}/./a.log", f"{tmp_path}/*.log"]))
    assert [source.name for source in found if not source.error] == [str(path)]


def test_directories_are_walked_and_traps_refused_with_a_reason(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    (evidence / "pods" / "web").mkdir(parents=True)
    (evidence / "pods" / "web" / "0.log").write_bytes(event(1))
    (evidence / "inside").symlink_to(evidence / "pods" / "web" / "0.log")
    (evidence / "loop").symlink_to(evidence / "loop")
    (evidence / "up").symlink_to(evidence)
    (tmp_path / "secret").write_text("the analyst's own file")
    (evidence / "out").symlink_to(tmp_path / "secret")
    os.mkfifo(evidence / "pipe")
    found = named(list(walk([str(evidence)])), evidence)
    assert [name for name, source in found.items() if not source.error] in (["inside"], ["pods/web/0.log"])
    assert "link" in found["loop"].error
    assert "already read" in found["up"].error
    assert "leads out of the directory" in found["out"].error
    assert "special file" in found["pipe"].error
    assert content(found["out"]) == b""


def test_what_does_not_exist_is_a_source_with_an_error(tmp_path: Path) -> None:
    assert "no such file" in one(tmp_path / "nothing").error
    assert "no such file" in one(f"{tmp_path}/*.log").error
    assert "empty" in one(tmp_path).error


def test_a_glob_the_shell_left_alone_is_expanded(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(event(1))
    (tmp_path / "b.txt").write_bytes(event(2))
    assert one(f"{tmp_path}/*.log").name == f"{tmp_path}/a.log"


def test_a_file_with_a_star_in_its_name_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "[a]*.log").write_bytes(event(1))
    assert content(one(tmp_path / "[a]*.log")) == event(1)


def test_stdin_can_be_read_twice() -> None:
    (source,) = walk(["-"], io.BytesIO(gzip.compress(event(1))))
    assert (source.name, source.compression) == ("stdin", "gzip")
    assert content(source) == content(source) == event(1)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_members_of_a_tar_are_sources_and_their_names_only_labels(tmp_path: Path, mode: str) -> None:
    files = {"../../../etc/cron.d/x": event(2), "/abs/audit.log.gz": gzip.compress(event(1)), "empty": b""}
    (tmp_path / "bundle").write_bytes(tar_of(files, mode))
    found = named(list(walk([str(tmp_path / "bundle")])), tmp_path)
    if mode == "w:xz":
        assert list(found) == ["bundle"]  # xz is not opened: one item of binary data
        return
    assert set(found) == {f"bundle!{name}" for name in files}
    assert content(found["bundle!../../../etc/cron.d/x"]) == event(2)
    assert content(found["bundle!/abs/audit.log.gz"]) == content(found["bundle!/abs/audit.log.gz"]) == event(1)
    assert found["bundle!empty"].sha256 == hashlib.sha256(b"").hexdigest()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle"]


def test_links_and_devices_inside_a_tar_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"member{kind!r}")
            info.type, info.linkname = kind, "/etc/shadow"
            tar.addfile(info)
    found = list(walk([str(tmp_path / "x.tar")]))
    assert len(found) == 4
    assert all(source.error and content(source) == b"" for source in found)


def test_a_cut_tar_gives_its_members_and_says_what_is_missing(tmp_path: Path) -> None:
    whole = tar_of({"a.log": event(1) * 50, "b.log": event(2) * 50})
    (tmp_path / "x.tar").write_bytes(whole[: 512 + 6144 + 512 + 700])
    found = named(list(walk([str(tmp_path / "x.tar")])), tmp_path)
    assert content(found["x.tar!a.log"]) == event(1) * 50
    assert (event(2) * 50).startswith(content(found["x.tar!b.log"]))
    assert any("ends inside" in source.error or "damaged" in source.error for source in found.values())


def test_a_damaged_tar_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    whole = bytearray(tar_of({"a.log": event(1), "b.log": event(2)}))
    whole[1024 + 148 : 1024 + 156] = b"garbage!"
    (tmp_path / "x.tar").write_bytes(whole)
    found = list(walk([str(tmp_path / "x.tar")]))
    assert content(found[0]) == event(1)
    assert "damaged" in found[1].error


def test_archives_in_archives_are_opened_to_a_bounded_depth(tmp_path: Path) -> None:
    packed = event(1)
    for level in range(3):
        packed = tar_of({f"level{level}": packed}, "w:gz" if level % 2 else "w")
    (tmp_path / "x").write_bytes(packed)
    assert content(one(tmp_path / "x")) == event(1)
    (tmp_path / "x").write_bytes(tar_of({"outer": packed}))
    assert "nested" in one(tmp_path / "x").error


def test_members_of_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("logs/", b"")
        archive.writestr("logs/a.log", event(1))
        archive.writestr("b.gz", gzip.compress(event(2)))
    found = named(list(walk([str(tmp_path / "x.bin")])), tmp_path)
    assert {name: content(source) for name, source in found.items()} == {
        "x.bin!logs/a.log": event(1),
        "x.bin!b.gz": event(2),
    }


def test_what_a_worker_found_out_can_be_carried_over(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(gzip.compress(os.urandom(3_000_000))[:-100])
    worker, parent = one(tmp_path / "x"), one(tmp_path / "x")
    content(worker)
    parent.restore(pickle.loads(pickle.dumps(worker.state())))
    assert (parent.sha256, parent.error, parent.failure) == (worker.sha256, worker.error, worker.failure)
    assert parent.failure is not None


def test_a_file_that_vanished_or_is_forbidden_says_so_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "audit.log").write_bytes(event(1))
    source = one(tmp_path / "audit.log")
    (tmp_path / "audit.log").unlink()
    assert not content(source)
    assert source.error == "No such file or directory"


def test_a_reader_that_stops_early_leaves_no_hash_of_half_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(os.urandom(4_000_000))
    source = one(tmp_path / "x")
    next(source.open())
    assert source.sha256 == ""
    content(source)
    assert source.sha256 == hashlib.sha256((tmp_path / "x").read_bytes()).hexdigest()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.sampled_from([b"", b"\x1f\x8b\x08\0\0\0\0\0\0\3", b"\x28\xb5\x2f\xfd", b"PK\3\4"]))
def test_no_bytes_raise(tmp_path: Path, data: bytes, magic: bytes) -> None:
    (tmp_path / "x").write_bytes(magic + data)
    for source in walk([str(tmp_path / "x")]):
        content(source)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 3000), st.binary(min_size=1, max_size=20))
def test_no_damage_to_a_tar_raises(tmp_path: Path, at: int, damage: bytes) -> None:
    whole = bytearray(tar_of({"a.log": event(1), "b/c.gz": gzip.compress(event(2))}))
    whole[at : at + len(damage)] = damage
    (tmp_path / "x").write_bytes(whole)
    for source in walk([str(tmp_path / "x")]):
        content(source)


def test_what_is_excluded_is_passed_over_in_folders_and_globs_but_not_when_named(tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    (tmp_path / "case/evidence.jsonl").write_bytes(event(1))
    (tmp_path / "audit.log").write_bytes(event(2))

    def names(path: Path | str, *exclude: Path) -> list[str]:
        return [Path(source.name).name for source in walk([str(path)], exclude=exclude)]

    case = tmp_path / "case"
    assert names(tmp_path, case) == ["audit.log"]
    assert names(f"{tmp_path}/**", case) == ["audit.log"]
    assert names(f"{tmp_path}/*/*", case) == []
    assert names(case, case) == ["evidence.jsonl"]
    assert names(case / "evidence.jsonl", case) == ["evidence.jsonl"]
    assert names(tmp_path, tmp_path / "not made yet") == ["audit.log", "evidence.jsonl"]


def test_the_directory_of_a_zip_is_read_once_and_again_where_it_was_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[object]()

    class Counting(zipfile.ZipFile):
        def __init__(self, file: object, mode: str = "r") -> None:
            opened.append(file)
            super().__init__(file, mode)  # type: ignore[call-overload]

    for archive in range(3):
        with zipfile.ZipFile(tmp_path / f"{archive}.zip", "w") as file:
            for member in range(30):
                file.writestr(f"{member}.json", event(1 + member % 9))
    monkeypatch.setattr(zipfile, "ZipFile", Counting)
    sources = [source for source in walk([str(tmp_path)]) if "!" in source.name]
    assert len(sources) == 90
    numbers = [int(source.name.rpartition("!")[2].removesuffix(".json")) for source in sources]
    expected = [event(1 + number % 9) for number in numbers]
    assert [content(source) for source in sources] == expected
    assert len(opened) == 3
    monkeypatch.setattr(stretch, "_HELD_OPEN", 1)
    sources = [source for source in walk([str(tmp_path)]) if "!" in source.name]
    assert [content(source) for source in (*sources, *sources)] == expected * 2
    assert len(opened) > 6
    assert content(pickle.loads(pickle.dumps(sources[33]))) == event(1 + numbers[33] % 9)
