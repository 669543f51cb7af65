"""All that is said of the behaviour of some identities: habits, departures, words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from kubewitness.detect.behaviour.departures import Departure, departures
from kubewitness.detect.behaviour.detail import Detail, Key, Reader
from kubewitness.detect.behaviour.habits import Habits
from kubewitness.detect.behaviour.use import Use
from kubewitness.detect.behaviour.wording import hours_not_compared, sentences, too_short
from kubewitness.detect.run import Scan
from kubewitness.model.text import Text
from kubewitness.rules.features.identity import kind_of_name

_IDENTITIES = 8


class Behaviour:
    """What everybody did in some evidence and its baseline, apart from what is judged (`accused`)."""

    def __init__(self, scan: Scan, accused: Iterable[Use], requests: Collection[Key]) -> None:
        scans = [one for one in (scan, scan.baseline) if one is not None]
        self._habits = Habits(profile for one in scans for profile in one.profiles.by_key.values())
        self._habits.without(accused)
        self._reader = Reader(scans)
        self._accused = frozenset(requests)

    def of(self, identity: str, uses: Sequence[Use]) -> tuple[list[Departure], Detail | None]:
        """What `identity` did in `uses` and never otherwise."""
        known = self._habits.requests(identity)
        detail = self._reader.of(identity, self._accused) if known else None
        return departures(identity, uses, self._habits, detail), detail

    def told(self, uses: Iterable[Use]) -> tuple[Text, ...]:
        """The departures of several identities in words, those first that did most."""
        mine: dict[str, list[Use]] = {}
        for use in uses:
            if kind_of_name(use.identity) != "rejected":
                mine.setdefault(use.identity, []).append(use)
        ordered = sorted(mine, key=lambda name: (-len(mine[name]), name))[:_IDENTITIES]
        out: list[Text] = []
        short = False
        for identity in ordered:
            found, detail = self.of(identity, mine[identity])
            said = sentences(identity, found, self._habits.requests(identity), self._habits.peers(identity))
            out += said
            short = short or bool(said and too_short(detail))
        return (*out, *((hours_not_compared(),) if short else ()))
