"""YAML by strangers is parsed within bounds before anything is built of it."""

from __future__ import annotations

import pytest
import yaml

from kubewitness.evidence.yaml_bounds import RefusedError, first_document, look


def _nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def test_as_deep_as_is_allowed_is_read_and_one_deeper_refused() -> None:
    assert isinstance(first_document(_nested(60), depth=60, parts=1000), yaml.SequenceNode)
    with pytest.raises(RefusedError, match="more than 60 deep"):
        first_document(_nested(61), depth=60, parts=1000)


def test_depth_is_how_deep_not_how_many() -> None:
    look("\n".join("- [a]" for _ in range(100)), depth=2, parts=1000)


def test_a_flat_text_of_too_many_parts_is_refused() -> None:
    text = "\n".join("- a" for _ in range(100))
    look(text, depth=2, parts=200)
    with pytest.raises(RefusedError, match="more than 50 parts"):
        look(text, depth=2, parts=50)


@pytest.mark.parametrize("text", ["a: &x [1]\nb: *x\n", "&x [*x]\n"])
def test_an_alias_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="aliases"):
        look(text, depth=60, parts=1000)


def test_an_anchor_nobody_refers_to_is_harmless() -> None:
    look("a: &x [1]\nb: '*x'\n", depth=60, parts=1000)


def test_what_follows_the_first_document_costs_it_nothing_if_only_that_counts() -> None:
    text = "a: 1\n---\n" + _nested(200) + "\n"
    assert isinstance(first_document(text, depth=60, parts=1000), yaml.MappingNode)
    with pytest.raises(RefusedError):
        look(text, depth=60, parts=1000)


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\x00", "\ud800"])
def test_what_is_no_yaml_is_a_value_error_and_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        first_document(text, depth=60, parts=1000)
    assert not isinstance(caught.value, RefusedError)


@pytest.mark.parametrize("text", ["", "# only a remark\n"])
def test_an_empty_text_has_no_document(text: str) -> None:
    assert first_document(text, depth=60, parts=1000) is None
