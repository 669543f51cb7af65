"""What the processes of a control plane were started with is known beside an audit log; nothing hides behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.evidence.opening import walk
from kubewitness.sources.command_lines import KIND, is_command_lines
from kubewitness.sources.host.hosts import read_hosts
from kubewitness.sources.kube_objects import read_objects
from tests.sources.reading import event

API = b"kube-apiserver --secure-port 6443 --authorization-mode Node,RBAC\n"
RECORDED = Path(__file__).resolve().parents[2] / "scenarios" / "recorded"


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (API, True),
        (b"etcd\n\n/usr/local/bin/" + API.replace(b"\n", b"\r\n"), True),
        (b"etcd\n", False),
        (b"", False),
        (API + b"the API server was restarted\n", False),
        (API + event(), False),
        (b"kube-apiserver was started with --anonymous-auth\n", False),
        (b"kube-apiserver-old --secure-port 6443\n", False),
        (b"kube-apiserver --a\x00b\n", False),
    ],
)
def test_every_line_has_to_be_a_command_of_the_control_plane(text: bytes, known: bool) -> None:
    assert is_command_lines(text) is known


def test_the_file_is_hashed_and_belongs_to_no_machine(tmp_path: Path) -> None:
    (tmp_path / "flags.txt").write_bytes(API)
    sources = list(walk([str(tmp_path)]))
    assert (read_hosts(sources, 2024).items, list(read_objects(sources).items.values())) == ({}, [KIND])
    assert sources[0].sha256


def test_a_long_file_is_left_to_be_read_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "flags.txt").write_bytes(API * 2000)
    assert read_objects(list(walk([str(tmp_path)]))).items == {}


@pytest.mark.parametrize("folder", sorted(RECORDED.iterdir()), ids=lambda folder: folder.name)
def test_the_command_lines_of_every_recording_are_known(folder: Path) -> None:
    sources = [one for one in walk([str(folder / "evidence/control-plane")]) if one.name.endswith("flags.txt")]
    assert list(read_objects(sources).items.values()) == [KIND]
