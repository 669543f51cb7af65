"""Indicators out of MISP events as JSON: attributes, also those of objects, alone or in a list of events.

An attribute that MISP does not mean for detection (`to_ids` is false) is left out: it is context, a report's address
or a victim's. Types of two values (`filename|sha256`, `domain|ip`, `ip-dst|port`) are taken apart.

Source: the MISP core format (misp-rfc), attribute types.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from kubewitness.detect.indicators.lists import TYPES, URLS, Read, indicators_of

_MAX_DEPTH: Final = 6
_PAIRS: Final = {"domain|ip": ("domain", "ip-dst"), "hostname|port": ("hostname", "")}
_SILENT: Final = frozenset(
    ("comment", "text", "link", "datetime", "other", "counter", "size-in-bytes", "float", "attachment", "port")
)


def is_misp(value: Any) -> bool:
    """Whether a JSON document is one of MISP."""
    return next(_events(value, 0), None) is not None


def read_events(value: Any, name: str, lines: dict[str, int]) -> Iterator[Read]:
    """The indicators of all events in a document. `lines`: where each attribute's uuid stands in the file."""
    for event in _events(value, 0):
        info = event.get("info")
        campaign = info if isinstance(info, str) and info.strip() else name
        for one in _attributes(event):
            uuid = one.get("uuid")
            line = lines.get(uuid, 1) if isinstance(uuid, str) else 1
            yield from _read(one, " ".join(campaign.split()), line, uuid if isinstance(uuid, str) else name)


def _events(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for one in value:
            yield from _events(one, depth + 1)
    elif isinstance(value, dict):
        if isinstance(value.get("Attribute"), list) or isinstance(value.get("Object"), list):
            yield value
        else:
            for key in ("Event", "response"):
                yield from _events(value.get(key), depth + 1)


def _attributes(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    objects = event.get("Object")
    for holder in (event, *(objects if isinstance(objects, list) else ())):
        found = holder.get("Attribute") if isinstance(holder, dict) else None
        yield from (one for one in (found if isinstance(found, list) else ()) if isinstance(one, dict))


def _read(one: dict[str, Any], campaign: str, line: int, source: str) -> Iterator[Read]:
    type_, value = one.get("type"), one.get("value")
    if not isinstance(type_, str) or not isinstance(value, str):
        yield line, "an attribute without type or value"
        return
    if one.get("to_ids") is False or one.get("deleted") is True or type_ in _SILENT:
        return
    first, last = _date(one.get("first_seen")), _date(one.get("last_seen"))
    comment = one.get("comment")
    note = " ".join(comment.split()) if isinstance(comment, str) else ""
    for kind, part in _parts(type_, value):
        if kind in TYPES or kind in URLS:
            yield from indicators_of(kind, part, campaign, line, first=first, last=last, source=source, note=note)
        else:
            yield line, f"type {kind[:40]!r} is not looked for"


def _parts(type_: str, value: str) -> Iterator[tuple[str, str]]:
    left, bar, right = value.partition("|")
    if not bar or "|" not in type_:
        yield type_, value
    elif type_ in ("ip-dst|port", "ip-src|port"):
        yield type_, f"[{left}]:{right}" if ":" in left else f"{left}:{right}"
    elif type_ in _PAIRS:
        yield from ((kind, part) for kind, part in zip(_PAIRS[type_], (left, right), strict=True) if kind)
    elif type_.startswith("filename|"):
        yield type_.partition("|")[2], right  # the name beside a hash is any name
    else:
        yield type_, value


def _date(value: Any) -> str:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        return datetime.fromtimestamp(int(value), UTC).strftime("%Y-%m-%d")
    return value[:10] if isinstance(value, str) else ""
