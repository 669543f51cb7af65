"""A machine's syslog: told by its programs, times settled by the clock, real ones of others."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kubewitness.model.host import HostEvent, LogLine
from kubewitness.sources.host import auth_log, logs
from kubewitness.sources.host.folding import Events
from kubewitness.sources.host.recognise import kind_of
from tests.corpus import CORPUS, needs_corpus
from tests.sources.host.reading import context, folder, lines, moment, only

FAILED = "sshd[3]: Failed password for root from 203.0.113.9 port {} ssh2"
ACCEPTED = "sshd[4]: Accepted password for root from 203.0.113.9 port 9 ssh2"
KLOG = 'E0323 16:05:36.670951    6922 kubelet.go:734] "Failed" err="x"'


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("auth.log", f"Mar 23 15:05:36 n {ACCEPTED}\n", "system log"),
        ("x", f"2024-03-23T15:05:36+0000 n {ACCEPTED}\n", "system log"),
        ("nodes/n/var/log/messages-20240323", "Mar 23 15:05:36 n kernel: x\n", "system log"),
        ("x", "Mar 23 15:05:36 n kernel: x\n", ""),
        ("x", "Mar 23 15:05:36 n myapp[1]: sshd: Accepted password\n", ""),
        ("x", f"Mar 23 15:05:36 n {ACCEPTED}\nMar 23 15:05:36 n kubelet[1]: {KLOG}\n", "kubelet log"),
        ("syslog", 'Mar 23 15:05:36 n audit: {"kind":"Event","auditID":"a","stageTimestamp":"b"}\n', ""),
    ],
)
def test_a_system_log_is_told_by_its_programs_or_its_name(name: str, text: str, kind: str) -> None:
    assert kind_of(name, text.encode()) == kind


def test_a_thousand_tries_are_one_event(tmp_path: Path) -> None:
    text = "".join(f"Mar 23 15:{n // 60:02}:{n % 60:02} n {FAILED.format(1000 + n)}\n" for n in range(1000))
    evidence = folder(tmp_path, {"nodes/n/var/log/auth.log": f"{text}Mar 23 15:30:00 n {ACCEPTED}\n"})
    failed, accepted = only(evidence).events
    assert (failed.count, failed.time, failed.last) == (
        1000,
        "2024-03-23T15:00:00.000000Z",
        "2024-03-23T15:16:39.000000Z",
    )
    assert (failed.succeeded, accepted.succeeded, accepted.count, accepted.port) == (False, True, 1, 9)
    assert (accepted.place.line, accepted.source) == (1001, "syslog")
    assert any("taken as UTC" in note.reason for note in evidence.notes)


def test_logins_are_found_in_the_log_of_a_kubelet_too() -> None:
    text = f"Mar 23 15:05:36 n {ACCEPTED}\nMar 23 15:05:36 n kubelet[1]: {KLOG}"
    found = list(logs.read(lines(text), context(latest=moment(2024, 4, 1))))
    assert [type(fact) for fact in found] == [HostEvent, LogLine]


def test_a_certain_time_in_front_of_the_kubelets_own_tells_the_zone() -> None:
    told = context()
    [line] = logs.read(lines(f"2024-03-23T15:05:36.671+00:00 n kubelet[1]: {KLOG}"), told)
    assert isinstance(line, LogLine)
    assert (line.time, told.clock.zone) == ("2024-03-23T15:05:36.671000Z", timedelta(hours=1))
    other = context()
    list(logs.read(lines(f"2024-03-23T15:05:36.671Z stderr F {KLOG}"), other))
    assert other.clock.zone is None  # a container has a zone of its own
    list(logs.read(lines(f"2024-03-23T15:09:36.671Z n kubelet[1]: {KLOG}"), other))
    assert other.clock.zone is None  # an old line, shipped later


def test_lines_of_programs_nobody_asks_for_are_not_decoded() -> None:
    assert logs.wanted(f"Mar 23 15:05:36 n {ACCEPTED}".encode())
    assert logs.wanted(b"Mar 23 15:05:36 n /usr/sbin/cron[1]: (root) CMD (x)")
    assert not logs.wanted(b"Mar 23 15:05:36 n nginx[1]: sshd Accepted password")


@needs_corpus
def test_real_logs_of_sshd_and_cron(tmp_path: Path) -> None:
    assert CORPUS
    samples = CORPUS / "log2timeline__plaso/test_data/syslog"
    text = {f"nodes/n/{name}": (samples / name).read_bytes() for name in ("syslog_ssh.log", "syslog_cron.log")}
    evidence = folder(tmp_path, text)
    host = only(evidence)
    assert set(host.sources.values()) == {"system log"}
    logins = [(one.user, one.address, one.succeeded) for one in host.events if one.category == "login"]
    assert ("plaso", "2001:0db8:0a0b:12f0:0000:0000:0000:0001", True) in logins
    assert ("root", "188.124.3.41", False) in logins
    assert {one.command for one in host.events if one.category == "record"} >= {"touch /tmp/afile.txt"}
    assert not evidence.failures


TEXTS = (
    FAILED.format(1000), FAILED.format(2000), ACCEPTED,
    "sshd[9]: Failed none for invalid user a b from 192.0.2.1 port 5 ssh2",
    "sshd[9]: Invalid user x from 192.0.2.1 port 7", "sshd[9]: Invalid user x from 192.0.2.1", "sshd[9]: Disconnected",
    "sshd[3]: message repeated 3 times: [ Failed password for root from 203.0.113.9 port 7 ssh2]",
    "sshd[3]: Failed password for root from 203.0.113.9 port 123456 ssh2", "CRON[7]: (root) CMD (x)",
    "CRON[7]: pam_unix(cron:session): session opened for user root", "sudo: pam_unix(sudo:session): session opened",
    "sudo:  u : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id", "systemd-logind[1]: New session 5 of user root.",
    "systemd-logind[1]: Removed session 5.", "passwd[1]: pam_unix(passwd:chauthtok): password changed for root",
    "/usr/sbin/cron[1]: (root) CMD (y)", f"kubelet[1]: {KLOG}", "nginx[1]: x", "\tof several lines", "no log at all",
)  # fmt: skip
TIMES = (
    "Mar 23 15:05:36", "Mar 23 15:05:59", "Mar 24 00:00:00", "Feb 30 15:05:36", "2024-03-23T15:05:36.5+00:00",
    "2024-03-23T15:05:07Z", "2024-03-23T15:05:07.123456789+0530", "2024-13-23T15:05:07Z", "2024-03-23T15:05:61Z",
)  # fmt: skip


_DATED, _UNDATED = TIMES[4], TIMES[0]


@given(st.lists(st.tuples(st.sampled_from(TIMES), st.sampled_from(TEXTS)), max_size=25))
# An event of a program by its path, dated, says nothing of times that are guessed.
@example([(_DATED, "/usr/sbin/cron[1]: (root) CMD (y)"), (_DATED, TEXTS[0]), (_UNDATED, TEXTS[0])])
@settings(max_examples=150, deadline=None)
def test_texts_understood_once_tell_what_each_line_tells(told: list[tuple[str, str]]) -> None:
    text = "\n".join(line if line[0] in "\tn" else f"{time} n {line}" for time, line in told)
    plain, quick = context(latest=moment(2024, 4, 1)), context(latest=moment(2024, 4, 1))
    events, others = Events(), list[object]()
    for fact in logs.read(lines(text), plain):
        if isinstance(fact, HostEvent):
            events.add(fact)
        else:
            others.append(fact)
    wanted = (
        (place, line) for place, line in lines(text) if auth_log.wanted(line.encode()) or not logs.wanted(line.encode())
    )
    found = list(auth_log.read(wanted, quick))
    assert [fact for fact in found if isinstance(fact, HostEvent)] == events.kept()[0]
    assert [fact for fact in found if not isinstance(fact, HostEvent)] == others
    assert [note.reason for note in quick.notes] == [note.reason for note in plain.notes]
