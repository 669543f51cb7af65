"""Sockets as ss and netstat print them."""

from __future__ import annotations

import pytest

from kubewitness.model.evidence import ParseFailure
from kubewitness.model.host import Socket
from kubewitness.sources.host import sockets
from tests.corpus import CORPUS, needs_corpus
from tests.sources.host.reading import context, lines


def read(text: str) -> list[Socket]:
    facts = list(sockets.read(lines(text), context()))
    assert not [fact for fact in facts if isinstance(fact, ParseFailure)]
    return [fact for fact in facts if isinstance(fact, Socket)]


def brief(socket: Socket) -> tuple[object, ...]:
    return (
        socket.protocol,
        socket.state,
        socket.local_address,
        socket.local_port,
        socket.peer_address,
        socket.peer_port,
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tcp ESTAB 0 0 10.0.0.5:45112 203.0.113.33:3333", ("tcp", "ESTAB", "10.0.0.5", 45112, "203.0.113.33", 3333)),
        ("LISTEN 0 4096 *:10250 *:*", ("tcp", "LISTEN", "*", 10250, "*", 0)),
        ("LISTEN 0 128 [::]:22 [::]:*", ("tcp", "LISTEN", "::", 22, "::", 0)),
        ("LISTEN 0 128 :::22 :::*", ("tcp", "LISTEN", "::", 22, "::", 0)),
        (
            "ESTAB 0 0 [::ffff:10.0.0.5]:10250 [::ffff:45.9.148.35]:51234",
            ("tcp", "ESTAB", "10.0.0.5", 10250, "45.9.148.35", 51234),
        ),
        ("udp UNCONN 0 0 127.0.0.53%lo:53 0.0.0.0:*", ("udp", "UNCONN", "127.0.0.53%lo", 53, "0.0.0.0", 0)),
        ("UNCONN 0 0 0.0.0.0:4789 0.0.0.0:*", ("udp", "UNCONN", "0.0.0.0", 4789, "0.0.0.0", 0)),
        ("tcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN 600/sshd: /usr/sbin", ("tcp", "LISTEN", "0.0.0.0", 22, "0.0.0.0", 0)),
        ("tcp6 0 0 ::1:25 :::* LISTEN -", ("tcp", "LISTEN", "::1", 25, "::", 0)),
        ("udp 0 0 0.0.0.0:68 0.0.0.0:* 903/dhclient", ("udp", "UNCONN", "0.0.0.0", 68, "0.0.0.0", 0)),
        ("ESTAB 0 0 [fe80::1%eth0]:22 [fe80::2]:51234", ("tcp", "ESTAB", "fe80::1%eth0", 22, "fe80::2", 51234)),
        ("tcp 0 0 1.2.3.4:ssh 5.6.7.8:1 TIME_WAIT -", ("tcp", "TIME-WAIT", "1.2.3.4", 22, "5.6.7.8", 1)),
    ],
)
def test_a_line_is_a_socket(line: str, expected: tuple[object, ...]) -> None:
    assert [brief(socket) for socket in read(line)] == [expected]


def test_owners_are_all_of_them() -> None:
    [shared] = read('LISTEN 0 5 *:80 *:* users:(("nginx",pid=12,fd=6),("nginx: worker",pid=11,fd=6)) ino:5 sk:1 <->')
    assert shared.owners == (("nginx", 12), ("nginx: worker", 11))
    [old] = read('LISTEN 0 5 *:80 *:* users:(("sshd",1234,3))')
    assert old.owners == (("sshd", 1234),)
    [busy] = read("tcp 0 0 1.1.1.1:1 2.2.2.2:2 ESTABLISHED root 22606 1489/a b  keepalive (1.20/0/0)")
    assert busy.owners == (("a b", 1489),)
    [hidden] = read("ESTAB 0 0 10.0.0.5:1 10.0.0.6:2")
    assert hidden.owners == ()


def test_the_inode_is_told_where_it_was_asked_for() -> None:
    [ss] = read('tcp LISTEN 0 5 *:80 *:* users:(("nginx",pid=12,fd=6)) uid:33 ino:1578 sk:1 cgroup:/x <->')
    [netstat] = read("tcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN 0 18438 600/sshd")
    [udp] = read("udp 0 0 0.0.0.0:68 0.0.0.0:* root 23569 903/dhclient")
    [hostile] = read('tcp LISTEN 0 5 *:80 *:* users:(("ino:77",pid=12,fd=6))')
    [none] = read("udp 0 0 0.0.0.0:68 0.0.0.0:* 903/dhclient")
    assert [one.inode for one in (ss, netstat, udp, hostile, none)] == [1578, 18438, 23569, 0, 0]


def test_headings_details_and_other_families_are_passed_over() -> None:
    text = (
        "Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess\n"
        "u_str ESTAB 0 0 /run/x 123 * 124\n"
        "tcp LISTEN 0 4096 127.0.0.1:10248 0.0.0.0:*\n"
        "\t cubic wscale:7,7 rto:204\n"
    )
    assert len(read(text)) == 1


@pytest.mark.parametrize(
    "line", ["LISTEN 0 0 nonsense", "tcp 0 0 a:b c:d LISTEN", "ESTAB x y z", "tcp 0 0 1.1.1.1:99999 2.2.2.2:1 LISTEN"]
)
def test_what_is_no_socket_is_a_failure(line: str) -> None:
    [failure] = sockets.read(lines(line), context())
    assert isinstance(failure, ParseFailure)


@needs_corpus
def test_listings_of_real_machines_are_read_whole() -> None:
    assert CORPUS
    counts = {}
    for name in (
        "centos-7.7/netstat-sudo-aeep",
        "generic/ss-wide",
        "ubuntu-18.04/ss-sudo-tulpen",
        "generic/netstat-no-state",
    ):
        text = (CORPUS / f"kellyjonbrazil__jc/tests/fixtures/{name}.out").read_text()
        counts[name] = len(read("\n".join(line for line in text.split("\n") if not line.startswith("unix"))))
    assert counts == {
        "centos-7.7/netstat-sudo-aeep": 9,
        "generic/ss-wide": 155,
        "ubuntu-18.04/ss-sudo-tulpen": 73,
        "generic/netstat-no-state": 4,
    }
