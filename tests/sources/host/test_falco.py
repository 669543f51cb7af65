"""Falco's alerts, as it writes them and as others hand them on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.model.evidence import ParseFailure
from kubewitness.model.host import HostEvent
from kubewitness.sources.host import falco
from kubewitness.sources.host.recognise import kind_of
from tests.corpus import CORPUS, needs_corpus
from tests.sources.host.reading import context, lines

FIELDS = {
    "container.id": "5892b41bcf46",
    "container.image.repository": None,
    "evt.time": 1610667584834631763,
    "fd.name": "<NA>",
    "k8s.ns.name": "default",
    "k8s.pod.name": "alpine",
    "proc.cmdline": "sh -c id",
    "proc.exepath": "/bin/sh",
    "proc.pid": 77,
    "user.name": "root",
}
ALERT: dict[str, Any] = {
    "output": "23:39:44.834631763: Notice A shell was spawned (user=root)",
    "priority": "Notice",
    "rule": "Terminal shell in container",
    "time": "2021-01-14T23:39:44.834631763Z",
    "output_fields": FIELDS,
    "hostname": "node1",
    "source": "syscall",
}


def alert(**more: Any) -> str:
    return json.dumps(ALERT | more)


def read(text: str) -> list[HostEvent]:
    return [fact for fact in falco.read(lines(text), context()) if isinstance(fact, HostEvent)]


def test_an_alert_tells_who_did_what_where() -> None:
    (event,) = read(alert())
    assert (event.category, event.source, event.rule, event.severity) == (
        "alert", "falco", "Terminal shell in container", "Notice"
    )  # fmt: skip
    assert (event.time, event.pid, event.user) == ("2021-01-14T23:39:44.834631Z", 77, "root")
    assert (event.command, event.image, event.path) == ("sh -c id", "/bin/sh", "")
    assert (event.container, event.pod) == ("5892b41bcf46", "default/alpine")
    assert event.message == "Notice A shell was spawned (user=root)"
    assert event.fields["hostname"] == "node1"
    assert not {"evt.time", "proc.pid", "fd.name"} & event.fields.keys()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"fd.name": "10.0.0.5:45112->203.0.113.9:3333"}, ("203.0.113.9", 3333, "")),
        ({"fd.name": "203.0.113.9:3333->10.0.0.5:22", "fd.lip": "10.0.0.5"}, ("203.0.113.9", 3333, "")),
        ({"fd.name": "[2001:db8::1]:5->[2001:db8::2]:443"}, ("2001:db8::2", 443, "")),
        ({"fd.name": "/etc/shadow"}, ("", 0, "/etc/shadow")),
        ({"fd.rip": "203.0.113.9", "fd.rport": 80}, ("203.0.113.9", 80, "")),
        ({"fd.name": "10.0.0.5:45112->203.0.113.9:99999"}, ("203.0.113.9", 0, "")),
    ],
)
def test_the_other_side_and_the_file_are_found_under_their_names(
    fields: dict[str, Any], expected: tuple[str, int, str]
) -> None:
    (event,) = read(alert(output_fields=fields))
    assert (event.address, event.port, event.path) == expected


def test_no_container_is_no_container() -> None:
    assert read(alert(output_fields={"container.id": "host"}))[0].container == ""


def test_dropped_system_calls_are_a_gap_and_no_alert() -> None:
    drop = alert(
        rule="Falco internal: syscall event drop",
        priority="Debug",
        output="Falco internal: syscall event drop. 815 system calls dropped in last second.",
        output_fields={"n_drops": "815"},
    )
    where = context()
    assert list(falco.read(lines(f"{drop}\n{drop}"), where)) == []
    (note,) = where.notes
    assert "dropped system calls 2 times (1630" in note.reason


def test_metrics_are_passed_over_in_silence() -> None:
    where = context()
    metrics = json.dumps({"rule": "Falco internal: metrics snapshot", "output_fields": {"falco.n_drops": 0}})
    assert list(falco.read(lines(metrics), where)) == []
    assert where.notes == []


def test_alerts_behind_the_prefix_of_a_container_log_and_inside_of_dockers_are_read() -> None:
    cri = f"2024-03-23T02:10:01.123456789Z stdout F {alert()}"
    docker = json.dumps({"log": alert() + "\n", "stream": "stdout", "time": "2024-03-23T02:10:01.1Z"})
    assert kind_of("x.log", f"{cri}\n".encode()) == "Falco alerts"
    assert len(read(f"{cri}\n{docker}\nThu May 25 13:44:05 2023: Falco version: 0.35.0")) == 2


def test_alerts_of_two_machines_in_one_file_are_remarked_on() -> None:
    where = context()
    list(falco.read(lines(alert() + "\n" + alert(hostname="node2")), where))
    assert "2 machines" in where.notes[0].reason


@pytest.mark.parametrize(
    "line",
    [
        '{"rule": "allow", "priority": "high", "output": "x"}',
        '{"rule": {"id": 4}, "priority": "Error", "output": "x", "output_fields": {}}',
        '{"level": "error", "msg": "12:00:00.000: Error x", "time": "2024-01-01T00:00:00Z"}',
        '{"kind":"Event","auditID":"a","rule":"x","priority":"Error","output":"y","output_fields":{}}',
        "12:00:00.000: Error something failed",
    ],
)
def test_other_logs_are_not_taken_for_alerts(line: str) -> None:
    assert not kind_of("app.log", f"{line}\n".encode() * 3).startswith("Falco")


def test_lines_for_people_are_recognised_and_taken_apart() -> None:
    line = (
        "16:31:56.746609046: Error File below a known binary directory opened for writing "
        "(user=root command=touch /bin/hack file=/bin/hack container_id=host)"
    )
    assert kind_of("falco.txt", f"{line}\n".encode()) == "Falco alert lines"
    (event,) = falco.read_lines(lines(line), context())
    assert isinstance(event, HostEvent)
    assert (event.severity, event.command, event.path, event.time) == ("Error", "touch /bin/hack", "/bin/hack", "")
    (dated,) = falco.read_lines(lines(f"2024-03-23T02:10:01.5Z stdout F {line}"), context())
    assert isinstance(dated, HostEvent)
    assert dated.time == "2024-03-23T02:10:01.500000Z"


def test_a_line_that_is_none_costs_no_other() -> None:
    facts = list(falco.read(lines(f'{{"rule": \n{alert()}\n{{"a": {"[" * 5000}\n{alert()}'), context()))
    assert [isinstance(fact, ParseFailure) for fact in facts] == [True, False, True, False]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=80)
@given(st.dictionaries(st.sampled_from([*ALERT, "extra"]), values), st.dictionaries(st.sampled_from([*FIELDS]), values))
def test_any_value_under_any_key_is_read_or_counted(more: dict[str, Any], fields: dict[str, Any]) -> None:
    for record in (ALERT | more, ALERT | {"output_fields": FIELDS | fields}):
        assert len(list(falco.read(lines(json.dumps(record)), context()))) <= 1


@needs_corpus
def test_the_alerts_of_its_documentation_are_read() -> None:
    assert CORPUS
    data = (CORPUS / "falcosecurity__falco-website/falco_alerts_from_docs.jsonl").read_bytes()
    assert kind_of("alerts.jsonl", data) == "Falco alerts"
    facts = list(falco.read(lines(data.decode()), context()))
    events = [fact for fact in facts if isinstance(fact, HostEvent)]
    assert len(events) == len(facts) == 18
    assert [event.time for event in events].count("") == 1  # "…Z+2", which is no time
    assert sum(event.pod != "" for event in events) >= 12
    assert {event.severity for event in events} == {"Warning", "Notice", "Error", "Informational", "Critical"}
    assert {event.address for event in events} == {"", "10.96.0.1", "10.100.0.1"}
