"""Control groups of both drivers, and the program files of processes."""

from __future__ import annotations

import pytest

from kubewitness.model.evidence import ParseFailure
from kubewitness.sources.host import cgroups
from kubewitness.sources.host.cgroups import Executable, Membership
from tests.sources.host.reading import CID, context, lines

POD = "7ed4aa24-da57-4fed-90f1-ec6c083b099c"
SLICE = f"kubepods-besteffort-pod{POD.replace('-', '_')}.slice"


@pytest.mark.parametrize(
    ("path", "container", "pod"),
    [
        (f"/kubepods/besteffort/pod{POD}/{CID}", CID, POD),
        (f"/kubepods.slice/kubepods-besteffort.slice/{SLICE}/cri-containerd-{CID}.scope", CID, POD),
        (f"/kubepods.slice/{SLICE}/crio-{CID}.scope", CID, POD),
        (f"/kubepods.slice/{SLICE}/docker-{CID}.scope/nested", CID, POD),
        (f"/system.slice/containerd.service/kubepods-pod{POD.replace('-', '_')}.slice:cri-containerd:{CID}", CID, POD),
        ("/kubepods/burstable/pod0123456789abcdef0123456789abcdef/" + CID, CID, "0123456789abcdef0123456789abcdef"),
        (f"/docker/{CID}", CID, ""),
        ("/system.slice/ssh.service", "", ""),
        (f"/kubepods/pod{POD}/{CID}ff", "", POD),
        ("/", "", ""),
    ],
)
def test_a_path_names_container_and_pod(path: str, container: str, pod: str) -> None:
    [one] = cgroups.read(lines(f"4411 4:memory:{path}"), context())
    assert isinstance(one, Membership)
    assert (one.pid, one.cgroup, one.container, one.pod_uid) == (4411, path, container, pod)


def test_of_several_hierarchies_the_one_with_the_container_counts() -> None:
    text = f"  PID USER CGROUP\n 4411 root 12:pids:/x,4:memory:/kubepods/pod{POD}/{CID},0::/\n 2 root -\n5091 \n"
    [one] = cgroups.read(lines(text), context())
    assert isinstance(one, Membership)
    assert (one.container, one.pod_uid) == (CID, POD)


def test_executables_keep_that_they_were_deleted() -> None:
    text = (
        "4411 /var/tmp/.system (deleted)\n2 \n"
        "lrwxrwxrwx 1 root root 0 Mar 23 02:10 /proc/77/exe -> /memfd:x (deleted)\nls: cannot read /proc/9/exe\n"
    )
    facts = list(cgroups.read_executables(lines(text), context()))
    assert [(one.pid, one.path) for one in facts if isinstance(one, Executable)] == [
        (4411, "/var/tmp/.system (deleted)"),
        (77, "/memfd:x (deleted)"),
    ]
    assert len(facts) == 2


def test_what_is_neither_is_a_failure() -> None:
    assert [type(one) for one in cgroups.read(lines("hello world"), context())] == [ParseFailure]
    assert [type(one) for one in cgroups.read_executables(lines("hello world"), context())] == [ParseFailure]


def test_a_hostile_group_path_takes_time_in_proportion() -> None:
    assert len(list(cgroups.read(lines("1 " + "1:a:/x," * 9_000 + " y"), context()))) == 1
