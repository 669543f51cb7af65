"""What the JSON of sensors has in common: an object a line, maybe behind what a log put in front of it.

A sensor that runs as a DaemonSet writes to its standard output, so its events lie in the container's log behind the
CRI prefix, inside of docker's `{"log": …}`, or behind the prefix of syslog; words of the sensor itself stand between
them. Protobuf's JSON writes a number as a number, as a string, or, wrapped, as `{"value": 7}`, and names in snake or
in camel case. All of that is taken as it comes; a value of a wrong type is an absent value.

What an event keeps in `fields` are its leaves under their dotted names, without numbers that differ from one like
event to the next (process numbers, times), so that like events are counted instead of kept, and without what may be
secret (the environment).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import HostEvent
from kubewitness.sources.host import containerd, logs
from kubewitness.sources.host.context import Context, Misfits, stamp
from kubewitness.sources.values import lenient

Record = dict[str, Any]
MAX_LINE: Final = 512 * 1024
_MAX_VALUE: Final = 4096
_MAX_FIELDS: Final = 80
_MAX_DEPTH: Final = 8
_FIRST_YEAR_NS: Final = 10**18  # 2001: smaller numbers count from the start of the machine
_VOLATILE: Final = frozenset(
    ("pid", "tid", "ppid", "exec_id", "parent_exec_id", "start_time", "refcnt", "time", "timestamp", "host_pid",
     "host_tid", "unique_id", "ktime", "env", "environment_variables", "processId", "threadId", "hostProcessId",
     "hostThreadId", "parentProcessId", "hostParentProcessId", "threadStartTime", "processEntityId", "parentEntityId",
     "threadEntityId", "processorId", "stackAddresses", "user_stack_trace", "kernel_stack_trace", "uuid")
)  # fmt: skip


def bare(line: str) -> tuple[str, str]:
    """The event's own text, and the time that the log in front of it tells."""
    prefix = logs.CRI.match(line) or logs.SYSLOG.match(line)
    if prefix:
        return line[prefix.end() :], stamp(containerd.instant(prefix[1] or ""))
    return line, ""


def record_of(text: str) -> Record | None:
    """The object a line holds; None if it holds none."""
    if not text.startswith("{"):
        return None
    found = lenient(text.encode("utf-8", "replace"))
    if isinstance(found, dict) and "log" in found and "stream" in found and isinstance(found["log"], str):
        inner = found["log"].strip()  # docker's json-file
        return record_of(inner) if not inner.startswith('{"log"') else None
    return found if isinstance(found, dict) else None


def looks_like(lines: list[str], is_one: Callable[[Record], bool]) -> bool:
    """At least half of the objects among the first lines are events, and there is one."""
    texts = [text for line in lines[:60] if (text := bare(line)[0].strip()).startswith("{")]
    records = [record for text in texts[:30] if (record := record_of(text)) is not None]
    good = sum(map(is_one, records))
    return good > 0 and good * 2 >= len(records)


def read(
    lines: Iterator[tuple[Place, str]],
    make: Callable[[Record, Place], HostEvent | None],
    is_one: Callable[[Record], bool],
    context: Context,
) -> Iterator[HostEvent | ParseFailure]:
    """An event for each object that is one; `make` may turn one down, having taken note of it itself."""
    misfits, machines, words = Misfits(), dict[str, Place](), 0
    for place, line in lines:
        text, _ = bare(line)
        text = text.strip()
        if not text.startswith("{"):
            words += 1
            continue
        record = record_of(text)
        if record is None or not is_one(record):
            if failure := misfits.add(unreadable(place, "no event of the sensor", text.encode("utf-8", "replace"))):
                yield failure
            continue
        event = make(record, place)
        if event is not None:
            name = event.fields.get("hostname") or event.fields.get("node_name") or event.fields.get("hostName", "")
            if name and len(machines) < 100:
                machines.setdefault(name, place)
            yield event
    if failure := misfits.rest():
        yield failure
    if words:
        context.note(Place(context.item, 0, 0), f"{words} lines between the sensor's events that are none, left out")
    if len(machines) > 1:
        told = ", ".join(sorted(machines)[:5])
        context.note(Place(context.item, 0, 0), f"events of {len(machines)} machines in one file: {told}")


def text_of(value: object) -> str:
    """A string or number as text; empty for anything else, for `<NA>` and for null."""
    if not isinstance(value, str):
        value = _unwrapped(value)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return ""
        value = str(value)
    text = value[:_MAX_VALUE].replace("\x00", "").strip()
    return "" if text in ("<NA>", "null", "N/A") else text


def number_of(value: object, absent: int = -1) -> int:
    """A whole number, however it is written."""
    value = _unwrapped(value)
    if isinstance(value, bool):
        return absent
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) < 20 and value.isascii():
        return int(value)
    return absent


def inner(record: object, *names: str) -> Any:
    """What lies under these names, in snake or camel case; None if nothing does."""
    for name in names:
        if not isinstance(record, dict):
            return None
        record = record[name] if name in record else record.get(_camel(name)) if "_" in name else None
    return record


def table(record: object, *names: str) -> Record:
    """The object under these names; empty if there is none."""
    found = inner(record, *names)
    return found if isinstance(found, dict) else {}


def array(record: object, *names: str) -> list[Any]:
    """The array under these names; empty if there is none."""
    found = inner(record, *names)
    return found if isinstance(found, list) else []


def time_of(value: object) -> str:
    """A moment as RFC 3339 tells it, in nanoseconds since 1970, or as protobuf's seconds and nanoseconds."""
    if isinstance(value, str) and not value.isdecimal():
        return stamp(containerd.instant(value))
    if isinstance(value, dict):
        seconds, nanos = number_of(value.get("seconds")), number_of(value.get("nanos"), 0)
    else:
        whole = number_of(value)
        seconds, nanos = divmod(whole, 10**9) if whole >= _FIRST_YEAR_NS else (-1, 0)
    if not 0 <= seconds < 253_402_300_800 or not 0 <= nanos < 10**9:
        return ""
    return stamp(datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanos // 1000))


def leaves(record: object, prefix: str = "") -> dict[str, str]:
    """The leaves of a record by their dotted names, those that say the same of every like event."""
    found: dict[str, str] = {}
    _collect(record, prefix, found, 0)
    return found


def _collect(value: object, name: str, found: dict[str, str], depth: int) -> None:
    if len(found) >= _MAX_FIELDS or depth > _MAX_DEPTH:
        return
    if isinstance(value, dict):
        for key, child in value.items():
            if key not in _VOLATILE:
                _collect(child, f"{name}.{key}"[:200] if name else str(key)[:200], found, depth + 1)
    elif isinstance(value, list):
        if all(isinstance(child, str) for child in value):
            _put(name, " ".join(value[:200]), found)
        else:
            for number, child in enumerate(value[:20]):
                _collect(child, f"{name}.{number}", found, depth + 1)
    elif isinstance(value, bool):
        found[name] = "true" if value else "false"
    else:
        _put(name, text_of(value), found)


def _put(name: str, text: str, found: dict[str, str]) -> None:
    if text:
        found[name] = text[:_MAX_VALUE]


def _unwrapped(value: object) -> object:
    return value["value"] if isinstance(value, dict) and len(value) == 1 and "value" in value else value


@cache
def _camel(name: str) -> str:
    """Of names that stand in the code, so their number is small."""
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
