"""Component logs: both forms of the lines that matter, behind every prefix, with their moment."""

from __future__ import annotations

import json
import string
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.model.evidence import ParseFailure
from kubewitness.model.host import LogLine
from kubewitness.sources.host import containerd, klog, logs
from kubewitness.sources.host.context import Clock, Room
from tests.sources.host.reading import CID, context, folder, lines, moment, only

NEW = (
    'E0323 15:05:36.670951    6922 remote_runtime.go:734] "ExecSync cmd from runtime service failed" '
    'err="exec: \\"apt\\": '
    f'executable file not found in $PATH: unknown" containerID="{CID}" cmd=["apt","update"]'
)
OLD = (
    f"E0323 15:05:36.670951 6922 remote_runtime.go:295] ExecSync {CID} 'apt update' from runtime service failed: "
    'rpc error: exec: "apt": executable file not found'
)
RUNTIME = 'time="2024-03-23T15:05:36.764041708Z" level=error msg="ExecSync for \\"abc\\" failed" error="a \\"b\\" c"'


def read(text: str) -> list[LogLine]:
    return [fact for fact in logs.read(lines(text), context(latest=moment(2024, 4, 1))) if isinstance(fact, LogLine)]


def go(text: str) -> str:
    """As Go's strconv.Quote writes it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\x7f")


def test_both_forms_of_a_failed_exec_have_the_same_fields() -> None:
    [new], [old] = read(NEW), read(OLD)
    assert new.fields["containerID"] == old.fields["containerID"] == CID
    assert klog.argv(new.fields["cmd"]) == klog.argv(old.fields["cmd"]) == ("apt", "update")
    assert "not found" in new.fields["err"]
    assert "not found" in old.fields["err"]
    assert new.message == "ExecSync cmd from runtime service failed"
    assert (new.time, new.severity, new.source) == ("2024-03-23T15:05:36.670951Z", "error", "remote_runtime.go:734")


def test_a_command_printed_by_go_is_one_field() -> None:
    [line] = read(NEW.replace('["apt","update"]', "[sh -c {x} y] more=1"))
    assert line.fields["cmd"] == "[sh -c {x} y]"
    assert line.fields["more"] == "1"
    assert klog.argv(line.fields["cmd"]) == ("sh", "-c", "{x}", "y")


@pytest.mark.parametrize(
    "prefix",
    [
        "Mar 23 15:05:36 node1 kubelet[812]: ",
        "2024-03-23T16:05:36.670951+01:00 node1 kubelet[812]: ",
        "2024-03-23T15:05:36.670951000Z stderr F ",
    ],
)
def test_what_stands_in_front_of_a_line_does_not_matter(prefix: str) -> None:
    [line] = read(prefix + NEW)
    assert line.time == "2024-03-23T15:05:36.670951Z"
    assert line.fields["containerID"] == CID
    assert line.component == ("kubelet" if "kubelet" in prefix else "other")


def test_other_programs_of_a_system_log_are_passed_over() -> None:
    text = f"Mar 23 15:05:36 n sshd[3]: Failed password\nMar 23 15:05:36 n containerd[4]: {RUNTIME}"
    assert [line.component for line in read(text)] == ["containerd"]


def test_a_value_of_several_lines_is_one_field() -> None:
    [line] = read('E0323 15:05:36.670951 1 x.go:1] "Failed" err=<\n\tone\n\ttwo\n > pod="a/b"\nI am no entry'[:90])
    assert line.fields == {"err": "one\ntwo", "pod": "a/b"}


def test_the_year_is_the_last_one_that_is_not_after_the_collection() -> None:
    clock = Clock(2024, latest=moment(2025, 1, 2, 12), collected=moment(2025, 1, 2, 12))
    assert [str(clock.without_year(f"{day} 10:00:00.000000"))[:10] for day in ("0101", "0103", "0104", "1231")] == [
        "2025-01-01",
        "2025-01-03",  # a day of leeway
        "2024-01-04",
        "2024-12-31",
    ]
    assert str(clock.without_year("0229 00:00:00.000000"))[:10] == "2024-02-29"
    open_end = Clock(2024, latest=moment(2025, 1, 2, 12))  # nobody says when it was collected: perhaps later
    assert [str(open_end.without_year(f"{day} 10:00:00.000000"))[:10] for day in ("0116", "0117")] == [
        "2025-01-16",
        "2024-01-17",
    ]
    assert clock.without_year("1340 00:00:00.000000") is None


def test_the_runtimes_zone_is_the_machines() -> None:
    clock = Clock(2024, zone=timedelta(hours=8))
    assert str(clock.without_year("0323 15:05:36.670951")) == "2024-03-23 07:05:36.670951+00:00"
    local = containerd.parse(RUNTIME.replace("708Z", "708+08:00"))
    assert local
    assert local.zone == timedelta(hours=8)
    [line] = read(RUNTIME.replace("708Z", "708+08:00"))
    assert line.time == "2024-03-23T07:05:36.764041Z"
    assert line.fields == {"error": 'a "b" c'}


def test_a_guessed_time_is_remarked_on_once(tmp_path: Path) -> None:
    evidence = folder(tmp_path, {"nodes/n/kubelet.log": f"{NEW}\n{NEW}\n"})
    assert len(only(evidence).logs) == 2
    assert sum("taken as UTC" in note.reason for note in evidence.notes) == 1


def test_mere_information_is_passed_over_and_counted(tmp_path: Path) -> None:
    boring = 'I0323 15:05:36.670951 1 kubelet.go:1] "SyncLoop UPDATE" pods=["a/b"]\n'
    telling = 'I0323 15:05:36.670951 1 kubelet.go:1] "SyncLoop (PLEG): event for pod" pod="a/b" event={"Data":"x y"}\n'
    evidence = folder(tmp_path, {"nodes/n/kubelet.log": boring * 50 + telling + "stack trace\n"})
    assert [line.fields["event"] for line in only(evidence).logs] == ['{"Data":"x y"}']
    assert any(note.reason.startswith("51 lines") for note in evidence.notes)


def test_warnings_and_errors_are_wanted_behind_any_prefix() -> None:
    for prefix in ("", "Mar 23 15:05:36 n kubelet[1]: ", "2024-03-23T15:05:36.67Z stderr F "):
        for letter, kept in (("I", False), ("W", True), ("E", True), ("F", True)):
            assert logs.wanted(f"{prefix}{letter}0323 15:05:36.670951 1 a.go:1] x".encode()) is kept
        for level, kept in (("info", False), ("debug", False), ("warning", True), ("error", True), ("fatal", True)):
            line = f'{prefix}time="2024-03-23T15:05:36.764041708Z" level={level} msg=x'
            assert logs.wanted(line.encode()) is kept


def test_room_is_bounded_and_what_is_dropped_is_counted() -> None:
    told = context()
    told.room = Room(severe=3, informing=0)
    kept = list(logs.read(lines(f"{NEW}\n" * 10), told))
    assert len(kept) == 3
    assert any(note.reason.startswith("7 more lines") for note in told.notes)


KEYS = st.text(string.ascii_letters + string.digits + "_.-/", min_size=1, max_size=12)


@given(st.text(max_size=60), st.dictionaries(KEYS, st.text(max_size=60), max_size=6))
def test_what_go_quotes_is_read_back(message: str, fields: dict[str, str]) -> None:
    words = "".join(f" {key}={go(value)}" for key, value in fields.items())
    entry = klog.parse(f"I0323 15:05:36.670951 1 a.go:1] {go(message)}{words}")
    assert entry
    assert (entry.message, entry.fields) == (message, fields)
    apart = {key: value for key, value in fields.items() if key not in {"time", "level", "msg"}}
    words = "".join(f" {key}={go(value)}" for key, value in apart.items())
    other = containerd.parse(f'time="2024-03-23T15:05:36.7Z" level=info msg={go(message)}{words}')
    assert other
    assert (other.message, other.fields) == (message, apart)


@given(st.text(max_size=200))
def test_no_line_breaks_the_readers(text: str) -> None:
    for line in (
        text,
        "E0323 15:05:36.670951 1 a.go:1] " + text,
        'time="2024-03-23T15:05:36Z" level=error msg=' + text,
    ):
        for fact in logs.read(lines(line), context()):
            assert isinstance(fact, LogLine | ParseFailure)


@pytest.mark.parametrize(
    "bomb", ['"' + "\\" * 60_000, '"' + '\\"' * 30_000, "a=" * 30_000, "a=[" * 20_000, '"x" a=' + "[" * 60_000]
)
def test_a_bomb_takes_time_in_proportion(bomb: str) -> None:
    assert len(list(logs.read(lines("E0323 15:05:36.670951 1 a.go:1] " + bomb), context()))) == 1
    list(logs.read(lines('time="2024-03-23T15:05:36Z" level=error msg=' + bomb), context()))
