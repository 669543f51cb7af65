"""What belongs into one finding of indicators: like sightings, all of a campaign in one file, and lists.

Whoever names values of three campaigns in one file, command or event did not come from one of them: it is an analyst's
list, a sensor's rules, a block list, or a script that ends its rivals. That is told once and weighs nothing; what was
run, connected to or laid down beside it is judged for itself. What a process is (its executable, name and hash) and
where a file lies are never part of a list, or a word in a command line would hide a known miner.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

from kubewitness.detect.indicators.index import Sighting
from kubewitness.model.evidence import Place
from kubewitness.model.host import Process

_CAMPAIGNS: Final = 3  # of a list, with a value each
_MAX_FINDINGS: Final = 500

Where = Literal["process", "socket", "event", "log", "listing", "cron", "file", "executable"]


class Seen(NamedTuple):
    """A sighting with where it was.

    Attributes:
        thing: The file's path, command or line in whose text it was; empty for what is no text.
    """

    sighting: Sighting
    place: Place
    text: str
    where: Where
    time: str = ""
    process: Process | None = None
    container: str = ""
    thing: str = ""


class Group(NamedTuple):
    """What becomes one finding."""

    seen: Sequence[Seen]
    is_list: bool = False


def folded(everything: Iterable[Seen]) -> Iterator[Group]:
    """The groups, in the order in which they were seen first."""
    everything = list(everything)
    lists = _lists(everything)
    told = {
        (seen.sighting.indicator, seen.place.item, seen.place.line)
        for seen in everything
        if seen.where != "file" and (seen.where, seen.thing) not in lists
    }
    groups = dict[Hashable, list[Seen]]()
    for seen in everything:
        one, unit = seen.sighting.indicator, (seen.where, seen.thing)
        key: Hashable = unit
        if unit not in lists:
            in_file = seen.where == "file" and seen.thing
            if in_file and (one, seen.place.item, seen.place.line) in told:
                continue  # a line of a crontab or a history, told as what it is
            key = (one.campaign, *unit) if in_file else (one, seen.where)
        if key in groups or len(groups) < _MAX_FINDINGS:
            groups.setdefault(key, []).append(seen)
    for key, some in groups.items():
        yield Group(some, key in lists)


def _lists(everything: Iterable[Seen]) -> set[Hashable]:
    """The texts that name values of several campaigns; a value that several lists have counts for one of them."""
    campaigns = dict[tuple[Where, str], dict[str, str]]()
    for seen in everything:
        if seen.thing:
            one = seen.sighting.indicator
            campaigns.setdefault((seen.where, seen.thing), {}).setdefault(one.value, one.campaign)
    return {unit for unit, named in campaigns.items() if len(set(named.values())) >= _CAMPAIGNS}
