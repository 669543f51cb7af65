"""What a stream is, told from its first bytes and never from its name: intruders and operators rename files."""

from __future__ import annotations

import re
from typing import Final, Literal

from kubewitness.evidence.json_text import INCOMPLETE, ValueEnd

Kind = Literal["lines", "documents", "yaml", "empty", "binary", "tar", "gzip", "zstd", "text"]

_MAGIC: Final[tuple[tuple[bytes, Kind], ...]] = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))
# Packed logs that are not opened here; the reader has to know what to do about it. Their bytes may hold `{"` by chance.
PACKED: Final = {
    b"\xfd7zXZ\x00": "xz data, unpack it first (xz -dk)",
    b"BZh": "bzip2 data, unpack it first (bzip2 -dk)",
    b"\x04\x22\x4d\x18": "lz4 data, unpack it first (lz4 -d)",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive, unpack it first (7z x)",
    b"PAR1": "Parquet, export it as JSON lines first",
}
_TAR_MAGIC: Final = b"ustar"
_TAR_AT: Final = 257
_BOM: Final = b"\xef\xbb\xbf"
_LOOK: Final = 64 * 1024
_LINES: Final = 40

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c\x1d\x7f]")
_YAML = re.compile(rb"(?:---(?:\s|$)|%YAML |(?:- )?(?:[A-Za-z_@][\w.@/-]{0,60}|'[^']{1,60}'|\"[^\"]{1,60}\"):(?:\s|$))")
_OPENS = re.compile(rb'\{\s*"')
_ARRAY = re.compile(rb'\[\s*(?:[{["\]]|$)')
# An object that only holds a list of events, written without line ends: may be larger than memory.
_CONTAINER = re.compile(
    rb'\{\s*(?:"[A-Za-z]+"\s*:\s*(?:"[^"]*"|\{[^{}]*\}|\d+)\s*,\s*){0,8}"'
    rb'(?:items|records|Records|events|logEvents|entries|results|resourceLogs|hits|tables|value)"\s*:\s*[\[{]'
)


def sniff(head: bytes) -> Kind:
    """The kind of a stream that begins with `head` (at least a few kilobytes of it, or all there is)."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(tuple(PACKED)) and _CONTROL.search(head):
        return "binary"
    if head[_TAR_AT : _TAR_AT + len(_TAR_MAGIC)] == _TAR_MAGIC:
        return "tar"
    head = head[:_LOOK]
    text = head.removeprefix(_BOM).lstrip(b" \t\r\n\x1e\0")
    if not text:
        return "empty" if not head.strip(b" \t\r\n\x1e" + _BOM) else "binary"
    if not _OPENS.search(text) and len(_CONTROL.findall(head)) * 20 > len(head):
        return "binary"
    if text[:1] == b"{":
        return _object_or_lines(text)
    if _ARRAY.match(text):
        return "documents"
    return _other_text(text)


def _object_or_lines(text: bytes) -> Kind:
    lines = text.split(b"\n", _LINES)
    if len(lines) == 1:
        whole = ValueEnd(0).advance(text) != INCOMPLETE
        return "lines" if whole or not _CONTAINER.match(text) else "documents"
    if len(lines) > 1 and any(_is_object(line) for line in lines[:_LINES]):
        return "lines"
    first = lines[0].rstrip()
    pretty = first == b"{" or ValueEnd(0).advance(first + b"\n") == INCOMPLETE
    return "documents" if pretty else "lines"


def _is_object(line: bytes) -> bool:
    """A line that is one whole object, at the left margin: documents spread over lines have none."""
    line = line.rstrip()
    return len(line) > 2 and line[:1] == b"{" and ValueEnd(0).advance(line) == len(line)


def _other_text(text: bytes) -> Kind:
    lines = [line for line in text.split(b"\n", _LINES)[:_LINES] if line.strip()]
    if any(_is_object(line) for line in lines) or sum(b'{"' in line for line in lines) * 2 > len(lines):
        return "lines"
    for line in lines:
        if not line.startswith(b"#"):
            return "yaml" if _YAML.match(line) else "text"
    return "text"
