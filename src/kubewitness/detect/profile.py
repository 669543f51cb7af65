"""Profiles of accessors: one identity, from one address, with one agent: what it asked for, how often, when.

A profile is kept for every accessor of the log, so its size must not grow with the log but with its variety, and the
variety is bounded too: an intruder who invents a new agent for every request fills `LIMIT` profiles, then shares one.
"""

from __future__ import annotations

from array import array
from collections import Counter
from typing import NamedTuple

from kubewitness.detect.places import renumbered

LIMIT = 20_000
MANY = "(many)"
EACH = 4_000  # requests of one accessor whose places are noted
_CREDENTIALS = 64  # of one accessor: a pod's token is another every hour


class RequestKind(NamedTuple):
    """What was asked: the request line without the object's name."""

    verb: str
    resource: str
    subresource: str
    group: str
    level: str
    stage: str


class AccessorKey(NamedTuple):
    """Who asked, from where, with what."""

    identity: str
    address: str
    agent: str


class Spell(NamedTuple):
    """The use of one credential: how often, from when to when."""

    requests: int
    first: str
    last: str


class Profile:
    """Counts of one accessor. For the second pass: `granules`, the parts of the evidence it occurs in.

    `places` are its events' places (`detect.places`); None if they are not all known, or too many. `credentials` are
    those that the API server named (credential-id), the latest ones; their requests are those that ended.
    """

    __slots__ = ("allowed", "credentials", "first", "granules", "key", "last", "last_granule", "places", "refused")

    def __init__(self, key: AccessorKey) -> None:
        self.key = key
        self.allowed: dict[RequestKind, int] = {}
        self.refused: dict[RequestKind, int] = {}
        self.first = "~"  # after every digit
        self.last = ""
        self.granules = array("L")
        self.last_granule = -1
        self.places: array[int] | None = array("Q")
        self.credentials: dict[str, Spell] | None = None

    def __getstate__(self) -> tuple[object, ...]:
        own = (self.key, self.allowed, self.refused, self.first, self.last, self.granules, self.places)
        return (*own, self.credentials)

    def __setstate__(self, state: tuple[object, ...]) -> None:
        self.key, self.allowed, self.refused, self.first, self.last, self.granules, self.places = state[:-1]  # type: ignore[assignment]
        self.credentials = state[-1]  # type: ignore[assignment]
        self.last_granule = -1

    @property
    def requests(self) -> int:
        """Requests, refused ones included; a request logged at several stages counts once."""
        return sum(_requests(self.allowed).values()) + self.refusals

    @property
    def refusals(self) -> int:
        """Requests answered 401 or 403."""
        return sum(_requests(self.refused).values())

    def tally(self, field: str) -> Counter[str]:
        """Requests by one field of `RequestKind`; resources with their subresource."""
        tally: Counter[str] = Counter()
        for kinds in (self.allowed, self.refused):
            for kind, n in _requests(kinds).items():
                value = str(getattr(kind, field))
                if field == "resource" and kind.subresource:
                    value += "/" + kind.subresource
                tally[value] += n
        return tally

    def asked(self, *, refused: bool = True) -> Counter[tuple[str, str]]:
        """Requests by verb and resource (which has its subresource), with or without those answered 401 or 403."""
        asked: Counter[tuple[str, str]] = Counter()
        for kinds in (self.allowed, self.refused) if refused else (self.allowed,):
            for kind, n in _requests(kinds).items():
                asked[kind.verb, f"{kind.resource}/{kind.subresource}" if kind.subresource else kind.resource] += n
        return asked

    def used(self, credential: str, spell: Spell) -> None:
        """Add the use of a credential."""
        if self.credentials is None:
            self.credentials = {}
        known = self.credentials.get(credential)
        if known is not None:
            first, last = min(known.first, spell.first), max(known.last, spell.last)
            spell = Spell(known.requests + spell.requests, first, last)
        elif len(self.credentials) >= _CREDENTIALS:
            oldest = min(self.credentials, key=lambda one: (self.credentials or {})[one].last)
            del self.credentials[oldest]
        self.credentials[credential] = spell

    def absorb(self, other: Profile, granule_offset: int) -> None:
        """Add another worker's counts; its granules are renumbered."""
        for mine, theirs in ((self.allowed, other.allowed), (self.refused, other.refused)):
            for kind, n in theirs.items():
                mine[kind] = mine.get(kind, 0) + n
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        for credential, spell in (other.credentials or {}).items():
            self.used(credential, spell)
        self.granules.extend(g + granule_offset for g in other.granules)
        places = renumbered(other.places, granule_offset)
        if self.places is None or places is None or len(self.places) + len(places) > EACH:
            self.places = None
        else:
            self.places.extend(places)


def counts(kind: RequestKind) -> bool:
    """Each request has exactly one such stage, unless the log is cut: its end (Panic ends it too)."""
    return kind.stage not in ("RequestReceived", "ResponseStarted")


def _requests(kinds: dict[RequestKind, int]) -> dict[RequestKind, int]:
    """How many of each kind, whatever its stage: as many as ended, or as began to be answered, if that is more.

    A 401 is logged as ResponseStarted alone, and so is a watch that the log's end cuts off.
    """
    ended: Counter[RequestKind] = Counter()
    started: Counter[RequestKind] = Counter()
    for kind, n in kinds.items():
        if counts(kind):
            ended[kind._replace(stage="")] += n
        elif kind.stage == "ResponseStarted":
            started[kind._replace(stage="")] += n
    return ended | started


class Profiles:
    """All accessors seen, bounded."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self.by_key: dict[AccessorKey, Profile] = {}

    def of(self, key: AccessorKey) -> Profile:
        """The profile for `key`; past the limit, one that many agents and addresses of an identity share."""
        profile = self.by_key.get(key)
        if profile is None:
            if len(self.by_key) >= self._limit:
                key = AccessorKey(key.identity if len(self.by_key) < self._limit * 2 else MANY, MANY, MANY)
                if (profile := self.by_key.get(key)) is not None:
                    return profile
            profile = self.by_key[key] = Profile(key)
        return profile
