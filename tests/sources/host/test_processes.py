"""Process lists in the columns people ask for, cut lines among them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kubewitness.model.evidence import ParseFailure
from kubewitness.model.host import Process
from kubewitness.sources.host import processes
from tests.corpus import CORPUS, needs_corpus
from tests.sources.host.reading import context, folder, lines, only


def read(text: str) -> list[Process]:
    return [fact for fact in processes.read(lines(text), context()) if isinstance(fact, Process)]


def test_columns_are_what_the_header_says() -> None:
    [aux] = read(
        "USER       PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n"
        "root      4411  399  0.3 2440000 9000 ?        Ssl  03:12 812:10 ./.system -o pool:3333  --donate-level=1"
    )
    assert (aux.pid, aux.ppid, aux.user, aux.started) == (4411, -1, "root", "03:12")
    assert aux.command == "./.system -o pool:3333  --donate-level=1"
    [ef] = read("UID   PID  PPID  C STIME TTY  TIME CMD\nroot  812     1  2 Oct26 ?  00:01:10 /usr/bin/kubelet --v=2")
    assert (ef.pid, ef.ppid, ef.started, ef.command) == (812, 1, "Oct26", "/usr/bin/kubelet --v=2")
    [busybox] = read("PID   USER     TIME  COMMAND\n   17 root      0:00 {sh} /bin/sh -c x")
    assert (busybox.pid, busybox.user, busybox.command) == (17, "root", "{sh} /bin/sh -c x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "S UID        PID  PPID  PGID   SID  C PRI  NI   RSS    SZ WCHAN  PSR STIME TTY          TIME CMD\n"
            "S root         2     0     0     0  0  80   0     0     0 kthrea   0 Nov21 ?        00:00:00 [kthreadd]",
            (2, 0, "root", "[kthreadd]"),
        ),
        (
            "LABEL                UID   PID  PPID  C STIME TTY   TIME CMD\n"
            "cri-containerd.apparmor.d (enforce) root 44 7 0 03:12 ? 00:00:00 sh -c (id)",
            (44, 7, "root", "sh -c (id)"),
        ),
        ("LABEL UID PID CMD\nunconfined root 44 (sd-pam)", (44, -1, "root", "(sd-pam)")),
        ("PID   USER     VSZ STAT COMMAND\n  19 root      1234 S <  kinsing -x", (19, -1, "root", "kinsing -x")),
        ("PID   USER     VSZ STAT COMMAND\n  2 root         0 SW<  [kthreadd]", (2, -1, "root", "[kthreadd]")),
        ("PID COMMAND\n 7 sh -c id", (7, -1, "", "sh -c id")),
        (
            " PPID   PID  PGID   SID TTY      TPGID STAT   UID   TIME COMMAND\n"
            "    2     3     0     0 ?           -1 S        0   0:00  |   \\_ [kworker/0:0]",
            (3, 2, "0", "[kworker/0:0]"),
        ),
    ],
)
def test_the_columns_of_other_lists(text: str, expected: tuple[object, ...]) -> None:
    [one] = read(text)
    assert (one.pid, one.ppid, one.user, one.command) == expected


NAMES = (
    "systemd",
    "kthreadd",
    "kworker/0:0H",
    "sshd",
    "Web Content",
    "tmux: server",
    "kubelet",
    "(sd-pam)",
    "python3 <defunct>",
)


def test_a_list_of_names_names_processes_and_shows_no_commands() -> None:
    text = "  PID TTY          TIME CMD\n" + "\n".join(f"{pid} ? 00:00:01 {name}" for pid, name in enumerate(NAMES, 1))
    found = read(text)
    assert [(one.name, one.command) for one in found] == [(name, "") for name in NAMES]


def test_a_list_of_commands_stays_one() -> None:
    commands = ("/sbin/init", "[kthreadd]", "sshd: root@pts/0", "nginx -g x", "-bash", "sh", "sleep 5", "a", "b /etc/x")
    found = read("PID COMMAND\n" + "\n".join(f"{pid} {command}" for pid, command in enumerate(commands, 1)))
    assert [one.command for one in found] == list(commands)


def test_names_and_commands_of_the_same_processes_are_joined(tmp_path: Path) -> None:
    names = "PID TTY TIME CMD\n" + "\n".join(f"{pid} ? 00:00:01 {name}" for pid, name in enumerate(NAMES, 1))
    full = "USER PID START COMMAND\nroot 4 03:12 /usr/sbin/sshd -D\n"
    exact = "PID USER STARTED COMMAND\n4 root Sat Mar 23 03:12:41 2024 /usr/sbin/sshd -D\n"
    root = "uac-w-linux-20240323150000/live_response/process/"
    files = {
        "ps.txt": names,
        "ps_auxwww.txt": full,
        "ps_lstart.txt": exact,
        "date_before_ps.txt": "Sat Mar 23 04:00:00 UTC 2024",
    }
    host = only(folder(tmp_path, {root + name: text for name, text in files.items()}))
    assert [(one.pid, one.name, one.command, one.started) for one in host.processes if one.pid in (4, 7)] == [
        (4, "sshd", "/usr/sbin/sshd -D", "2024-03-23T03:12:41Z"),
        (7, "kubelet", "kubelet", ""),
    ]
    assert len(host.processes) == len(NAMES)


def test_top_names_processes() -> None:
    text = (
        "top - 11:10:47 up  1:08,  2 users,  load average: 0.00, 0.01, 0.05\n"
        "Tasks: 108 total,   2 running, 106 sleeping,   0 stopped,   0 zombie\n"
        "%Cpu(s):  5.9 us,  5.9 sy,  0.0 ni, 88.2 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st\n"
        "MiB Mem :   3903.6 total,   2352.1 free,    329.9 used,   1221.5 buff/cache\n\n"
        "    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n"
        "   4411 root      20   0 2440000   9000   3332 R 399.0   0.1 812:10.02 .system\n"
    )
    assert [(one.pid, one.user, one.name, one.command) for one in read(text)] == [(4411, "root", ".system", "")]
    [full] = read(text.replace(".system", "./.system -o pool:3333"))
    assert full.command == "./.system -o pool:3333"


def test_a_time_of_day_is_a_moment_only_where_collection_and_zone_are_known() -> None:
    text = "USER PID START COMMAND\nroot 4411 {} ./.system -o pool\n"

    def started(shown: str, zone: int | None = 8) -> str:
        told = context(zone=None if zone is None else timedelta(hours=zone))
        told.clock.collected = datetime(2024, 3, 23, 15, 0, tzinfo=UTC)  # 23:00 on the machine's wall
        [one] = processes.read(lines(text.format(shown)), told)
        assert isinstance(one, Process)
        return one.started

    assert started("03:12") == "2024-03-22T19:12:00Z"
    assert started("22:59:58") == "2024-03-23T14:59:58Z"
    assert started("23:20") == "2024-03-23T15:20:00Z"  # the list was made a while after the date
    assert started("23:50") == "2024-03-22T15:50:00Z"
    assert [started(shown) for shown in ("Mar22", "2023", "24:00", "10月25")] == ["Mar22", "2023", "24:00", "10月25"]
    assert started("03:12", zone=None) == "03:12"
    [one] = processes.read(
        lines(text.format("03:12")), context(latest=datetime(2024, 3, 23, tzinfo=UTC), zone=timedelta())
    )
    assert isinstance(one, Process)
    assert one.started == "03:12"  # the last line of some log is not when the list was made


def test_a_start_with_its_date_is_a_moment() -> None:
    text = "  PID USER                      STARTED COMMAND\n   60 root     Sun Nov  2 03:59:06 2026 kubelet"
    [one] = read(text)
    assert (one.started, one.command) == ("2026-11-02T03:59:06Z", "kubelet")
    [other] = processes.read(lines(text), context(zone=timedelta(hours=8)))
    assert isinstance(other, Process)
    assert other.started == "2026-11-01T19:59:06Z"


def test_a_start_in_an_unknown_zone_is_remarked_on() -> None:
    told = context()
    list(processes.read(lines("PID STARTED COMMAND\n1 Sun Nov 22 03:59:06 2026 init"), told))
    assert ["time zone unknown" in note.reason for note in told.notes] == [True]


def test_a_start_with_a_day_only_stays_as_printed() -> None:
    [one] = read("PID  STARTED COMMAND\n 60   Nov 22 kubelet --v=2")
    assert (one.started, one.command) == ("Nov 22", "kubelet --v=2")
    [never] = read("PID STARTED COMMAND\n 60 Sun Feb 31 03:59:06 2026 kubelet")
    assert (never.started, never.command) == ("Sun Feb 31 03:59:06 2026", "kubelet")


def test_lines_cut_at_one_width_are_marked() -> None:
    head = "PID PPID COMMAND\n"
    commands = [
        "nginx -g daemon off and so on",
        "./.system -o pool.supportxmr.com:3333 -u 46EP",
        "java -jar x " * 9,
        "a b" * 40,
    ]
    cut = read(head + "\n".join(f"{n} 1 {command * 3}"[:100] for n, command in enumerate(commands, 10)) + "\n99 1 sh")
    assert [one.truncated for one in cut] == [False, True, True, True, False]  # the first is shorter than 100 by itself
    assert [one.truncated for one in read(head + "1 0 " + "x" * 76)] == [True]  # 80: what ps takes without a terminal


def test_equal_programs_of_one_length_are_not_cut() -> None:
    shim = "/usr/bin/containerd-shim-runc-v2 -namespace k8s.io -id {} -address /run/containerd/containerd.sock"
    text = "PID PPID COMMAND\n" + "\n".join(f"{n} 1 {shim.format(str(n) * 32)}" for n in range(10, 20))
    assert not any(one.truncated for one in read(text))


def test_the_tree_of_forest_output_is_no_part_of_the_command() -> None:
    [_, child] = read("PID COMMAND X COMMAND\n1 a b init\n2 a b  |   \\_ sh -c id")
    assert child.command == "sh -c id"


def test_a_process_called_like_the_headings_changes_no_column() -> None:
    found = read("PID COMMAND\n 66 PID USER COMMAND\n 67 sh -c id\n 68 PID TIME+ COMMAND")
    assert [(one.pid, one.command) for one in found] == [
        (66, "PID USER COMMAND"),
        (67, "sh -c id"),
        (68, "PID TIME+ COMMAND"),
    ]


def test_what_is_no_process_is_counted_and_bounded() -> None:
    told = list(processes.read(lines("PID COMMAND X COMMAND\n" + "junk\n" * 500), context()))
    assert all(isinstance(one, ParseFailure) for one in told)
    assert len(told) == 21
    assert isinstance(told[-1], ParseFailure)
    assert told[-1].reason.startswith("480 more lines")


@needs_corpus
@pytest.mark.parametrize(
    ("name", "count", "last"),
    [
        ("centos-7.7/ps-axu", 109, ""),
        ("ubuntu-18.04/ps-ef", 172, ""),
        ("centos-7.7/top-b-n1-gib", 108, "anacron"),
        ("ubuntu-20.10/top-b-n1", 245, "VGAuthService"),
        ("ubuntu-20.10/top-b-allfields", 215, ""),
    ],
)
def test_lists_of_real_machines_are_read_whole(name: str, count: int, last: str) -> None:
    assert CORPUS
    found = read((CORPUS / f"kellyjonbrazil__jc/tests/fixtures/{name}.out").read_text())
    assert len(found) == count
    assert all(bool(one.name) != bool(one.command) for one in found)
    assert {"top" in name} == {bool(one.name) for one in found}
    assert not last or last in {one.name for one in found}
