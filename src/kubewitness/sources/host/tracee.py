"""Events of Tracee, in both of its schemas.

New (v1beta1, protobuf's JSON): `{"timestamp": {"seconds": …, "nanos": …}, "name": "sched_process_exec", "workload":
{"process": {"executable": {"path": …}, "host_pid": {"value": …}, "ancestors": […]}, "container": {…}, "k8s": {…}},
"data": [{"name": "argv", "str_array": {"value": […]}}], "threat": {…}, "detected_from": {…}}`.

Old (flat): `{"timestamp": 1690214405567042601, "eventName": "execve", "processName": "bash", "hostProcessId": …,
"containerId": "", "kubernetes": {…}, "args": [{"name": "argv", "type": …, "value": […]}]}`.

Both are brought to one form: a name, a process, and values by name. An event with a `threat` (old: a signature in its
metadata) is the word of Tracee's rule and an alert; what set it off is told by `detected_from` (old: `triggeredBy`).
A file that is only opened to be read is a record, not a file event. The environment of a process is not kept.

Source: aquasecurity/tracee api/v1beta1/event.proto, event_data.proto, threat.proto; types/trace/trace.go.
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

_STARTS: Final = frozenset(("sched_process_exec", "execve", "execveat", "security_bprm_check"))
_CONNECTS: Final = frozenset(
    ("security_socket_connect", "net_tcp_connect", "connect", "accept", "accept4", "security_socket_accept",
     "net_flow_tcp_begin")
)  # fmt: skip
_CHANGES: Final = frozenset(
    ("vfs_write", "vfs_writev", "kernel_write", "magic_write", "security_inode_unlink", "security_inode_rename",
     "security_inode_symlink", "security_inode_mknod", "file_modification", "do_truncate", "chmod_common",
     "vfs_utimes", "unlink", "unlinkat", "rename", "renameat", "renameat2", "creat", "chmod", "fchmodat", "chown",
     "fchownat", "mkdir", "mkdirat", "rmdir", "symlink", "symlinkat", "link", "linkat", "truncate", "mknod", "mknodat")
)  # fmt: skip
_OPENS: Final = frozenset(("security_file_open", "open", "openat", "openat2"))
_PATHS: Final = ("pathname", "file_path", "path", "new_path", "newpath", "linkpath", "target", "oldpath", "old_path")
_WRITES: Final = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND")
_WRITING: Final = 0o3 | 0o100 | 0o1000 | 0o2000  # access mode, O_CREAT, O_TRUNC, O_APPEND on Linux
_SEVERITIES: Final = ("Informational", "Low", "Medium", "High", "Critical")


def is_new(record: Record) -> bool:
    """The keys of the schema v1beta1."""
    return isinstance(record.get("name"), str) and isinstance(record.get("workload"), dict) and "timestamp" in record


def is_old(record: Record) -> bool:
    """The keys of the flat schema; a cloud's audit log has eventName too, and no process."""
    return (
        isinstance(record.get("eventName"), str)
        and "timestamp" in record
        and ("hostProcessId" in record or "processName" in record)
        and isinstance(record.get("args"), list | None)
    )


def is_event(record: Record) -> bool:
    """An event of either schema."""
    return is_new(record) or is_old(record)


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[HostEvent | ParseFailure]:
    """The events in the order of the file."""
    yield from sensor_json.read(lines, event, is_event, context)


def event(record: Record, place: Place) -> HostEvent:
    """The event of a record of either schema."""
    return _new(record, place) if is_new(record) else _old(record, place)


def _new(record: Record, place: Place) -> HostEvent:
    workload = table(record, "workload")
    process, container, pod = (table(workload, "process"), table(workload, "container"), table(workload, "k8s", "pod"))
    if not pod:
        pod = table(workload, "pod")
    parents = array(process, "ancestors")
    parent = parents[0] if parents and isinstance(parents[0], dict) else {}
    values = _values(array(record, "data"))
    namespace, name = text_of(inner(workload, "k8s", "namespace", "name")), text_of(pod.get("name"))
    threat, origin = table(record, "threat"), table(record, "detected_from")
    found = HostEvent(
        category="record",
        source="tracee",
        place=place,
        time=time_of(record.get("timestamp")),
        pid=number_of(inner(process, "host_pid"), number_of(process.get("pid"))),
        ppid=number_of(inner(parent, "host_pid"), number_of(parent.get("pid"))),
        user=text_of(inner(process, "real_user", "name")) or text_of(inner(process, "real_user", "id")),
        image=text_of(inner(process, "executable", "path")),
        parent_image=text_of(inner(parent, "executable", "path")),
        container=text_of(container.get("id")),
        pod=f"{namespace}/{name}" if namespace and name else name,
        pod_uid=text_of(pod.get("uid")),
        fields=_fields(text_of(record.get("name")), values, process.get("thread"), container),
    )
    found = _told(found, text_of(record.get("name")), values)
    if threat:
        because = _told(found, text_of(origin.get("name")), _values(array(origin, "data")))
        return _alert(found, because, text_of(threat.get("name")), threat.get("severity"), threat.get("description"))
    return found


def _old(record: Record, place: Place) -> HostEvent:
    name = text_of(record.get("eventName"))
    values = _values(array(record, "args"))
    pods, container = table(record, "kubernetes"), table(record, "container")
    namespace = text_of(pods.get("podNamespace")) or text_of(record.get("podNamespace"))
    pod = text_of(pods.get("podName")) or text_of(record.get("podName"))
    result = number_of(record.get("returnValue"), 0)
    found = HostEvent(
        category="record",
        source="tracee",
        place=place,
        time=time_of(record.get("timestamp")),
        pid=number_of(record.get("hostProcessId")),
        ppid=number_of(record.get("hostParentProcessId")),
        user=text_of(record.get("userId")),
        image=text_of(inner(record, "executable", "path")),
        container=text_of(record.get("containerId")) or text_of(container.get("id")),
        pod=f"{namespace}/{pod}" if namespace and pod else pod,
        pod_uid=text_of(pods.get("podUID")) or text_of(record.get("podUID")),
        fields=_fields(name, values, {"name": record.get("processName")}, container),
        succeeded=result >= 0 if "returnValue" in record else None,
    )
    if host := text_of(record.get("hostName")):
        found.fields["hostName"] = host  # the container's own name, where it is one
    found = _told(found, name, values)
    metadata = table(record, "metadata")
    properties = table(metadata, "Properties") or table(metadata, "properties")
    if "signatureID" in properties or "signatureName" in properties:
        origin = values.get("triggeredBy")
        because = found
        if isinstance(origin, dict):
            because = _told(found, text_of(origin.get("name")), _values(array(origin, "args")))
        said = metadata.get("Description") or metadata.get("description")
        rule = text_of(properties.get("signatureName")) or text_of(properties.get("signatureID")) or name
        return _alert(found, because, rule, properties.get("Severity", properties.get("severity")), said)
    return found


def _alert(found: HostEvent, because: HostEvent, rule: str, severity: object, said: object) -> HostEvent:
    number = number_of(severity)
    word = _SEVERITIES[number] if 0 <= number < len(_SEVERITIES) else text_of(severity).capitalize()
    return replace(
        because,
        category="alert",
        fields=found.fields,
        rule=(rule or found.fields["event"])[:300],
        severity="Informational" if word == "Info" else word,
        message=text_of(said) or rule,
    )


def _told(found: HostEvent, name: str, values: Record) -> HostEvent:
    """The event with what its values say."""
    path = next((text for key in _PATHS if (text := text_of(values.get(key)))), "")
    if name in _STARTS:
        argv = tuple(map(text_of, values["argv"][:1000])) if isinstance(values.get("argv"), list) else ()
        image = path or text_of(values.get("cmdpath")) or found.image
        return replace(found, category="process_creation", image=image, command=" ".join(argv) or image, argv=argv)
    if name in _CONNECTS:
        address, port = _other_side(values)
        if address:
            return replace(found, category="network_connection", address=address, port=port, message=name)
        return replace(found, message=name)
    category: EventCategory = "record"
    if path and (name in _CHANGES or (name in _OPENS and _is_writing(values.get("flags")))):
        category = "file_event"
    return replace(found, category=category, path=path, message=name)


def _other_side(values: Record) -> tuple[str, int]:
    for key in ("remote_addr", "addr", "remote_address"):
        if there := table(values, key):
            address = text_of(there.get("sin_addr")) or text_of(there.get("sin6_addr"))
            port = number_of(there.get("sin_port"), number_of(there.get("sin6_port"), 0))
            return address, port if 0 <= port < 65536 else 0
    address = text_of(values.get("dst")) or text_of(values.get("dst_ip"))
    port = number_of(values.get("dst_port"), 0)
    return address, port if 0 <= port < 65536 else 0


def _is_writing(flags: object) -> bool:
    if isinstance(flags, str) and not flags.isdecimal():
        return any(word in flags for word in _WRITES)
    return bool(max(number_of(flags, 0), 0) & _WRITING)


def _values(data: list[Any]) -> Record:
    """The values by name, out of whatever the type of each wraps them in."""
    found: Record = {}
    for item in data[:200]:
        if isinstance(item, dict) and (name := text_of(item.get("name"))):
            rest = [value for key, value in item.items() if key not in ("name", "type")]
            found.setdefault(name, _plain(rest[0]) if rest else None)
    return found


def _plain(value: Any) -> Any:
    for _ in range(3):  # {"Value": {"StrArray": {"value": […]}}}
        if not isinstance(value, dict) or len(value) != 1:
            break
        (key,) = value
        if not (key == "value" or key[:1].isupper()):
            break
        value = value[key]
    return value


def _fields(name: str, values: Record, thread: object, container: Record) -> dict[str, str]:
    fields = {"event": name, **sensor_json.leaves({key: value for key, value in values.items() if key != "env"})}
    for key, value in (
        ("comm", inner(thread, "name")),
        ("container.name", container.get("name")),
        ("container.image", inner(container, "image", "name") or container.get("image")),
    ):
        if text := text_of(value):
            fields[key] = text
    return fields


FORMATS: tuple[Format, ...] = (
    Format(
        "Tracee events", lambda lines, _: sensor_json.looks_like(lines, is_event), read, max_line=sensor_json.MAX_LINE
    ),
)
