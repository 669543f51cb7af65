"""Ways through the graph of gains, and the fewest grants whose removal closes all of somebody's.

All edges are made once, and the distance of every place to an end found backwards from it; a way is then read off. What
one grant's removal closes is asked of the graph without it, because another grant may give the same. A cut of one grant
is looked for among those the shortest way uses; what one that many ways share closes is asked once, backwards from the
ends. A cut of several is found by removing what the shortest way left uses until none is left; if that takes too many,
all of the asker's own grants are the cut.

Bounded: edges of a place, edges of all, and steps spent on cuts. What was cut off is told (`complete`).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice
from typing import Final

from kubewitness.posture.access.gains import ADMIN, NODE, Edge, Gains, Place, place_of
from kubewitness.posture.access.state import Grant, Who

_EDGES_OF_ONE: Final = 20_000
_EDGES: Final = 500_000
_STEPS: Final = 2_000_000
_ROUNDS: Final = 6

Way = tuple[tuple[Place, Edge], ...]


class Search:
    """The graph with distances."""

    def __init__(self, gains: Gains) -> None:
        self._gains = gains
        self.complete = True
        self._edges = dict[Place, list[Edge]]()
        self._steps = _STEPS
        self._without = dict[Grant, set[Place] | None]()
        self._explore()
        self._sources = defaultdict[Place, list[Place]](list)
        for place, edges in self._edges.items():
            for edge in edges:
                self._sources[edge.target].append(place)
        self._distance = {end: self._distances(end) for end in (ADMIN, NODE)}

    def _explore(self) -> None:
        waiting = deque(place_of(one) for one in sorted(self._gains.holders))
        seen = set(waiting)
        total = 0
        while waiting:
            place = waiting.popleft()
            # Of a namespace there are as many as there are accounts, of somebody as many as a rule has names.
            most = _EDGES_OF_ONE if place.kind == "who" else _EDGES
            some = list(islice(self._gains.from_(place), min(most, _EDGES - total) + 1))
            if len(some) > min(most, _EDGES - total):
                self.complete = False
                some.pop()
            total += len(some)
            self._edges[place] = some
            for edge in some:
                if edge.target not in seen:
                    seen.add(edge.target)
                    waiting.append(edge.target)

    def _distances(self, end: Place) -> dict[Place, int]:
        out = {end: 0}
        waiting = deque([end])
        while waiting:
            place = waiting.popleft()
            for source in self._sources.get(place, ()):
                if source not in out:
                    out[source] = out[place] + 1
                    waiting.append(source)
        return out

    def way(self, who: Who, counts: Callable[[Edge], bool]) -> Way:
        """The shortest way of somebody's own: to cluster-admin if there is one, else to a node; empty if none.

        `counts` decides which first steps do.
        """
        start = place_of(who)
        for end in (ADMIN, NODE):
            distance = self._distance[end]
            first = [one for one in self._own(start) if one.target in distance and counts(one)]
            if first:
                edge = min(first, key=lambda one: distance[one.target])
                return self._on(((start, edge),), distance)
        return ()

    def _own(self, start: Place) -> list[Edge]:
        return [edge for edge in self._edges.get(start, ()) if edge.means != "member"]

    def _on(self, way: Way, distance: dict[Place, int]) -> Way:
        while (left := distance[(place := way[-1][1].target)]) > 0:
            edge = next(one for one in self._edges[place] if distance.get(one.target) == left - 1)
            way = (*way, (place, edge))
        return way

    # -- cuts --------------------------------------------------------------------------------------------------------

    def single_cuts(self, who: Who, way: Way, counts: Callable[[Edge], bool]) -> list[Grant]:
        """Grants on the way without any one of which there is none."""
        used = dict.fromkeys(grant for _, edge in way for grant in edge.grants)
        return [grant for grant in used if self._closes(who, grant, counts)]

    def _closes(self, who: Who, grant: Grant, counts: Callable[[Edge], bool]) -> bool:
        """Whether there is no way without this grant; what others gave is asked once for all who come over it."""
        start = place_of(who)
        if grant.who == who:
            kept = [one for one in self._gains.from_(start, {grant}) if one.means != "member" and counts(one)]
            leading = [one for one in kept if self._leads(one)]
            if not leading or any(self._leads_past(one.target, start) for one in leading):
                return not leading
            return self._left(who, {grant}, counts) == ()
        if grant not in self._without:
            self._without[grant] = self._reaching_without(grant)
        still = self._without[grant]
        if still is None:
            return False
        own = self._own(start) if start not in self._hurt(grant) else self._gains.from_(start, {grant})
        return not any(one.target in still for one in own if one.means != "member" and counts(one))

    def _leads_past(self, place: Place, start: Place) -> bool:
        """Whether the shortest way from a place does not come by the start."""
        end = next(one for one in (ADMIN, NODE) if place in self._distance[one])
        way = self._on(((start, Edge(place, "")),), self._distance[end])
        return all(one != start for one, _ in way[1:])

    def _hurt(self, grant: Grant) -> set[Place]:
        """Whose rights a grant is part of."""
        members = (one for one in self._edges if one.who is not None and grant.who in one.who.groups)
        return {place_of(grant.who), *(members if grant.who.kind == "Group" else ())}

    def _reaching_without(self, grant: Grant) -> set[Place] | None:
        """Everybody who gets to an end without a grant; None if that was too much to find out."""
        targets = dict[Place, set[Place]]()
        for place in self._hurt(grant):
            targets[place] = {edge.target for edge in islice(self._gains.from_(place, {grant}), _EDGES_OF_ONE)}
            self._steps -= len(targets[place])
        out = {ADMIN, NODE}
        waiting = deque(out)
        while waiting and self._steps > 0:
            place = waiting.popleft()
            for source in self._sources.get(place, ()):
                self._steps -= 1
                if source not in out and (source not in targets or place in targets[source]):
                    out.add(source)
                    waiting.append(source)
        return out if self._steps > 0 else None

    def cut(self, who: Who, way: Way, counts: Callable[[Edge], bool]) -> list[Grant]:
        """Several grants that together close every way."""
        removed = list[Grant]()
        current: Sequence[tuple[Place, Edge]] = way
        for _ in range(_ROUNDS):
            # The first step is the asker's own: nobody else loses anything.
            first = next(grant for grant in current[0][1].grants if grant.who == who)
            removed += [first] if first not in removed else []
            left = self._left(who, set(removed), counts)
            if left == ():
                return self._pruned(who, removed, counts)
            if left is None:
                break
            current = left
        own = (grant for edge in self._own(place_of(who)) if self._leads(edge) for grant in edge.grants)
        return [grant for grant in dict.fromkeys(own) if grant.who == who]

    def _leads(self, edge: Edge) -> bool:
        return any(edge.target in distance for distance in self._distance.values())

    def _pruned(self, who: Who, removed: list[Grant], counts: Callable[[Edge], bool]) -> list[Grant]:
        for grant in list(removed):
            rest = [one for one in removed if one != grant]
            if rest and self._left(who, set(rest), counts) == ():
                removed = rest
        return removed

    def _left(self, who: Who, removed: Collection[Grant], counts: Callable[[Edge], bool]) -> Way | None:
        """A way that is left without some grants; empty if none is, None if that was too much to find out."""
        start = place_of(who)
        hurt = {place_of(grant.who) for grant in removed}
        came = dict[Place, tuple[Place, Edge]]()
        waiting = deque([start])
        while waiting and self._steps > 0:
            place = waiting.popleft()
            edges: Iterable[Edge] = self._edges.get(place, ())
            if place in hurt or (place.who is not None and hurt.intersection(map(place_of, place.who.groups))):
                edges = islice(self._gains.from_(place, removed), _EDGES_OF_ONE)
            for edge in edges:
                self._steps -= 1
                if edge.target in came or edge.target == start or not self._leads(edge):
                    continue
                if place == start and (edge.means == "member" or not counts(edge)):
                    continue
                came[edge.target] = (place, edge)
                if edge.target in {ADMIN, NODE}:
                    return _back(edge.target, came)
                waiting.append(edge.target)
        return () if self._steps > 0 else None


def _back(end: Place, came: dict[Place, tuple[Place, Edge]]) -> Way:
    way = [came[end]]
    while way[-1][0] in came:
        way.append(came[way[-1][0]])
    return tuple(reversed(way))
