"""Claims about how lines are told that name one of many objects."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kubewitness.detect.collect import Term, grouped, holds_one

TEXTS = st.text("ab-", max_size=4).map(str.encode)
TERMS = st.lists(st.tuples(TEXTS) | st.tuples(TEXTS, TEXTS), min_size=1, max_size=6)


@given(st.text("ab-", max_size=12).map(str.encode), TERMS)
def test_a_line_holds_one_of_the_terms_if_it_has_all_texts_of_one(line: bytes, terms: list[Term]) -> None:
    expected = any(all(text in line for text in term) for term in terms)
    assert holds_one(line, grouped(terms)) == expected


def test_a_name_in_another_namespace_is_not_held() -> None:
    groups = grouped([(b"worker-1", b"shop"), (b"worker-2", b"shop"), (b"miner", b"office")])
    assert holds_one(b'{"namespace":"shop","name":"worker-2-x7"}', groups)
    assert not holds_one(b'{"namespace":"shop","name":"worker-3"}', groups)
    assert not holds_one(b'{"namespace":"shop","name":"miner"}', groups)
