"""The fields of rules about a machine, read from its events: a name → the values an event has for it.

Three ways to look at an event, as `rules.host_sources` names them:

* as what happened (`process_creation`, ...): Sigma's names over `HostEvent`. A list of processes often does not tell
  the executable; `Image` is then the program's path if the command gives one, else its name in a folder that is not
  known (`?/curl`), so that `endswith: /curl` speaks and nothing that asks for a folder does. `User` of number 0 is
  "root" as well.
* as records of linux_audit: a rule's event is one record, as auditd writes it, so each selection sees the fields of
  one type only. `audit_records` takes apart what `sources.host.linux_audit` joined.
* as text (`*`): the line, for keywords.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from posixpath import basename, join, normpath
from typing import Final

from kubewitness.model.host import HostEvent
from kubewitness.rules.features.interface import Values
from kubewitness.rules.host_sources import AUDIT, EVERYTHING, SERVICES

Record = Mapping[str, str]

AUDIT_SOURCES: Final = ("linux_audit", "laurel")
_ARGUMENTS: Final = 64
_VALUE: Final = 64 * 1024  # characters of one value that rules look at
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_PROGRAM_FIELDS: Final = ("SYSLOG_IDENTIFIER", "program", "_COMM", "comm", "UNIT", "_SYSTEMD_UNIT")
_CALL_FIELDS: Final = ("SYSCALL", "syscall", "function_name", "function", "eventName", "event", "evt.type")
_REMOVALS: Final = ("unlink", "unlinkat", "rmdir", "security_inode_unlink", "security_path_unlink")
_OF_PARTS: Final = frozenset({"argc", "proctitle", "types", "cwd"})
_OF_PATH: Final = frozenset({"name", "nametype", "item", "mode", "ouid", "ogid", "objtype", "OUID", "OGID", "rdev"})


def _sound(text: str) -> str:
    """Text of bounded length that can be written as UTF-8: halves of surrogate pairs come out of JSON."""
    text = text[:_VALUE]
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _one(text: str) -> Values:
    return (_sound(text),) if text else ()


def image_of(image: str, command: str, argv: tuple[str, ...] = (), cwd: str = "") -> str:
    """Path of a program, as far as it is known."""
    if image:
        return image.removesuffix(" (deleted)")
    word = argv[0] if argv else command[:4096].partition(" ")[0]
    word = word.removeprefix("-")  # a login shell
    if not word or word.startswith("["):
        return ""  # a kernel thread has no program
    if word.startswith("/"):
        return word
    if cwd.startswith("/") and "/" in word:
        return normpath(join(cwd, word))
    return f"?/{word.removeprefix('./')}"


def _user(event: HostEvent) -> Values:
    return (event.user, "root") if event.user == "0" else _one(event.user)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def initiated(event: HostEvent) -> bool | None:
    """Whether the machine itself opened the connection; None: not told."""
    if "Initiated" in event.fields:
        return event.fields["Initiated"].lower() == "true"
    calls = " ".join(event.fields.get(name, "") for name in _CALL_FIELDS).lower()
    if "accept" in calls or "listen" in calls:
        return False
    return True if "connect" in calls or "sendto" in calls else None


def _initiated(event: HostEvent) -> Values:
    told = initiated(event) if event.category == "network_connection" else None
    return () if told is None else ("true" if told else "false",)


def _peer(event: HostEvent, *, destination: bool, address: bool) -> Values:
    """The other side, if it is the one asked for: who accepts a connection is its destination himself."""
    if not event.address or _is_address(event.address) is not address:
        return ()
    if (initiated(event) is not False) is not destination:
        return ()
    return _one(event.address)


def _port(event: HostEvent, *, destination: bool) -> Values:
    return (str(event.port),) if event.port and (initiated(event) is not False) is destination else ()


def text_of(event: HostEvent) -> str:
    """The event as text, for keywords."""
    told = (event.message, event.command, event.path, event.address, *event.fields.values())
    return "\n".join(dict.fromkeys([one[:_VALUE] for one in told if one]))


_READ: Final[dict[str, Callable[[HostEvent], Values]]] = {
    "*": lambda event: _one(text_of(event)),
    "Image": lambda event: _one(image_of(event.image, event.command, event.argv, event.cwd)),
    "CommandLine": lambda event: _one(event.command),
    "CurrentDirectory": lambda event: _one(event.cwd),
    "User": _user,
    "ProcessId": lambda event: (str(event.pid),) if event.pid >= 0 else (),
    "ParentProcessId": lambda event: (str(event.ppid),) if event.ppid >= 0 else (),
    "ParentImage": lambda event: _one(image_of(event.parent_image, event.parent_command)),
    "ParentCommandLine": lambda event: _one(event.parent_command),
    "UtcTime": lambda event: _one(event.time),
    "TargetFilename": lambda event: _one(event.path),
    "Initiated": _initiated,
    "DestinationIp": lambda event: _peer(event, destination=True, address=True),
    "DestinationHostname": lambda event: _peer(event, destination=True, address=False),
    "DestinationPort": lambda event: _port(event, destination=True),
    "DestinationIsIpv6": lambda event: ("true" if ":" in event.address else "false",) if event.address else (),
    "SourceIp": lambda event: _one(event.address) if event.category == "login" else
        _peer(event, destination=False, address=True),
    "SourcePort": lambda event: _port(event, destination=False),
    "ContainerId": lambda event: _one(event.container),
    "PodName": lambda event: _one(event.pod),
    "PodUid": lambda event: _one(event.pod_uid),
    "message": lambda event: _one(event.message),
    "program": lambda event: _one(program_of(event)),
}  # fmt: skip


def event_reader(field: str) -> Callable[[HostEvent], Values]:
    """The function that reads a field from an event; what has no place of its own is sought among the source's."""
    return _READ.get(field) or (lambda event: _one(event.fields.get(field, "")))


def record_reader(field: str) -> Callable[[Record], Values]:
    """The same for a record of linux_audit."""
    if field == "*":
        return lambda record: (_sound(" ".join(f"{name}={value}" for name, value in record.items())),)
    if field == "key":  # an event may meet several rules of the audit
        return lambda record: tuple(_sound(record[field]).split(",")) if record.get(field) else ()
    return lambda record: _one(record.get(field, ""))


def program_of(event: HostEvent) -> str:
    """Who wrote a line of a log, as the log itself calls it."""
    told = next((event.fields[name] for name in _PROGRAM_FIELDS if event.fields.get(name)), "")
    return basename(told or event.image).removesuffix(".service")


def log_sources_of(event: HostEvent) -> Iterator[str]:
    """The log sources whose rules may look at an event; those of linux_audit look at its records."""
    match event.category:
        case "process_creation":
            if event.succeeded is not False:
                yield event.category
        case "file_event":
            if event.succeeded is not False and not _removes(event):
                yield event.category
        case "network_connection":
            yield event.category
        case "login" | "record" if event.source not in AUDIT_SOURCES:
            program = program_of(event).lower()
            yield from (name for name, programs in SERVICES.items() if programs is None or program in programs)
        case _:
            pass
    if event.source in AUDIT_SOURCES:
        yield AUDIT
    if event.category != "alert":  # a sensor's word about an event is not the event
        yield EVERYTHING


def _removes(event: HostEvent) -> bool:
    """In Sigma a file_event is a file that was made or changed."""
    fields = event.fields
    return fields.get("nametype") == "DELETE" or any(fields.get(name) in _REMOVALS for name in _CALL_FIELDS)


def audit_records(event: HostEvent) -> Iterator[Record]:
    """The records that an event of linux_audit was joined from, as far as the event still tells them.

    Which there were, `types` says. What belongs to none of the parts (EXECVE, PATH, CWD, PROCTITLE) is of SYSCALL, and
    of the record that stands for itself, if there is one (USER_CMD, SERVICE_STOP).
    """
    fields = event.fields
    kinds = [kind for kind in fields.get("types", fields.get("type", "")).split(",") if kind]
    words = {f"a{number}": word for number, word in enumerate(event.argv[:_ARGUMENTS])}
    for kind in dict.fromkeys(kinds):
        match kind:
            case "EXECVE":
                yield {"type": kind, "argc": str(len(event.argv)), **words}
            case "PATH":
                yield {"type": kind, **{one: value for one, value in fields.items() if one in _OF_PATH}}
            case "CWD":
                yield {"type": kind, "cwd": event.cwd}
            case "PROCTITLE":
                yield {"type": kind, "proctitle": fields.get("proctitle") or event.command}
            case _:
                # "name" is of PATH only where there is one: other records have their own.
                parts = _OF_PARTS | _OF_PATH if "PATH" in kinds else _OF_PARTS
                own = {one: value for one, value in fields.items() if one not in parts and one not in words}
                yield {**own, "type": kind}
