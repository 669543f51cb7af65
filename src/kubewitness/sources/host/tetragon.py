"""Events of Tetragon's export: one JSON object each, its type is its first key.

`{"process_exec": {"process": {…}, "parent": {…}}, "node_name": …, "time": …}`; besides process_exec and process_exit
there are process_kprobe, process_tracepoint, process_uprobe, process_loader and process_lsm, whose `args` are objects
of one key named by the type: `sock_arg`, `sockaddr_arg`, `file_arg`, `path_arg`, `int_arg`, …

`docker` are the first 31 characters of the container's id; the full one stands in the pod's container behind its
runtime's name, where the pod is known (it may be missing, and its strings hold NULs). `arguments` is one string. A
process with the flag `procFS` was there before Tetragon: it was started at its `start_time`, not at the event's time.
An end of a process is kept where a signal or an error ended it. What was dropped at a limit (`rate_limit_info`,
process_throttle) is a gap and becomes a note.

Source: cilium/tetragon api/v1/tetragon/tetragon.proto and its JSON export.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgspec.structs import replace

from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import EventCategory, HostEvent
from kubewitness.sources.host import sensor_json
from kubewitness.sources.host.context import Context
from kubewitness.sources.host.interface import Format
from kubewitness.sources.host.sensor_json import Record, array, inner, number_of, table, text_of, time_of

_TYPES: Final = (
    "process_exec", "process_exit", "process_kprobe", "process_tracepoint", "process_uprobe", "process_usdt",
    "process_loader", "process_lsm",
)  # fmt: skip
_GAPS: Final = ("rate_limit_info", "process_throttle")
_CONNECTS: Final = ("connect", "accept", "sendmsg")
_NAMED: Final = ("open", "unlink", "rename", "truncate", "chmod", "chown", "mkdir", "rmdir", "symlink", "link", "mknod")
_READING: Final = 4  # MAY_READ of security_file_permission


def kind_of(record: Record) -> str:
    """The type of the event, "" if the record is none."""
    for kind in _TYPES:
        value = inner(record, kind)
        if isinstance(value, dict):
            return (
                kind if isinstance(value.get("process"), dict) or (kind == "process_loader" and "path" in value) else ""
            )
    return next((kind for kind in _GAPS if isinstance(inner(record, kind), dict) and "time" in record), "")


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[HostEvent | ParseFailure]:
    """The events in the order of the file."""
    gaps = list[tuple[Place, int]]()
    ended = 0

    def made(record: Record, place: Place) -> HostEvent | None:
        kind = kind_of(record)
        if kind in _GAPS:
            lost = number_of(inner(record, kind, "number_of_dropped_process_events"), 0)
            gaps.append((gaps[0][0] if gaps else place, lost + (gaps[-1][1] if gaps else 0)))
            del gaps[:-1]
            return None
        if kind == "process_exit" and not record[kind].get("signal") and not number_of(record[kind].get("status"), 0):
            nonlocal ended
            ended += 1
            return None
        return event(kind, record, place)

    yield from sensor_json.read(lines, made, lambda record: bool(kind_of(record)), context)
    if ended:
        context.note(Place(context.item, 0, 0), f"{ended} ends of processes that went as they should, left out")
    if gaps:
        place, lost = gaps[0]
        context.note(
            place, f"Tetragon dropped events at its limits ({lost} of them told): it did not report everything"
        )


def event(kind: str, record: Record, place: Place) -> HostEvent:
    """The event of a record of that type."""
    body = table(record, kind)
    process, parent = table(body, "process"), table(body, "parent")
    pod = table(process, "pod")
    namespace, name = text_of(pod.get("namespace")), text_of(pod.get("name"))
    container = text_of(inner(pod, "container", "id")).rpartition("://")[2] or text_of(process.get("docker"))
    found = HostEvent(
        category="record",
        source="tetragon",
        place=place,
        time=time_of(record.get("time")),
        pid=number_of(process.get("pid")),
        ppid=number_of(parent.get("pid")),
        user=text_of(inner(process, "user", "name")) or text_of(process.get("uid")),
        image=text_of(process.get("binary")),
        command=_command(process),
        parent_image=text_of(parent.get("binary")),
        parent_command=_command(parent),
        cwd=text_of(process.get("cwd")),
        container=container,
        pod=f"{namespace}/{name}" if namespace and name else name,
        pod_uid=text_of(pod.get("uid")),
        fields=_fields(kind, record, body, process),
        count=max(1, number_of(inner(record, "aggregation_info", "count"), 1)),
    )
    if kind == "process_exec":
        existing = "procFS" in text_of(process.get("flags")).split()
        began = time_of(inner(process, "start_time")) if existing else ""
        return replace(found, category="process_creation", time=began or found.time)
    if kind == "process_exit":
        ended = text_of(body.get("signal")) or f"status {number_of(body.get('status'), 0)}"
        return replace(found, message=f"process ended: {ended}")
    if kind == "process_loader":
        path = text_of(body.get("path"))
        return replace(found, path=path, message=f"loaded: {path}")
    function = text_of(inner(body, "function_name")) or text_of(body.get("symbol")) or text_of(body.get("event"))
    return _called(found, function, array(body, "args"))


def _called(found: HostEvent, function: str, arguments: list[Any]) -> HostEvent:
    """The event of a function that was called."""
    category: EventCategory = "record"
    path, address, port = "", "", 0
    reads = False
    for argument in arguments[:20]:
        if not isinstance(argument, dict):
            continue
        if sock := table(argument, "sock_arg") or table(argument, "sockaddr_arg"):
            to = text_of(sock.get("daddr")) or text_of(sock.get("addr")) or text_of(sock.get("sin_addr"))
            number = next((n for key in ("dport", "port", "sin_port") if (n := number_of(sock.get(key))) >= 0), 0)
            address, port = (to, number if number < 65536 else 0) if to else (address, port)
        elif file := table(argument, "file_arg") or table(argument, "path_arg") or table(argument, "dentry_arg"):
            path = path or text_of(file.get("path"))
        elif (text := text_of(inner(argument, "string_arg"))).startswith("/") and any(n in function for n in _NAMED):
            path = path or text
        elif number_of(inner(argument, "int_arg")) == _READING:
            reads = True
    if address and any(word in function for word in _CONNECTS):
        category = "network_connection"
    elif path and not (reads and "file_permission" in function) and "mmap" not in function:
        category = "file_event"
    return replace(found, category=category, path=path, address=address, port=port, message=function)


def _command(process: Record) -> str:
    binary, arguments = text_of(process.get("binary")), text_of(process.get("arguments"))
    return f"{binary} {arguments}".strip()


def _fields(kind: str, record: Record, body: Record, process: Record) -> dict[str, str]:
    """What the event says beside the process itself, and of that what no other place of the event holds."""
    said = {key: value for key, value in body.items() if key not in ("process", "parent", "ancestors")}
    fields = {"type": kind, **sensor_json.leaves(said)}
    for key in ("flags", "auid", "docker", "binary", "arguments", "cwd", "uid"):
        if value := text_of(process.get(key)):
            fields[f"process.{key}"] = value
    if workload := text_of(inner(process, "pod", "workload")):
        fields["process.pod.workload"] = workload
    if container := text_of(inner(process, "pod", "container", "name")):
        fields["process.pod.container.name"] = container
    if image := text_of(inner(process, "pod", "container", "image", "name")):
        fields["process.pod.container.image.name"] = image
    if node := text_of(inner(record, "node_name")):
        fields["node_name"] = node
    return fields


FORMATS: tuple[Format, ...] = (
    Format(
        "Tetragon events",
        lambda lines, _: sensor_json.looks_like(lines, lambda record: bool(kind_of(record))),
        read,
        max_line=sensor_json.MAX_LINE,
    ),
)
