"""The picture's time axis: which steps share a mark, and where on the paper each mark stands.

A scale true to time would put twelve steps of one minute on one spot and seven minutes of silence over the whole page.
So spacing only grows with the logarithm of the time between marks, never falls below the width of a mark, and a long
silence becomes a labelled break. More marks than a person can take in are folded: neighbours with the same actor and
act first, the closest in time before the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from kubewitness.model.incident import Coverage, Step
from kubewitness.model.text import Text
from kubewitness.report.html.amounts import duration, epoch

MOST_MARKS = 20
_MOST_DRAWN = 60  # marks drawn when nothing more can be folded (actors taking turns)
_MOST_BREAKS = 7
_LONG = 30.0  # seconds; shorter silences are never labelled
LEFT, RIGHT = 202.0, 1194.0
_FIRST, _LAST = LEFT + 66, RIGHT - 116  # room for what came before and for words after the last mark
_CLOSEST = 40.0


@dataclass(frozen=True)
class Mark:
    """One step, or several folded into one."""

    steps: tuple[Step, ...]
    x: float

    @property
    def step(self) -> Step:
        """The step that stands for all."""
        return self.steps[0]

    @property
    def numbers(self) -> tuple[int, ...]:
        """The steps' numbers."""
        return tuple(step.number for step in self.steps)

    @property
    def requests(self) -> int:
        """Requests of all of them."""
        return sum(step.requests for step in self.steps)


@dataclass(frozen=True)
class Break:
    """A compressed silence."""

    x: float
    length: Text


@dataclass(frozen=True)
class Axis:
    """Marks in order, breaks between them, and the right edge of the drawing."""

    marks: tuple[Mark, ...]
    breaks: tuple[Break, ...]
    right: float
    hidden: int = 0  # steps with no mark

    def of(self, number: int) -> Mark | None:
        """The mark of a step."""
        return next((mark for mark in self.marks if number in mark.numbers), None)

    def at(self, time: str) -> float | None:
        """Where a time that is not a step's own lies between the marks; None where unknown."""
        stamp = epoch(time)
        timed = [(known, mark.x) for mark in self.marks if (known := epoch(mark.step.time)) is not None]
        if stamp is None or not timed:
            return None
        if stamp <= timed[0][0]:
            return timed[0][1] - 24
        for (start, x), (end, further) in pairwise(timed):
            if start <= stamp < end:
                return x + (further - x) * (stamp - start) / (end - start)
        return timed[-1][1] + 20


def fold(steps: tuple[Step, ...], most: int = MOST_MARKS) -> list[tuple[Step, ...]]:
    """At most `most` groups of neighbouring steps with one identity; like acts from one address fold before others."""
    groups: list[tuple[Step, ...]] = [(step,) for step in steps]
    while len(groups) > most:
        costs = [
            (cost, index)
            for index, (one, other) in enumerate(pairwise(groups))
            if (cost := _cost(one, other)) is not None
        ]
        if not costs:
            break
        _, index = min(costs)
        groups[index : index + 2] = [groups[index] + groups[index + 1]]
    return groups


def _cost(one: tuple[Step, ...], other: tuple[Step, ...]) -> tuple[int, int, float] | None:
    first, second = one[-1], other[0]
    if first.identity != second.identity or (first.act == "effect") != (second.act == "effect"):
        return None
    unlike = sum(step.act != first.act or step.address != first.address for step in one + other)
    apart = (epoch(second.time) or 0.0) - (epoch(first.last or first.time) or 0.0)
    return (min(unlike, 1), len(one) + len(other), max(0.0, apart))


def lay_out(steps: tuple[Step, ...], coverage: Coverage) -> Axis:
    """Place every step of an incident on the axis."""
    ordered = tuple(sorted(steps, key=lambda step: step.number))
    groups = fold(ordered)
    hidden = sum(len(group) for group in groups[_MOST_DRAWN:])
    groups = groups[:_MOST_DRAWN]
    if not groups:
        return Axis((), (), RIGHT)
    silences = [_silence(one, other) for one, other in pairwise(groups)]
    weights = [1 + min(1.4, math.log10(1 + seconds) * 0.4) for seconds in silences]
    last = _LAST + (46 if len(groups) > 14 else 0)
    available = max(last - _FIRST, _CLOSEST * len(silences))
    unit = (available - _CLOSEST * len(silences)) / max(sum(weights), 6.0)
    xs = [_FIRST]
    for weight in weights:
        xs.append(xs[-1] + _CLOSEST + unit * weight)
    marks = tuple(Mark(group, round(x, 1)) for group, x in zip(groups, xs, strict=True))
    right = RIGHT + max(0.0, available - (last - _FIRST))
    return Axis(marks, tuple(_breaks(marks, silences, right, coverage)), right, hidden)


def _silence(one: tuple[Step, ...], other: tuple[Step, ...]) -> float:
    ends = [stamp for step in one if (stamp := epoch(step.last or step.time)) is not None]
    starts = [stamp for step in other if (stamp := epoch(step.time)) is not None]
    return max(0.0, min(starts) - max(ends)) if ends and starts else 0.0


def _breaks(marks: tuple[Mark, ...], silences: list[float], right: float, coverage: Coverage) -> list[Break]:
    inner = sorted(seconds for seconds in silences if seconds > 0)
    usual = inner[len(inner) // 2] if inner else 0.0
    long = [(seconds, index) for index, seconds in enumerate(silences) if seconds >= max(_LONG, 3 * usual)]
    if not long:
        long = [(seconds, index) for index, seconds in enumerate(silences) if seconds >= 10 * _LONG]
    chosen = sorted(sorted(long, reverse=True)[:_MOST_BREAKS], key=lambda pair: pair[1])
    breaks = [
        Break(round((marks[index].x + marks[index + 1].x) / 2, 1), duration(seconds)) for seconds, index in chosen
    ]
    start, first = epoch(coverage.first), epoch(marks[0].step.time)
    if start is not None and first is not None and first - start >= _LONG:
        breaks.insert(0, Break(LEFT + 22, duration(first - start)))
    last = [stamp for step in marks[-1].steps if (stamp := epoch(step.last or step.time)) is not None]
    end = epoch(coverage.last)
    if last and end is not None and end - max(last) >= _LONG:
        breaks.append(Break(right - 40, duration(end - max(last))))
    return breaks
