"""In which namespaces and at which hours an identity worked: read again, since pass 1 keeps neither.

Pass 1 would have to keep a count for each namespace of each accessor, of which nearly none is ever asked for. So the
events of the few identities in question are read a second time (`detect.collect`), if they are few enough; of a busier
identity nothing is said about namespaces and hours, rather than something about a part of its requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

from kubewitness.detect.behaviour.use import hour
from kubewitness.detect.collect import Collector
from kubewitness.detect.profile import MANY, Profile
from kubewitness.detect.run import Scan

MOST = 12_000  # events of one identity
_BUDGET = 60_000  # of all of them

Key = tuple[str, str]  # of a request: auditID and time


class Detail(NamedTuple):
    """What was read of one identity; requests, however many stages were logged of them."""

    namespaces: Counter[str]
    hours: Counter[int]
    days: frozenset[str]


class Reader:
    """Reads identities in one or several scans; what is read of one scan is read once."""

    def __init__(self, scans: Sequence[Scan]) -> None:
        self._left = _BUDGET
        self._scans: list[tuple[Collector, dict[str, list[Profile]]]] = []
        for scan in scans:
            profiles: dict[str, list[Profile]] = {}
            for _, profile in sorted(scan.profiles.by_key.items()):
                profiles.setdefault(profile.key.identity, []).append(profile)
            self._scans.append((Collector(scan), profiles))

    def of(self, identity: str, without: Collection[Key]) -> Detail | None:
        """What an identity did apart from the requests `without`; None if that is too much to read, or not kept."""
        mine = [profile for _, profiles in self._scans for profile in profiles.get(identity, ())]
        events = sum(n for profile in mine for kinds in (profile.allowed, profile.refused) for n in kinds.values())
        if events > min(MOST, self._left) or any(MANY in profile.key for profile in mine):
            return None
        self._left -= events
        requests: dict[Key, tuple[str, str]] = {}
        for collector, profiles in self._scans:
            for event in collector.of(profile.key for profile in profiles.get(identity, ())):
                if event.request not in without:
                    requests[event.request] = (event.namespace, event.record.requestReceivedTimestamp)
        return Detail(
            Counter(namespace for namespace, _ in requests.values() if namespace),
            Counter(hour(time) for _, time in requests.values()),
            frozenset(time[:10] for _, time in requests.values() if time),
        )
