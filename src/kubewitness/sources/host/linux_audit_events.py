"""What the records of one linux_audit event say together, as events of the machine.

An event has a SYSCALL record and, of the same time and serial, what the call worked on (EXECVE, CWD, PATH, SOCKADDR,
PROCTITLE), or a record that stands for itself (USER_LOGIN, SERVICE_STOP, CONFIG_CHANGE, AVC). Out of it come:

- `process_creation`: execve or execveat that did not fail. EXECVE has the true words. Without it the line is that of
  PROCTITLE, which the process itself can write and which ends after 128 bytes: then `fields` has "proctitle".
- `network_connection`: connect and accept with an Internet address, failed or not (a scan is many that failed;
  EINPROGRESS says neither). `fields["SYSCALL"]` tells which of the two.
- `file_event`: a file made, changed, renamed or removed; one for each PATH record that says so, parents left out. An
  open counts if its flags allow writing.
- `login`: USER_LOGIN and USER_AUTH; USER_START too, unless cron, atd or systemd opened the session.
- `record`: all else, reads and failed calls included.

`fields` speaks audit's language, for rules written for it, all records of the event put together: `type` (the record
it is about), `types` (all, comma between), `syscall` and `SYSCALL` (the name, also where auditd did not add it), `exe`,
`comm`, `key` (several: comma between), `success`, `uid` …; of an execution `a0`…`a63` as words and `name` of the first
PATH; of few calls `a0`…`a3` as hexadecimal numbers; else `name` and `nametype` of the PATH record, `name` made
absolute. Rules about single records need them taken apart again, by `types`. What differs each time (process numbers,
sessions, inodes, pointers, descriptors) is left out, so that like events can be counted.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from kubewitness.model.evidence import Place
from kubewitness.model.host import EventCategory, HostEvent
from kubewitness.sources.host.lines import decoded
from kubewitness.sources.host.linux_audit_names import call_name
from kubewitness.sources.host.linux_audit_records import UNSET, Record, parsed

MAX_RECORDS: Final = 200  # of one event that are kept
_MAX_WORDS: Final = 64 * 1024  # bytes of one command line that are kept
_SHOWN_WORDS: Final = 64
_EINPROGRESS: Final = "-115"
# Say more about a call, nothing alone.
PARTS: Final = frozenset(
    ("SYSCALL", "EXECVE", "CWD", "PATH", "PROCTITLE", "SOCKADDR", "SOCKETCALL", "EOE", "BPRM_FCAPS", "CAPSET", "MMAP",
     "FD_PAIR", "OBJ_PID", "IPC", "IPC_SET_PERM", "OPENAT2", "MQ_OPEN", "MQ_SENDRECV", "MQ_NOTIFY", "MQ_GETSETATTR",
     "UNKNOWN[1420]")
)  # fmt: skip
_EXECUTIONS: Final = frozenset(("execve", "execveat"))
_CONNECTIONS: Final = frozenset(("connect", "accept", "accept4"))
_OPENS: Final = {"open": "a1", "openat": "a2", "open_by_handle_at": "a2", "openat2": "oflag"}
_CHANGES: Final = frozenset(
    ("creat", "mkdir", "mkdirat", "mknod", "mknodat", "unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2",
     "link", "linkat", "symlink", "symlinkat", "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchown",
     "fchownat", "truncate", "ftruncate", "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr",
     "fremovexattr", "utime", "utimes", "utimensat", "futimesat")
)  # fmt: skip
_REGISTERS: Final = ("a0", "a1", "a2", "a3")
_WRITING: Final = 0o3 | 0o100 | 0o1000  # O_WRONLY or O_RDWR, O_CREAT, O_TRUNC
AT_CWD: Final = frozenset(("ffffff9c", "ffffffffffffff9c"))
# Calls whose arguments are numbers that say something.
_TELLING: Final = frozenset(("personality", "syslog", "ptrace", "prctl", "setns", "unshare", "socket", "bpf", "clone"))
_FLEETING: Final = frozenset(
    ("pid", "ppid", "ses", "old-ses", "OLD-SES", "serial", "inode", "dev", "rdev", "item", "items", "argc", "exit",
     "a0", "a1", "a2", "a3", "suid", "fsuid", "egid", "sgid", "fsgid", "SUID", "FSUID", "EGID", "SGID", "FSGID",
     "saddr", "SADDR", "spid", "rport", "prog-id", "entries", "cap_fp", "cap_fi", "cap_fe", "cap_fver", "cap_frootid",
     "proctitle", "ino", "opid", "oses", "ip", "sig_pid", "msg", "fd")
)  # fmt: skip
_LOGINS: Final = frozenset(("USER_LOGIN", "USER_AUTH", "USER_START"))
_CLOCKWORK: Final = ("/cron", "/crond", "/atd", "/systemd", "/anacron")
_MESSAGE: Final = ("op", "avc", "acct", "unit", "audit_enabled", "old", "list", "key", "cmd", "name", "exe", "comm",
                   "table", "res")  # fmt: skip


@dataclass(slots=True)
class AuditEvent:
    """The records of one time and serial."""

    time: str
    place: Place
    node: str = ""
    source: str = "linux_audit"
    moment: int = 0  # the second of its time
    records: list[Record] = field(default_factory=list)
    left_out: int = 0
    parent_image: str = ""
    parent_command: str = ""
    container: str = ""
    title: str = ""  # PROCTITLE's words, where the source keeps them apart

    def add(self, record: Record) -> None:
        """One more record of the event."""
        if len(self.records) < MAX_RECORDS:
            self.records.append(record)
        else:
            self.left_out += 1


def events_of(event: AuditEvent) -> Iterator[HostEvent]:
    """The events of the machine that an event of the audit tells of."""
    merged = _Merged(event)
    if merged.executed:
        yield merged.execution()
    elif merged.connected:
        yield merged.connection()
    elif changed := merged.changed():
        for path, values in changed:
            yield merged.file_event(path, values)
    elif merged.alone is None:
        yield merged.record(merged.first.kind, {})
    if merged.alone is not None:
        yield merged.record(merged.alone.kind, merged.alone.values)


class _Merged:
    """The records of an event, put together."""

    def __init__(self, event: AuditEvent) -> None:
        self._event = event
        self.first = event.records[0]
        self.alone: Record | None = None
        self._call: dict[str, str] = {}
        self._more: dict[str, str] = {}  # SOCKADDR, CWD, OPENAT2
        self._title = event.title
        kinds = dict[str, None]()
        words = list[tuple[int, bytes]]()
        paths = list[Record]()
        titles = list[Record]()
        for record in event.records:
            kind = record.kind
            kinds[kind] = None
            if kind == "SYSCALL":
                self._call = parsed(record).values
            elif kind == "PATH":
                paths.append(record)
            elif kind == "EXECVE":
                words += parsed(record).words
            elif kind == "PROCTITLE":
                titles.append(record)
            elif kind in PARTS:
                self._more |= parsed(record).values
            else:
                self.alone = self.alone or parsed(record)
        kinds.pop("EOE", None)
        self._kinds = ",".join(kinds)
        self.argv = argv_of(words)
        name = name_of_call(self._call)
        self._name = name
        self._succeeded = _succeeded(self._call)
        self.executed = self._succeeded is not False and ("EXECVE" in kinds or name in _EXECUTIONS)
        if not self._title and not self.argv and titles:
            self._title = parsed(titles[0]).values.get("proctitle", "").rstrip("\0").replace("\0", " ")
        self._paths = [parsed(record).values for record in (paths[:1] if self.executed else paths)]
        self.connected = name in _CONNECTIONS and self._more.get("saddr_fam") in ("inet", "inet6")

    def execution(self) -> HostEvent:
        more = {**shown_words(self.argv), **self._named(0)}
        return self._made("process_creation", "SYSCALL" if self._call else "EXECVE", more)

    def connection(self) -> HostEvent:
        if self._name == "connect" and self._call.get("exit") == _EINPROGRESS:
            self._succeeded = None
        return self._made("network_connection", self._main(), {})

    def changed(self) -> list[tuple[str, dict[str, str]]]:
        """The files that the call made, changed or took away."""
        if self._succeeded is False or (self._name not in _CHANGES and not self._opened_for_writing()):
            return []
        named = [values for values in self._paths if values.get("name") and values.get("nametype") != "PARENT"]
        moved = [values for values in named if values.get("nametype") in ("CREATE", "DELETE")]
        return [(self._absolute(values["name"]), values) for values in moved or named]

    def _opened_for_writing(self) -> bool:
        argument = _OPENS.get(self._name)
        if argument is None:
            return False
        flags = (self._call.get(argument) or self._more.get(argument) or "").removeprefix("0x").removeprefix("0o")
        try:
            number = int(flags, 8 if argument == "oflag" else 16)
        except ValueError:
            number = 0
        return bool(number & _WRITING) or any(values.get("nametype") == "CREATE" for values in self._paths)

    def file_event(self, path: str, values: dict[str, str]) -> HostEvent:
        return self._made("file_event", self._main(), {**_lasting(values), "name": path}, path)

    def record(self, kind: str, values: dict[str, str]) -> HostEvent:
        """What a record that stands for itself says, or a call that is none of the above."""
        own = _lasting(values)
        category: EventCategory = "record"
        if kind in _LOGINS and not (kind == "USER_START" and own.get("exe", "").endswith(_CLOCKWORK)):
            category = "login"
        number = next((at for at, one in enumerate(self._paths) if one.get("nametype") != "PARENT"), 0)
        named = {} if self.alone else self._named(number)
        if self._name in _TELLING and not self.alone:
            named |= {key: value for key in _REGISTERS if (value := self._call.get(key))}
        return self._made(category, kind, {**named, **own}, named.get("name", ""), values)

    def _main(self) -> str:
        return "SYSCALL" if self._call else self.first.kind

    def _named(self, number: int) -> dict[str, str]:
        if number >= len(self._paths):
            return {}
        values = self._paths[number]
        kept = _lasting(values)
        return {**kept, "name": self._absolute(values["name"])} if "name" in values else kept

    def _absolute(self, name: str) -> str:
        if name.startswith("/"):
            return name
        parent = next((one["name"] for one in self._paths if one.get("nametype") == "PARENT" and "name" in one), "")
        if parent.startswith("/") and "/" not in name:
            return posixpath.join(parent, name)
        here = not self._name.endswith("at") or self._call.get("a0", "").removeprefix("0x") in AT_CWD
        cwd = self._more.get("cwd", "")
        return posixpath.normpath(posixpath.join(cwd, name)) if here and cwd.startswith("/") else name

    def _made(
        self,
        category: EventCategory,
        kind: str,
        more: dict[str, str],
        path: str = "",
        values: dict[str, str] | None = None,
    ) -> HostEvent:
        event, call = self._event, self._call
        own = values or {}
        fields = {"type": kind, "types": self._kinds}
        if event.node:
            fields["node"] = event.node
        fields |= _lasting(call)
        if self._name:
            fields["SYSCALL"] = self._name
        if (code := call.get("exit", "")).startswith("-"):
            fields["exit"] = code
        fields |= _lasting(self._more)
        fields |= more
        for key in ("key", "KEY"):
            if "\1" in fields.get(key, ""):
                fields[key] = fields[key].replace("\1", ",")
        command = " ".join(self.argv) or own.get("cmd", "")
        if not command and self._title:
            fields["proctitle"] = command = self._title
        both = {**own, **call}
        succeeded = _succeeded(own) if own else self._succeeded
        address, port = _peer(self._more) if not own else (_told(own.get("addr")) or _told(own.get("hostname")), 0)
        return HostEvent(
            category,
            event.source,
            event.place,
            time=event.time,
            pid=_number(both.get("pid")),
            ppid=_number(both.get("ppid")),
            user=_user(category, own, both),
            image=both.get("exe", ""),
            command=command,
            argv=self.argv,
            parent_image=event.parent_image,
            parent_command=event.parent_command,
            cwd=own.get("cwd") or self._more.get("cwd", ""),
            container=event.container,
            path=path or self._more.get("path", ""),
            address=address,
            port=port,
            message=_message(kind, fields) if category in ("record", "login") else "",
            fields=fields,
            succeeded=succeeded,
        )


def name_of_call(values: dict[str, str]) -> str:
    """The system call of a SYSCALL record."""
    return values.get("SYSCALL") or call_name(values.get("arch", ""), values.get("syscall", ""))


def telling_arguments(name: str) -> tuple[str, ...]:
    """The arguments of a call on which its event depends.

    Returns:
        Of "a0" to "a3" those whose value counts; "here" if it counts whether the first one is the working folder.
    """
    told = _REGISTERS if name in _TELLING else (_OPENS[name],) if _OPENS.get(name, "") in _REGISTERS else ()
    return (*told, "here") if name.endswith("at") else told


def _lasting(values: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in values.items() if key not in _FLEETING}


def shown_words(argv: tuple[str, ...]) -> dict[str, str]:
    """The words of a command line as fields."""
    return {f"a{number}": word for number, word in enumerate(argv[:_SHOWN_WORDS])}


def argv_of(words: list[tuple[int, bytes]]) -> tuple[str, ...]:
    """The words of EXECVE records, put together."""
    if not words:
        return ()
    if [number for number, _ in words] == list(range(len(words))):  # as it nearly always is
        whole = b"\0".join([word for _, word in words])
        if len(whole) < _MAX_WORDS and whole.count(0) == len(words) - 1:
            return tuple(decoded(whole).split("\0"))
    joined, room = dict[int, bytes](), _MAX_WORDS
    for number, word in words:
        if room <= 0:
            break
        joined[number] = joined.get(number, b"") + word[:room]
        room -= len(word) + 1
    return tuple(decoded(joined[number]) for number in sorted(joined))


def _succeeded(values: dict[str, str]) -> bool | None:
    word = values.get("success") or values.get("res") or ""
    return True if word in ("yes", "success", "1") else False if word in ("no", "failed", "0") else None


def _peer(values: dict[str, str]) -> tuple[str, int]:
    port = _number(values.get("lport"))
    return (values.get("laddr", ""), port if 0 < port < 65536 else 0)


def _told(value: str | None) -> str:
    return "" if value in (None, "?", "UNKNOWN") else value or ""


def _number(value: str | None) -> int:
    return int(value) if value and value.isascii() and value.isdecimal() and len(value) < 10 else -1


def _user(category: EventCategory, own: dict[str, str], both: dict[str, str]) -> str:
    names = ("acct", "ID", "id", "UID", "uid") if category == "login" else ("UID", "uid", "AUID", "auid")
    return next((value for key in names if (value := both.get(key, "")) and value not in UNSET), own.get("acct", ""))


def _message(kind: str, fields: dict[str, str]) -> str:
    return " ".join((kind, *(f"{key}={fields[key][:200]}" for key in _MESSAGE if key in fields)))
