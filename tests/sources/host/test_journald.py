"""The journal in both forms: the same facts from either, by its own times, from those who really wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.evidence.opening import walk
from kubewitness.model.evidence import ParseFailure
from kubewitness.model.host import LogLine
from kubewitness.sources.host import journal_export, journald
from kubewitness.sources.host.recognise import kind_of
from tests.sources.host.reading import CID, context, folder, lines, only

NOW = 1711206336670951
EXEC = (
    'E0323 16:05:36.670951    6922 remote_runtime.go:734] "ExecSync cmd from runtime service failed" '
    f'err="not found" containerID="{CID}" cmd=["apt","update"]'
)
INFO = 'I0323 16:05:36.670951    6922 kubelet.go:1] "SyncLoop UPDATE" pods=["a/b"]'
Entry = Mapping[str, object]


def entry(program: str, message: object, seconds: int = 0, **more: object) -> dict[str, object]:
    return {
        "__CURSOR": f"s=1;i={seconds}",
        "__REALTIME_TIMESTAMP": str(NOW + seconds * 1_000_000),
        "_BOOT_ID": "b",
        "_HOSTNAME": "node1",
        "SYSLOG_IDENTIFIER": program,
        "_COMM": program,
        "_PID": "812",
        "MESSAGE": message,
        **more,
    }


def as_json(*entries: Entry) -> str:
    return "".join(json.dumps(one, separators=(",", ":")) + "\n" for one in entries)


def as_export(*entries: Entry) -> bytes:
    """As systemd writes it: what holds a line end or is not printable has its length in front."""
    out = b""
    for one in entries:
        for key, value in one.items():
            data = bytes(value) if isinstance(value, list) else str(value).encode()
            if b"\n" in data or isinstance(value, list) or any(byte < 32 and byte != 9 for byte in data):
                out += key.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
            else:
                out += key.encode() + b"=" + data + b"\n"
        out += b"\n"
    return out


def as_verbose(*entries: Entry) -> bytes:
    """As systemd writes it: further lines of a value under its beginning, nothing that is not printable."""
    out = "-- Journal begins at Sat 2024-03-23 15:05:36 UTC. --\n"
    for one in entries:
        time = int(str(one["__REALTIME_TIMESTAMP"]))
        out += f"Sat 2024-03-23 16:05:36.670951 CET [s=ab;i=1;b=cd;m=1;t={time:x};x=0]\n"
        for key, value in one.items():
            text = bytes(value).decode("utf-8", "backslashreplace") if isinstance(value, list) else str(value)
            under = "\n" + " " * (5 + len(key))
            out += "" if key.startswith("__") else f"    {key}={under.join(text.split(chr(10)))}\n"
    return out.encode()


FORMS: dict[str, Callable[..., str | bytes]] = {
    "journal": as_json,
    "journal (export)": as_export,
    "journal (verbose)": as_verbose,
}


def read(text: str) -> list[object]:
    return list(journald.read(lines(text), context()))


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_give_the_same_facts(tmp_path: Path, form: str) -> None:
    entries = [
        entry("kubelet", INFO),
        entry("kubelet", EXEC, 1),
        entry("sshd", "Accepted password for root from 203.0.113.9 port 9 ssh2", 2),
        entry("nginx", "hello", 3),
        entry("kubelet", list(b"E0323 16:05:36.670951    6922 a.go:1] \xff\n\n__CURSOR=x"), 4),
    ]
    written = FORMS[form](*entries)
    content = written if isinstance(written, bytes) else written.encode()
    evidence = folder(tmp_path, {"nodes/n/journal": content})
    host = only(evidence)
    assert host.sources == {str(tmp_path / "nodes/n/journal"): form}
    assert [line.time for line in host.logs] == ["2024-03-23T15:05:37.670951Z", "2024-03-23T15:05:40.670951Z"]
    assert (host.logs[0].component, host.logs[0].fields["containerID"]) == ("kubelet", CID)
    assert host.logs[1].message.replace("\n\n", "\n") == "\\xff\n__CURSOR=x"
    [login] = host.events
    assert (login.user, login.time, login.source, login.pid) == ("root", "2024-03-23T15:05:38.670951Z", "journal", 812)
    assert not evidence.failures
    assert any(note.reason.startswith("2 lines") for note in evidence.notes)
    place = host.logs[0].place
    assert form == "journal (verbose)" or b"apt" in content[place.offset : place.offset + place.length]
    assert content[: place.offset].count(b"\n") + 1 == place.line


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("x", as_json(entry("a", "b")), "journal"),
        ("x", as_export(entry("a", "b")).decode(), "journal (export)"),
        ("x", '{"MESSAGE":"x","SYSLOG_IDENTIFIER":"kubelet"}\n', ""),
        ("x", as_json(entry("a", "b")).replace("__REALTIME_TIMESTAMP", "ts"), ""),
        ("x", as_export(entry("a", "b")).decode().replace("__CURSOR", "CURSOR"), ""),
        ("x", as_json(entry("a", '{"kind":"Event","auditID":"x","stageTimestamp":"y"}')), ""),
    ],
)
def test_a_journal_is_told_by_its_own_fields(name: str, text: str, kind: str) -> None:
    assert kind_of(name, text.encode()) == kind


def test_the_spaces_of_older_journalctl_do_not_matter() -> None:
    text = json.dumps(entry("kubelet", EXEC), separators=(", ", " : ")) + "\n"
    assert journald.wanted(text.encode())
    assert len(read(text)) == 1


def test_a_field_that_stands_there_twice_and_one_of_bytes() -> None:
    [one] = read(as_json(entry("kubelet", [EXEC, "other"])))
    assert isinstance(one, LogLine)
    assert one.fields["containerID"] == CID
    [two] = read(as_json(entry("kubelet", list(EXEC.encode() + b"\x1b[2J\xff"))))
    assert isinstance(two, LogLine)


def test_an_entry_that_names_another_program_is_not_believed(tmp_path: Path) -> None:
    forged = [
        entry("kubelet", EXEC, _COMM="logger", _EXE="/usr/bin/logger", _SYSTEMD_UNIT="session-1.scope"),
        entry("sshd", "Accepted password for root from 203.0.113.9 port 9 ssh2", _COMM="python3"),
    ]
    evidence = folder(tmp_path, {"nodes/n/journal.json": as_json(*forged)})
    host = only(evidence)
    assert not host.logs
    assert not host.events
    assert any("2 entries name a program that did not write them: logger" in note.reason for note in evidence.notes)


@pytest.mark.parametrize(
    ("program", "message", "trusted"),
    [
        ("sshd", "Accepted password for root from ::1 port 9 ssh2", {"_COMM": "sshd-session"}),
        ("CROND", "(root) CMD (id)", {"_COMM": "crond"}),
        ("CRON", "(root) CMD (id)", {"_COMM": "cron"}),
        ("kubelet", EXEC, {"_COMM": "sh", "_SYSTEMD_UNIT": "kubelet.service"}),
        ("kubelet", EXEC, {"_COMM": "hyperkube", "_EXE": "/usr/bin/hyperkube"}),
        ("/usr/bin/dockerd", 'time="2024-03-23T15:05:36.7Z" level=error msg="x"', {"_COMM": "dockerd"}),
        ("kubelet", EXEC, {"_COMM": ""}),
        ("sshd", "Accepted password for root from ::1 port 9 ssh2", {"_COMM": "", "_SYSTEMD_UNIT": "ssh.service"}),
    ],
)
def test_those_who_write_under_their_own_name_are(program: str, message: str, trusted: dict[str, str]) -> None:
    text = as_json({**entry(program, message), **trusted})
    assert journald.wanted(text.encode())
    assert len(read(text)) == 1


def test_a_value_that_goes_on_in_the_next_entries_is_one_field() -> None:
    start = 'E0323 16:05:36.670951 6922 x.go:1] "Failed" err=<'
    [line] = read(as_json(*(entry("kubelet", text) for text in (start, "\tone", "\ttwo", ' > pod="a/b"'))))
    assert isinstance(line, LogLine)
    assert line.fields == {"err": "one\ntwo", "pod": "a/b"}


def test_the_journals_time_tells_the_zone_of_the_kubelets() -> None:
    told = context()
    list(journald.read(lines(as_json(entry("kubelet", EXEC))), told))
    assert told.clock.zone == timedelta(hours=1)
    assert told.clock.latest is not None


def test_information_and_other_programs_are_passed_over_on_their_bytes() -> None:
    for one, kept in (
        (entry("kubelet", INFO), False),
        (entry("kubelet", INFO.replace("SyncLoop", "SyncLoop (PLEG)")), True),
        (entry("kubelet", EXEC), True),
        (entry("containerd", 'time="2024-03-23T15:05:36.7Z" level=info msg="x"'), False),
        (entry("containerd", 'time="2024-03-23T15:05:36.7Z" level=error msg="x"'), True),
        (entry("kubelet", '{"ts":1711206336670.951,"caller":"a.go:1","msg":"x","v":0}'), False),
        (entry("kubelet", '{"ts":1711206336670.951,"caller":"a.go:1","msg":"x","err":"y"}'), True),
        (entry("nginx", '"SYSLOG_IDENTIFIER":"kubelet" ExecSync'), False),
        (entry("audit", "SYSCALL arch=c000003e", _TRANSPORT="audit"), False),
    ):
        assert journald.wanted(as_json(one).encode()) is kept, one


def test_what_journalctl_left_out_and_other_machines_are_remarked_on(tmp_path: Path) -> None:
    text = as_json(entry("kubelet", None), entry("kubelet", EXEC, _HOSTNAME="node2"))
    notes = [note.reason for note in folder(tmp_path, {"nodes/n/j": text}).notes]
    assert any("export with --all" in note for note in notes)
    assert any("several machines" in note and "node1, node2" in note for note in notes)


def test_a_bad_line_costs_no_good_one(tmp_path: Path) -> None:
    good = as_json(entry("kubelet", EXEC))
    evidence = folder(tmp_path, {"nodes/n/j": good * 2 + good[:150] + "\n" + good})
    assert len(only(evidence).logs) == 3
    assert [failure.place.line for failure in evidence.failures] == [3]


def test_a_time_nobody_lives_to_see_is_told_as_that_and_not_as_missing() -> None:
    good = entry("kubelet", EXEC)
    late, none = {**good, "__REALTIME_TIMESTAMP": "9" * 20}, {**good, "__REALTIME_TIMESTAMP": "soon"}
    told = list(journald.read(lines(as_json(late, none)), context()))
    assert [one.reason for one in told if isinstance(one, ParseFailure)] == [
        "__REALTIME_TIMESTAMP is no time: behind the year 9999 (damaged?)",
        "no entry of a journal: no __REALTIME_TIMESTAMP",
    ]


def test_half_an_export_keeps_its_whole_entries(tmp_path: Path) -> None:
    data = as_export(entry("kubelet", EXEC), entry("kubelet", list(EXEC.encode() + b"\n\0"), 1))
    evidence = folder(tmp_path, {"nodes/n/j": data[:-40]})
    assert only(evidence).logs[0].time == "2024-03-23T15:05:36.670951Z"


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6), st.integers(1, 40))
def test_no_message_opens_an_entry_of_its_own(messages: list[bytes], size: int) -> None:
    class Cut:
        name = "x"

        def open(self) -> list[bytes]:
            data = as_export(*(entry("sshd", list(one), at) for at, one in enumerate(messages)))
            return [data[at : at + size] for at in range(0, len(data), size)]

    found = list(journal_export.Entries(Cut(), lambda *_: True))  # type: ignore[arg-type]
    assert [json.loads(text)["__CURSOR"] for _, text in found] == [f"s=1;i={at}" for at in range(len(messages))]


def test_no_message_writes_a_field_or_an_entry_in_the_verbose_form(tmp_path: Path) -> None:
    lie = as_verbose(entry("sshd", "Accepted password for root from 203.0.113.9 port 9 ssh2")).decode()
    evidence = folder(tmp_path, {"nodes/n/j": as_verbose(entry("sshd", f"x\n{lie}"), entry("sshd", "y", _PID="1"))})
    host = only(evidence)
    assert set(host.sources.values()) == {"journal (verbose)"}
    assert not host.events
    assert not evidence.failures


@given(st.binary(max_size=300))
def test_no_bytes_break_the_export(data: bytes) -> None:
    class Raw:
        name = "x"

        def open(self) -> list[bytes]:
            return [b"__CURSOR=a\nMESSAGE\n" + data]

    for place, text in journal_export.Entries(Raw(), lambda *_: True):  # type: ignore[arg-type]
        assert place.item == "x"
        assert isinstance(json.loads(text), dict)


@given(st.text(max_size=100), st.recursive(st.none() | st.integers() | st.text(max_size=9), st.lists, max_leaves=5))
def test_no_value_breaks_the_reader(program: str, value: object) -> None:
    for one in (entry(program, value), entry("sshd", value), {**entry("kubelet", EXEC), "_PID": value, "_COMM": value}):
        journald.wanted(as_json(one).encode())
        read(as_json(one))


def test_a_field_of_any_length_takes_bounded_memory_and_what_it_holds_is_no_entry(tmp_path: Path) -> None:
    inside = as_export(entry("sshd", "x" * 1000)) * 9000
    big = b"__CURSOR=b\n__REALTIME_TIMESTAMP=1\nCOREDUMP\n" + len(inside).to_bytes(8, "little") + inside + b"\n\n"
    assert len(inside) > journal_export.MAX_ENTRY
    path = tmp_path / "j"
    path.write_bytes(as_export(entry("sshd", "1")) + big + as_export(entry("sshd", "2")))
    [source] = walk([str(path)])
    entries = journal_export.Entries(source, lambda *_: True)
    found = list(entries)
    assert [json.loads(text).get("MESSAGE") for _, text in found] == ["1", "2"]
    assert found[1][0].offset == path.stat().st_size - found[1][0].length
    assert entries.cut is not None


def test_a_length_that_is_a_lie_is_told(tmp_path: Path) -> None:
    path = tmp_path / "j"
    lie = b"__CURSOR=b\nMESSAGE\n" + (1 << 62).to_bytes(8, "little")
    path.write_bytes(as_export(entry("sshd", "1")) + lie + b"A=" + b"b" * (journal_export.MAX_ENTRY + 2_000_000))
    [source] = walk([str(path)])
    entries = journal_export.Entries(source, lambda *_: True)
    assert len(list(entries)) == 1
    assert entries.cut is not None
