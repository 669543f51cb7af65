"""Processes, sockets and files of our own archive, and the kernel's socket tables."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.model.collection import FileRecord, ProcessRecord
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import FileEntry, Process, Socket
from kubewitness.sources.host import proc_records, recognise
from kubewitness.sources.host.cgroups import Descriptors
from kubewitness.sources.host.folding import Owners, merged
from tests.sources.host.reading import CID, context, folder, lines, only

UID = "7ed4aa24-da57-4fed-90f1-ec6c083b099c"
MINER = ProcessRecord(
    pid=3261,
    ppid=3200,
    name=".system",
    argv=("./.system", "-o", "pool.example:3333", "two words"),
    state="S",
    uid=0,
    started="2026-11-22T03:59:54Z",
    exe="/var/tmp/.system (deleted)",
    sha256="AB" * 32,
    cwd="/var/tmp",
    cgroup=f"12:pids:/\n4:memory:/kubepods/besteffort/pod{UID}/{CID}\n0::/\n",
    environ=("PATH", "LD_PRELOAD=/tmp/x.so"),
    namespaces={"pid": "4026531836", "net": "4026531840"},
    files=("0 /dev/null", "7 socket:[1578]", "8 pipe:[9]", "9 socket:[77]"),
    maps=("/usr/lib/libc.so.6", "/memfd:x (deleted)", "/tmp/x.so (deleted)"),
    capabilities="000001ffffffffff",
)
HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
TAIL = "00000000:00000000 00:00000000 00000000     0        0"


def facts(text: str) -> list[object]:
    return list(proc_records.read_processes(lines(text), context()))


def jsonl(*records: object) -> str:
    return "".join(msgspec.json.encode(record).decode() + "\n" for record in records)


def table(text: str, item: str = "live_response/network/net/4026531840/tcp") -> list[Socket]:
    found = list(proc_records.read_net(lines(text, item), context(item)))
    assert not [one for one in found if isinstance(one, ParseFailure)]
    return [one for one in found if isinstance(one, Socket)]


def test_a_record_becomes_a_process_with_everything_it_tells() -> None:
    [process, held] = facts(jsonl(MINER))
    assert isinstance(process, Process)
    assert process.command == "./.system -o pool.example:3333 two words"
    assert process.argv[-1] == "two words"
    assert (process.container, process.pod_uid) == (CID, UID)
    assert (process.sha256, process.executable) == ("ab" * 32, "/var/tmp/.system (deleted)")
    assert process.deleted_maps == ("/memfd:x (deleted)", "/tmp/x.so (deleted)")
    assert process.namespaces == (("net", "4026531840"), ("pid", "4026531836"))
    assert (process.user, process.visible, process.environment) == ("root", True, ("PATH", "LD_PRELOAD=/tmp/x.so"))
    assert held == Descriptors(3261, ".system", (1578, 77))


def test_a_kernel_thread_has_its_name_in_brackets_and_a_hidden_process_is_not_visible() -> None:
    thread, hidden = facts(
        jsonl(ProcessRecord(pid=2, ppid=0, name="kthreadd", state="S"), ProcessRecord(pid=9, state="R", hidden=True))
    )
    assert isinstance(thread, Process)
    assert isinstance(hidden, Process)
    assert (thread.command, thread.visible, hidden.visible) == ("[kthreadd]", True, False)


def test_bytes_that_are_no_text_cost_no_process(tmp_path: Path) -> None:
    raw = b'{"pid":7,"ppid":1,"name":"\xff\xfe","state":"S","argv":["a\\\\x41","\xff"]}\n'
    host = only(folder(tmp_path, {"d/p.jsonl": raw}))
    assert [process.argv for process in host.processes] == [("a\\x41", "\\xff")]


@pytest.mark.parametrize(
    "line",
    ["{", '{"pid":"1"}', '{"pid":0}', '{"pid":-4}', '{"pid":99999999999}', "[" * 5000, "null", '{"pid":1,"argv":[1]}'],
)
def test_a_bad_line_costs_only_itself(line: str) -> None:
    found = facts(f"{line}\n{jsonl(MINER)}")
    assert [type(one) for one in found] == [ParseFailure, Process, Descriptors]


@given(st.dictionaries(st.sampled_from([*ProcessRecord.__struct_fields__, "x"]), st.none() | st.integers() | st.text()))
@settings(max_examples=60, deadline=None)
def test_no_json_breaks_the_reader(record: dict[str, object]) -> None:
    assert 0 < len(facts(json.dumps(record))) <= 2


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (jsonl(MINER), "process records"),
        (
            jsonl(FileRecord("/tmp/x", size=1, mode="-rw-r--r--", uid=0, modified="2026-01-01T00:00:00Z")),
            "file records",
        ),
        (f"{HEADER}\n", "socket table"),
        (f"   0: 0100007F:1F90 00000000:0000 0A {TAIL} 1578 1 0000 100 0 0 10 0\n", "socket table"),
        # what comes near
        ('{"pid":12,"name":"app","level":30,"time":1,"hostname":"web","msg":"up","state":"S"}\n', ""),
        ('{"pid":12,"name":"app","state":"ready"}\n', ""),
        ('{"pid":"12","ppid":"1","name":"sshd","state":"S"}\n', ""),
        ('{"path":"/api/v1","status":200,"method":"GET"}\n', ""),
        ('{"path":"/x","mode":"rw","uid":3}\n', ""),
        ("  0: is no socket\n", ""),
    ],
)
def test_each_is_told_from_what_comes_near(text: str, kind: str) -> None:
    assert recognise.kind_of("case/some.log", text.encode()) == kind


def test_a_command_line_that_names_an_audit_event_hides_no_process() -> None:
    forged = msgspec.structs.replace(MINER, argv=('"auditID":"x","stageTimestamp":"y"', "protoPayload"))
    forged = msgspec.structs.replace(forged, name='"protoPayload"')
    assert recognise.kind_of("x/processes.jsonl", jsonl(forged, MINER).encode()) == "process records"


def test_the_kernels_table_is_read_with_inode_and_namespace() -> None:
    text = (
        f"{HEADER}\n   0: 0100007F:1F90 00000000:0000 0A {TAIL} 1578 1 0000000 100 0 0 10 0\n"
        f"   1: 0500000A:B038 217100CB:0D05 01 {TAIL} 77 1\n"
        f"   2: 0000000000000000FFFF00000500000A:280A 0000000000000000FFFF000023940" + f"92D:C822 01 {TAIL} 78 1\n"
        f"   3: 00000000000000000000000000000000:280A 00000000000000000000000000000000:0000 0A {TAIL} 79 1\n"
        f"   4: B80D0120000000000000000001000000:0016 00000000000000000000000000000000:0000 0A {TAIL} 80 1\n"
    )
    found = [(s.state, s.local_address, s.local_port, s.peer_address, s.peer_port, s.inode) for s in table(text)]
    assert found == [
        ("LISTEN", "127.0.0.1", 8080, "0.0.0.0", 0, 1578),
        ("ESTAB", "10.0.0.5", 45112, "203.0.113.33", 3333, 77),
        ("ESTAB", "10.0.0.5", 10250, "45.9.148.35", 51234, 78),
        ("LISTEN", "::", 10250, "::", 0, 79),
        ("LISTEN", "2001:db8::1", 22, "::", 0, 80),
    ]
    assert {(socket.protocol, socket.namespace) for socket in table(text)} == {("tcp", "4026531840")}


def test_a_table_of_udp_is_known_by_name_or_headings_and_raw_sockets_are_passed_over() -> None:
    row = f"  10: 00000000:0044 00000000:0000 07 {TAIL} 5 2 00 0\n"
    assert [(s.protocol, s.state) for s in table(row, "x/udp6")] == [("udp", "UNCONN")]
    assert [s.protocol for s in table(f"{HEADER} ref pointer drops\n{row}", "x/dump.txt")] == ["udp"]
    assert table(f"{HEADER} ref pointer drops\n{row}", "x/net/1/raw") == []


@pytest.mark.parametrize(
    "row", ["0: 0100007F:1F90", f"0: 0100007F:1F90 00000000:0000 FF {TAIL} 1 1", "\x1b[31m", "0:" * 9999]
)
def test_what_is_no_row_is_a_failure(row: str) -> None:
    found = list(proc_records.read_net(lines(row), context()))
    assert [type(one) for one in found] == [ParseFailure]


def socket(
    protocol: str, state: str, local: tuple[str, int], *, inode: int = 0, net: str = "", owner: str = ""
) -> Socket:
    owners = ((owner, 1),) if owner else ()
    return Socket(protocol, state, *local, "0.0.0.0", 0, Place("i", inode, 0), owners, inode, net)


def process(namespace: str = "9") -> Process:
    return Process(1, "init", Place("i", 1, 0), namespaces=(("net", namespace),))


def test_open_descriptors_name_the_owners_of_a_socket() -> None:
    owners = Owners()
    owners.add(Descriptors(12, "nginx", (5, 5)))
    owners.add(Descriptors(13, "worker", (5,)))
    found = owners.joined([socket("tcp", "LISTEN", ("0.0.0.0", 80), inode=n, net="9") for n in (5, 6)], [])
    assert [one.owners for one in found] == [(("nginx", 12), ("worker", 13)), ()]


def test_a_socket_that_ss_and_the_kernels_table_tell_of_is_one() -> None:
    listed = [socket("tcp", "LISTEN", ("*", 10250), owner="kubelet"), socket("udp", "UNCONN", ("127.0.0.1%lo", 53))]
    tables = [
        socket("tcp", "LISTEN", ("::", 10250), inode=5, net="9"),
        socket("udp", "UNCONN", ("127.0.0.1", 53), inode=6, net="9"),
        socket("udp", "UNCONN", ("127.0.0.1", 53), inode=7, net="9"),  # a second one of the same address
        socket("tcp", "LISTEN", ("::", 10250), inode=8, net="22"),  # a pod's
    ]
    owners = Owners()
    owners.add(Descriptors(40, "resolved", (6,)))
    found = owners.joined([*listed, *tables], [process()])
    assert [(one.local_port, one.inode, one.namespace) for one in found] == [
        (10250, 5, "9"), (53, 6, "9"), (53, 7, "9"), (10250, 8, "22"),
    ]  # fmt: skip
    assert [one.owners for one in found] == [(("kubelet", 1),), (("resolved", 40),), (), ()]


def test_a_listing_becomes_files() -> None:
    record = FileRecord(
        "/tmp/.x", size=5, mode="-rwsr-xr-x", uid=1000, modified="2026-01-01T00:00:00Z", sha256="AA" * 32
    )
    [entry, failure] = proc_records.read_files(lines(jsonl(record) + '{"path":""}'), context())
    assert isinstance(entry, FileEntry)
    assert (entry.path, entry.size, entry.mode, entry.owner, entry.sha256) == (
        "/tmp/.x",
        5,
        "-rwsr-xr-x",
        "1000",
        "aa" * 32,
    )
    assert isinstance(failure, ParseFailure)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("[kworker/0:0H-ev]", "[kworker/0:0H-events_highpri]", True),  # BusyBox cuts names
        (
            "[kworker/u8:4-kvfree_rcu_reclaim]",
            "[kworker/u8:4-events_unbound]",
            True,
        ),  # a name that changes with the work
        ("[kworker/u8:4+flush]", "[kworker/u8:4-events_unbound]", True),
        ("[kworker/u8:4-x]", "[kworker/u8:5-x]", False),
        ("[kworker/u8:4-x]", "./.system -o pool", False),
        ("[ksoftirqd/0]", "[ksoftirqd/1]", False),
    ],
)
def test_a_kernel_thread_under_two_of_its_names_is_one(one: str, other: str, same: bool) -> None:
    both = [Process(7, command, Place("i", line, 0)) for line, command in enumerate((one, other))]
    assert len(merged(both)) == (1 if same else 2)
