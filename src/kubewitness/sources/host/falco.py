"""Alerts of Falco: one JSON object each, also as falcosidekick hands them on, or the line for people alone.

`{"output": "16:31:56.746609046: Error File below …", "priority": "Error", "rule": "Write below binary dir",
"time": …, "output_fields": {"proc.cmdline": …}, "hostname": …, "source": "syscall", "tags": […]}`

Which fields there are depends on the rule's output, so that command, file and connection are looked for under several
names; `<NA>` and null are unknown. `container.id` is cut to 12 characters, and `host` for no container. Rules that
read the audit log of Kubernetes (`source: k8s_audit`) have fields `ka.*`. "Falco internal" speaks of Falco itself:
system calls it dropped are a gap in what it saw and become a note; its metrics become nothing.

The line for people has neither rule nor date: the time of the log around it is taken, or none.

Source: falco.org, documentation of alert outputs and fields; falco `outputs_*` in userspace/engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import HostEvent
from kubewitness.sources.host import sensor_json
from kubewitness.sources.host.context import Context
from kubewitness.sources.host.interface import Format
from kubewitness.sources.host.sensor_json import Record, bare, number_of, table, text_of, time_of

_PRIORITIES: Final = "Emergency|Alert|Critical|Error|Warning|Notice|Informational|Debug"
_LINE = re.compile(rf"\d\d:\d\d:\d\d\.\d{{3,9}}: ({_PRIORITIES}) (\S.{{0,8000}})")
_CLOCK = re.compile(r"\d\d:\d\d:\d\d\.\d{3,9}: ")
_PAIR = re.compile(r"(?:^|[ (|])([a-z][\w.]{1,40})=")
_INTERNAL: Final = "Falco internal:"
_CONNECTION = re.compile(r"\[?([0-9a-fA-F:.]{2,45}?)\]?:(\d{1,5})->\[?([0-9a-fA-F:.]{2,45}?)\]?:(\d{1,5})")
_DROPPED = re.compile(r"(\d{1,18}) system calls dropped")
_VOLATILE: Final = frozenset(("evt.time", "evt.rawtime", "evt.num", "proc.pid", "proc.ppid", "proc.vpid", "thread.tid"))
# What people call them in their rules' outputs, for the line without fields.
_NAMES: Final = {
    "command": "proc.cmdline", "cmdline": "proc.cmdline", "process": "proc.name", "parent": "proc.pname",
    "exe_path": "proc.exepath", "proc_exepath": "proc.exepath", "user": "user.name", "file": "fd.name",
    "connection": "fd.name", "container": "container.id", "container_id": "container.id",
    "k8s.pod": "k8s.pod.name", "k8s.ns": "k8s.ns.name", "k8s_pod_name": "k8s.pod.name", "k8s_ns": "k8s.ns.name",
    "k8s_ns_name": "k8s.ns.name",
}  # fmt: skip


class _Gap:
    """Events that Falco says it lost."""

    def __init__(self) -> None:
        self.place = Place("", 0, 0)
        self.times = 0
        self.calls = 0

    def add(self, record: Record, place: Place) -> None:
        """Count what the record says."""
        fields = table(record, "output_fields")
        told = number_of(fields.get("n_drops"), 0)
        found = _DROPPED.search(text_of(record.get("output")))
        self.calls += max(told, int(found[1]) if found else 0)
        self.place = self.place if self.times else place
        self.times += 1


def is_alert(record: Record) -> bool:
    """The keys of an alert; `rule`, `priority` and the fields stand together nowhere else."""
    return (
        isinstance(record.get("rule"), str)
        and isinstance(record.get("output_fields", record.get("outputFields", {})), dict | None)
        and (
            str(record.get("rule")).startswith(_INTERNAL)
            or (
                isinstance(record.get("output"), str)
                and isinstance(record.get("priority"), str)
                and re.fullmatch(rf"(?i:{_PRIORITIES}|info)", record["priority"]) is not None
                and ("output_fields" in record or _CLOCK.match(record["output"]) is not None)
            )
        )
    )


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[HostEvent | ParseFailure]:
    """The alerts in the order of the file."""
    gap = _Gap()

    def made(record: Record, place: Place) -> HostEvent | None:
        rule = text_of(record.get("rule"))
        if rule.startswith(_INTERNAL):
            if "drop" in rule:
                gap.add(record, place)
            return None
        return alert(record, place)

    yield from sensor_json.read(lines, made, is_alert, context)
    if gap.times:
        reason = f"Falco dropped system calls {gap.times} times ({gap.calls} of them told): it did not see everything"
        context.note(gap.place, reason)


def read_lines(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[HostEvent | ParseFailure]:
    """The alerts of lines for people."""
    others = 0
    for place, line in lines:
        text, time = bare(line)
        found = _LINE.match(text)
        if found is None:
            others += 1
            continue
        fields = _pairs(found[2])
        yield replace(_event(fields, place), time=time, severity=found[1], message=text[:8000])
    if others:
        context.note(Place(context.item, 0, 0), f"{others} lines of Falco that are no alerts, left out")


def alert(record: Record, place: Place) -> HostEvent:
    """The event of a record that is one."""
    raw = table(record, "output_fields")
    named = sensor_json.leaves(raw)
    if host := text_of(record.get("hostname")):
        named["hostname"] = host
    if source := text_of(record.get("source")):
        named["source"] = source
    event = _event(named, place)
    output = text_of(record.get("output"))
    prefix = _CLOCK.match(output)
    return replace(
        event,
        time=time_of(record.get("time")) or time_of(raw.get("evt.time")),
        pid=number_of(raw.get("proc.pid")),
        ppid=number_of(raw.get("proc.ppid")),
        rule=text_of(record.get("rule"))[:300],
        severity=text_of(record.get("priority")).capitalize(),
        message=output[prefix.end() :] if prefix else output,
        fields={name: value for name, value in named.items() if name not in _VOLATILE},
    )


def _event(fields: dict[str, str], place: Place) -> HostEvent:
    """What the fields say, whichever of their names they use."""

    def first(*names: str) -> str:
        return next((fields[name] for name in names if fields.get(name)), "")

    name = first("fd.name", "evt.arg.path", "fs.path.name")
    address, port = first("fd.rip", "fd.sip"), first("fd.rport", "fd.sport")
    if not address and (found := _CONNECTION.fullmatch(name)):
        # client->server: the machine is the client, unless the left side is said to be the other one
        other = (found[1], found[2]) if fields.get("fd.lip") == found[3] else (found[3], found[4])
        address, port = other
    container = first("container.id")
    namespace = first("k8s.ns.name", "k8smeta.ns.name", "ka.target.namespace")
    pod = first("k8s.pod.name", "k8smeta.pod.name")
    if not pod and fields.get("ka.target.resource") == "pods":
        pod = first("ka.target.name", "ka.target.pod.name")
    image = first("proc.exepath", "proc.exe")
    result = fields.get("evt.res")
    return HostEvent(
        category="alert",
        source="falco",
        place=place,
        user=first("user.name", "ka.user.name", "user.uid"),
        image=image if image.startswith("/") else "",
        command=first("proc.cmdline", "proc.exeline", "ka.uri.param[command]"),
        parent_image=first("proc.pexepath"),
        parent_command=first("proc.pcmdline"),
        cwd=first("proc.cwd"),
        container="" if container == "host" else container,
        pod=f"{namespace}/{pod}" if namespace and pod else pod,
        pod_uid=first("k8s.pod.uid", "k8s.pod.id", "k8smeta.pod.uid"),
        path=name if name.startswith("/") else first("fs.path.target", "fs.path.source"),
        address=address or first("ka.sourceips").partition(",")[0].strip("[]() "),
        port=number if 0 < (number := number_of(port)) < 65536 else 0,
        fields=fields,
        succeeded=None if not result else result == "SUCCESS",
    )


def _pairs(text: str) -> dict[str, str]:
    """`name=value` of a line's end; values have spaces, so each goes to the next name."""
    names = list(_PAIR.finditer(text))[:60]
    fields: dict[str, str] = {}
    for number, found in enumerate(names):
        end = names[number + 1].start() if number + 1 < len(names) else len(text.rstrip(") "))
        name = _NAMES.get(found[1], found[1])
        if value := text_of(text[found.end() : end]):
            fields.setdefault(name, value)
    return fields


def _looks_like_text(lines: list[str], _: str) -> bool:
    first = [bare(line)[0] for line in lines[:60]]
    good = sum(1 for text in first if (found := _LINE.match(text)) and _PAIR.search(found[2]))
    return good > 0 and good * 2 >= len(first)


FORMATS: tuple[Format, ...] = (
    Format(
        "Falco alerts",
        lambda lines, _: sensor_json.looks_like(lines, is_alert),
        read,
        max_line=sensor_json.MAX_LINE,
    ),
    Format("Falco alert lines", _looks_like_text, read_lines),
)
