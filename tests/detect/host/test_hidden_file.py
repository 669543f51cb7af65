"""Executables that a listing shows in temporary folders."""

from __future__ import annotations

import pytest

from kubewitness.model.evidence import Place
from kubewitness.model.host import FileEntry, Host
from tests.detect.host.making import found


def listed(path: str, mode: str = "-rwxr-xr-x", kind: str = "file") -> Host:
    return Host("n", listing=[FileEntry(path, Place("ls.txt", 1, 0), kind, 9, mode, "root")])


@pytest.mark.parametrize(
    ("path", "mode", "kind", "severity"),
    [
        ("/var/tmp/.system", "-rwxr-xr-x", "file", "medium"),
        ("/tmp/.k/run", "-rwxr-xr-x", "file", "medium"),
        ("/tmp/.../x", "-rwx------", "file", "medium"),
        ("/var/tmp/...", "drwxr-xr-x", "directory", "medium"),
        ("/dev/shm/.x", "-rwxr-xr-x", "file", "medium"),
        ("/tmp/bash", "-rwsr-xr-x", "file", "medium"),
        ("/tmp/bash", "-rwxr-sr-x", "file", "medium"),
        ("/dev/shm/kdevtmpfsi", "-rwxr-xr-x", "file", "low"),
        ("/tmp/.git/hooks/x", "-rwxr-xr-x", "file", "medium"),
        ("/tmp/build/.git/.x", "-rwxr-xr-x", "file", "medium"),
        ("/tmp/build/.git/hooks/su", "-rwsr-xr-x", "file", "medium"),
        ("/var/tmp/build/.k/run", "-rwxr-xr-x", "file", "low"),
    ],
)
def test_hidden_executables_are_told(path: str, mode: str, kind: str, severity: str) -> None:
    (finding,) = found(listed(path, mode, kind), "hidden_file")
    assert (finding.severity, finding.kind) == (severity, "activity")
    assert path in finding.subject


@pytest.mark.parametrize(
    ("path", "mode", "kind"),
    [
        ("/tmp/.X11-unix", "drwxrwxrwt", "directory"),
        ("/tmp/.X11-unix/X0", "srwxrwxrwx", "socket"),
        ("/tmp/.ICE-unix", "drwxrwxrwt", "directory"),
        ("/tmp/.font-unix/x", "-rwxr-xr-x", "file"),
        ("/tmp/.Test-unix", "drwxrwxrwt", "directory"),
        ("/tmp/.XIM-unix", "drwxrwxrwt", "directory"),
        ("/tmp/.X0-lock", "-r--r--r--", "file"),
        ("/tmp/systemd-private-abc-chrony.service-x/tmp/.a", "-rwxr-xr-x", "file"),
        ("/tmp/snap-private-tmp", "drwx------", "directory"),
        ("/tmp/.secret", "-rw-r--r--", "file"),
        ("/tmp/install.sh", "-rwxr-xr-x", "file"),
        ("/home/a/.local/bin/x", "-rwxr-xr-x", "file"),
        ("/usr/bin/sudo", "-rwsr-xr-x", "file"),
        ("/tmp/..", "drwxr-xr-x", "directory"),
        ("/tmp", "drwxrwxrwt", "directory"),
        ("/tmp/.x", "lrwxrwxrwx", "link"),
        ("/tmp/build/.git/hooks/pre-commit.sample", "-rwxr-xr-x", "file"),
        ("/var/tmp/a/b/.venv/bin/pip", "-rwxr-xr-x", "file"),
        ("/tmp/web/node_modules/.bin/tsc", "-rwxr-xr-x", "file"),
    ],
)
def test_what_lies_there_anyway_is_silent(path: str, mode: str, kind: str) -> None:
    assert not found(listed(path, mode, kind), "hidden_file")


def test_thousands_of_files_are_one_finding() -> None:
    entries = [FileEntry(f"/tmp/.x{n}", Place("ls.txt", n, 0), mode="-rwxr-xr-x") for n in range(5000)]
    (finding,) = found(Host("n", listing=entries), "hidden_file")
    assert (finding.count, len(finding.places)) == (5000, 8)
