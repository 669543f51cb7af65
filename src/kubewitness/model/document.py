"""The one result document: everything one `investigate` found. Every renderer shows this and nothing else."""

from __future__ import annotations

from msgspec import Struct

from kubewitness.model.evidence import ParseFailure
from kubewitness.model.incident import Accessor, Coverage, Finding, Incident
from kubewitness.model.text import Text

SCHEMA_VERSION = "1.0"


class Document(Struct, frozen=True):
    """Everything one `investigate` found."""

    schema_version: str
    tool: str  # "kubewitness 0.1.0"
    generated: str
    case: str  # name shown in headings
    label: Text | None  # e.g. "reconstructed scenario", shown beside every headline
    incidents: tuple[Incident, ...]
    findings: tuple[Finding, ...]
    accessors: tuple[Accessor, ...]
    coverage: Coverage
    parse_failures: tuple[ParseFailure, ...]
    parse_failures_total: int = 0  # all; `parse_failures` lists at most 1,000
    complete: bool = True  # False: some evidence could not be read (exit code 3)
