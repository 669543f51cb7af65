"""The elements of a large list as kubectl prints it in YAML, one at a time: a document of all pods would be too much.

kubectl sorts the members of its `List`: `apiVersion`, `items` with each element at the left margin, `kind`, `metadata`.
What belongs to an element is indented or blank, so the next line at the margin ends it, and no text inside can look so.
Each element is parsed by itself, with the limits of a document; one that is broken costs no other. Small lists are left
to `evidence.yaml_documents`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kubewitness.evidence.frame import Frame
from kubewitness.evidence.opening import Source
from kubewitness.evidence.yaml_documents import as_json
from kubewitness.model.evidence import Place
from kubewitness.sources.list_pieces import NotOfThisFormError, begun

_FIRST = re.compile(rb"\A(?:---\r?\n)?apiVersion: v1\r?\nitems:\r?\n(?=- )")
_MARGIN = re.compile(rb"\n(?=[^ \r\n])")
_SMALL: Final = 512 * 1024
_LONGEST: Final = 8 * 1024 * 1024
_END: Final = b"kind: List"


def pieces(source: Source) -> Iterator[Frame]:
    """The elements as JSON, with their places in the YAML; one that is none as it stands.

    The last one ends in a line feed if the list is not closed behind it.

    Raises:
        NotOfThisFormError: at any time: it is small, or not of this form.
    """
    stream = source.open()
    buffer = begun(stream, _SMALL)
    first = _FIRST.match(buffer)
    if len(buffer) <= _SMALL or first is None:
        raise NotOfThisFormError
    at, base, line = first.end(), 0, 1 + buffer.count(b"\n", 0, first.end())
    del first  # it pins the buffer
    while True:
        found = _MARGIN.search(buffer, at)
        while found is None or found.end() + len(_END) > len(buffer):
            del found
            if len(buffer) - at > _LONGEST:
                raise NotOfThisFormError
            chunk = next(stream, b"")
            searched = max(at, len(buffer) - 1)
            buffer += chunk
            found = _MARGIN.search(buffer, searched if chunk else at)
            if not chunk:
                break
        end = found.end() if found else len(buffer)
        del found
        text = bytes(buffer[at:end])
        more = buffer[end : end + 2] == b"- "
        closed = buffer[end : end + len(_END)] == _END
        yield _framed(text, Place(source.name, line, base + at, len(text)), closed=more or closed)
        if not more:
            break
        line += text.count(b"\n")
        at = end
        if at > _SMALL:
            del buffer[:at]
            base, at = base + at, 0
    rest = bytes(buffer[end:])
    for chunk in stream:
        rest += chunk
        if len(rest) > _SMALL:
            break
    if b"\n---" in rest or b"\nitems:" in rest:
        raise NotOfThisFormError  # there is more than the list


def _framed(text: bytes, place: Place, *, closed: bool) -> Frame:
    try:
        data = as_json(b" " + text[1:])
    except ValueError:
        data = text.rstrip()
    return Frame(data if closed else data + b"\n", place)
