"""What is usual: how often each identity, each kind of identity and anybody at all did what, from where, with what.

Learnt of profiles (`detect.profile`), which pass 1 keeps anyway: it costs nothing while the log is read, and its
memory is theirs. Counts only add up, so neither the order of events nor their division over workers matters. What is
judged is taken out again (`without`): an intruder's own requests must not make them usual.

A profile past the bound of `Profiles` is shared by many addresses and agents; of those who share, where from and with
what is not known, and nothing is said about it (`blurred`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from kubewitness.detect.behaviour.rarity import Level, bits
from kubewitness.detect.behaviour.use import Use, act, family, places
from kubewitness.detect.profile import MANY, Profile
from kubewitness.rules.features.identity import kind_of_name

Dimension = Literal["act", "resource", "network", "site", "scope", "family"]
Group = tuple[str, str]  # ("who", name), ("kind", of names), ("all", "")

ALL: Group = ("all", "")


def groups(identity: str) -> tuple[Group, ...]:
    """Whom an identity belongs to, from itself to everybody."""
    return ("who", identity), ("kind", kind_of_name(identity)), ALL


class Habits:
    """Counts of requests."""

    def __init__(self, profiles: Iterable[Profile] = ()) -> None:
        self._counts: dict[tuple[Group, Dimension], Counter[str]] = {}
        self._totals: Counter[tuple[Group, Dimension]] = Counter()
        self._requests: Counter[str] = Counter()  # of each identity
        self.blurred: set[str] = set()
        for profile in profiles:
            self.learn(profile)

    def learn(self, profile: Profile) -> None:
        """Add what an accessor did."""
        identity, address, agent = profile.key
        asked = profile.asked()
        requests = sum(asked.values())
        if not requests or identity == MANY:
            return
        if MANY in (address, agent):
            self.blurred.add(identity)
        self._requests[identity] += requests
        self._add(identity, address, agent, requests)
        for (verb, resource), n in asked.items():
            self._add_act(identity, verb, resource, n)

    def without(self, uses: Iterable[Use]) -> None:
        """Take requests out again that were learnt."""
        for (identity, address, agent, verb, resource), n in Counter(use[:5] for use in uses if use.counted).items():
            # The counts of a cut log may disagree by a stage; then others' requests must not be taken instead.
            n = min(n, self.count(("who", identity), "act", act(verb, resource)))  # noqa: PLW2901
            if n:
                self._requests[identity] -= n
                self._add(identity, address, agent, -n)
                self._add_act(identity, verb, resource, -n)

    def _add(self, identity: str, address: str, agent: str, n: int) -> None:
        network, site, scope = places(address)
        values: tuple[tuple[Dimension, str], ...] = (
            ("network", network), ("site", site), ("scope", scope), ("family", family(agent)),
        )  # fmt: skip
        self._count(identity, values, n)

    def _add_act(self, identity: str, verb: str, resource: str, n: int) -> None:
        self._count(identity, (("act", act(verb, resource)), ("resource", resource)), n)

    def _count(self, identity: str, values: tuple[tuple[Dimension, str], ...], n: int) -> None:
        for group in groups(identity):
            for dimension, value in values:
                table = self._counts.get((group, dimension))
                if table is None:
                    table = self._counts[group, dimension] = Counter()
                left = max(table[value] + n, 0)
                self._totals[group, dimension] += left - table[value]
                if left:
                    table[value] = left
                else:
                    del table[value]

    def requests(self, identity: str) -> int:
        """How many are known of an identity."""
        return self._requests[identity]

    def peers(self, identity: str) -> int:
        """How many others of its kind there are."""
        kind = kind_of_name(identity)
        return sum(n > 0 and other != identity and kind_of_name(other) == kind for other, n in self._requests.items())

    def count(self, group: Group, dimension: Dimension, value: str) -> int:
        """How often a group did it."""
        table = self._counts.get((group, dimension))
        return table.get(value, 0) if table else 0

    def extent(self, group: Group, dimension: Dimension) -> tuple[int, int]:
        """A group's requests, and among how many different values they are divided."""
        table = self._counts.get((group, dimension))
        return (self._totals[group, dimension], len(table)) if table else (0, 0)

    def surprise(self, identity: str, dimension: Dimension, value: str) -> float:
        """How unlikely it is of this identity, in bits: `rarity`, backed off from itself over its kind to everybody."""
        levels: list[Level] = []
        for group in groups(identity):
            table = self._counts.get((group, dimension))
            if table:
                level = Level(table.get(value, 0), self._totals[group, dimension], len(table))
                if not levels or level != levels[-1]:  # who is the only one of its kind is not to be counted twice
                    levels.append(level)
        return bits(levels)
