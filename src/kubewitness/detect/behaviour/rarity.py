"""How unlikely something is, in bits, when what is known of one is little and of its like more.

Each level says how often it was `seen` among how many observations of how many distinct values. A level is
trusted as far as it has seen much and varied little (the estimate of Witten and Bell): of `total` observations with
`variety` distinct values, `variety / (total + variety)` is left for what was not seen, and shared out as the next,
coarser level would. So one new network of somebody with a hundred requests from one network is a surprise, and one
more of somebody who comes from everywhere is none. Nobody needs training data, and an identity without any history is
judged by its kind alone.

Source: Witten and Bell, "The zero-frequency problem", IEEE Transactions on Information Theory 37 (1991), method C.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import NamedTuple


class Level(NamedTuple):
    """What one level knows."""

    seen: int
    total: int
    variety: int


def bits(levels: Sequence[Level]) -> float:
    """Surprise at a value; `levels` from fine to coarse."""
    varieties = levels[-1].variety if levels else 0
    probability = 1 / (varieties + 1)  # below all levels everything seen so far, and the new, is equally likely
    for level in reversed(levels):
        weight = level.total + level.variety
        if weight:
            probability = (level.seen + level.variety * probability) / weight
    return -log2(probability)
