"""What a detector is: a function over pass 1's result that gives detections.

What it says about itself is data like any rule's: `content/detectors/<name>.yml` has the metadata keys of a Sigma rule
(title, description, level, tags, falsepositives, `kubewitness` with confidence, kind, runbook and the Chinese side) and
`fields`, the event fields that a finding shows as its why. To add one: a file here, its descriptions there, a line in
`registry`, tests with one log that it must speak on and two it must not.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Protocol

from kubewitness.detect.collect import decode
from kubewitness.detect.detection import Detection
from kubewitness.detect.ledger import Entry
from kubewitness.detect.run import Scan
from kubewitness.model.event import Event
from kubewitness.rules.cache import remembered
from kubewitness.rules.ir import Rule
from kubewitness.rules.loader import content_folder


class Detector(Protocol):
    """Looks at the whole scan."""

    def __call__(self, scan: Scan) -> Iterable[Detection]:
        """The detections, in any order. Must not raise on any evidence."""


def descriptions() -> tuple[Rule, ...]:
    """What all typed detectors say about themselves, by id."""
    return tuple(_all().values())


def described(name: str) -> Rule:
    """The description of what a detector found, as a rule whose condition no event meets.

    Raises:
        ContentError: the shipped file is wrong.
    """
    return _all()[name]


@cache
def _all() -> dict[str, Rule]:
    paths = sorted((content_folder() / "detectors").glob("*.yml"))

    def read() -> tuple[Rule, ...]:
        describe = import_module("kubewitness.detect.detectors.describing").describe  # brings the YAML reader
        return tuple(describe(path) for path in paths)

    rules = remembered(paths, "descriptions of detectors", tuple[Rule, ...], read, ())
    return {path.stem: rule for path, rule in zip(paths, rules, strict=True)}


def event_of(entry: Entry) -> Event | None:
    """The event of a ledger entry, with its bodies."""
    for event in decode(entry.original, entry.place):
        if event.audit_id == entry.audit_id:
            return event
    return None
