"""Processes, sockets and modules that are kept out of the lists."""

from __future__ import annotations

import pytest

from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, KernelModule, Process, Socket
from tests.detect.host.making import file, found, process

PLACE = Place("modules", 1, 0)
_LISTED = 30


def listed(*more: Process) -> list[Process]:
    """A whole machine: processes 1 and 1000 and up."""
    return [
        process("/sbin/init", pid=1, ppid=0),
        *(process(f"worker{n}", pid=100 + n, ppid=1) for n in range(_LISTED)),
        *more,
    ]


def socket(
    number: int, *owners: int, state: str = "ESTAB", port: int = 443, item: str = "ss.txt", inode: int = 7
) -> Socket:
    peer = ("203.0.113.9", port) if state == "ESTAB" else ("*", 0)
    local = 40000 + number if state == "ESTAB" else port
    names = tuple(("worker", pid) for pid in owners)
    return Socket("tcp", state, "10.0.0.5", local, *peer, Place(item, number + 1, number), names, inode)


def owned() -> list[Socket]:
    return [socket(number, 100 + number) for number in range(20)]


def test_a_process_that_answers_and_is_not_listed_is_hidden() -> None:
    (finding,) = found(Host("n", processes=listed(process("./x", pid=4411, visible=False))), "hidden_process")
    assert (finding.severity, finding.kind) == ("high", "intrusion")
    assert finding.process
    assert finding.process.pid == 4411


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/proc/mounts", "tmpfs /proc/4411 tmpfs rw,relatime 0 0"),
        ("/proc/self/mountinfo", "36 35 0:25 / /proc/4411 rw,relatime shared:1 - tmpfs tmpfs rw"),
    ],
)
def test_a_mount_over_a_process_hides_it(path: str, line: str) -> None:
    (finding,) = found(Host("n", files=[file(path, f"proc /proc proc rw 0 0\n{line}\n")]), "hidden_process")
    assert finding.subject == "pid 4411"
    assert finding.places[0][0].line == 2


@pytest.mark.parametrize(
    "line",
    [
        "systemd-1 /proc/sys/fs/binfmt_misc autofs rw 0 0",
        "tmpfs /proc/acpi tmpfs ro 0 0",
        "nsfs /run/docker/netns/7 nsfs rw 0 0",
        "proc /srv/jail/proc/4411 proc rw 0 0",
        "x",
    ],
)
def test_ordinary_mounts_hide_nothing(line: str) -> None:
    assert not found(Host("n", files=[file("/proc/mounts", line)]), "hidden_process")


def test_an_owner_of_a_socket_and_parent_of_a_process_that_no_list_shows_is_hidden() -> None:
    host = Host("n", processes=listed(process("sh", pid=900, ppid=4411)), sockets=[*owned(), socket(99, 4411)])
    (finding,) = found(host, "hidden_process")
    assert (finding.severity, finding.subject) == ("medium", "worker (pid 4411)")
    assert len(finding.places) == 2


@pytest.mark.parametrize(
    "host",
    [
        # one trace alone: it may just have begun, or just have ended
        Host("n", processes=listed(), sockets=[*owned(), socket(99, 4411)]),
        Host("n", processes=listed(process("sh", pid=900, ppid=4411)), sockets=owned()),
        # a list of one user's processes, or of another machine
        Host("n", processes=[process("sh", pid=900, ppid=4411)], sockets=[socket(99, 4411)]),
        Host("n", processes=listed(process("a", ppid=4411)), sockets=[socket(n, 4411 + n) for n in range(9)]),
        Host("n", processes=listed(process("x", pid=4411, visible=False, told_by="falco"))),
    ],
)
def test_one_trace_or_half_a_list_proves_nothing(host: Host) -> None:
    assert not found(host, "hidden_process")


def test_a_connection_without_an_owner_where_others_have_theirs_is_low() -> None:
    (finding,) = found(Host("n", sockets=[*owned(), socket(50)]), "socket_without_owner")
    assert (finding.severity, finding.count) == ("low", 1)
    assert "203.0.113.9:443" in finding.subject


def test_it_is_more_on_a_pools_port_or_beside_a_preloaded_library() -> None:
    pool = Host("n", sockets=[*owned(), socket(50, port=3333)])
    preload = Host("n", sockets=[*owned(), socket(50)], files=[file("/etc/ld.so.preload", "/usr/lib/libfoo.so\n")])
    assert [f.severity for host in (pool, preload) for f in found(host, "socket_without_owner")] == ["medium"] * 2


@pytest.mark.parametrize(
    "sockets",
    [
        [socket(number) for number in range(20)],  # no root: nobody's owners are shown
        [*owned(), socket(50, port=2049)],  # NFS: the kernel's own
        [*owned(), socket(50, port=445), socket(51, port=3260), socket(52, port=6801)],
        [*owned(), socket(50, state="TIME-WAIT")],
        [*owned(), socket(50, state="LISTEN", port=45123), socket(51, 100, state="LISTEN", port=111)],  # NFS locks
        [*owned(), socket(50, item="other.txt")],  # of a list that shows no owners
    ],
)
def test_sockets_of_the_kernel_and_lists_without_owners_are_silent(sockets: list[Socket]) -> None:
    assert not found(Host("n", sockets=sockets), "socket_without_owner")


def test_a_rootkits_module_is_an_intrusion_others_from_outside_are_context() -> None:
    modules = [KernelModule(name, PLACE, flags) for name, flags in (("diamorphine", "(OE)"), ("mydriver", "(OE)"))]
    findings = found(Host("n", modules=modules), "rootkit_module")
    assert [(f.severity, f.kind, f.subject) for f in findings] == [
        ("high", "intrusion", "diamorphine"),
        ("informational", "context", "mydriver"),
    ]


@pytest.mark.parametrize(
    ("name", "flags"), [("nvidia_drm", "(POE)"), ("zfs", "(POE)"), ("ext4", ""), ("reptilian", "")]
)
def test_drivers_of_vendors_and_of_the_kernel_are_silent(name: str, flags: str) -> None:
    assert not found(Host("n", modules=[KernelModule(name, PLACE, flags)]), "rootkit_module")
