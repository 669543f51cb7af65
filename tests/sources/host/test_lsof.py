"""Open files: sockets with all their owners, and executables that are gone from the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.model.evidence import ParseFailure
from kubewitness.model.host import Socket
from kubewitness.sources.host import lsof
from kubewitness.sources.host.cgroups import Executable
from tests.corpus import CORPUS, needs_corpus
from tests.sources.host.reading import context, folder, lines, only

TABLE = """\
COMMAND     PID   TID TASKCMD             USER   FD      TYPE             DEVICE SIZE/OFF       NODE NAME
.system    4411                              0  cwd       DIR                8,2     4096          2 /var/tmp
.system    4411                              0  txt       REG              253,0  1624520   50360451 /var/tmp/.system (deleted)
.system    4411                              0  mem       REG                8,2  1700792     656167 /lib/x86_64-linux-gnu/libm-2.27.so
.system    4411                              0    9u     IPv4              40731      0t0        TCP 10.0.0.5:45112->203.0.113.33:3333 (ESTABLISHED)
.system    4411  4412 worker                 0    9u     IPv4              40731      0t0        TCP 10.0.0.5:45112->203.0.113.33:3333 (ESTABLISHED)
my\\x20app   77                           root    3u     IPv6              18111      0t0        TCP *:10250 (LISTEN)
sub          78                           root    3u     IPv6              18111      0t0        TCP *:10250 (LISTEN)
dhclient    903                           root    6u     IPv4              23569      0t0        UDP *:68
kworker/u    12                           root  txt   unknown                                        /proc/12/exe
"""  # noqa: E501
FIELDS = """\
p4411
g4411
R1
c.system
u0
Lroot
ftxt
a
l
tREG
n/memfd:x (deleted)
f9
au
l
tIPv4
d40731
PTCP
n10.0.0.5:45112->203.0.113.33:3333
TST=ESTABLISHED
TQR=0
"""


def read(text: str, fields: bool = False) -> tuple[list[Socket], list[Executable]]:
    facts = list((lsof.read_fields if fields else lsof.read_table)(lines(text), context()))
    assert not [fact for fact in facts if isinstance(fact, ParseFailure)]
    sockets = [fact for fact in facts if isinstance(fact, Socket)]
    return sockets, [fact for fact in facts if isinstance(fact, Executable)]


def test_a_table_tells_sockets_once_with_their_owners_and_what_runs() -> None:
    sockets, programs = read(TABLE)
    assert [(one.protocol, one.state, one.local_port, one.peer_address, one.owners, one.inode) for one in sockets] == [
        ("tcp", "ESTAB", 45112, "203.0.113.33", ((".system", 4411),), 40731),
        ("tcp", "LISTEN", 10250, "*", (("my app", 77), ("sub", 78)), 18111),
        ("udp", "UNCONN", 68, "*", (("dhclient", 903),), 23569),
    ]
    assert [(one.pid, one.path) for one in programs] == [(4411, "/var/tmp/.system (deleted)")]


@pytest.mark.parametrize("text", [FIELDS, FIELDS.replace("\nf", "\n\0f").replace("\nl", "\0l").replace("\nt", "\0t")])
def test_fields_tell_the_same(text: str) -> None:
    [socket], [program] = read(text, fields=True)
    assert (socket.state, socket.peer_port, socket.owners, socket.inode) == ("ESTAB", 3333, ((".system", 4411),), 40731)
    assert (program.pid, program.path) == (4411, "/memfd:x (deleted)")


def test_a_socket_with_names_for_numbers_is_told_as_what_it_is() -> None:
    text = TABLE.replace("45112->203.0.113.33:3333", "45112->pool.example:ansyslmd")
    facts = list(lsof.read_table(lines(text), context()))
    [failure] = [fact for fact in facts if isinstance(fact, ParseFailure)]
    assert "lsof -nP" in failure.reason
    assert len([fact for fact in facts if isinstance(fact, Socket)]) == 2


def test_what_is_no_line_of_it_is_counted_and_costs_nothing_else() -> None:
    facts = list(lsof.read_table(lines(TABLE + "junk\n" + "x " * 30_000), context()))
    assert len([fact for fact in facts if isinstance(fact, ParseFailure)]) == 2
    assert len(facts) == 6
    broken = list(lsof.read_fields(lines(FIELDS + "p99x\nf1\ntIPv4\nPTCP\nnx\n"), context()))
    assert [type(fact) for fact in broken if not isinstance(fact, Socket)] == [Executable, ParseFailure]


def test_a_running_executable_that_was_deleted_is_one_of_its_process(tmp_path: Path) -> None:
    ps = "USER PID COMMAND\nroot 4411 ./.system -o pool:3333\n"
    host = only(folder(tmp_path, {"n/ps.txt": ps, "n/lsof.txt": TABLE}))
    assert [one.executable for one in host.processes] == ["/var/tmp/.system (deleted)"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (TABLE, "lsof"),
        (FIELDS, "lsof fields"),
        ("COMMAND PID USER\nx 1 root\n", ""),
        ("p4411\nparagraph\nfood\ncat\n", ""),
        ("packages\nfonts\ncups\n", ""),
    ],
)
def test_only_such_a_list_is_taken_for_one(tmp_path: Path, text: str, kind: str) -> None:
    assert list(folder(tmp_path, {"x.txt": text}).items.values()) == ([kind] if kind else [])


@needs_corpus
@pytest.mark.parametrize(
    ("name", "sockets", "programs"), [("centos-7.7", 8, "/usr/sbin/sshd"), ("ubuntu-18.04", 7, "/lib/systemd/systemd")]
)
def test_lists_of_real_machines_are_read_whole(name: str, sockets: int, programs: str) -> None:
    assert CORPUS
    found, running = read((CORPUS / f"kellyjonbrazil__jc/tests/fixtures/{name}/lsof-sudo.out").read_text())
    assert len(found) == sockets
    assert programs in {one.path for one in running}
    assert all(one.owners for one in found)
