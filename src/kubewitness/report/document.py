"""The one result document. Every renderer shows this and nothing else; its JSON form is a published contract.

`report.schema.json` beside this file is generated from these types (`make schema`); a test keeps both equal.

JSON is printed on terminals too, so what a screen obeys or hides (C1 controls, bidirectional overrides, zero-width
characters) is written as `\\uXXXX`: the same value to every reader, inert to the eye.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from kubewitness.model.document import SCHEMA_VERSION, Document

__all__ = ["SCHEMA_VERSION", "Document", "inert_json", "to_json"]

# DEL and C1, then format characters and line separators; in JSON they stand in strings only (JSON escapes C0 itself)
_OBEYED: Final = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def to_json(document: Document) -> bytes:
    """The document as indented JSON, keys in declaration order, UTF-8, newline at the end."""
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    return inert_json(text).encode() + b"\n"


def inert_json(text: str) -> str:
    """JSON text with nothing in it that a screen obeys or hides; the same values."""
    return _OBEYED.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
