"""`scenarios/SCORE.md`: the scoreboard as a page, with the figures in a comment at its end, to be compared with later.

The page is a function of the figures alone and holds no time, so the same answers give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

import msgspec

from range.score_row import Row, Share, add

_FORMAT: Final = 1
_OPEN, _CLOSE = "<!-- figures, read by `python -m range.score --check`\n", "-->\n"
_NO_FIGURES = ("scenario", "kind", "evidence", "needs_host_evidence", "accusations")
_TITLE = {
    "recall": "recall",
    "precision": "precision",
    "steps": "steps cited",
    "order": "steps in order",
    "entry": "entry points right",
    "cause": "root causes right",
    "identities": "identities complete",
    "addresses": "addresses complete",
    "seen": "incidents seen",
    "identities_surplus": "identities too many",
    "addresses_surplus": "addresses too many",
    "too_many": "incidents too many",
    "too_few": "incidents too few",
    "benign_high": "high findings on a benign scenario",
    "accused": "findings that accuse only benign actors",
    "evidence": "evidence to read",
}
_HEAD = (
    "scenario", "recall", "precision", "steps", "order", "entry", "cause", "identities", "addresses",
    "seen", "too many", "too few", "benign high", "accused", "evidence",
)  # fmt: skip
_INTRODUCTION = """\
# Scoreboard

`make score` runs `kubewitness investigate` on the evidence of every recorded scenario and writes this page. What is
right comes from the recording's labels and the scenario's script, never from the program's own answers.
"""
_LEGEND = """\
- recall: of the requests the intruder made, how many are attributed to their incident; precision: of the requests
  attributed to anybody, how many are that intruder's. An incident that is nobody's counts with all its requests.
- steps: steps of the script with a request in the log that a step of the incident cites; order: neighbours among them
  that are told in the order in which they were done, a missing step in none.
- entry: identity and address of the way in both right; cause: a right root cause is named; identities, addresses: all
  the intruder used, `+n` are named that are not theirs.
- seen: expected incidents that were found. Where nothing of an attack can be in the audit log it "needs host evidence";
  the other figures then begin to count once it is seen.
- too many, too few: incidents that are nobody's; incidents in the log that were not found.
- benign high: findings of severity high or critical on a benign scenario; accused: such findings on an attack that cite
  requests of benign actors and none of an intruder.
- evidence: records that a person has to read to check the chain, as the page lists them; the most of any incident.
- An incident that was not found has every answer wrong. `-` is not asked. Percentages are rounded down.
"""


class PageError(Exception):
    """A page without figures that can be read."""


@dataclass(frozen=True)
class Change:
    """A figure that is not what it was."""

    scenario: str
    figure: str
    before: str
    now: str
    better: int  # 1 it improved, -1 it fell, 0 neither

    def __str__(self) -> str:
        return f"{self.scenario}: {self.figure}: {self.before} -> {self.now}"


def page(rows: Iterable[Row]) -> str:
    """The whole page."""
    ordered = in_order(rows)
    parts = [_INTRODUCTION, "\n".join(table(ordered)) + "\n", _LEGEND]
    if accusations := list(_accusations(ordered)):
        parts.append("## Falsely accused\n\n" + "\n".join(accusations) + "\n")
    figures = "".join(f"{msgspec.json.encode(row, order='deterministic').decode()}\n" for row in ordered)
    return "\n".join(parts) + f"\n{_OPEN}format {_FORMAT}\n{figures}{_CLOSE}"


def rows_of(text: str) -> tuple[Row, ...]:
    """The figures in a page.

    Raises:
        PageError: there are none, or they cannot be read.
    """
    _, found, rest = text.rpartition(_OPEN)
    lines = rest.removesuffix(_CLOSE).splitlines()
    if not found or not lines or lines[0] != f"format {_FORMAT}":
        raise PageError("it has no figures of this format")
    try:
        return tuple(msgspec.json.decode(line, type=Row) for line in lines[1:])
    except msgspec.DecodeError as error:
        raise PageError(f"its figures cannot be read: {error}") from error


def as_json(rows: Iterable[Row], remarks: Mapping[str, Sequence[str]]) -> bytes:
    """The figures, the total and what is wrong, for other programs."""
    ordered = in_order(rows)
    whole = {"format": _FORMAT, "scenarios": ordered, "total": total(ordered), "remarks": dict(remarks)}
    return msgspec.json.format(msgspec.json.encode(whole, order="deterministic"), indent=1) + b"\n"


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Attacks, then benign days, by name."""
    return sorted(rows, key=lambda row: (row.kind, row.scenario))


def total(rows: Iterable[Row]) -> Row:
    """All figures added up."""
    return reduce(add, rows, Row("total", ""))


def table(rows: Sequence[Row]) -> list[str]:
    """A row a scenario and the total, aligned, in Markdown."""
    cells = [_HEAD, *(_cells(row) for row in (*rows, total(rows)))]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
    rule = "|".join("-" * (width + 2) for width in widths)
    return [f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])]


def _cells(row: Row) -> tuple[str, ...]:
    seen = _of(row.seen)
    if row.needs_host_evidence:
        seen += f", {row.needs_host_evidence} needs host evidence" if row.kind == "" else ", needs host evidence"
    return (
        row.scenario, _percent(row.recall), _percent(row.precision), _of(row.steps), _of(row.order), _of(row.entry),
        _of(row.cause), _of(row.identities, row.identities_surplus), _of(row.addresses, row.addresses_surplus), seen,
        str(row.too_many), str(row.too_few), str(row.benign_high), str(row.accused), str(row.evidence),
    )  # fmt: skip


def _of(share: Share, surplus: int = 0) -> str:
    more = f" +{surplus}" if surplus else ""
    return (f"{share.part}/{share.whole}" if share.whole else "-") + more


def _percent(share: Share) -> str:
    if not share.whole:
        return "-"
    tenths = 1000 * share.part // share.whole  # rounded down, so that 100 % is said of all and of nothing less
    shown = f"{tenths // 10}" if tenths % 10 == 0 else f"{tenths // 10}.{tenths % 10}"
    return f"{share.part}/{share.whole} = {shown} %"


def _accusations(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        for accusation in row.accusations:
            what = (
                f"rule {accusation.rule}, {accusation.severity}, findings: {accusation.count}"
                if accusation.rule
                else f"an incident too many, {accusation.severity}, requests: {accusation.count}"
            )
            yield f"- {row.scenario} ({row.kind}): {what}"


def compare(before: Row, now: Row) -> list[Change]:
    """The figures of a scenario that changed.

    A share that is no longer asked fell, too: a scenario must not get easier unseen. More evidence to read is a fall
    only if nothing else got better for it.
    """
    changes: list[Change] = []
    for name in Row.__struct_fields__:
        old, new = getattr(before, name), getattr(now, name)
        if old == new or name in _NO_FIGURES:
            continue
        if isinstance(old, Share):
            changes.append(Change(now.scenario, _TITLE[name], _of(old), _of(new), _better(old, new)))
        else:
            changes.append(Change(now.scenario, _TITLE[name], str(old), str(new), 1 if new < old else -1))
    if before.evidence != now.evidence:
        improved = any(change.better > 0 for change in changes)
        better = 1 if now.evidence < before.evidence else 0 if improved else -1
        changes.append(Change(now.scenario, _TITLE["evidence"], str(before.evidence), str(now.evidence), better))
    return changes


def _better(before: Share, now: Share) -> int:
    if not before.whole or not now.whole:
        return -1 if before.whole else 0
    left, right = now.part * before.whole, before.part * now.whole
    return (left > right) - (left < right)
