"""Claims about how lines are told that name one of many objects."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kubewitness.detect.collect import Sieve, Term

TEXTS = st.text("ab-", max_size=4).map(str.encode)
TERMS = st.lists(st.tuples(TEXTS) | st.tuples(TEXTS, TEXTS), min_size=1, max_size=6)


@given(st.text("ab-", max_size=12).map(str.encode), TERMS)
def test_a_line_holds_one_of_the_terms_if_it_has_all_texts_of_one(line: bytes, terms: list[Term]) -> None:
    expected = any(all(text in line for text in term) for term in terms)
    assert Sieve(terms).passes(line) == expected


def test_a_name_in_another_namespace_does_not_pass() -> None:
    sieve = Sieve([(b"worker-1", b"shop"), (b"worker-2", b"shop"), (b"miner", b"office")])
    assert sieve.passes(b'{"namespace":"shop","name":"worker-2-x7"}')
    assert not sieve.passes(b'{"namespace":"shop","name":"worker-3"}')
    assert not sieve.passes(b'{"namespace":"shop","name":"miner"}')


def test_any_bytes_are_names() -> None:
    odd = ["é.*", "[", "\x00", "a" * 100_000 + "1"]
    sieve = Sieve([(name.encode(),) for name in odd])
    assert all(sieve.passes(b"<" + name.encode() + b">") for name in odd)
    assert not sieve.passes(b"a" * 100_000 + b"2")
    assert not sieve.passes("è.*".encode())
    assert Sieve([(b"\xff",)]).passes(b"\xfe\xff")
    assert Sieve([(b"",)]).passes(b"")
