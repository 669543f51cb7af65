"""Surprise grows with what is known and shrinks with how much it varies; nothing at all is no surprise."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kubewitness.detect.behaviour.rarity import Level, bits

COUNTS = st.lists(st.integers(1, 1_000), min_size=1, max_size=20)


def test_nothing_known_says_nothing() -> None:
    assert bits([]) == bits([Level(0, 0, 0)]) == 0


@given(st.integers(1, 100_000), st.integers(1, 50))
def test_the_more_was_seen_without_it_the_more_it_surprises(total: int, variety: int) -> None:
    assert bits([Level(0, total + 1, min(variety, total))]) > bits([Level(0, total, min(variety, total))])


@given(st.integers(20, 1_000), st.integers(1, 9))
def test_who_comes_from_many_places_surprises_less_with_one_more(total: int, variety: int) -> None:
    assert bits([Level(0, total, variety + 1), Level(5, 1_000, 100)]) < bits(
        [Level(0, total, variety), Level(5, 1_000, 100)]
    )


def test_what_ones_like_do_surprises_less_than_what_nobody_does() -> None:
    own = Level(0, 500, 2)
    assert bits([own, Level(40, 900, 5)]) + 5 < bits([own, Level(0, 900, 5)])


def test_an_identity_without_history_is_judged_by_its_kind() -> None:
    assert bits([Level(0, 0, 0), Level(3, 40, 4)]) == bits([Level(3, 40, 4)])


@given(COUNTS)
def test_probabilities_of_all_that_is_known_and_of_one_new_thing_are_no_more_than_one(counts: list[int]) -> None:
    total, variety = sum(counts), len(counts)
    shares = [2 ** -bits([Level(n, total, variety)]) for n in (*counts, 0)]
    assert sum(shares) <= 1 + 1e-9
    assert all(share > 0 for share in shares)


@given(COUNTS)
def test_what_is_seen_more_often_surprises_less(counts: list[int]) -> None:
    ordered = sorted(set(counts))
    found = [bits([Level(n, sum(counts), len(counts))]) for n in ordered]
    assert all(a > b for a, b in pairwise(found))
