"""Failures that somebody accepts: a file of the user's, with an owner, a reason and an end for each.

waivers:
- check: access/anonymous_grant     # id of a check, its last parts, or a pattern with * and ?
  target: node/edge-*               # optional, as are subject and aspect
  subject: ClusterRoleBinding legacy-*
  owner: jane@example.org
  reason: the old installer needs it until it is replaced
  expires: 2027-01-31

Who accepts a risk for ever accepts it unseen: without owner, reason and end a waiver is an error, and behind its last
day (UTC) it waives nothing and is named. The first one that fits a failure counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from kubewitness.model.errors import ContentError
from kubewitness.model.posture import Result, Waiver
from kubewitness.rules.documents import Document, read_documents

_KNOWN: Final = ("check", "target", "subject", "aspect", "owner", "reason", "expires")
_NEEDED: Final = ("check", "owner", "reason", "expires")
_MOST: Final = 1_000
_PREFIX: Final = "checks/"


@dataclass(frozen=True)
class Rule:
    """One entry of the file."""

    path: Path
    line: int
    check: str
    target: str
    subject: str
    aspect: str
    owner: str
    reason: str
    expires: date

    def fits(self, result: Result) -> bool:
        """Whether it speaks of this result."""
        own = result.check.removeprefix(_PREFIX)
        pattern = self.check.removeprefix(_PREFIX)
        return (
            (fnmatchcase(own, pattern) or ("/" not in pattern and fnmatchcase(own.rpartition("/")[2], pattern)))
            and fnmatchcase(result.target, self.target)
            and fnmatchcase(result.subject, self.subject)
            and fnmatchcase(result.aspect, self.aspect)
        )

    def over(self, now: datetime) -> bool:
        """Whether its last day is past."""
        return now.date() > self.expires

    def __str__(self) -> str:
        about = " ".join(one for one in (self.check, self.target, self.subject) if one != "*")
        return f"{self.path}:{self.line}: {about} ({self.owner}, {self.expires.isoformat()})"


@dataclass(frozen=True)
class Waived:
    """Results with their waivers, and what became of the waivers."""

    results: tuple[Result, ...]
    expired: tuple[str, ...]  # that still would fit
    unused: tuple[Rule, ...]  # that fit nothing


def read(path: Path) -> tuple[Rule, ...]:
    """The waivers of a file.

    Raises:
        ContentError: it cannot be read, or an entry lacks what it needs; with the line.
    """
    documents = read_documents(path)
    out = list[Rule]()
    for document in documents:
        entries = document.value.get("waivers")
        unknown = sorted(str(key) for key in document.value if key != "waivers")
        if unknown:
            raise document.error(f"unknown key {unknown[0]!r}; there is `waivers`, a list", unknown[0])
        if not isinstance(entries, list):
            raise document.error("`waivers` is no list", "waivers")
        out += [_entry(document, position, one) for position, one in enumerate(entries)]
    if not documents:
        raise ContentError("there is nothing in it; `waivers:` is a list of entries", path, 1)
    if len(out) > _MOST:
        raise ContentError(f"more than {_MOST} waivers", path, 1)
    return tuple(out)


def waived(results: Iterable[Result], rules: Sequence[Rule], now: datetime) -> Waived:
    """Put waivers on failures. `now` is injected."""
    used, expired = set[int](), set[int]()
    out = list[Result]()
    for one in results:
        fitting = [number for number, rule in enumerate(rules) if rule.fits(one)] if one.status == "fail" else []
        valid = next((number for number in fitting if not rules[number].over(now)), None)
        if valid is not None:
            rule = rules[valid]
            used.add(valid)
            out.append(replace(one, waiver=Waiver(rule.owner, rule.reason, rule.expires.isoformat(), rule.line)))
            continue
        expired.update(fitting)
        out.append(one)
    unused = tuple(rule for number, rule in enumerate(rules) if number not in used | expired)
    return Waived(tuple(out), tuple(str(rules[number]) for number in sorted(expired)), unused)


def _entry(document: Document, position: int, value: object) -> Rule:
    here = ("waivers", position)
    if not isinstance(value, dict):
        raise document.error("a waiver is a mapping of check, owner, reason, expires", *here)
    unknown = sorted(str(key) for key in value if key not in _KNOWN)
    if unknown:
        raise document.error(f"unknown key {unknown[0]!r}; known are {', '.join(_KNOWN)}", *here, unknown[0])
    for key in _NEEDED:
        if value.get(key) in (None, ""):
            raise document.error(f"a waiver needs {key!r}", *here)
    texts = dict[str, str]()
    for key in ("check", "target", "subject", "aspect", "owner", "reason"):
        told = value.get(key, "*")
        if not isinstance(told, str) or not told.strip() or len(told) > 1000:
            raise document.error(f"{key!r} is no text of at most 1000 characters", *here, key)
        if told.count("*") > 8:  # its cost grows with every one
            raise document.error(f"{key!r} has more than eight *", *here, key)
        texts[key] = told
    return Rule(document.path, document.line(*here), **texts, expires=_day(document, value["expires"], here))


def _day(document: Document, value: object, here: tuple[str | int, ...]) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise document.error("'expires' is no day like 2027-01-31", *here, "expires")
