"""The figures of the scoreboard, a row a scenario; what each means is told on the page (`score_page`)."""

from __future__ import annotations

from msgspec import Struct


class Share(Struct, frozen=True, array_like=True):
    """So many right of so many asked."""

    part: int = 0
    whole: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(self.part + other.part, self.whole + other.whole)


class Accusation(Struct, frozen=True):
    """Findings of one rule, or a whole incident (rule ""), about people who did nothing wrong."""

    rule: str
    severity: str
    count: int  # findings; of an incident, its requests


class Row(Struct, frozen=True):
    """All figures of a scenario. Of a `Share` more is better, of a number less; `evidence` see `score_page.compare`."""

    scenario: str
    kind: str  # "attack", "benign"
    recall: Share = Share()  # the intruder's requests that were attributed to their incident
    precision: Share = Share()  # attributed requests that are that intruder's
    steps: Share = Share()  # labelled steps with a request in the log that a step of the incident cites
    order: Share = Share()  # neighbouring labelled steps that the incident tells in their order
    entry: Share = Share()  # entry points with the right identity and address
    cause: Share = Share()  # incidents that name a right root cause
    identities: Share = Share()
    addresses: Share = Share()
    seen: Share = Share()  # expected incidents that were found at all
    identities_surplus: int = 0
    addresses_surplus: int = 0
    too_many: int = 0  # found incidents that are nobody's
    too_few: int = 0  # expected incidents that the audit log shows and that were not found
    benign_high: int = 0  # findings of severity high or above on a benign scenario
    accused: int = 0  # on an attack: findings of severity high or above that cite only benign actors' requests
    evidence: int = 0  # records to be read to check a chain, the most of any incident
    needs_host_evidence: int = 0  # expected incidents that only host evidence can show, not found; no figure
    accusations: tuple[Accusation, ...] = ()  # what `too_many`, `benign_high` and `accused` are; no figure


def add(row: Row, other: Row) -> Row:
    """`row` with the figures of `other` added; it stays the row of its scenario."""
    sums = {
        name: getattr(row, name) + getattr(other, name)
        for name in Row.__struct_fields__
        if name not in ("scenario", "kind", "evidence")
    }
    return Row(row.scenario, row.kind, **sums, evidence=max(row.evidence, other.evidence))
