"""Results of osquery's scheduled queries, one JSON object a line.

`{"name": "pack_x_y", "hostIdentifier": …, "unixTime": …, "columns": {…}, "action": "added"}`; a snapshot has its rows
in `"snapshot": […]`, a batch in `"diffResults": {"added": […], "removed": […]}`, and what was sent to a server stands
in `"data": […]` with `"log_type": "result"`. All values are strings. The name of a query is whoever's choice, so the
table is told by the columns, each by a set no other table has; the name settles the rest. A query may join tables or
leave columns out: what is missing is not told.

Rows of tables of state (processes, sockets, crontab, authorized_keys, kernel_modules) are what was there at the time,
each once however often it was seen; that a row went away is a record. Rows of event tables (process_events,
socket_events, file_events, shell_history, logged_in_users) are events, and everything else is a record.

Source: osquery.io, documentation of logging and schema of the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from msgspec.structs import replace

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import CronEntry, EventCategory, HostEvent, HostFile, KernelModule, Process, Socket
from kubewitness.sources.host import sensor_json
from kubewitness.sources.host.cgroups import owner
from kubewitness.sources.host.context import Context, Misfits, stamp
from kubewitness.sources.host.folding import Events
from kubewitness.sources.host.interface import Format
from kubewitness.sources.host.sensor_json import Record, bare, number_of, record_of, table, text_of

_MAX_LINE: Final = 8 * 1024 * 1024  # a snapshot of all processes is one line
_MAX_FACTS: Final = 200_000
_MAX_VALUE: Final = 32 * 1024
_Fact = Process | Socket | CronEntry | KernelModule | HostFile
_Row = dict[str, str]

# What only this table has, the first that fits.
_TABLES: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("file_events", frozenset(("target_path", "action"))),
    ("socket_events", frozenset(("action", "remote_address", "remote_port"))),
    ("process_open_sockets", frozenset(("pid", "remote_address", "remote_port", "local_port"))),
    ("process_events", frozenset(("pid", "path", "cmdline", "auid"))),
    ("process_events", frozenset(("pid", "cmdline", "eid"))),
    ("process_events", frozenset(("pid", "cmdline", "probe_error"))),
    ("processes", frozenset(("pid", "cmdline"))),
    ("processes", frozenset(("pid", "on_disk"))),
    ("listening_ports", frozenset(("pid", "port", "address", "protocol"))),
    ("crontab", frozenset(("command", "path", "minute", "hour"))),
    ("crontab", frozenset(("command", "path", "event"))),
    ("authorized_keys", frozenset(("key", "key_file"))),
    ("kernel_modules", frozenset(("name", "used_by", "status"))),
    ("shell_history", frozenset(("command", "history_file"))),
    ("logged_in_users", frozenset(("user", "tty", "host", "type"))),
    ("users", frozenset(("username", "directory", "shell"))),
)
_EVENTS: Final = ("process_events", "socket_events", "file_events", "shell_history", "logged_in_users")
_FLEETING: Final = frozenset(
    ("pid", "parent", "ppid", "tid", "time", "eid", "uptime", "ntime", "duration", "start_time", "transaction_id",
     "inode", "fd", "socket", "atime", "mtime", "ctime", "btime", "threads", "resident_size", "total_size",
     "wired_size", "user_time", "system_time", "disk_bytes_read", "disk_bytes_written", "overflows", "env",
     "local_port", "pgroup", "counter", "unix_time", "elapsed_time")
)  # fmt: skip
_PROTOCOLS: Final = {"6": "tcp", "17": "udp", "tcp": "tcp", "udp": "udp"}
_STATES: Final = {
    "ESTABLISHED": "ESTAB", "SYN_SENT": "SYN-SENT", "SYN_RECV": "SYN-RECV", "FIN_WAIT1": "FIN-WAIT-1",
    "FIN_WAIT2": "FIN-WAIT-2", "TIME_WAIT": "TIME-WAIT", "CLOSED": "CLOSED", "CLOSE_WAIT": "CLOSE-WAIT",
    "LAST_ACK": "LAST-ACK", "LISTEN": "LISTEN", "CLOSING": "CLOSING",
}  # fmt: skip


def looks_like(lines: list[str], _name: str) -> bool:
    """Results with osquery's own envelope."""
    return sensor_json.looks_like(lines, _is_result)


def _is_result(record: Record) -> bool:
    if record.get("log_type") == "result" and isinstance(data := record.get("data"), list):
        return any(isinstance(one, dict) and _is_result(one) for one in data[:20])
    return (
        isinstance(record.get("hostIdentifier"), str)
        and isinstance(record.get("name"), str)
        and (
            (isinstance(record.get("columns"), dict) and isinstance(record.get("action"), str))
            or isinstance(record.get("snapshot"), list)
            or isinstance(record.get("diffResults"), dict)
        )
    )


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[_Fact | HostEvent | ParseFailure]:
    """What the rows say, state once and events counted."""
    misfits, kept, told, over = Misfits(), Events(), _Told(), 0
    for place, line in lines:
        record = record_of(bare(line)[0].strip())
        if record is None or not _is_result(record):
            if failure := misfits.add(unreadable(place, "no result of osquery", line[:400].encode("utf-8", "replace"))):
                yield failure
            continue
        for number, (result, row, action) in enumerate(_rows(record)):
            fact = _read_row(result, row, action, replace(place, element=number))
            if isinstance(fact, HostEvent):
                kept.add(fact)
            elif fact is not None and told.is_new(fact):
                if told.many <= _MAX_FACTS:
                    yield fact
                else:
                    over += 1
    if failure := misfits.rest():
        yield failure
    if over:
        context.note(Place(context.item, 0, 0), f"{over} more rows of osquery than are kept")
    yield from kept.told(context)


class _Told:
    """What was told already, wherever it stood."""

    def __init__(self) -> None:
        self._known: set[int] = set()
        self.many = 0

    def is_new(self, fact: _Fact) -> bool:
        """Whether it is told for the first time."""
        key = hash(replace(fact, place=Place("", 0, 0)))
        if key in self._known:
            return False
        self.many += 1
        if self.many <= _MAX_FACTS:
            self._known.add(key)
        return True


def _rows(record: Record) -> Iterator[tuple[Record, _Row, str]]:
    """Each row with the result it is of, and what became of it."""
    data = record.get("data")
    for result in data if isinstance(data, list) and record.get("log_type") == "result" else [record]:
        if not isinstance(result, dict):
            continue
        action = text_of(result.get("action"))
        both = table(result, "diffResults")
        groups: list[tuple[Any, str]] = [(result.get("snapshot"), "snapshot"), ([result.get("columns")], action)]
        groups += [(both.get(name), name) for name in ("added", "removed")]
        for rows, what in groups:
            for row in rows if isinstance(rows, list) else ():
                if isinstance(row, dict) and row:
                    yield result, {key: text for key, value in row.items() if (text := _text(value))}, what


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value)[:_MAX_VALUE].replace("\0", " ")


def _table_of(result: Record, row: _Row) -> str:
    name = text_of(result.get("name"))
    columns = table(result, "columns").keys() or row.keys()
    if name.endswith("process_events") and "cmdline" in columns:
        return "process_events"
    return next((one for one, needed in _TABLES if needed <= columns), "")


def _read_row(result: Record, row: _Row, action: str, place: Place) -> _Fact | HostEvent | None:
    kind = _table_of(result, row)
    if kind in _EVENTS:
        if action == "removed":  # an event does not unhappen: the table was only emptied
            return None
        return _event(kind, row, result, place)
    if action != "removed" and (make := _STATE.get(kind)) and (fact := make(row, place)) is not None:
        return fact
    return _record(kind, row, result, action, place)


def _process(row: _Row, place: Place) -> Process | None:
    pid, path = number_of(row.get("pid")), row.get("path", "")
    if pid < 0:
        return None
    name = row.get("name", "")
    started = number_of(row.get("start_time"))
    group = row.get("cgroup_path", "")
    container, pod = owner(group)
    return Process(
        pid,
        row.get("cmdline", "").strip() or (path or f"[{name}]"),
        place,
        ppid=number_of(row.get("parent")),
        user=_user(row),
        started=_moment(started) if started > 10**9 else "",
        executable=path + " (deleted)" if path and row.get("on_disk") == "0" else path,
        cgroup=group,
        container=container,
        pod_uid=pod,
        name=name[:15],
        cwd=row.get("cwd", ""),
        sha256=row.get("sha256", ""),
    )


def _socket(row: _Row, place: Place) -> Socket | None:
    protocol = _PROTOCOLS.get(row.get("protocol", "").lower())
    port = _port(row.get("local_port") or row.get("port"))
    if protocol is None or port is None:
        return None
    peer, remote = row.get("remote_address", ""), _port(row.get("remote_port")) or 0
    there = "LISTEN" if protocol == "tcp" and not remote else "ESTAB" if remote else "UNCONN"
    pid = number_of(row.get("pid"))
    return Socket(
        protocol,
        _STATES.get(row.get("state", ""), there),
        _address(row.get("local_address") or row.get("address", "")),
        port,
        _address(peer),
        remote,
        place,
        ((row.get("name", ""), pid),) if pid > 0 else (),
        max(0, number_of(row.get("socket"), 0)),
        row.get("net_namespace", ""),
    )


def _schedule(row: _Row, place: Place) -> CronEntry | None:
    path, command = row.get("path", ""), row.get("command", "")
    when = row.get("event", "")
    schedule = when if when.startswith("@") else f"@{when}" if when else " ".join(
        row.get(field, "*") for field in ("minute", "hour", "day_of_month", "month", "day_of_week")
    )  # fmt: skip
    user = path.rpartition("/")[2] if path.startswith("/var/spool/cron/") else ""
    if path == "/etc/crontab" or path.startswith("/etc/cron.d/"):  # there the user is a word of the line
        user, _, command = command.partition(" ")
    return CronEntry(path, schedule, command.strip(), place, user) if command.strip() else None


def _key(row: _Row, place: Place) -> HostFile | None:
    path = row.get("key_file", "")
    words = (row.get("options", ""), row.get("algorithm", ""), row.get("key", ""), row.get("comment", ""))
    return HostFile(path, " ".join(filter(None, words)), place) if path and row.get("key") else None


def _module(row: _Row, place: Place) -> KernelModule | None:
    return KernelModule(row["name"], place) if row.get("name") else None


_STATE: Final[dict[str, Callable[[_Row, Place], _Fact | None]]] = {
    "processes": _process,
    "process_open_sockets": _socket,
    "listening_ports": _socket,
    "crontab": _schedule,
    "authorized_keys": _key,
    "kernel_modules": _module,
}


def _event(kind: str, row: _Row, result: Record, place: Place) -> HostEvent:
    category: EventCategory = "record"
    path = address = ""
    port, ok = 0, None
    if kind == "process_events":
        category = "process_creation" if row.get("syscall", "execve").startswith("exec") else "record"
        ok = None if "exit_code" not in row else row["exit_code"] == "0"
    elif kind == "socket_events":
        category = "network_connection" if row.get("action") in ("connect", "accept") else "record"
        address, port = _address(row.get("remote_address", "")), _port(row.get("remote_port")) or 0
        state = row.get("status") or {"1": "succeeded", "0": "failed"}.get(row.get("success", ""), "")
        ok = True if state == "succeeded" else False if state == "failed" else None
    elif kind == "file_events":
        path = row.get("target_path", "")
        category = "record" if row.get("action") in ("ACCESSED", "OPENED") else "file_event"
    elif kind == "shell_history":
        category, path = "command", row.get("history_file", "")
    elif row.get("type") in ("user", "login", "USER_PROCESS"):
        category, address = "login", row.get("host", "")
    command = row.get("cmdline") or row.get("command", "")
    return HostEvent(
        category,
        "osquery",
        place,
        time=_moment(number_of(row.get("time"))) or _seen(result),
        pid=number_of(row.get("pid")),
        ppid=number_of(row.get("parent")),
        user=row.get("user") or _user(row),
        image=row.get("path", ""),
        command=command,
        cwd=row.get("cwd", "").strip('"'),
        path=path,
        address=address,
        port=port,
        message=_message(kind, row) if category in ("record", "login") else "",
        fields=_fields(kind, row),
        succeeded=ok,
    )


def _record(kind: str, row: _Row, result: Record, action: str, place: Place) -> HostEvent:
    name = kind or text_of(result.get("name"))
    message = _message(f"{name} ({action})" if action in ("added", "removed") else name, row)
    return HostEvent(
        "record",
        "osquery",
        place,
        time=_seen(result),
        user=row.get("username") or _user(row),
        path=row.get("path", ""),
        message=message,
        fields={**_fields(name, row), **({"action": action} if action == "removed" else {})},
    )


def _fields(name: str, row: _Row) -> dict[str, str]:
    return {"table": name, **{key: value for key, value in list(row.items())[:80] if key not in _FLEETING}}


def _message(name: str, row: _Row) -> str:
    shown = [f"{key}={value[:120]}" for key, value in list(row.items())[:40] if key not in _FLEETING]
    return " ".join([name, *shown])[:600]


def _user(row: _Row) -> str:
    return "root" if row.get("uid") == "0" else row.get("uid", "")


def _seen(result: Record) -> str:
    return _moment(number_of(result.get("unixTime")))


def _moment(seconds: int) -> str:
    return stamp(datetime.fromtimestamp(seconds, UTC)) if 0 < seconds < 253_402_300_800 else ""


def _port(value: str | None) -> int | None:
    number = number_of(value)
    return number if 0 < number < 65536 else None


def _address(text: str) -> str:
    return text.removeprefix("::ffff:") if "." in text else text


FORMATS: tuple[Format, ...] = (Format("osquery results", looks_like, read, max_line=_MAX_LINE),)
