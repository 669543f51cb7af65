"""linux_audit as laurel writes it: one JSON object an event, its records already joined and decoded.

`{"ID": "1626611363.720:348501", "NODE": …, "SYSCALL": {…}, "EXECVE": {"argc": 3, "ARGV": […]}, "CWD": {…},
"PATH": [{…}], "SOCKADDR": [{…}], "PROCTITLE": {"ARGV": […]}}`; what the audit itself does not say is the parent's
program (`SYSCALL.PPID`, earlier `PARENT_INFO`) and the container (`CONTAINER_INFO`, `SYSCALL.PID.container`). Words
may be one string (`ARGV_STR`) where it was so configured; then their borders are lost. Numbers are written as `0x…`
and `0o…`, and bytes that are no printable text as `%XX` in strings.

What it means is said by `linux_audit_events`, as for raw records. Source: laurel(8), laurel-about(7).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import HostEvent
from kubewitness.sources.host import sensor_json
from kubewitness.sources.host.context import Context, Misfits, stamp
from kubewitness.sources.host.folding import Events
from kubewitness.sources.host.interface import Format
from kubewitness.sources.host.lines import decoded
from kubewitness.sources.host.linux_audit_events import AuditEvent, events_of
from kubewitness.sources.host.linux_audit_gaps import ABOUT_AUDIT, Gaps
from kubewitness.sources.host.linux_audit_records import Record, address_of
from kubewitness.sources.host.sensor_json import Record as Object
from kubewitness.sources.host.sensor_json import bare, record_of, table

_ID = re.compile(r"(\d{1,12})\.(\d{1,9}):(\d{1,12})")
_KIND = re.compile(r"[A-Z][A-Z0-9_]{2,40}|UNKNOWN\[\d{1,5}\]")
_HEX = re.compile(r"0x([0-9a-fA-F]{1,16})")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
# Keys of an event that are no records.
_ASIDE: Final = frozenset(("ID", "NODE", "PARENT_INFO", "CONTAINER_INFO", "PPID", "PID", "ENV", "LABELS"))
_MAX_WORDS: Final = 64 * 1024
_MAX_RECORDS: Final = 200


def looks_like(lines: list[str], _name: str) -> bool:
    """Objects with an audit ID and a record."""
    return sensor_json.looks_like(lines, _is_event)


def _is_event(record: Object) -> bool:
    number = record.get("ID")
    return (
        isinstance(number, str)
        and _ID.fullmatch(number) is not None
        and any(_KIND.fullmatch(key) and isinstance(record[key], dict | list) for key in record if key not in _ASIDE)
    )


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[HostEvent | ParseFailure]:
    """The events of a log, those that are like counted."""
    misfits, kept, gaps = Misfits(), Events(), Gaps()
    for place, line in lines:
        text = bare(line)[0].strip().removeprefix("@cee:").lstrip()
        record = record_of(text)
        if record is None or not _is_event(record):
            if failure := misfits.add(unreadable(place, "no event of laurel", line[:400].encode("utf-8", "replace"))):
                yield failure
            continue
        event = _event(record, place)
        gaps.at(event.time)
        for one in event.records:
            if one.kind in ABOUT_AUDIT:
                gaps.see(place, event.time, one)
        for made in events_of(event):
            kept.add(made)
    if failure := misfits.rest():
        yield failure
    for place, reason in gaps.told():
        context.note(place, reason)
    yield from kept.told(context)


def _event(record: Object, place: Place) -> AuditEvent:
    call = table(record, "SYSCALL")
    parent = call.get("PPID") if isinstance(call.get("PPID"), dict) else record.get("PARENT_INFO") or record.get("PPID")
    parent = parent if isinstance(parent, dict) else {}
    event = AuditEvent(_time(record["ID"]), place, _plain(record.get("NODE")), "laurel")
    event.parent_image = _plain(parent.get("exe"))
    event.parent_command = " ".join(_words(parent))
    event.container = _container(record, call)
    event.title = " ".join(_words(table(record, "PROCTITLE")))
    for kind, content in record.items():
        if kind in _ASIDE or not _KIND.fullmatch(kind):
            continue
        for one in content[:_MAX_RECORDS] if isinstance(content, list) else [content]:
            if isinstance(one, dict):
                event.add(_record(kind, one))
    return event


def _record(kind: str, content: Object) -> Record:
    if kind == "EXECVE":
        return Record(kind, {}, tuple((at, word.encode("utf-8", "replace")) for at, word in enumerate(_words(content))))
    values = {key: text for key, value in content.items() if (text := _plain(value)) and len(key) < 64}
    if kind == "SOCKADDR":
        inner = {key: text for key, value in table(content, "SADDR").items() if (text := _plain(value))}
        values |= address_of(values.pop("saddr", "").upper()) | inner
        for short, name in (("addr", "laddr"), ("port", "lport")):
            if short in values:
                values[name] = values.pop(short)
    return Record(kind, values)


def _words(content: Object) -> list[str]:
    found = content.get("ARGV") or content.get("ARGV_STR") or content.get("argv")
    words, room = list[str](), _MAX_WORDS
    for word in found if isinstance(found, list) else [found]:
        if isinstance(word, str) and room > 0:
            words.append(_unescaped(word[:room]))
            room -= len(word) + 1
    return words


def _plain(value: Any) -> str:
    """A value as the audit itself would write it."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value)
    if found := _HEX.fullmatch(text):
        return found[1]
    if text.startswith("0o"):
        return "0" + text[2:]
    return "" if text in ("?", "(null)", "(none)") else _unescaped(text)


def _unescaped(text: str) -> str:
    return decoded(unquote_to_bytes(text)) if "%" in text and _ESCAPE.search(text) else text


def _container(record: Object, call: Object) -> str:
    for content in (record.get("CONTAINER_INFO"), table(call, "PID").get("container"), call.get("container")):
        if isinstance(content, dict) and (found := _plain(content.get("ID") or content.get("id"))):
            return found
    return ""


def _time(number: str) -> str:
    found = _ID.fullmatch(number)
    try:
        written = stamp(datetime.fromtimestamp(int(found[1]), UTC)) if found else ""
    except (ValueError, OverflowError, OSError):
        written = ""
    return f"{written.partition('.')[0]}.{found[2][:6]:0<6}Z" if written and found else ""


FORMATS: tuple[Format, ...] = (Format("laurel log", looks_like, read, max_line=sensor_json.MAX_LINE),)
