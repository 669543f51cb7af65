"""Which evidence items a reader is shown: an archive of a machine has a thousand, and most are cited nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from kubewitness.model.evidence import EvidenceItem
from kubewitness.model.incident import Evidence
from kubewitness.report.document import Document


def telling(document: Document, most: int) -> tuple[list[tuple[int, EvidenceItem]], int]:
    """The items worth a row with their numbers (E1, E2, …), in their order, and how many were left out.

    All of them, if they are few. Else those that are cited, hold events or could not be read come before the others.
    """
    numbered = list(enumerate(document.coverage.items, 1))
    if len(numbered) <= most:
        return numbered, 0
    cited = {one.item for one in _evidence(document)}

    def rank(pair: tuple[int, EvidenceItem]) -> tuple[bool, int]:
        number, item = pair
        return not (item.name in cited or item.events or item.failures or item.skipped), number

    return sorted(sorted(numbered, key=rank)[:most]), len(numbered) - most


def broken(document: Document) -> list[EvidenceItem]:
    """Items that were not read, or not to their end, but for those of which a failure says it with its place."""
    told = {(failure.place.item, failure.reason) for failure in document.parse_failures}
    return [item for item in document.coverage.items if item.skipped and (item.name, item.skipped) not in told]


def _evidence(document: Document) -> Iterator[Evidence]:
    for incident in document.incidents:
        yield from (e for one in incident.root_causes for e in one.evidence)
        yield from (e for one in incident.steps for e in one.evidence)
        yield from (e for one in incident.secrets for e in one.evidence)
        yield from (e for one in incident.edges for e in one.evidence)
    yield from (e for one in document.findings for e in one.evidence)
