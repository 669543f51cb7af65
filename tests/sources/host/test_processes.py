"""Process lists in the columns people ask for, cut lines among them."""

from __future__ import annotations

from datetime import timedelta

from kubewitness.model.evidence import ParseFailure
from kubewitness.model.host import Process
from kubewitness.sources.host import processes
from tests.sources.host.reading import context, lines


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


def test_what_is_no_process_is_counted_and_bounded() -> None:
    told = list(processes.read(lines("PID COMMAND X COMMAND\n" + "junk\n" * 500), context()))
    assert all(isinstance(one, ParseFailure) for one in told)
    assert len(told) == 21
    assert isinstance(told[-1], ParseFailure)
    assert told[-1].reason.startswith("480 more lines")
