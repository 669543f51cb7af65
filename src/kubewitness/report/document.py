"""The one result document. Every renderer shows this and nothing else; its JSON form is a published contract.

`report.schema.json` beside this file is generated from these types (`make schema`); a test keeps both equal.
"""

from __future__ import annotations

import msgspec

from kubewitness.model.document import SCHEMA_VERSION, Document

__all__ = ["SCHEMA_VERSION", "Document", "to_json"]


def to_json(document: Document) -> bytes:
    """The document as indented JSON, keys in declaration order, UTF-8, newline at the end."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
