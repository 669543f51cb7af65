"""Traces removed, and files that show it."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.model.evidence import Place
from kubewitness.model.host import FileEntry, Host, HostEvent, Process
from tests.detect.host.making import file, found


def event(category: str, **more: Any) -> Host:
    return Host("n", events=[HostEvent(**{"category": category, "source": "x", "place": Place("x", 1, 0), **more})])


@pytest.mark.parametrize(
    "command",
    [
        "history -c",
        "journalctl --vacuum-time=1s",
        "journalctl --rotate; journalctl --vacuum-size 1K",
        "cat /dev/null > /var/log/wtmp",
        "echo > /root/.bash_history",
        "> /var/log/auth.log",
        ": >/var/log/secure",
        "cp /dev/null /var/log/wtmp",
        "ln -sf /dev/null /root/.bash_history",
        "ln -s /dev/null /var/log/wtmp",
        "truncate -s 0 /var/log/syslog",
        "export HISTFILE=/dev/null",
    ],
)
def test_what_was_typed_to_clear(command: str) -> None:
    (finding,) = found(event("command", command=command, time="2024-01-01T00:00:00.000000Z"), "history_wiped")
    assert (finding.severity, finding.first) == ("low", "2024-01-01T00:00:00.000000Z")


@pytest.mark.parametrize(
    "command",
    [
        "journalctl --vacuum-time=7d",
        "journalctl --vacuum-size=500M",
        "journalctl -u kubelet > /var/log/journal-kubelet.txt",
        "echo done >> /var/log/messages",
        "ls > /dev/null",
        "cat /var/log/wtmp > /dev/null",
        "last -f /var/log/wtmp",
        "ln -s /var/log/app /root/app",
        "logrotate -f /etc/logrotate.conf",
        "grep -c history /root/.bash_history",
    ],
)
def test_housekeeping_and_reading_are_silent(command: str) -> None:
    assert not found(event("command", command=command), "history_wiped")


@pytest.mark.parametrize(
    ("path", "message", "image", "speaks"),
    [
        ("/var/log/wtmp", "security_inode_unlink", "/usr/bin/rm", True),
        ("/root/.bash_history", "do_truncate", "/tmp/x", True),
        ("/root/.bash_history", "do_truncate", "/usr/bin/bash", False),
        ("/var/log/wtmp", "security_inode_unlink", "/usr/sbin/logrotate", False),
        ("/var/log/wtmp", "vfs_write", "/usr/sbin/sshd", False),
        ("/var/log/app/x.log", "security_inode_unlink", "/usr/bin/rm", False),
    ],
)
def test_what_a_sensor_saw_go(path: str, message: str, image: str, speaks: bool) -> None:
    machine = event("file_event", path=path, message=message, image=image)
    assert bool(found(machine, "history_wiped")) is speaks


def test_a_start_up_file_that_keeps_histories_from_being_written() -> None:
    assert found(Host("n", files=[file("/root/.bashrc", "alias l=ls\nunset HISTFILE\n")]), "history_wiped")
    usual = "# unset HISTFILE\nHISTCONTROL=ignoreboth\nHISTSIZE=1000\nHISTFILESIZE=2000\nshopt -s histappend\n"
    assert not found(Host("n", files=[file("/root/.bashrc", usual)]), "history_wiped")


def test_a_history_that_was_read_is_not_counted_twice() -> None:
    history = file("/root/.bash_history", "history -c\n")
    machine = event("command", command="history -c", place=history.place)
    machine.files.append(history)
    (finding,) = found(machine, "history_wiped")
    assert finding.count == 1


def test_a_start_that_is_told_as_process_and_as_event_is_counted_once() -> None:
    machine = event("process_creation", command="sh -c history -c", time="2024-01-01T00:00:00.000000Z")
    machine.processes.append(Process(7, "sh -c history -c", Place("x", 1, 0)))
    (finding,) = found(machine, "history_wiped")
    assert (finding.count, finding.first) == (1, "2024-01-01T00:00:00.000000Z")


def listing(*entries: tuple[str, int] | tuple[str, int, str]) -> Host:
    place = Place("ls.txt", 1, 0)
    return Host(
        "n",
        listing=[
            FileEntry(path, place, "link" if target else "file", size, "-rw-r--r--", "root", target="".join(target))
            for path, size, *target in entries
        ],
    )


@pytest.mark.parametrize(
    ("machine", "severity"),
    [
        (listing(("/root/.bash_history", 9, "/dev/null")), "medium"),
        (listing(("/var/log/wtmp", 9, "/dev/null")), "medium"),
        (listing(("/var/log/wtmp", 0), ("/var/log/syslog.1", 5)), "low"),
        (listing(("/var/log/lastlog", 0), ("/var/log/messages-20240101", 5)), "low"),
        (listing(("/var/log/wtmp", 1000)), "low"),
    ],
)
def test_logs_that_lead_nowhere_or_are_empty_on_an_old_machine(machine: Host, severity: str) -> None:
    (finding,) = found(machine, "logs_emptied")
    assert finding.severity == severity


@pytest.mark.parametrize(
    "machine",
    [
        listing(("/var/log/wtmp", 0), ("/var/log/wtmp.1", 5), ("/var/log/syslog.1", 5)),
        listing(("/var/log/auth.log", 0), ("/var/log/auth.log.1", 5)),
        listing(("/var/log/secure", 0), ("/var/log/secure-20240101", 5)),
        listing(("/var/log/wtmp", 0), ("/var/log/lastlog", 0), ("/var/log/syslog", 5)),
        listing(("/var/log/btmp", 0), ("/var/log/syslog.1", 5)),
        listing(("/root/.bash_history", 0)),
        listing(("/var/log/wtmp", 384 * 7), ("/var/log/btmp", 400 * 3), ("/var/log/lastlog", 292)),
        listing(("/var/log/journal", 9, "/mnt/journal"), ("/root/x", 9, "/dev/null")),
    ],
)
def test_rotated_logs_and_new_machines_are_silent(machine: Host) -> None:
    assert not found(machine, "logs_emptied")
