"""Wrappers that only carry: the event is inside one member, as JSON or as a string of JSON.

One row a format: the member that holds the event(s), and optionally a member that must be beside it. Fluentd, Fluent
Bit, Vector, Loki, Splunk, Elasticsearch and the cloud exports all do this, each with another name.

Sources: CloudWatch Logs "SubscriptionFilters", FilterLogEvents and Insights response formats; Azure Monitor
"AzureDiagnostics"; Docker json-file driver; Splunk HEC and search export; Elasticsearch `_search` hits; the
cluster-logging-operator's `structured`; Loki `logcli -o jsonl`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from msgspec import Raw

from kubewitness.sources.interface import Found, Inner, Nothing
from kubewitness.sources.values import ARRAY, OBJECT, STRING, Fields, first_byte, inside, listed, scalar, string

_TIMES = ("@timestamp", "timestamp", "time", "TimeGenerated", "ingestionTime", "_time", "__time__", "timeUnixNano")


def wrapper_time(fields: Fields) -> str:
    """The time a wrapper gives, as RFC 3339; empty if it gives none."""
    for key in _TIMES:
        text = scalar(fields.get(key))
        if not text:
            continue
        if text.replace(".", "", 1).isdecimal():
            return from_epoch(text)
        return text.replace(" ", "T", 1) if text[:4].isdecimal() else ""
    return ""


def from_epoch(text: str) -> str:
    """Seconds, milli-, micro- or nanoseconds since 1970, told apart by their size, as RFC 3339."""
    try:
        seconds = float(text)
        while seconds > 1e11:
            seconds /= 1000
        return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A format whose events are in the member `key`: one, a list of them, or a string."""

    format: str
    key: str
    beside: str = ""  # a member that must be there too
    array_only: bool = False  # the name is too common unless it holds a list

    def recognises(self, fields: Fields) -> bool:
        """The member is there and can hold an event."""
        raw = fields.get(self.key)
        if raw is None or (self.beside and self.beside not in fields):
            return False
        first = first_byte(raw)
        return first == ARRAY if self.array_only else first in (OBJECT, ARRAY, STRING) and _may_hold(raw, first)

    def open(self, fields: Fields) -> Iterator[Found]:
        """The member, unescaped if it is a string."""
        raw = fields[self.key]
        text = string(raw).encode("utf-8", "replace") if first_byte(raw) == STRING else bytes(raw)
        yield Inner(text, wrapper_time(fields))


def _may_hold(raw: Raw, first: int) -> bool:
    return first != STRING or b"{" in bytes(raw)


@dataclass(frozen=True, slots=True)
class CloudWatchSubscription:
    """`{"messageType": …, "logEvents": [{"message": …}]}`; control messages carry nothing."""

    format: str = "EKS CloudWatch subscription"

    def recognises(self, fields: Fields) -> bool:
        """By `logEvents`, or a control message."""
        return "logEvents" in fields or string(fields.get("messageType")) == "CONTROL_MESSAGE"

    def open(self, fields: Fields) -> Iterator[Found]:
        """The log events; each has `message` and `timestamp`."""
        if string(fields.get("messageType")) == "CONTROL_MESSAGE":
            yield Nothing()
        else:
            yield Inner(bytes(fields["logEvents"]))


@dataclass(frozen=True, slots=True)
class InsightsRow:
    """A row of a CloudWatch Insights result: `[{"field": "@message", "value": …}, …]`, seen one cell at a time."""

    format: str = "CloudWatch Insights export"

    def recognises(self, fields: Fields) -> bool:
        """A cell: exactly `field` and `value`."""
        return len(fields) == 2 and "field" in fields and "value" in fields

    def open(self, fields: Fields) -> Iterator[Found]:
        """Only the message cell holds the event."""
        if string(fields["field"]) == "@message":
            yield Inner(string(fields["value"]).encode("utf-8", "replace"))
        else:
            yield Nothing()


@dataclass(frozen=True, slots=True)
class LokiStream:
    """`{"stream": {labels}, "values": [["nanoseconds", "line"], …]}`."""

    format: str = "Loki stream"

    def recognises(self, fields: Fields) -> bool:
        """By its two members."""
        return "stream" in fields and first_byte(fields.get("values")) == ARRAY

    def open(self, fields: Fields) -> Iterator[Found]:
        """The lines with their times."""
        for raw in listed(fields["values"]):
            pair = list(islice(listed(raw), 2))
            if len(pair) == 2:
                yield Inner(string(pair[1]).encode("utf-8", "replace"), from_epoch(scalar(pair[0])))


@dataclass(frozen=True, slots=True)
class Nested:
    """An event below two or three named objects (`kubernetes.audit`, `hits.hits`)."""

    format: str
    path: tuple[str, ...]

    def recognises(self, fields: Fields) -> bool:
        """The whole path is there."""
        return self.path[0] in fields and self._walk(fields) is not None

    def open(self, fields: Fields) -> Iterator[Found]:
        """What the path leads to."""
        raw = self._walk(fields)
        if raw is not None:
            text = string(raw).encode("utf-8", "replace") if first_byte(raw) == STRING else bytes(raw)
            yield Inner(text, wrapper_time(fields))

    def _walk(self, fields: Fields) -> Raw | None:
        for step in self.path[:-1]:
            fields = inside(fields.get(step))
        return fields.get(self.path[-1])
