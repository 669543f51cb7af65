"""The JSON form of a check's report: a published contract, `check.schema.json`, generated from its types."""

from __future__ import annotations

import msgspec

from kubewitness.model.errors import EvidenceError
from kubewitness.model.posture import SCHEMA_VERSION, PostureReport
from kubewitness.report.document import inert_json
from kubewitness.report.hostile import inert

__all__ = ["SCHEMA_VERSION", "from_json", "to_json"]


def to_json(report: PostureReport) -> bytes:
    """The report as indented JSON, keys in declaration order, UTF-8, newline at the end."""
    text = msgspec.json.format(msgspec.json.encode(report), indent=2).decode()
    return inert_json(text).encode() + b"\n"


def from_json(data: bytes, place: str) -> PostureReport:
    """A report of ours.

    Raises:
        EvidenceError: it is none, or none that this version understands.
    """
    try:
        report = msgspec.json.decode(data, type=PostureReport)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        why = inert(str(error).splitlines()[0][:200]) if str(error) else "cannot be decoded"
        raise EvidenceError(f"{inert(place)} is no JSON report of kubewitness check: {why}") from error
    if report.schema_version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        version = inert(report.schema_version[:20])
        raise EvidenceError(f"{inert(place)} has schema version {version}, this program reads {SCHEMA_VERSION}")
    return report
