"""OpenTelemetry logs as protobuf JSON: `resourceLogs[].scopeLogs[].logRecords[]`.

The event is the body of a record: text (`stringValue`) or a structure (`kvlistValue`), which is turned back into plain
JSON. The collector's file exporter writes one such document a line.

Source: opentelemetry/proto/logs/v1/logs.proto and common.proto with the OTLP/JSON mapping (64-bit integers are
strings); the cluster-logging-operator samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kubewitness.sources.envelopes import from_epoch
from kubewitness.sources.interface import Foreign, Found, Inner
from kubewitness.sources.values import Fields, encode, inside, lenient, listed, scalar, string

_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Telemetry:
    """A whole export, one resource of it, or one scope of it (as framed from a large document)."""

    format: str = "OTLP"

    def recognises(self, fields: Fields) -> bool:
        """By any of the three levels."""
        return "resourceLogs" in fields or "scopeLogs" in fields or "logRecords" in fields

    def open(self, fields: Fields) -> Iterator[Found]:
        """The bodies of all records."""
        for resource in _below(fields, "resourceLogs"):
            for scope in _below(resource, "scopeLogs"):
                for raw in listed(scope.get("logRecords")):
                    yield _body(inside(raw))


def _below(fields: Fields, key: str) -> Iterator[Fields]:
    """The objects listed under `key`; the object itself if it begins one level lower."""
    return map(inside, listed(fields[key])) if key in fields else iter((fields,))


def _body(record: Fields) -> Found:
    body = inside(record.get("body"))
    when = from_epoch(scalar(record.get("timeUnixNano")) or scalar(record.get("observedTimeUnixNano")) or "-")
    if "stringValue" in body:
        return Inner(string(body["stringValue"]).encode("utf-8", "replace"), when)
    if "kvlistValue" in body:
        return Inner(bytes(encode(_plain({"kvlistValue": lenient(body["kvlistValue"])}, 0))), when)
    return Foreign("OTLP log record without a text or structured body")


def _plain(value: Any, depth: int) -> Any:
    """An AnyValue as plain JSON."""
    if not isinstance(value, dict) or depth > _DEPTH:
        return None
    if "kvlistValue" in value:
        pairs = value["kvlistValue"].get("values") if isinstance(value["kvlistValue"], dict) else None
        return {
            pair["key"]: _plain(pair.get("value"), depth + 1)
            for pair in pairs or ()
            if isinstance(pair, dict) and isinstance(pair.get("key"), str)
        }
    if "arrayValue" in value:
        items = value["arrayValue"].get("values") if isinstance(value["arrayValue"], dict) else None
        return [_plain(item, depth + 1) for item in items or ()]
    if "intValue" in value:
        number = str(value["intValue"])
        return int(number) if number.lstrip("-").isdecimal() and len(number) < 20 else number
    return next((value[kind] for kind in ("stringValue", "boolValue", "doubleValue") if kind in value), None)
