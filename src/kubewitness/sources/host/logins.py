"""What sshd, sudo, su, cron and the tools for accounts write into a log: who came in, became whom, what was ordered.

These programs write running text (auth.log, secure, the journal); each has a few forms that matter, the rest is
nothing. The name of a failed login is chosen by the one who tries: it may hold ` from 192.0.2.1 port 22 ssh2` itself,
so of a failure the last address counts; of a success the first, because what follows the key is somebody's choice
too and an account's name has no blanks. Failures carry no port: thousands of tries from one address stay one event
with its count.

Sources: the texts of OpenSSH's auth.c, dropbear, sudo's logging.c, shadow and util-linux `su`, Vixie cron and cronie.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec.structs import replace

from kubewitness.model.host import HostEvent

_SSHD: Final = frozenset(("sshd", "sshd-session", "sshd-auth"))
_CRON: Final = frozenset(("cron", "CRON", "crond", "CROND", "anacron", "crontab"))
_ACCOUNTS: Final = frozenset(
    ("useradd", "usermod", "userdel", "adduser", "groupadd", "groupmod", "gpasswd", "passwd", "chpasswd", "chage")
)
PROGRAMS: Final = _SSHD | _CRON | _ACCOUNTS | {"sudo", "su", "dropbear", "systemd-logind"}
_MOST: Final = 4096  # characters of a message that are looked at

_ACCEPTED = re.compile(r"Accepted ([\w/.-]{1,40}) for (\S{1,256}) from ([\w.:%-]{1,255}) port (\d{1,5})(?!\S)")
_FAILED = re.compile(
    r"Failed ([\w/.-]{1,40}) for (invalid user )?(.{0,256}) from ([\w.:%-]{1,255}) port \d{1,5}(?: {1,2}ssh2?)?"
    r"(?:: .{0,200})?$"
)
_INVALID = re.compile(r"(?:Invalid|Illegal) user (.{0,256}) from ([\w.:%-]{1,255})(?: port \d{1,5})?$")
_REPEATED = re.compile(r"message repeated (\d{1,9}) times: \[ ?(.{1,2048})\]$")
_DROPBEAR = re.compile(
    r"(?:(Password|Pubkey) auth succeeded|Bad (password|PAM password) attempt) for '(.{0,256})'.{0,200} from"
    r" ([\w.:%\[\]-]{1,255}):\d{1,5}$"
)
_SU = (
    (True, re.compile(r"\(to ([^)\s]{1,64})\) (\S{1,64}) on \S{1,64}$")),
    (True, re.compile(r"Successful su for (\S{1,64}) by (\S{1,64})$")),
    (False, re.compile(r"FAILED SU \(to ([^)\s]{1,64})\) (\S{1,64}) on \S{1,64}$")),
    (False, re.compile(r"FAILED su for (\S{1,64}) by (\S{1,64})$")),
)
_TERMINAL = re.compile(r"(?:^|; )TTY=(\S{1,64}) ;")
_CWD = re.compile(r"(?:^|; )PWD=(.{0,1024}?) ; (?:USER|GROUP)=", re.S)
_TARGET = re.compile(r"; USER=(\S{1,64}) ;")
_CRON_LINE = re.compile(r"\((.{1,64}?)\) (CMD|REPLACE|BEGIN EDIT|END EDIT|DELETE) \((.*)\)$", re.S)
_SESSION = re.compile(r"New session '?\S{1,32}'? of user '?([\w.@-]{1,64}?)'?(?: with class .{0,80})?\.?$")
_NEW_USER = re.compile(
    r"new user: name=([^,\s]{1,64}), UID=(\d{1,10}), GID=(\d{1,10}), home=([^,]{0,255}), shell=([^,]{0,255})"
)
_CHANGE = re.compile(
    r"new (?:user|group): |add '[^']{1,64}' to |members of group |change user |delete user |password changed for "
    r"|changed password |password for '?[^']{1,64}'? changed |user [\w.-]{1,64} added |lock user |unlock user "
)


def event_of(program: str, message: str, event: HostEvent) -> HostEvent | None:
    """What a line of a program tells, None if it is nothing that matters.

    Args:
        program: As the line names it: "sshd".
        message: The line's text behind the name.
        event: Source, place, time and number of the process, for the event to be made of.
    """
    text = message[:_MOST].strip()
    if program in _SSHD:
        return _sshd(text, event)
    if program == "sudo":
        return _sudo(text, event)
    if program == "su":
        return _su(text, event)
    if program in _CRON:
        return _cron(text, event)
    if program in _ACCOUNTS:
        return _account(program, text, event)
    if program == "dropbear":
        return _dropbear(text, event)
    if program == "systemd-logind" and (found := _SESSION.match(text)):
        return _login(event, (program, "session"), found[1], "", True)
    return None


def _login(event: HostEvent, way: tuple[str, str], user: str, address: str, succeeded: bool) -> HostEvent:
    fields = {"program": way[0], "method": way[1]}
    return replace(event, category="login", user=user, address=address, succeeded=succeeded, fields=fields)


def _sshd(text: str, event: HostEvent) -> HostEvent | None:
    if again := _REPEATED.match(text):
        event, text = replace(event, count=min(int(again[1]), 1_000_000)), again[2]
    if found := _ACCEPTED.match(text):
        made = _login(event, ("sshd", found[1]), found[2], found[3], True)
        return replace(made, port=int(found[4]))
    if found := _FAILED.match(text):
        made = _login(event, ("sshd", found[1]), found[3], found[4], False)
        return replace(made, fields={**made.fields, "account": "none"}) if found[2] else made
    if found := _INVALID.match(text):  # all that is told where passwords are not taken
        made = _login(event, ("sshd", "none"), found[1], found[2], False)
        return replace(made, fields={**made.fields, "account": "none"})
    return None


def _dropbear(text: str, event: HostEvent) -> HostEvent | None:
    found = _DROPBEAR.match(text)
    if not found:
        return None
    method = (found[1] or found[2]).lower().replace("pubkey", "publickey")
    return _login(event, ("dropbear", method), found[3], found[4].strip("[]"), found[1] is not None)


def _su(text: str, event: HostEvent) -> HostEvent | None:
    for succeeded, form in _SU:
        if found := form.match(text):
            made = _login(event, ("su", "su"), found[1], "", succeeded)
            return replace(made, fields={**made.fields, "by": found[2]})
    return None


def _sudo(text: str, event: HostEvent) -> HostEvent | None:
    user, colon, rest = text.partition(" : ")
    told, found, command = rest.partition(" ; COMMAND=")
    if not colon or not found or " " in user:
        return None
    problem = "" if told.startswith(("TTY=", "PWD=")) else told.partition(" ; ")[0]
    told += " ;"
    terminal, cwd, target = _TERMINAL.search(told), _CWD.search(told), _TARGET.search(told)
    fields = {"program": "sudo", "USER": target[1] if target else ""}
    if terminal:
        fields["TTY"] = terminal[1]
    if problem:
        fields["problem"] = problem
    image = command.split(" ", 1)[0]
    return replace(
        event,
        category="record",
        user=user,
        command=command,
        image=image if image.startswith("/") else "",
        cwd=cwd[1] if cwd else "",
        fields=fields,
        succeeded=not problem,
    )


def _cron(text: str, event: HostEvent) -> HostEvent | None:
    found = _CRON_LINE.match(text)
    if not found:
        return None
    user, what, inner = found.groups()
    if what == "CMD":
        return replace(event, category="record", user=user, command=inner.strip(), fields={"program": "cron"})
    return replace(event, category="record", user=user, message=text, fields={"program": "crontab"})


def _account(program: str, text: str, event: HostEvent) -> HostEvent | None:
    if not _CHANGE.search(text[:500]):
        return None
    fields = {"program": program}
    user = ""
    if found := _NEW_USER.match(text):
        user = found[1]
        fields |= {"UID": found[2], "GID": found[3], "home": found[4], "shell": found[5]}
    return replace(event, category="record", user=user, message=text, fields=fields)
