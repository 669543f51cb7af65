"""Tracee's events in both schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.model.evidence import ParseFailure
from kubewitness.model.host import HostEvent
from kubewitness.sources.host import tracee
from kubewitness.sources.host.recognise import kind_of
from tests.sources.host.reading import CID, context, lines

WORKLOAD: dict[str, Any] = {
    "process": {
        "executable": {"path": "/usr/bin/curl"},
        "host_pid": {"value": 812},
        "pid": {"value": 7},
        "real_user": {"id": {"value": 0}},
        "thread": {"name": "curl"},
        "ancestors": [{"host_pid": {"value": 800}, "executable": {"path": "/bin/sh"}}],
    },
    "container": {"id": CID, "name": "app", "image": {"name": "nginx:1"}},
    "k8s": {"pod": {"name": "web-0", "uid": "7ed4aa24-da57-4fed-90f1-ec6c083b099c"}, "namespace": {"name": "shop"}},
}
ARGV = [
    {"name": "pathname", "str": "/usr/bin/curl"},
    {"name": "argv", "str_array": {"value": ["curl", "-s", "x"]}},
    {"name": "env", "str_array": {"value": ["TOKEN=secret"]}},
]


def new(name: str, data: list[Any], **more: Any) -> str:
    time = {"seconds": "1732454400", "nanos": 5000}
    return json.dumps({"timestamp": time, "id": "736", "name": name, "workload": WORKLOAD, "data": data} | more)


def old(name: str, args: list[Any], **more: Any) -> str:
    record = {
        "timestamp": 1690214405567042601, "processName": "curl", "hostProcessId": 812, "hostParentProcessId": 800,
        "userId": 0, "containerId": CID, "eventName": name, "returnValue": 0, "executable": {"path": "/usr/bin/curl"},
        "kubernetes": {"podName": "web-0", "podNamespace": "shop", "podUID": "7ed4aa24"}, "args": args,
    }  # fmt: skip
    return json.dumps(record | more)


def only(text: str) -> HostEvent:
    (fact,) = tracee.read(lines(text), context())
    assert isinstance(fact, HostEvent)
    return fact


def test_a_start_in_the_new_schema() -> None:
    text = new("sched_process_exec", ARGV)
    assert kind_of("tracee.json", f"{text}\n".encode()) == "Tracee events"
    event = only(text)
    assert (event.category, event.time) == ("process_creation", "2024-11-24T13:20:00.000005Z")
    assert (event.pid, event.ppid, event.user) == (812, 800, "0")
    assert (event.image, event.argv, event.parent_image) == ("/usr/bin/curl", ("curl", "-s", "x"), "/bin/sh")
    assert (event.container, event.pod, event.pod_uid[:8]) == (CID, "shop/web-0", "7ed4aa24")


def test_the_environment_is_not_kept() -> None:
    assert "secret" not in repr(only(new("sched_process_exec", ARGV)))


def test_a_start_in_the_old_schema() -> None:
    args = [{"name": "pathname", "type": "const char*", "value": "/bin/id"}, {"name": "argv", "value": ["id"]}]
    text = old("execve", args)
    assert kind_of("tracee.json", f"{text}\n".encode()) == "Tracee events"
    event = only(text)
    assert (event.category, event.image, event.command) == ("process_creation", "/bin/id", "id")
    assert (event.time, event.pid, event.ppid) == ("2023-07-24T16:00:05.567042Z", 812, 800)
    assert (event.container, event.pod, event.succeeded) == (CID, "shop/web-0", True)


def test_times_since_the_machine_started_are_not_known() -> None:
    assert only(old("execve", [], timestamp=567042601)).time == ""


ADDRESS = {"sa_family": "AF_INET", "sin_addr": "203.0.113.9", "sin_port": "3333"}


@pytest.mark.parametrize(
    "text",
    [
        new("security_socket_connect", [{"name": "remote_addr", "sockaddr": ADDRESS}]),
        new("security_socket_connect", [{"name": "remote_addr", "Value": {"Sockaddr": ADDRESS}}]),
        old("security_socket_connect", [{"name": "remote_addr", "value": ADDRESS}]),
        old("net_tcp_connect", [{"name": "dst", "value": "203.0.113.9"}, {"name": "dst_port", "value": 3333}]),
        new("net_tcp_connect", [{"name": "dst", "str": "203.0.113.9"}, {"name": "dst_port", "u_int32": 3333}]),
    ],
)
def test_connections_in_all_their_forms(text: str) -> None:
    event = only(text)
    assert (event.category, event.address, event.port) == ("network_connection", "203.0.113.9", 3333)


def test_a_socket_of_the_machine_itself_is_no_connection() -> None:
    local = {"sa_family": "AF_UNIX", "sun_path": "/run/a.sock"}
    assert only(new("security_socket_connect", [{"name": "remote_addr", "sockaddr": local}])).category == "record"


@pytest.mark.parametrize(
    ("name", "flags", "category"),
    [
        ("security_file_open", "O_RDONLY|O_LARGEFILE", "record"),
        ("security_file_open", "O_WRONLY|O_CREAT", "file_event"),
        ("security_file_open", 32768, "record"),
        ("security_file_open", 577, "file_event"),
        ("vfs_write", None, "file_event"),
        ("magic_write", None, "file_event"),
        ("security_inode_unlink", None, "file_event"),
        ("security_mmap_file", None, "record"),
    ],
)
def test_a_file_that_is_only_read_is_no_file_event(name: str, flags: Any, category: str) -> None:
    event = only(old(name, [{"name": "pathname", "value": "/etc/x"}, {"name": "flags", "value": flags}]))
    assert (event.category, event.path) == (category, "/etc/x")


def test_a_threat_is_an_alert_with_what_set_it_off() -> None:
    threat = {"name": "Kubernetes token read", "severity": "HIGH", "description": "A token was read", "mitre": {}}
    origin = {"id": 1031, "name": "security_file_open", "data": [{"name": "pathname", "str": "/run/secrets/token"}]}
    event = only(new("k8s_service_account_token", [], threat=threat, detected_from=origin))
    assert (event.category, event.rule, event.severity) == ("alert", "Kubernetes token read", "High")
    assert (event.path, event.message, event.pod) == ("/run/secrets/token", "A token was read", "shop/web-0")


def test_a_signature_of_the_old_schema_is_an_alert() -> None:
    metadata = {
        "Description": "d",
        "Properties": {"signatureID": "TRC-2", "signatureName": "Anti-Debug", "Severity": 3},
    }
    event = only(old("anti_debugging", [], metadata=metadata))
    assert (event.category, event.rule, event.severity) == ("alert", "Anti-Debug", "High")
    assert only(old("ptrace", [], metadata={"Properties": {}})).category == "record"


@pytest.mark.parametrize(
    "line",
    [
        '{"eventName": "RunInstances", "eventSource": "ec2.amazonaws.com", "timestamp": 1}',
        '{"name": "x", "timestamp": "2024-01-01T00:00:00Z", "level": "info"}',
        '{"kind":"Event","auditID":"a","name":"x","workload":{},"timestamp":1}',
    ],
)
def test_other_logs_are_not_taken_for_its_events(line: str) -> None:
    assert kind_of("x.log", f"{line}\n".encode()) != "Tracee events"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["value", "name", "process", "Value"]) | st.text(max_size=5), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@settings(max_examples=80)
@given(st.dictionaries(st.sampled_from([*WORKLOAD]), values), st.lists(values, max_size=3), values, values)
def test_any_value_under_any_key_is_read(workload: Any, data: Any, threat: Any, time: Any) -> None:
    text = new("execve", data, workload=WORKLOAD | workload, threat=threat, timestamp=time, detected_from=threat)
    assert len(list(tracee.read(lines(text), context()))) == 1
    text = old("net_tcp_connect", data, metadata={"Properties": {"signatureID": threat}}, timestamp=time, userId=threat)
    (fact,) = tracee.read(lines(text), context())
    assert not isinstance(fact, ParseFailure)
