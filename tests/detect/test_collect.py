"""Claims about how lines are told that name one of many objects."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from kubewitness.detect.collect import Sieve, Term

TEXTS = st.text("ab-", max_size=4).map(str.encode)
TERMS = st.lists(st.tuples(TEXTS) | st.tuples(TEXTS, TEXTS), min_size=1, max_size=6)


LINES = st.lists(st.text("ab-", max_size=12).map(str.encode), max_size=4)


@given(LINES, TERMS)
@example([b""], [(b"",), (b"a",), (b"-",), (b"aa",)])
def test_a_line_passes_if_it_has_all_texts_of_a_term(lines: list[bytes], terms: list[Term]) -> None:
    expected = [
        number for number, line in enumerate(lines) if any(all(text in line for text in term) for term in terms)
    ]
    assert list(Sieve(terms).passing(lines)) == expected


def test_a_name_in_another_namespace_does_not_pass() -> None:
    sieve = Sieve([(b"worker-1", b"shop"), (b"worker-2", b"shop"), (b"miner", b"office")])
    named = (("shop", "worker-2-x7"), ("shop", "worker-3"), ("shop", "miner"), ("office", "miner"))
    lines = [f'{{"namespace":"{namespace}","name":"{name}"}}'.encode() for namespace, name in named]
    assert list(sieve.passing(lines)) == [0, 3]


def test_a_name_does_not_reach_over_the_end_of_a_line() -> None:
    assert not list(Sieve([(b"miner-1",)]).passing([b"miner", b"-1"]))


def test_any_bytes_are_names() -> None:
    odd = ["é.*", "[", "\x00", "a" * 100_000 + "1"]
    sieve = Sieve([(name.encode(),) for name in odd])
    assert list(sieve.passing([b"<" + name.encode() + b">" for name in odd])) == [0, 1, 2, 3]
    assert not list(sieve.passing([b"a" * 100_000 + b"2", "è.*".encode()]))
    assert list(Sieve([(b"\xff",)]).passing([b"\xfe\xff"])) == [0]
    assert list(Sieve([(b"",)]).passing([b"", b"x", b""])) == [0, 1, 2]
