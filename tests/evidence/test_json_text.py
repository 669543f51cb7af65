"""Ends of values found by counting agree with a decoder, whatever the chunking."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from kubewitness.evidence.json_text import INCOMPLETE, Elements, ValueEnd, members, string_end

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=30,
)
CONTAINERS = JSON.filter(lambda value: isinstance(value, dict | list))


@given(CONTAINERS, st.binary(max_size=10), st.sampled_from([None, 1]), st.booleans())
def test_the_end_is_where_a_decoder_finds_it(value: object, tail: bytes, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert ValueEnd(0).advance(text + tail) == len(text)
    assert ValueEnd(3).advance(b"[1," + text + tail) == len(text) + 3


@given(CONTAINERS, st.integers(min_value=1, max_value=7))
def test_the_end_is_found_in_a_growing_buffer(value: object, step: int) -> None:
    text = json.dumps(value).encode()
    scan, buffer = ValueEnd(0), bytearray(text[:1])
    while (end := scan.advance(buffer)) == INCOMPLETE:
        assert len(buffer) < len(text)
        buffer += text[len(buffer) : len(buffer) + step]
    assert end == len(text)
    assert not scan.broken


@given(CONTAINERS)
def test_members_are_those_of_the_decoder(value: object) -> None:
    text = json.dumps(value, indent=1).encode()
    read = members(text)
    assert read.end == len(text)
    if isinstance(value, dict):
        assert [(json.loads(key), json.loads(item)) for key, item in read.found] == list(value.items())
    else:
        assert [json.loads(item) for _, item in read.found] == value
        walk = Elements(text)
        assert list(walk) == [item for _, item in read.found]
        assert walk.end == len(text)


@given(CONTAINERS, st.data())
def test_members_of_a_cut_text_are_the_first_ones(value: object, data: st.DataObject) -> None:
    text = json.dumps(value).encode()
    cut = data.draw(st.integers(min_value=1, max_value=max(1, len(text) - 1)))
    read = members(text[:cut])
    whole = members(text).found
    assert read.found == whole[: len(read.found)]
    assert read.malformed == INCOMPLETE


def test_a_string_over_a_line_end_is_broken() -> None:
    scan = ValueEnd(0)
    assert scan.advance(b'{"a": "no end\n "b": 1}') == INCOMPLETE
    assert scan.broken


def test_backslashes_are_counted() -> None:
    assert string_end(rb'"a\\" x', 0) == 5
    assert string_end(rb'"a\" x"', 0) == 7
    assert string_end(rb'"a\\\" x', 0) == INCOMPLETE
