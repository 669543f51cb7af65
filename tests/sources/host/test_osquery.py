"""Results of osquery."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kubewitness.model.evidence import ParseFailure
from kubewitness.model.host import CronEntry, HostEvent, HostFile, KernelModule, Process, Socket
from kubewitness.sources.host import osquery
from kubewitness.sources.host.recognise import kind_of
from tests.sources.host.reading import CID, context, lines

ENVELOPE = {"name": "pack_x_y", "hostIdentifier": "n1", "calendarTime": "x", "unixTime": 1783414661, "counter": 3}
PROCESS = {
    "pid": "4411", "name": ".system", "path": "/var/tmp/.system", "cmdline": "./.system -o pool:3333", "on_disk": "0",
    "uid": "0", "parent": "1", "cwd": "/var/tmp", "start_time": "1783414600",
    "cgroup_path": f"/kubepods.slice/cri-containerd-{CID}.scope",
}  # fmt: skip


def added(columns: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**ENVELOPE, "columns": columns, "action": "added", **more}


def read(*records: dict[str, Any]) -> list[Any]:
    facts = list(osquery.read(lines("\n".join(map(json.dumps, records))), context()))
    assert not [fact for fact in facts if isinstance(fact, ParseFailure)]
    return facts


def test_a_process_whose_file_is_gone_is_marked() -> None:
    [process] = read(added(PROCESS))
    assert isinstance(process, Process)
    assert (process.pid, process.ppid, process.user, process.command) == (4411, 1, "root", "./.system -o pool:3333")
    assert (process.executable, process.container) == ("/var/tmp/.system (deleted)", CID)
    assert process.started == "2026-07-07T08:56:40.000000Z"


@pytest.mark.parametrize(
    ("on_disk", "expected"), [("1", "/usr/bin/x"), ("-1", "/usr/bin/x"), ("0", "/usr/bin/x (deleted)")]
)
def test_only_zero_means_deleted(on_disk: str, expected: str) -> None:
    [process] = read(added({"pid": "5", "path": "/usr/bin/x", "cmdline": "x", "on_disk": on_disk}))
    assert process.executable == expected


def test_a_kernel_thread_is_in_brackets() -> None:
    [process] = read(added({"pid": "2", "name": "kthreadd", "path": "", "cmdline": "", "on_disk": "-1"}))
    assert (process.command, process.executable) == ("[kthreadd]", "")


def test_snapshot_batch_and_request_say_the_same() -> None:
    rows = [PROCESS, {**PROCESS, "pid": "5"}]
    snapshot = {**ENVELOPE, "snapshot": rows, "action": "snapshot"}
    batch = {**ENVELOPE, "diffResults": {"added": rows, "removed": ""}}
    sent = {"node_key": "k", "log_type": "result", "data": [added(row) for row in rows]}
    for record in (snapshot, batch, sent):
        assert [process.pid for process in read(record)] == [4411, 5]
        assert kind_of("x", json.dumps(record).encode()) == "osquery results"
    assert [process.place.element for process in read(snapshot)] == [0, 1]


def test_what_is_seen_again_is_told_once() -> None:
    snapshot = {**ENVELOPE, "snapshot": [PROCESS], "action": "snapshot"}
    assert len(read(snapshot, {**snapshot, "unixTime": 1783418261}, snapshot)) == 1


def test_what_went_away_is_a_record_and_not_there() -> None:
    [event] = read({**added(PROCESS), "action": "removed"})
    assert (event.category, event.fields["action"]) == ("record", "removed")
    assert not read({**added({"pid": "1", "path": "/x", "cmdline": "x", "auid": "0", "eid": "1"}), "action": "removed"})


def test_sockets_have_their_state_and_owner() -> None:
    open_one = {
        "pid": "4411", "protocol": "6", "local_address": "10.0.0.5", "local_port": "45112", "state": "ESTABLISHED",
        "remote_address": "::ffff:203.0.113.33", "remote_port": "3333", "socket": "77", "path": "", "fd": "9",
    }  # fmt: skip
    listening = {"pid": "60", "port": "10250", "protocol": "6", "family": "10", "address": "::", "path": ""}
    local = {"pid": "60", "port": "0", "protocol": "0", "family": "1", "address": "", "path": "/run/x.sock"}
    one, two, three = read(added(open_one), added(listening), added(local))
    assert isinstance(one, Socket)
    assert (one.state, one.peer_address, one.peer_port, one.owners, one.inode) == (
        "ESTAB", "203.0.113.33", 3333, (("", 4411),), 77,
    )  # fmt: skip
    assert (two.state, two.local_address, two.local_port) == ("LISTEN", "::", 10250)
    assert isinstance(three, HostEvent)


def test_an_execution_that_never_ends_is_counted_after_its_first_ones() -> None:
    row = {"pid": "9", "parent": "7", "path": "/usr/bin/curl", "cmdline": "curl -s x", "auid": "4294967295", "uid": "0",
           "time": "1783414600", "eid": "1", "cwd": "/"}  # fmt: skip
    rows = [added({**row, "pid": str(n), "eid": str(n), "time": str(1783414600 + n)}) for n in range(2, 30)]
    events = [event for event in read(*rows) if isinstance(event, HostEvent)]
    assert {(event.category, event.image, event.command) for event in events} == {
        ("process_creation", "/usr/bin/curl", "curl -s x")
    }
    assert [event.count for event in events] == [1] * 20 + [8]
    assert (events[-1].time, events[-1].last) == ("2026-07-07T08:57:02.000000Z", "2026-07-07T08:57:09.000000Z")


@pytest.mark.parametrize(
    ("row", "category", "where"),
    [
        (
            {"action": "connect", "remote_address": "203.0.113.33", "remote_port": "3333"},
            "network_connection",
            "203.0.113.33",
        ),
        ({"action": "bind", "remote_address": "", "remote_port": "0"}, "record", ""),
        ({"action": "CREATED", "target_path": "/etc/ld.so.preload"}, "file_event", "/etc/ld.so.preload"),
        ({"action": "OPENED", "target_path": "/etc/shadow"}, "record", "/etc/shadow"),
        (
            {"command": "curl x | sh", "history_file": "/root/.bash_history", "uid": "0"},
            "command",
            "/root/.bash_history",
        ),
        ({"type": "user", "user": "root", "tty": "pts/0", "host": "198.51.100.4"}, "login", "198.51.100.4"),
        ({"type": "boot_time", "user": "reboot", "tty": "~", "host": ""}, "record", ""),
        ({"username": "toor", "directory": "/root", "shell": "/bin/sh", "uid": "0"}, "record", ""),
        ({"anything": "else"}, "record", ""),
    ],
)
def test_a_row_is_told_by_its_columns(row: dict[str, str], category: str, where: str) -> None:
    [event] = read(added(row))
    assert (event.category, event.path or event.address) == (category, where)
    assert event.source == "osquery"


def test_a_crontab_of_the_system_names_its_user() -> None:
    row = {"event": "", "minute": "*/5", "hour": "*", "day_of_month": "*", "month": "*", "day_of_week": "*"}
    one, two, three = read(
        added({**row, "command": "root curl x | sh", "path": "/etc/cron.d/x"}),
        added({**row, "command": "curl x | sh", "path": "/var/spool/cron/crontabs/bob"}),
        added({"event": "@reboot", "command": "/tmp/x", "path": "/var/spool/cron/root"}),
    )
    assert isinstance(one, CronEntry)
    assert (one.schedule, one.user, one.command) == ("*/5 * * * *", "root", "curl x | sh")
    assert (two.user, two.command) == ("bob", "curl x | sh")
    assert (three.schedule, three.user) == ("@reboot", "root")


def test_keys_and_modules_are_what_they_are_elsewhere() -> None:
    key, module = read(
        added(
            {
                "uid": "0",
                "algorithm": "ssh-rsa",
                "key": "AAAA",
                "comment": "x@y",
                "key_file": "/root/.ssh/authorized_keys",
            }
        ),
        added({"name": "diamorphine", "size": "1", "used_by": "-", "status": "Live", "address": "0x0"}),
    )
    assert isinstance(key, HostFile)
    assert (key.path, key.text) == ("/root/.ssh/authorized_keys", "ssh-rsa AAAA x@y")
    assert module == KernelModule("diamorphine", module.place)


@pytest.mark.parametrize("line", ["{", "[]", '{"name": "x"}', '{"name": "x", "hostIdentifier": "h", "columns": 7}'])
def test_what_is_no_result_is_a_failure(line: str) -> None:
    [failure] = osquery.read(lines(line), context())
    assert isinstance(failure, ParseFailure)


@pytest.mark.parametrize("value", [None, 7, [], {}, True, "x" * 100, "\0", "-5", "9" * 30])
def test_wrong_types_cost_only_themselves(value: object) -> None:
    for column in PROCESS:
        assert len(read(added({**PROCESS, column: value}), added({"anything": "else"}))) == 2
    assert not read({**ENVELOPE, "snapshot": [value]})


@pytest.mark.parametrize(
    "text",
    [
        '{"hostIdentifier":"h","severity":0,"filename":"x.cpp","line":"1","message":"m","version":"5"}',
        '{"name":"x","columns":{"a":"b"},"action":"added"}',
        '{"kind":"Event","auditID":"1","name":"x","hostIdentifier":"h","columns":{},"action":"added"}',
        '{"level":"info","hostIdentifier":"h","name":"x"}',
    ],
)
def test_only_results_are_claimed(text: str) -> None:
    assert kind_of("x.log", text.encode()) != "osquery results"
