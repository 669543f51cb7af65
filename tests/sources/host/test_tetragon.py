"""Tetragon's export."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kubewitness.model.evidence import ParseFailure
from kubewitness.model.host import HostEvent
from kubewitness.sources.host import tetragon
from kubewitness.sources.host.recognise import kind_of
from tests.sources.host.reading import CID, context, lines

PROCESS: dict[str, Any] = {
    "exec_id": "Y2lsaX",
    "pid": 29681,
    "uid": 0,
    "cwd": "/",
    "binary": "/usr/bin/curl",
    "arguments": "-s http://203.0.113.9/x",
    "flags": "execve rootcwd clone",
    "start_time": "2022-09-25T21:32:04.848Z",
    "pod": {"namespace": "default", "name": "xwing\u0000", "container": {"id": f"containerd://{CID}", "name": "ship"}},
    "docker": CID[:31],
}
PARENT = {"pid": 29600, "binary": "/bin/sh", "arguments": "-c x"}


def record(kind: str, process: dict[str, Any] | None = None, **more: Any) -> str:
    body = {"process": PROCESS | (process or {}), "parent": PARENT} | more
    return json.dumps({kind: body, "node_name": "node1", "time": "2022-09-25T21:32:05.001002003Z"})


def only(text: str) -> HostEvent:
    (fact,) = tetragon.read(lines(text), context())
    assert isinstance(fact, HostEvent)
    return fact


def test_a_start_tells_program_parent_and_pod() -> None:
    text = record("process_exec")
    assert kind_of("tetragon.log", f"{text}\n".encode()) == "Tetragon events"
    event = only(text)
    assert (event.category, event.time) == ("process_creation", "2022-09-25T21:32:05.001002Z")
    assert (event.pid, event.ppid, event.user, event.cwd) == (29681, 29600, "0", "/")
    assert (event.image, event.command) == ("/usr/bin/curl", "/usr/bin/curl -s http://203.0.113.9/x")
    assert (event.parent_image, event.parent_command) == ("/bin/sh", "/bin/sh -c x")
    assert (event.container, event.pod) == (CID, "default/xwing")
    assert event.fields["node_name"] == "node1"
    assert not {"process.pid", "process.exec_id"} & event.fields.keys()


def test_without_a_pod_the_container_is_as_long_as_it_was_cut() -> None:
    assert only(record("process_exec", {"pod": None})).container == CID[:31]


def test_numbers_may_be_wrapped_or_strings() -> None:
    event = only(record("process_exec", {"pid": {"value": 7}, "uid": "1000"}))
    assert (event.pid, event.user) == (7, "1000")


def test_a_process_that_was_there_before_was_started_when_it_was_started() -> None:
    assert only(record("process_exec", {"flags": "procFS auid"})).time == "2022-09-25T21:32:04.848000Z"


@pytest.mark.parametrize(
    ("function", "args", "expected"),
    [
        ("tcp_connect", [{"sock_arg": {"daddr": "203.0.113.9", "dport": 3333}}],
         ("network_connection", "203.0.113.9", 3333, "")),
        ("security_socket_connect", [{"sockaddr_arg": {"addr": "203.0.113.9", "port": "443"}}],
         ("network_connection", "203.0.113.9", 443, "")),
        ("tcp_close", [{"sock_arg": {"daddr": "203.0.113.9", "dport": 3333}}], ("record", "203.0.113.9", 3333, "")),
        ("security_file_permission", [{"file_arg": {"path": "/etc/cron.d/x"}}, {"int_arg": 2}],
         ("file_event", "", 0, "/etc/cron.d/x")),
        ("security_file_permission", [{"file_arg": {"path": "/etc/shadow"}}, {"int_arg": 4}],
         ("record", "", 0, "/etc/shadow")),
        ("fd_install", [{"int_arg": 3}, {"file_arg": {"path": "/tmp/.x"}}], ("file_event", "", 0, "/tmp/.x")),
        ("security_path_truncate", [{"path_arg": {"path": "/var/log/wtmp"}}], ("file_event", "", 0, "/var/log/wtmp")),
        ("sys_setns", [{"int_arg": 1}], ("record", "", 0, "")),
        ("tcp_connect", [None, {"sock_arg": {"daddr": "203.0.113.9", "dport": 99999}}, {"sock_arg": "x"}],
         ("network_connection", "203.0.113.9", 0, "")),
    ],
)  # fmt: skip
def test_what_a_function_was_called_with(function: str, args: list[Any], expected: tuple[Any, ...]) -> None:
    event = only(record("process_kprobe", function_name=function, args=args, policy_name="watch"))
    assert (event.category, event.address, event.port, event.path) == expected
    assert (event.message, event.fields["policy_name"]) == (function, "watch")


def test_other_types_are_records() -> None:
    for kind in ("process_tracepoint", "process_uprobe", "process_loader", "process_lsm"):
        assert only(record(kind)).category == "record"


def test_an_end_is_kept_where_something_went_wrong() -> None:
    assert only(record("process_exit", signal="SIGKILL")).message == "process ended: SIGKILL"
    assert only(record("process_exit", status=1)).message == "process ended: status 1"
    where = context()
    assert list(tetragon.read(lines(record("process_exit") + "\n" + record("process_exit", status=0)), where)) == []
    assert "2 ends of processes" in where.notes[0].reason


def test_events_of_one_kind_differ_in_nothing_but_time_and_number() -> None:
    one, other = only(record("process_exec")), only(record("process_exec", {"pid": 3, "exec_id": "Z", "tid": 3}))
    assert one.fields == other.fields


def test_what_was_dropped_at_a_limit_is_a_gap() -> None:
    where = context()
    info = {"rate_limit_info": {"number_of_dropped_process_events": "12"}, "time": "2022-09-25T21:32:05Z"}
    assert list(tetragon.read(lines(json.dumps(info) + "\n" + json.dumps(info)), where)) == []
    (note,) = where.notes
    assert "(24 of them told)" in note.reason


@pytest.mark.parametrize(
    "line",
    [
        '{"process": {"pid": 1}, "time": "2022-09-25T21:32:05Z"}',
        '{"process_exec": "x", "time": "2022-09-25T21:32:05Z"}',
        '{"msg": "process_exec", "level": "info"}',
        '{"kind":"Event","auditID":"a","process_exec":{"process":{}}}',
    ],
)
def test_other_logs_are_not_taken_for_its_events(line: str) -> None:
    assert kind_of("x.log", f"{line}\n".encode()) != "Tetragon events"


def test_wrong_types_are_unknown_and_a_bad_line_costs_no_other() -> None:
    odd = {"pid": [], "uid": {}, "binary": 4, "arguments": None, "pod": "x", "docker": {"value": [1]}, "flags": 0}
    facts = list(tetragon.read(lines(record("process_exec", odd) + "\n{bad\n" + record("process_exec")), context()))
    assert [isinstance(fact, ParseFailure) for fact in facts] == [False, True, False]
