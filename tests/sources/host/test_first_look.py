"""Times without a year are dated by the rest of the machine; files of several machines in one folder are noticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kubewitness.model.evidence import Place
from kubewitness.model.host import HostEvent
from kubewitness.sources.host.first_look import Dates, look
from tests.sources.host.reading import folder, only, recorded

LOGIN = "Nov 20 03:59:12 node1 sshd[812]: Accepted password for root from 192.0.2.1 port 9 ssh2\n"
KLOG = 'E1120 04:00:00.670951    6922 remote_runtime.go:734] "ExecSync cmd from runtime service failed" err="x"\n'
AUDIT = (  # 2021-11-19
    "type=USER_LOGIN msg=audit(1637300000.123:7): pid=1 uid=0 auid=0 ses=1 "
    'msg=\'op=login acct="root" exe="/usr/sbin/sshd" hostname=? addr=192.0.2.1 terminal=sshd res=success\'\n'
)
FIELDS = {"proc.cmdline": "id", "evt.time": 1637300000000000000}
FALCO = (
    json.dumps(
        {
            "time": "2021-11-19T05:33:20.1Z",
            "rule": "r",
            "priority": "Notice",
            "output": "o",
            "source": "syscall",
            "output_fields": FIELDS,
        }
    )
    + "\n"
)
RFC3339 = "2021-11-19T05:33:20.123456+00:00 node1 sudo[9]: bob : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id\n"
JSON = '{"ts":1637300000123.4,"caller":"schedule_one.go:1","msg":"x","err":"y"}\n'
JOURNAL = json.dumps({"__CURSOR": "s", "__REALTIME_TIMESTAMP": "1637300000000000", "_BOOT_ID": "b", "_HOSTNAME":
                      "node1", "SYSLOG_IDENTIFIER": "sudo", "_COMM": "sudo", "MESSAGE": "x"}) + "\n"  # fmt: skip
DATE = "Fri Nov 26 05:33:20 UTC 2021\n"


@pytest.mark.parametrize(
    ("name", "dated", "told"),
    [
        ("zz/audit.log", AUDIT, "linux_audit log"),
        ("zz/falco.json", FALCO, "Falco"),
        ("zz/z.log", RFC3339, "system log"),
        ("zz/scheduler.log", JSON, "component log"),
        ("zz/journal.json", JOURNAL, "journal"),
        ("date.txt", DATE, "the time of the collection (2021-11-26)"),
    ],
)
def test_the_year_of_a_log_without_one_is_that_of_what_is_dated(
    name: str, dated: str, told: str, tmp_path: Path
) -> None:
    evidence = folder(tmp_path, {"n/auth.log": LOGIN, "n/kubelet.log": KLOG, f"n/{name}": dated})
    host = only(evidence)
    assert [line.time[:10] for line in host.logs if line.component == "kubelet"] == ["2021-11-20"]
    assert [one.time[:10] for one in host.events if one.category == "login" and one.source == "syslog"] == [
        "2021-11-20"
    ]
    notes = [note.reason for note in evidence.notes if "without year" in note.reason]
    assert len(notes) == 2
    assert all("the year is inferred from" in note for note in notes)
    assert told in notes[0]


def test_where_nothing_is_dated_the_year_is_told_as_taken(tmp_path: Path) -> None:
    (note,) = [note.reason for note in folder(tmp_path, {"n/auth.log": LOGIN}).notes]
    assert "nothing of the machine tells the year: 2024 was taken" in note


def test_a_forged_date_of_one_event_among_many_moves_no_year() -> None:
    dates, here = Dates(), Place("x", 1, 0)
    for day in range(10, 30):
        for hour in range(10, 20):
            dates.add(HostEvent("record", "falco", here, f"2026-11-{day}T{hour}:00:00.000000Z"))
    dates.add(HostEvent("record", "falco", here, "2099-01-01T00:00:00.000000Z"))
    assert str(dates.last()) == "2026-11-29 19:00:00+00:00"


def processes(programs: list[str], first: int = 400) -> str:
    rows = [f"root {pid} 2 [kworker/{pid}:0]\n" for pid in range(3, 60)]
    rows += [f"root {number} 1 /usr/bin/{name} -x\n" for number, name in enumerate(programs, first)]
    return "USER PID PPID COMMAND\nroot 1 0 /sbin/init\n" + "".join(rows)


KUBELET = "USER PID PPID COMMAND\nroot 1 0 /sbin/init\nroot 60 1 /usr/bin/kubelet --v=2 --hostname-override={}\n"
ONE, OTHER = [f"a{number}" for number in range(15)], [f"b{number}" for number in range(15)]


@pytest.mark.parametrize(
    ("files", "mixed"),
    [
        ({"ps1.txt": processes(ONE), "ps2.txt": processes(OTHER)}, True),
        ({"ps1.txt": processes(ONE), "ps2.txt": processes(ONE[:8] + OTHER[:7])}, False),  # an hour later
        ({"ps1.txt": processes(ONE), "ps2.txt": processes(OTHER, 9000)}, False),  # no number in common
        ({"ps1.txt": processes(ONE), "ps2.txt": processes(ONE).replace("/usr/bin/", "").replace(" -x", "")}, False),
        ({"ps1.txt": processes(ONE[:4]), "ps2.txt": processes(OTHER[:4])}, False),  # too few to say
        ({"ps1.txt": KUBELET.format("node1"), "ps2.txt": KUBELET.format("node2")}, True),  # twins of one image
        ({"ps1.txt": KUBELET.format("node1"), "ps2.txt": KUBELET.format("node1")}, False),
        ({"auth.log": LOGIN, "secure": LOGIN.replace("node1", "node2")}, True),
        ({"auth.log": LOGIN, "secure": LOGIN.replace("node1", "node1.example.org")}, False),
        ({"auth.log": LOGIN, "secure": LOGIN.replace("node1", "localhost")}, False),
        ({"auth.log": LOGIN, "secure": LOGIN + LOGIN.replace("node1", "old-name")}, False),  # renamed
        ({"journal.json": JOURNAL, "uname.txt": "Linux node2 6.1.0-18-amd64 #1 SMP x\n"}, True),
        ({"journal.json": JOURNAL, "audit.log": f"node=node2 {AUDIT}"}, True),
        ({"journal.json": JOURNAL, "audit.log": f"node=node1 {AUDIT}"}, False),
        ({"a/auth.log": LOGIN, "b/auth.log": LOGIN.replace("node1", "node2")}, None),  # each in a folder of its own
    ],
)
def test_files_of_several_machines_in_one_folder_are_noticed(
    files: dict[str, str], mixed: bool | None, tmp_path: Path
) -> None:
    evidence = folder(
        tmp_path, {(f"nodes/n/{name}" if mixed is not None else f"nodes/{name}"): text for name, text in files.items()}
    )
    assert len(evidence.hosts) == (1 if mixed is not None else 2)
    assert evidence.mixed == (["n"] if mixed else [])
    notes = [note.reason for note in evidence.notes if "several machines" in note.reason]
    assert len(notes) == bool(mixed)
    assert all(note.endswith("put each machine's into a folder of its own") for note in notes)


@pytest.mark.parametrize("scenario", ["kubelet_config_commented_out", "anonymous_cluster_admin"])
def test_recorded_machines_are_one_each(scenario: str) -> None:
    assert recorded(scenario).mixed == []


def test_names_of_an_item_are_bounded_and_no_words_of_messages() -> None:
    text = "".join(LOGIN.replace("node1", f"n{number}") for number in range(500))
    assert len(look("system log", text.encode()).names) == 20
    assert look("system log", b"node1 sshd: node=evil type=x _HOSTNAME=evil\n").names == frozenset()
    assert look("other file", LOGIN.encode()).names == frozenset()
