"""YAML evidence (test fixtures, `kubectl -o yaml`, exports by hand): documents split at `---`, each turned into JSON.

Documents are bounded in size, depth and parts (`yaml_bounds`), any alias or tag refuses the document, and only the
scalars of JSON are typed: times stay text, `yes` and `0644` too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import yaml

from kubewitness.evidence.failures import unreadable
from kubewitness.evidence.frame import Frame
from kubewitness.evidence.yaml_bounds import RefusedError, look
from kubewitness.model.evidence import ParseFailure, Place

MAX_DOCUMENT: Final = 8 * 1024 * 1024
MAX_DEPTH: Final = 100
MAX_NODES: Final = 200_000

_SEPARATOR = re.compile(rb"^---(?=[ \t\r\n]|$)", re.M)
_CONTENT = re.compile(rb"^[ \t]*[^\s#]", re.M)


class _Loader(yaml.CSafeLoader):
    """YAML with the scalars of JSON."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:int", r"^-?(?:0|[1-9][0-9]{0,18})$", "-0123456789"),
    ("tag:yaml.org,2002:float", r"^-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]{1,3})?$", "-0123456789"),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))


def frame_yaml(head: bytearray, stream: Iterator[bytes], item: str) -> Iterator[Frame | ParseFailure]:
    """The documents of a YAML stream as frames of JSON; places are those of the YAML text."""
    buffer, offset, line, over = head, 0, 1, 0
    ended = False
    while not ended:
        chunk = next(stream, None)
        ended = chunk is None
        buffer += chunk or b""
        while (cut := _next_cut(buffer, ended)) is not None:
            piece = bytes(buffer[:cut])
            del buffer[:cut]
            if over:
                yield _too_long(item, line, offset - over, over + len(piece))
                over = 0
            else:
                yield from _document(piece, Place(item, line, offset, len(piece)))
            offset += len(piece)
            line += piece.count(b"\n")
        if len(buffer) > MAX_DOCUMENT:
            over += len(buffer)
            offset += len(buffer)
            buffer.clear()
    if over:
        yield _too_long(item, line, offset - over, over)


def as_json(text: bytes) -> bytes:
    """One document as JSON, within the limits of every document.

    Raises:
        ValueError: it is malformed, or has what is refused.
    """
    try:
        return msgspec.json.encode(_load(text))
    except (yaml.YAMLError, TypeError, RecursionError):
        raise ValueError("malformed YAML") from None


def _too_long(item: str, line: int, offset: int, length: int) -> ParseFailure:
    return unreadable(Place(item, line, offset, length), "YAML document longer than 8 MiB")


def _next_cut(buffer: bytearray, ended: bool) -> int | None:
    """Where the first document in the buffer ends: before the next separator, or at the end of the stream."""
    match = _SEPARATOR.search(buffer, 1)
    if match and (match.end() < len(buffer) or ended):
        return match.start()
    return len(buffer) if ended and buffer else None


def _document(text: bytes, place: Place) -> Iterator[Frame | ParseFailure]:
    body = _SEPARATOR.sub(b"", text, count=1)
    first = _CONTENT.search(body)
    if not first:
        return
    skipped = len(text) - len(body) + first.start()
    place = Place(place.item, place.line + text.count(b"\n", 0, skipped), place.offset + skipped, len(text) - skipped)
    if len(text) > MAX_DOCUMENT:
        yield unreadable(place, "YAML document longer than 8 MiB", text[:256])
        return
    try:
        data = msgspec.json.encode(_load(body))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as problem:
        if isinstance(problem, RefusedError):
            yield unreadable(place, str(problem), text)
        elif b'{"' in text or b'{\\"' in text:  # a log that merely looks like YAML at its first line
            yield from _lines(text[skipped:], place)
        else:
            yield unreadable(place, "malformed YAML", text)
    else:
        yield Frame(data, place)


def _lines(text: bytes, place: Place) -> Iterator[Frame]:
    offset = place.offset
    for number, line in enumerate(text.split(b"\n"), place.line):
        if line.strip():
            yield Frame(line, Place(place.item, number, offset, len(line)))
        offset += len(line) + 1


def _load(text: bytes) -> Any:
    look(text, depth=MAX_DEPTH, parts=MAX_NODES)
    return yaml.load(text, Loader=_Loader)  # noqa: S506 (a subclass of CSafeLoader: builds no objects)
