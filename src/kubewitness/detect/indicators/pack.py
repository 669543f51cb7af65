"""The shipped pack: `content/indicators/*.tsv`.

A line is one indicator, its columns separated by tabs: type, value, campaign, confidence (high: a primary artefact, the
attackers' own script or a log of the intrusion; medium: a curated list; low: a secondary article), first_seen,
last_seen, valid_until, source, note. Lines beginning with # are words for who edits the file. Addresses and domains
have a valid_until, because they change hands; hashes, paths and names do not age. Strict: a wrong line is a
`ContentError`, the pack is our own.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final, get_args

from kubewitness.detect.indicators.indicator import Indicator, IndicatorType, Pack
from kubewitness.detect.indicators.values import ValueRefused, canonical
from kubewitness.model.errors import ContentError
from kubewitness.model.judgement import Confidence
from kubewitness.rules.loader import content_folder

COLUMNS: Final = (
    "type", "value", "campaign", "confidence", "first_seen", "last_seen", "valid_until", "source", "note",
)  # fmt: skip
_TYPES: Final = frozenset[str](get_args(IndicatorType))
_SURE: Final = frozenset[str](get_args(Confidence))
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?")
_CAMPAIGN = re.compile(r"[a-z0-9][a-z0-9-]{1,60}")


@cache
def shipped() -> Pack:
    """The indicators that come with the package.

    Raises:
        ContentError: a shipped file is wrong.
    """
    found = list[Indicator]()
    for path in sorted((content_folder() / "indicators").glob("*.tsv")):
        found += read_tsv(path)
    return Pack(tuple(found))


def read_tsv(path: Path) -> list[Indicator]:
    """The indicators of one file of the pack.

    Raises:
        ContentError: a line is wrong.
    """
    out = list[Indicator]()
    header = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = tuple(cell.strip() for cell in line.split("\t"))
        if not header:
            if cells != COLUMNS:
                raise ContentError(f"the first line names the columns: {' '.join(COLUMNS)}", path, number)
            header = True
            continue
        if len(cells) not in (len(COLUMNS) - 1, len(COLUMNS)):
            raise ContentError(f"{len(cells)} columns instead of {len(COLUMNS)}", path, number)
        out.append(_read(cells, path, number))
    return out


def _read(cells: tuple[str, ...], path: Path, number: int) -> Indicator:
    type_, value, campaign, confidence, first, last, until, source = cells[:8]
    if type_ not in _TYPES:
        raise ContentError(f"type {type_!r} is not known", path, number)
    if confidence not in _SURE:
        raise ContentError(f"confidence {confidence!r} is not low, medium or high", path, number)
    if not _CAMPAIGN.fullmatch(campaign) or not source:
        raise ContentError("campaign and source are missing or wrong", path, number)
    for date in (first, last, until):
        if date and not _DATE.fullmatch(date):
            raise ContentError(f"{date!r} is no date like 2021-02-17", path, number)
    if type_ in ("address", "domain") and not until:
        raise ContentError("an address or domain needs a valid_until: it changes hands", path, number)
    try:
        known, port = canonical(type_, value)  # type: ignore[arg-type]
    except ValueRefused as error:
        raise ContentError(str(error), path, number) from error
    note = cells[8] if len(cells) > 8 else ""
    return Indicator(type_, known, campaign, confidence, port, first, last, until, source, note)  # type: ignore[arg-type]
