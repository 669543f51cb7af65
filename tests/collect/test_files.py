"""What is copied of a machine's files, what never is, and that nobody is led astray."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from kubewitness.collect.archive import Archive
from kubewitness.collect.files import Files, never
from kubewitness.collect.plan import Pick
from kubewitness.collect.rooted import Root
from kubewitness.model.collection import Header
from tests.collect.machine import PEM, certificate
from tests.collect.reading import Records, omitted, proven


def taken(root: Path, folder: Path, *picks: Pick) -> tuple[dict[str, bytes], Records, Files]:
    archive = Archive(folder / "a.tar.zst", "a", Header("f", "t", "h", ""), max_size=10**9)
    files = Files(Root(str(root)), archive)
    for pick in picks:
        files.take(pick)
    members, records = proven(archive.finish("", complete=True).path)
    return {name.removeprefix("[root]"): data for name, data in members.items()}, records, files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "etc").mkdir(parents=True)
    return tmp_path / "root"


def test_a_file_is_copied_once_with_its_times_and_owner(root: Path, tmp_path: Path) -> None:
    (root / "etc/hosts").write_text("x\n")
    os.utime(root / "etc/hosts", (0, 1_600_000_000))
    members, records, _ = taken(root, tmp_path, Pick(("/etc/h*", "/etc/**")), Pick(("/etc/hosts",)))
    assert members == {"/etc/hosts": b"x\n"}
    [item] = [record for record in records if record["record"] == "item"]
    assert (item["modified"], item["mode"][0], item["origin"]) == ("2020-09-13T12:26:40Z", "-", "/etc/hosts")
    assert item["owner"] == f"{os.getuid()}:{os.getgid()}"


def test_a_redacted_copy_tells_the_sum_of_its_original(root: Path, tmp_path: Path) -> None:
    (root / "etc/a.conf").write_text("token: abcdefghijkl\n")
    members, records, _ = taken(root, tmp_path, Pick(("/etc/*",)))
    assert members == {"/etc/a.conf": b"token: REDACTED-RED\n"}
    assert [(one["redacted"], len(one["original_sha256"])) for one in records if one["record"] == "item"] == [(1, 64)]


def test_a_private_key_is_left_out_with_its_sum_and_a_certificate_is_copied(root: Path, tmp_path: Path) -> None:
    (root / "etc/ca.crt").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    (root / "etc/any.name").write_text("# key\n" + PEM)
    members, records, _ = taken(root, tmp_path, Pick(("/etc/*",)))
    assert set(members) == {"/etc/ca.crt"}
    assert "private key" in omitted(records)["/etc/any.name"]
    assert [len(record["sha256"]) for record in records if record["record"] == "omitted"] == [64]


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl")
def test_of_a_key_with_its_certificate_the_subject_is_told(root: Path, tmp_path: Path) -> None:
    (root / "etc/kubelet.pem").write_text("".join(certificate(tmp_path)))
    _, records, _ = taken(root, tmp_path, Pick(("/etc/*",)))
    [left] = [record for record in records if record["record"] == "omitted"]
    assert "system:node:node-7" in left["subject"]
    assert "notAfter" in left["subject"]


def test_links_are_listed_and_followed_only_where_it_is_customary(root: Path, tmp_path: Path) -> None:
    (root / "etc/shadow").write_text("root:$6$x\n")
    (root / "run").mkdir()
    (root / "run/real.conf").write_text("real\n")
    (root / "outside").write_text("outside\n")
    for name, target in {
        "a": "/run/real.conf",
        "b": "../run/real.conf",
        "c": "/etc/shadow",
        "d": "/outside",
        "e": "../../../../../../etc/hostname",
        "f": "/etc/f",
        "g": "/nowhere",
    }.items():
        (root / "etc" / name).symlink_to(target)
    members, records, files = taken(root, tmp_path, Pick(("/etc/?",), follow=("/run/", "/etc/")))
    assert members == {"/etc/a": b"real\n"}  # b is the same file
    assert "credentials" in omitted(records)["/etc/c"]
    assert {(one.path, one.target) for one in files.seen} >= {("/etc/a", "/run/real.conf"), ("/etc/d", "/outside")}
    assert len(files.seen) == 7


def test_a_link_of_a_folder_does_not_lead_out_of_the_root(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/x").write_text("of the collecting machine")
    (root / "etc/cron.d").symlink_to(tmp_path / "secret")
    (root / "etc/up").symlink_to("../../secret")
    members, _, _ = taken(root, tmp_path, Pick(("/etc/cron.d/x", "/etc/up/x", "/etc/**"), follow=("/",)))
    assert members == {}


def test_pipes_and_sockets_are_not_opened(root: Path, tmp_path: Path) -> None:
    os.mkfifo(root / "etc/pipe")
    members, records, _ = taken(root, tmp_path, Pick(("/etc/*",)))
    assert members == {}
    assert "pipe" in omitted(records)["/etc/pipe"]


def test_hostile_names_are_copied_under_harmless_ones(root: Path, tmp_path: Path) -> None:
    for name in (b"a\nb", b"\x1b[2J", b"\xff\xfe", b"n" * 255, b"[a-z]*"):
        Path(os.fsdecode(bytes(root / "etc") + b"/" + name)).write_text("x")
    members, _, _ = taken(root, tmp_path, Pick(("/etc/*",)))
    assert set(members) == {"/etc/a\\x0ab", "/etc/\\x1b[2J", "/etc/\\xff\\xfe", "/etc/" + "n" * 255, "/etc/[a-z]*"}


def test_of_a_large_log_the_end_is_kept_from_a_line_on(root: Path, tmp_path: Path) -> None:
    text = b"".join(b"line %07d\n" % number for number in range(500_000))
    (root / "etc/log").write_bytes(text)
    members, records, _ = taken(root, tmp_path, Pick(("/etc/log",), each=1_000_000, tail=True, configuration=False))
    kept = members["/etc/log"]
    assert text.endswith(kept)
    assert kept.startswith(b"line ")
    assert 999_900 < len(kept) <= 1_000_000
    assert [one["cut"] for one in records if one["record"] == "item"] == [len(text) - len(kept)]


def test_a_log_filled_with_zeros_does_not_make_a_bomb_of_the_archive(root: Path, tmp_path: Path) -> None:
    for number in range(12):
        with (root / f"etc/log.{number}").open("wb") as file:
            file.truncate(40_000_000)
    (root / "etc/log.real").write_bytes(b"".join(b"%d line of a log\n" % number**5 for number in range(300_000)))
    pick = Pick(("/etc/log.*",), each=40_000_000, total=10**9, tail=True, configuration=False)
    members, records, _ = taken(root, tmp_path, pick)
    assert len(members) == 13
    assert len(members["/etc/log.0"]) <= 32 * 1024
    assert len(members["/etc/log.real"]) > 5_000_000
    assert [one["cut"] for one in records if one.get("path") == "[root]/etc/log.3"] == [40_000_000 - 32 * 1024]


def test_the_newest_of_many_is_kept_and_the_rest_named(root: Path, tmp_path: Path) -> None:
    for number in range(5):
        (root / f"etc/log.{number}").write_bytes(b"x" * 1000)
        os.utime(root / f"etc/log.{number}", (0, 1_600_000_000 + number))
    pick = Pick(("/etc/log.*",), each=1000, total=2000, newest=True, tail=True, configuration=False)
    members, records, _ = taken(root, tmp_path, pick)
    assert set(members) == {"/etc/log.4", "/etc/log.3"}
    assert set(omitted(records)) == {"/etc/log.0", "/etc/log.1", "/etc/log.2"}


@pytest.mark.parametrize(
    "path",
    ["/etc/shadow", "/etc/shadow-", "/root/.ssh/id_rsa", "/etc/ssh/ssh_host_rsa_key",
    "/var/lib/kubelet/pods/u/volumes/x/token",
     "/var/lib/rancher/k3s/server/token", "/var/lib/etcd/member/snap/db", "/etc/kubernetes/known_tokens.csv",
     "/x/y.p12",
     "/proc/1/environ", "/root/.aws/credentials"],
)  # fmt: skip
def test_credentials_are_never_copied(path: str) -> None:
    assert never(path)


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "/root/.ssh/authorized_keys", "/etc/ssh/ssh_host_rsa_key.pub", "/var/lib/kubelet/config.yaml"],
)
def test_what_stands_beside_credentials_is(path: str) -> None:
    assert not never(path)
