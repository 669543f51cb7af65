"""From the bytes of one line or document to its events: straight if it is a plain event, else through `sources`.

Both passes and everything that turns a kept original into an event again come this way, so that an event is the same
wherever it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.evidence import Note, ParseFailure, Place
from kubewitness.sources.audit_event import is_settled
from kubewitness.sources.records import Seen as Reading
from kubewitness.sources.records import read_record
from kubewitness.sources.values import UNDECODABLE

__all__ = ["PLAIN", "Reading", "event_of", "moved", "readings"]

PLAIN = "audit.k8s.io"  # the format of events that need no unwrapping
_decode = msgspec.json.Decoder(AuditRecord).decode


def readings(data: bytes, place: Place, seen: Reading | None = None) -> Iterator[Event | ParseFailure | Note]:
    """What is in a piece; `seen` is what is known of its item."""
    try:
        data.decode()  # parts that stay undecoded would pass unchecked
        record = _decode(data)
    except UNDECODABLE:
        pass
    else:
        if is_settled(record):
            if seen is not None:
                seen.formats[PLAIN] += 1
            yield Event(record, place, data)
            return
    yield from read_record(data, place, seen)


def event_of(original: bytes, place: Place) -> Event | None:
    """The event whose original was kept, in its place again; None if it cannot be read alone."""
    found = next((reading for reading in readings(original, place) if isinstance(reading, Event)), None)
    return Event(found.record, place, original) if found is not None else None


def moved(place: Place, lines: int) -> Place:
    """`place` in a range that begins after so many lines: a worker counts lines from where it begins."""
    return Place(place.item, place.line + lines, place.offset, place.length, place.element) if lines else place
