"""What a detector is: a function over pass 1's result that gives detections.

What it says about itself is data like any rule's: `content/detectors/<name>.yml` has the metadata keys of a Sigma rule
(title, description, level, tags, falsepositives, `kubewitness` with confidence, kind, runbook and the Chinese side) and
`fields`, the event fields that a finding shows as its why. To add one: a file here, its descriptions there, a line in
`registry`, tests with one log that it must speak on and two it must not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from kubewitness.detect.collect import decode
from kubewitness.detect.descriptions import descriptions
from kubewitness.detect.detection import Detection
from kubewitness.detect.ledger import Entry
from kubewitness.detect.run import Scan
from kubewitness.model.event import Event
from kubewitness.rules.ir import Rule


class Detector(Protocol):
    """Looks at the whole scan."""

    def __call__(self, scan: Scan) -> Iterable[Detection]:
        """The detections, in any order. Must not raise on any evidence."""


def described(name: str) -> Rule:
    """The description of what a detector found, as a rule whose condition no event meets.

    Raises:
        ContentError: the shipped file is wrong.
    """
    return descriptions("detectors")[name]


def event_of(entry: Entry) -> Event | None:
    """The event of a ledger entry, with its bodies."""
    for event in decode(entry.original, entry.place):
        if event.audit_id == entry.audit_id:
            return event
    return None
