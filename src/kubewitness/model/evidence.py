"""Where a fact came from: evidence items, places in them, and the pieces that could not be read."""

from __future__ import annotations

import msgspec


class Place(msgspec.Struct, frozen=True, gc=False, order=True):
    """One record's place: evidence item, line and byte offset in the decompressed item.

    `line` counts from 1 (0 where the format has no lines), `offset` and `length` are bytes.
    `element` numbers the events unrolled from one line or document (EventList, AKS `records[]`), from 0.
    """

    item: str
    line: int
    offset: int
    length: int = 0
    element: int = 0


class ParseFailure(msgspec.Struct, frozen=True):
    """Input that could not be read: kept as a counted value, never only logged."""

    place: Place
    reason: str
    kept: str = ""  # what was still read from the piece ("verb, user, requestURI"), empty if nothing
    excerpt: str = ""  # first bytes of the piece, escaped, at most 160 characters


class Note(msgspec.Struct, frozen=True):
    """Something odd about a record that was read all the same (a duplicate key, a wrong type made good)."""

    place: Place
    reason: str


class EvidenceItem(msgspec.Struct):
    """One file or stream inside the evidence, as read."""

    name: str  # path as given, or `archive.tar!member`
    sha256: str = ""  # of the raw bytes (compressed, if compressed)
    size: int = 0  # raw bytes
    compression: str = ""  # "", "gzip", "zstd"
    format: str = ""  # wrapper(s) recognised, e.g. "audit.k8s.io lines", "EKS CloudWatch export"
    events: int = 0
    duplicates: int = 0
    failures: int = 0
    skipped: str = ""  # reason the item was not read as a whole, empty if it was


class ArchiveProof(msgspec.Struct, frozen=True):
    """Whether one of our own archives is as it was when it was collected, by its manifest."""

    archive: str  # its top folder, as the names of its items begin
    host: str  # as its manifest says
    collected: str  # RFC 3339 UTC, by the machine's clock
    items: int  # that the manifest names
    differences: int  # items changed, missing or added, and what is wrong with the manifest itself
    manifest_sha256: str  # to be compared with what the collector printed: who rewrote both has another one
