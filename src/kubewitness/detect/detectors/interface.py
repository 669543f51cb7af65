"""What a detector is: a function over pass 1's result that gives detections.

What it says about itself is data like any rule's: `content/detectors/<name>.yml` has the metadata keys of a Sigma rule
(title, description, level, tags, falsepositives, `kubewitness` with confidence, kind, runbook and the Chinese side) and
`fields`, the event fields that a finding shows as its why. To add one: a file here, its descriptions there, a line in
`registry`, tests with one log that it must speak on and two it must not.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Protocol

from kubewitness.detect.collect import decode
from kubewitness.detect.detection import Detection
from kubewitness.detect.ledger import Entry
from kubewitness.detect.run import Scan
from kubewitness.model.errors import ContentError
from kubewitness.model.event import Event
from kubewitness.rules.documents import read_documents
from kubewitness.rules.ir import AnyOf, Rule, RuleId
from kubewitness.rules.loader import content_folder
from kubewitness.rules.metadata import read_metadata


class Detector(Protocol):
    """Looks at the whole scan."""

    def __call__(self, scan: Scan) -> Iterable[Detection]:
        """The detections, in any order. Must not raise on any evidence."""


def descriptions() -> tuple[Rule, ...]:
    """What all typed detectors say about themselves, by id."""
    return tuple(described(path.stem) for path in sorted((content_folder() / "detectors").glob("*.yml")))


@lru_cache(maxsize=64)
def described(name: str) -> Rule:
    """The description of what a detector found, as a rule whose condition no event meets.

    Raises:
        ContentError: the shipped file is wrong.
    """
    path = content_folder() / "detectors" / f"{name}.yml"
    errors: list[ContentError] = []
    (document,) = read_documents(path)
    metadata = read_metadata(document, errors)
    fields = document.value.get("fields", [])
    if errors:
        raise errors[0]
    return Rule(
        id=RuleId(f"detectors/{name}"),
        title=metadata.title,
        description=metadata.description,
        severity=metadata.severity,
        confidence=metadata.confidence,
        kind=metadata.kind,
        techniques=metadata.techniques,
        condition=AnyOf(()),
        falsepositives=metadata.falsepositives,
        runbook=metadata.runbook,
        fields=tuple(map(str, fields)) if isinstance(fields, list) else (),
        path=path,
        line=document.line(),
    )


def event_of(entry: Entry) -> Event | None:
    """The event of a ledger entry, with its bodies."""
    for event in decode(entry.original, entry.place):
        if event.audit_id == entry.audit_id:
            return event
    return None
