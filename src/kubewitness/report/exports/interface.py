"""What an export is: bytes of another tool's format, made from the document and nothing else.

The same document gives the same bytes: ids follow from content, times are those of the document. Values keep what
evidence says, control characters included, as JSON escapes; only what JSON cannot carry (half of a surrogate pair)
becomes U+FFFD, and text that nobody reads any more is cut. Techniques whose id is none, addresses that are none and
times that are none are left out where a format has no room for them, never passed on.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import msgspec

from kubewitness.model.document import Document
from kubewitness.model.text import Language
from kubewitness.report.document import inert_json

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json]"
Fields: TypeAlias = dict[str, Json]
Render: TypeAlias = Callable[[Document, Language], bytes]

LONGEST: Final = 8_000  # characters of one value; names and commands are shorter, an intruder's need not be
_BIGGEST: Final = 2**53 - 1  # what every JSON reader keeps exactly
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def filled(**fields: Json | None) -> Fields:
    """The fields that say something: no empty text, list or object. Numbers and booleans always do.

    A name that Python reserves is written with an underscore at its end.
    """
    return {
        name.removesuffix("_"): value
        for name, value in fields.items()
        if value is not None and (isinstance(value, (bool, int, float)) or value)
    }


def whole(value: Json) -> bytes:
    """One JSON text, indented."""
    text = msgspec.json.format(msgspec.json.encode(_clean(value)), indent=2).decode()
    return inert_json(text).encode() + b"\n"


def rows(values: Iterable[Json]) -> bytes:
    """JSON Lines: a value a line."""
    lines = (inert_json(msgspec.json.encode(_clean(value)).decode()) for value in values)
    return "".join(f"{line}\n" for line in lines).encode()


def clean(text: str) -> str:
    """Text that JSON can carry, cut where nobody reads it any more."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}…"
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _clean(value: Json) -> Json:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int):
        return max(-_BIGGEST, min(value, _BIGGEST))
    if isinstance(value, float):
        return value if math.isfinite(value) else 0.0
    if isinstance(value, Mapping):
        return {clean(key): _clean(one) for key, one in value.items()}
    return [_clean(one) for one in value]


def moment(text: str) -> datetime | None:
    """A time of the document; None where it is unknown or none."""
    if not text.isascii() or len(text) > 40 or "T" not in text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text[-1:] == "Z" or "+" in text else None
    except (ValueError, OverflowError):
        return None


def first_moment(*texts: str) -> datetime:
    """The first of them that is a time; 1970 if none is."""
    return next((time for text in texts if (time := moment(text)) is not None), _EPOCH)


def stamp(time: datetime) -> str:
    """RFC 3339 in UTC with microseconds."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def microseconds(time: datetime) -> int:
    """Since 1970, exactly."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An IP address; None if the text is none."""
    try:
        found = ipaddress.ip_address(text) if len(text) <= 45 and "%" not in text else None
    except ValueError:
        return None
    return found
