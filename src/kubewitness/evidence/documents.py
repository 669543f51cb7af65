"""Framing byte streams that are not one record a line.

Pretty-printed JSON documents one after another, one array of any size, an object that holds a list of any size
(EventList, `records`, `logEvents`, …): each element becomes a frame of its own, cut out by following brackets and
strings, so memory holds one element and not the document. A document up to 8 MiB stays whole, its reader unrolls it.

Damage is local. A string that runs over a line end, or brackets that never close, end the frame at the next place where
a sibling begins (same indentation, or the first members of an event); the broken piece is framed too, its reader saves
what can be saved. Text between documents is framed line by line. YAML has its own framing in `yaml_documents`.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from importlib import import_module
from typing import Final

from kubewitness.evidence.failures import unreadable
from kubewitness.evidence.frame import Frame
from kubewitness.evidence.json_text import INCOMPLETE, ValueEnd, members, skip_space, string_end
from kubewitness.evidence.plain_text import Text
from kubewitness.evidence.sniffing import PACKED, Kind, sniff
from kubewitness.model.evidence import ParseFailure, Place

__all__ = ["Frame", "Kind", "frame_documents", "sniff"]

HEAD: Final = 64 * 1024
WHOLE: Final = 8 * 1024 * 1024  # documents up to this size are not taken apart
LIMIT: Final = 64 * 1024 * 1024  # one element, one record
SOON: Final = 1024 * 1024  # where an element is doubted once another one was broken
_TEXT: Final = 1024 * 1024  # a line of plain text

_LISTS: Final = frozenset(
    b'"%b"' % name
    for name in (
        b"items", b"records", b"Records", b"events", b"logEvents", b"entries", b"results", b"rows", b"value",
        b"resourceLogs", b"scopeLogs", b"logRecords", b"hits", b"result", b"values",
    )
)  # fmt: skip
_PATHS: Final = frozenset((b'"hits"', b'"data"', b'"resourceLogs"', b'"result"'))

_ELEMENT: Final = frozenset(b'{["]')  # what may stand behind the bracket of an array
_STRAY: Final = frozenset(b'"}]')  # how the rest of a broken document begins
_BETWEEN: Final = b" \t\r\n,\x1e"
_SIBLING = re.compile(
    rb"(?:\}[ \t\r\n]*,?|\n)[ \t\r\n]*"
    rb'(?=\{\s*"(?:kind"\s*:\s*"Event"|auditID"|level"\s*:\s*"[MRN]|category"|insertId"|protoPayload"|message"\s*:|'
    rb'timestamp"\s*:|@timestamp"|time"\s*:\s*"|_source"|_index"))'
)


def frame_documents(stream: Iterator[bytes], item: str) -> Iterator[Frame | ParseFailure]:
    """The records of a stream of any kind, in order.

    The stream is always read to its end, also when nothing in it can be framed, so that its hash is known.
    """
    head = bytearray()
    for chunk in stream:
        head += chunk
        if len(head) >= HEAD:
            break
    kind = sniff(bytes(head[:HEAD]))
    if kind == "yaml":
        yield from import_module("kubewitness.evidence.yaml_documents").frame_yaml(head, stream, item)
    elif kind in ("binary", "tar", "gzip", "zstd"):
        yield unreadable(Place(item, 1, 0, len(head)), f"no log: {_named(kind, head)}", bytes(head[:256]))
        for _ in stream:
            pass
    elif kind != "empty":
        yield from _Framer(head, stream, item, Text() if kind == "text" else None).frames()


_NAMES: Final = {
    "binary": "binary data",
    "tar": "a tar archive inside another file",
    "gzip": "gzip inside another file",
    "zstd": "zstd inside another file",
}


def _named(kind: Kind, head: bytearray) -> str:
    packed = (name for magic, name in PACKED.items() if head.startswith(magic))
    return next(packed, "") or _wide(bytes(head[:HEAD])) or _NAMES[kind]


def _wide(head: bytes) -> str:
    """Words about text of two bytes a character without the mark that would tell so; empty if it is none."""
    pairs = len(head) // 2
    for name, zero in (("UTF-16LE", 1), ("UTF-16BE", 0)):
        zeros, others = head[zero::2], head[1 - zero :: 2]
        if pairs >= 8 and zeros.count(0) >= pairs * 9 // 10 and sum(32 <= c < 127 for c in others) >= pairs * 9 // 10:
            return f"UTF-16 text without a byte order mark, convert it first (iconv -f {name} -t UTF-8)"
    return ""


_LINE_OPENS = re.compile(rb"\n(?=[{\[])")


class _Framer:
    """Walks a growing buffer; `_at` is the next unread byte, `_base` the offset of the buffer in the stream."""

    def __init__(self, head: bytearray, stream: Iterator[bytes], item: str, text: Text | None) -> None:
        self._text = text  # counts lines of text where there is hardly anything else
        self._buffer = head
        self._stream = stream
        self._item = item
        self._at = 0
        self._base = 0
        self._line = 1  # of the byte at _counted
        self._counted = 0
        self._ended = False
        self._broken = False  # something was; brackets may be left over
        self._doubt = SOON
        self._spread = False  # the last frame went over several lines

    def frames(self) -> Iterator[Frame | ParseFailure]:
        """Top level: values one after another, text in between."""
        if self._buffer.startswith(b"\xef\xbb\xbf"):
            self._at = 3
        while self._skip():
            first = bytes(self._buffer[self._at : self._at + 1])
            if first == b"{":
                yield from self._object()
            elif first == b"[" and self._begins_array():
                yield from self._array()
            elif self._broken and first in (b"]", b"}"):
                self._at += 1
            else:
                line = self._text_line()
                if self._text is None or not self._text.takes(line):
                    yield line
        if self._text and (failure := self._text.failure()):
            yield failure

    # -- the buffer --------------------------------------------------------------------------------------------------

    def _fill(self) -> bool:
        """Add a chunk; False at the end of the stream. Bytes in front of `_at` may be dropped."""
        if self._ended:
            return False
        if self._at > WHOLE // 8:
            self._count(self._at)
            del self._buffer[: self._at]
            self._base += self._at
            self._counted -= self._at
            self._at = 0
        chunk = next(self._stream, None)
        if chunk is None:
            self._ended = True
            return False
        self._buffer += chunk
        return True

    def _skip(self) -> bool:
        """Go to the next byte that means something; False if there is none."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in _BETWEEN:
                self._at += 1
            if self._at < len(self._buffer):
                return True
            if not self._fill():
                return False

    def _count(self, to: int) -> None:
        if to > self._counted:
            self._line += self._buffer.count(b"\n", self._counted, to)
            self._counted = to

    def _place(self, start: int, end: int) -> Place:
        self._count(start)
        return Place(self._item, self._line, self._base + start, end - start)

    def _frame(self, end: int) -> Frame:
        """Everything from `_at` to `end`; `_at` moves there."""
        data = bytes(self._buffer[self._at : end]).rstrip(_BETWEEN)
        frame = Frame(data, self._place(self._at, self._at + len(data)))
        self._at = end
        self._spread = b"\n" in data
        return frame

    # -- values ------------------------------------------------------------------------------------------------------

    def _begins_array(self) -> bool:
        at = self._at
        while True:
            after = skip_space(self._buffer, at + 1)
            if after < len(self._buffer):
                return self._buffer[after] in _ELEMENT
            if not self._fill():
                return True
            at = self._at

    def _object(self) -> Iterator[Frame | ParseFailure]:
        """A whole document, or the elements of the list that makes it too large."""
        end = yield from self._value(WHOLE, apart=True)
        if end == INCOMPLETE:
            levels = self._descend()
            if levels:
                yield from self._array()
                yield from self._rest_of_object(levels)
            else:
                yield from self._element()

    def _descend(self) -> int:
        """Move `_at` to the list inside the object at `_at`; the number of objects around it, 0 if there is none."""
        levels, at = 0, self._at
        while levels < 4:
            read = members(bytes(self._buffer[at:]))
            opens = read.cut_value[:1]
            if opens == b"[" and read.cut_key in _LISTS:
                self._at = len(self._buffer) - len(read.cut_value)
                return levels + 1
            if opens != b"{" or read.cut_key not in _PATHS:
                return 0
            levels, at = levels + 1, len(self._buffer) - len(read.cut_value)
        return 0

    def _rest_of_object(self, levels: int) -> Iterator[Frame | ParseFailure]:
        """Members behind a streamed list, up to the closing bracket of its object(s). Further lists are streamed."""
        while levels and self._skip():
            first = self._buffer[self._at]
            if first == 0x7D:  # }
                self._at += 1
                levels -= 1
                continue
            while (end := string_end(self._buffer, self._at) if first == 0x22 else 0) == INCOMPLETE and self._fill():
                pass
            if end <= 0:
                return
            key, self._at = bytes(self._buffer[self._at : end]), end
            if not self._skip() or self._buffer[self._at] != 0x3A:  # :
                return
            self._at += 1
            if not self._skip():
                return
            if self._buffer[self._at] == 0x5B and key in _LISTS:  # [
                yield from self._array()
            else:
                scan = ValueEnd(self._at)
                while (end := scan.advance(self._buffer)) == INCOMPLETE and not scan.broken:
                    moved = self._at
                    if len(self._buffer) - self._at > LIMIT or not self._fill():
                        return
                    scan.position -= moved - self._at
                if scan.broken:
                    return
                self._at = end

    def _array(self) -> Iterator[Frame | ParseFailure]:
        """Each element as a frame."""
        self._at += 1
        while self._skip():
            first = self._buffer[self._at]
            if first == 0x5D:  # ]
                self._at += 1
                return
            if first in (0x7B, 0x5B, 0x22):
                yield from self._element()
            elif first == 0x7D:  # } : brackets are out of step
                return
            else:
                yield self._text_line()

    def _element(self) -> Iterator[Frame | ParseFailure]:
        for limit in (self._doubt, LIMIT) if self._broken else (LIMIT,):
            end = yield from self._value(limit)
            if end != INCOMPLETE:
                self._doubt = SOON
                return
            found = _SIBLING.search(self._buffer, self._at + 1)
            end = found.end() if found else INCOMPLETE
            del found  # it pins the buffer
            if end != INCOMPLETE:  # a quote is missing: strings and marks have changed places
                self._broken = True
                self._doubt = max(self._doubt // 2, 4096)  # or every broken element costs a long look
                yield self._frame(end)
                return
        yield from self._too_long()

    def _value(self, limit: int, *, apart: bool = False) -> Generator[Frame | ParseFailure, None, int]:
        """The value at `_at` as a frame, or its broken piece; returns INCOMPLETE if it is longer than `limit`.

        With `apart` also if the stream ends in it: the caller takes it apart, and only the element that was cut is
        broken.
        """
        scan = ValueEnd(self._at)
        sibling = self._next_margin() if self._broken else None
        while True:
            most = sibling or (self._at + limit if self._broken else None)
            end = scan.advance(self._buffer, most if most and most < len(self._buffer) else None)
            if end != INCOMPLETE:
                yield self._frame(end)
                return end
            if not scan.broken and not sibling and len(self._buffer) - self._at > limit:
                return INCOMPLETE
            moved = self._at
            if scan.broken or sibling or not self._fill():
                if apart and not scan.broken and not sibling and not self._broken:
                    return INCOMPLETE
                self._broken = True
                yield self._frame(sibling or self._sibling())
                return 0
            scan.position -= moved - self._at

    def _next_margin(self) -> int | None:
        """Where a line begins like the value at `_at`. Asked for only once brackets have proved unreliable here:

        without indentation a value's own lines look the same.
        """
        margin = self._margin()
        if margin is None:
            return None
        found = self._buffer.find(b"\n" + margin + b"{", self._at + 1, self._at + HEAD)
        return found + 1 + len(margin) if found >= 0 else None

    def _margin(self) -> bytes | None:
        """The indentation of the value at `_at`, None if other text is in front of it."""
        line = self._buffer.rfind(b"\n", max(0, self._at - 256), self._at) + 1
        margin = bytes(self._buffer[line : self._at]) if line or self._at < 256 else b"?"
        return margin if not margin.strip() else None

    def _sibling(self) -> int:
        """Where the next value begins behind a broken one at `_at`; the end of the stream if nowhere."""
        start = self._at
        margin = self._margin()
        pretty = re.compile(rb"\n" + re.escape(margin) + rb"(?=\{)") if margin is not None else None
        searched = start + 1
        while True:
            found = pretty.search(self._buffer, searched) if pretty else None
            at = found.end() if found else INCOMPLETE
            if (event := _SIBLING.search(self._buffer, searched)) and (at == INCOMPLETE or event.end() < at):
                at = event.end()
            found = event = None  # they pin the buffer
            if at != INCOMPLETE:
                return at
            if len(self._buffer) - start > WHOLE:
                return len(self._buffer)
            searched = max(start + 1, len(self._buffer) - HEAD)
            moved = self._at
            if not self._fill():
                return len(self._buffer)
            searched -= moved - self._at
            start = self._at

    def _too_long(self) -> Iterator[ParseFailure]:
        """Pass over a value without keeping it."""
        place = self._place(self._at, self._at + 1)
        excerpt = bytes(self._buffer[self._at : self._at + 256])
        scan = ValueEnd(self._at)
        while (end := scan.advance(self._buffer)) == INCOMPLETE and not scan.broken:
            self._at = max(self._at + 1, scan.position)
            moved = self._at
            if not self._fill():
                break
            scan.position -= moved - self._at
        self._at = end if end != INCOMPLETE else len(self._buffer)
        length = self._base + self._at - place.offset
        yield unreadable(Place(place.item, place.line, place.offset, length), "one value longer than 64 MiB", excerpt)

    def _text_line(self) -> Frame:
        """Anything that is no JSON value: up to the end of its line, or of the stray members of a broken document."""
        while (end := self._buffer.find(b"\n", self._at)) < 0 and len(self._buffer) - self._at < _TEXT and self._fill():
            pass
        if end < 0:
            end = min(len(self._buffer), self._at + _TEXT)
        elif self._spread and self._buffer[self._at] in _STRAY:
            opens = _LINE_OPENS.search(self._buffer, self._at)
            end = opens.end() if opens else len(self._buffer)
        sibling = _SIBLING.search(self._buffer, self._at + 1, end)
        return self._frame(sibling.end() if sibling else end)
