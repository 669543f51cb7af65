"""The elements of a huge list of objects, fast: where each begins a line with the same indentation.

That is how the collector writes lists (an object a line) and how kubectl does (pretty, two levels deep). A JSON string
holds no line end, so such a line can begin nothing else in a file of this form. A piece that does not decode by itself
is broken and costs no other; are there many, the file is not of this form after all, and the caller takes the slow
road of `evidence.documents`, which follows every bracket. Small documents are left to that road too: they are decoded
in one go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kubewitness.evidence.documents import WHOLE
from kubewitness.evidence.frame import Frame
from kubewitness.evidence.opening import Source
from kubewitness.model.evidence import Place

_FIRST = re.compile(rb'"items":[ \t]{0,4}\[\r?\n( {0,16})(?=\{)')
_LONGEST: Final = 16 * 1024 * 1024


class NotOfThisFormError(Exception):
    """The file is not written like that; nothing of what came before is to be used."""


def begun(stream: Iterator[bytes], most: int) -> bytearray:
    """The beginning of a stream, as soon as it is more than `most` bytes; all of a shorter one."""
    buffer = bytearray()
    for chunk in stream:
        buffer += chunk
        if len(buffer) > most:
            break
    return buffer


def pieces(source: Source, *, small: bool = False) -> Iterator[Frame]:
    """The elements in order; the last one ends in a line feed if the list is not closed behind it.

    Args:
        source: The file.
        small: Take small ones too: one that is broken cannot be decoded in one go.

    Raises:
        NotOfThisFormError: at any time: it is small, or not of this form.
    """
    stream = source.open()
    buffer = begun(stream, WHOLE)
    if len(buffer) <= WHOLE and not small:
        raise NotOfThisFormError
    first = _FIRST.search(buffer, 0, WHOLE // 8)
    if first is None or buffer[:1] != b"{":
        raise NotOfThisFormError
    indent = first[1]
    begins, closes = b"\n" + indent + b"{", b"\n" + indent + b"}"
    at, base, line = first.end(), 0, 1 + buffer.count(b"\n", 0, first.end())
    del first  # it pins the buffer
    while True:
        found = buffer.find(begins, at)
        while found < 0:
            if len(buffer) - at > _LONGEST:
                raise NotOfThisFormError
            chunk = next(stream, b"")
            if not chunk:
                break
            searched = max(at, len(buffer) - len(begins))
            buffer += chunk
            found = buffer.find(begins, searched)
        start = at
        if buffer[start + 1 : start + 2].isspace():
            end = buffer.find(closes, start)
            end = end + len(closes) if end >= 0 else -1
        else:
            end = buffer.find(b"\n", start)
        if end < 0 or 0 <= found < end:  # its end is missing; whoever decodes it will complain
            end = found if found >= 0 else len(buffer)
        data = bytes(buffer[start:end]).rstrip(b", \r\n")
        if found < 0 and buffer[end : end + 64].lstrip(b" \r\n")[:1] != b"]":
            data += b"\n"  # not closed
        yield Frame(data, Place(source.name, line, base + start, len(data)))
        if found < 0:
            break
        at = found + len(begins) - 1
        line += buffer.count(b"\n", start, at)
        if at > WHOLE // 8:
            del buffer[:at]
            base += at
            at = 0
    for _ in stream:
        pass
