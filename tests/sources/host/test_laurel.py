"""linux_audit as laurel writes it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kubewitness.model.evidence import ParseFailure
from kubewitness.model.host import HostEvent
from kubewitness.sources.host import laurel, linux_audit
from kubewitness.sources.host.recognise import kind_of
from tests.sources.host.reading import CID, context, lines

CALL: dict[str, Any] = {
    "arch": "0xc000003e", "syscall": 59, "success": "yes", "exit": 0, "a0": "0x55c0", "items": 3, "ppid": 7, "pid": 9,
    "auid": 1000, "uid": 0, "euid": 0, "tty": "pts3", "ses": 3, "comm": "perl", "exe": "/usr/bin/perl", "key": None,
    "ARCH": "x86_64", "SYSCALL": "execve", "UID": "root",
    "PPID": {"EVENT_ID": "1626611323.973:348120", "exe": "/bin/bash", "comm": "bash", "ppid": 3},
}  # fmt: skip
PERL: dict[str, Any] = {
    "ID": "1626611363.720:348501",
    "NODE": "n1",
    "SYSCALL": CALL,
    "EXECVE": {"argc": 3, "ARGV": ["perl", "-e", "print %22你%22%2B1"]},
    "CWD": {"cwd": "/root"},
    "PATH": [{"item": 0, "name": "/usr/bin/perl", "inode": 4, "mode": "0o100755", "nametype": "NORMAL"}],
    "PROCTITLE": {"ARGV": ["perl", "-e"]},
    "CONTAINER_INFO": {"ID": CID},
}


def read(*records: dict[str, Any]) -> list[HostEvent]:
    text = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    facts = list(laurel.read(lines(text), context()))
    assert not [fact for fact in facts if isinstance(fact, ParseFailure)]
    return [fact for fact in facts if isinstance(fact, HostEvent)]


def test_an_execution_has_its_words_its_parent_and_its_container() -> None:
    [event] = read(PERL)
    assert (event.category, event.argv) == ("process_creation", ("perl", "-e", 'print "你"+1'))
    assert (event.parent_image, event.container, event.source) == ("/bin/bash", CID, "laurel")
    assert (event.time, event.user, event.cwd) == ("2021-07-18T12:29:23.720000Z", "root", "/root")
    assert (event.fields["mode"], event.fields["arch"], event.fields["node"]) == ("0100755", "c000003e", "n1")


def test_laurel_says_what_the_raw_records_say() -> None:
    head = "msg=audit(1626611363.720:348501):"
    raw = (
        f"type=SYSCALL {head} arch=c000003e syscall=59 success=yes exit=0 a0=55c0 items=3 ppid=7 pid=9 auid=1000 uid=0 "
        'euid=0 tty=pts3 ses=3 comm="perl" exe="/usr/bin/perl" key=(null)\x1dARCH=x86_64 SYSCALL=execve UID="root"\n'
        f'type=EXECVE {head} argc=2 a0="perl" a1="-v"\n'
        f'type=CWD {head} cwd="/root"\n'
        f'type=PATH {head} item=0 name="/usr/bin/perl" inode=4 mode=0100755 nametype=NORMAL\n'
        f"type=PROCTITLE {head} proctitle=7065726C002D76"
    )
    [told] = linux_audit.read(lines(raw), context())
    record = {**PERL, "EXECVE": {"argc": 2, "ARGV": ["perl", "-v"]}, "NODE": None, "CONTAINER_INFO": None}
    [event] = read({**record, "SYSCALL": {**CALL, "PPID": {}}})
    assert isinstance(told, HostEvent)
    assert event.fields == told.fields
    assert (event.argv, event.image, event.time, event.category) == (told.argv, told.image, told.time, told.category)


def test_a_connection_is_read_in_both_forms_of_the_address() -> None:
    call = {**CALL, "syscall": 42, "SYSCALL": "connect"}
    plain = {"ID": "1626611363.720:1", "SYSCALL": call, "SOCKADDR": [{"saddr": "02000D05CB007121"}]}
    words = {**plain, "SOCKADDR": [{"SADDR": {"saddr_fam": "inet", "addr": "203.0.113.33", "port": 3333}}]}
    bare = {**plain, "SOCKADDR": [{"saddr_fam": "inet", "addr": "203.0.113.33", "port": 3333}]}
    for record in (plain, words, bare):
        [event] = read(record)
        assert (event.category, event.address, event.port) == ("network_connection", "203.0.113.33", 3333)


def test_a_record_that_stands_for_itself_is_one() -> None:
    [event] = read({"ID": "1626611363.720:1", "SERVICE_STOP": [{"pid": 1, "unit": "ufw", "res": "success"}]})
    assert {"type": "SERVICE_STOP", "unit": "ufw"}.items() <= event.fields.items()


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"ID": "x", "SYSCALL": {}}', '{"ID": "1.1:1"}', '{"ID": "1.1:1", "message": {}}', "null"]
)
def test_what_is_no_event_is_a_failure(line: str) -> None:
    [failure] = laurel.read(lines(line), context())
    assert isinstance(failure, ParseFailure)


@pytest.mark.parametrize("content", [None, 7, "x", [], [7], {"ARGV": 7}, {"ARGV": [None, 7]}, [[]], {"saddr": []}])
def test_wrong_types_cost_only_themselves(content: object) -> None:
    for kind in ("SYSCALL", "EXECVE", "PATH", "SOCKADDR", "PROCTITLE", "CWD", "USER_CMD", "PARENT_INFO"):
        events = read({"ID": "1626611363.720:1", "LOGIN": [{"pid": 5}], kind: content})
        assert [event.pid for event in events if event.fields["type"] == "LOGIN"] == [5]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (json.dumps(PERL), "laurel log"),
        ('{"ID": "1", "SYSCALL": {}}', ""),
        ('{"level": "info", "ID": "1.1:1", "msg": "SYSCALL"}', ""),
        ('{"kind":"Event","auditID":"1","ID":"1.1:1","SYSCALL":{}}', ""),
    ],
)
def test_only_events_of_laurel_are_claimed(text: str, kind: str) -> None:
    assert (kind_of("x.log", text.encode()) == "laurel log") == (kind == "laurel log")
