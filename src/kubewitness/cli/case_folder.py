"""`--case DIR`: everything about one investigation in one folder, readable by its owner only.

    report.json     the document (contract: report.schema.json)
    report.html     for people, opens offline
    report.md       for a ticket or a wiki
    evidence.jsonl  every cited event once, one a line, as found; kubewitness can investigate this file again

A folder that holds anything else is never written to; one that holds an earlier result of ours is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kubewitness.cli.output import to_file
from kubewitness.cli.session import Session
from kubewitness.model.document import Document
from kubewitness.model.errors import UsageError
from kubewitness.model.incident import Evidence
from kubewitness.report.formats import FORMATS, View

REPORTS: Final = {"report.json": "json", "report.html": "html", "report.md": "md"}
EVIDENCE: Final = "evidence.jsonl"


def prepare(folder: Path) -> None:
    """Make the folder, or see that it is ours.

    Raises:
        UsageError: it is somebody else's, or cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        foreign = sorted(entry.name for entry in folder.iterdir() if entry.name not in {*REPORTS, EVIDENCE})
    except OSError as error:
        raise UsageError(f"--case {folder}: {error.strerror or error}") from error
    if foreign:
        raise UsageError(f"--case {folder}: the folder holds other files ({foreign[0]}); name a new or empty one")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--case {folder}: permission denied")


def write(folder: Path, document: Document, view: View, session: Session) -> None:
    """All files of the case."""
    for name, form in REPORTS.items():
        to_file(folder / name, FORMATS[form].render(document, view), session, follow=False)
    to_file(folder / EVIDENCE, b"".join(_lines(document)), session, follow=False)


def cited(document: Document) -> Iterator[Evidence]:
    """Every citation of the document, in its order."""
    for incident in document.incidents:
        if incident.entry_point:
            yield from incident.entry_point.evidence
        for cause in incident.root_causes:
            yield from cause.evidence
        for step in incident.steps:
            yield from step.evidence
        for secret in incident.secrets:
            yield from secret.evidence
    for finding in document.findings:
        yield from finding.evidence


def _lines(document: Document) -> Iterator[bytes]:
    seen: set[tuple[str, int, int, str, str]] = set()
    for one in cited(document):
        key = (one.item, one.line, one.offset, one.audit_id, one.stage)
        if not one.original or key in seen:
            continue
        seen.add(key)
        # line feeds in JSON stand between its parts, never within a string; one event must be one line
        text = one.original.strip().replace("\r", " ").replace("\n", " ")
        yield text.encode("utf-8", "surrogateescape") + b"\n"
