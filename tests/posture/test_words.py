"""Quoting and variables are systemd's, not a shell's. The expected values were seen in systemd 252."""

from __future__ import annotations

import pytest

from kubewitness.posture.words import environment_file, expand, split_words
from tests.posture.machine import file


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A=1 B=2", ["A=1", "B=2"]),
        ('"A=1 2" B=3', ["A=1 2", "B=3"]),
        ("'C=\"x\"'", ['C="x"']),
        ('"D=\\"q\\""', ['D="q"']),
        ("E=a\\x20b", ["E=a b"]),
        ("\\q", ["\\q"]),  # unknown escapes stay as they are
        ("a\\", ["a\\"]),
        ('a""b', ["ab"]),
        ("  ", []),
    ],
)
def test_words_of_a_setting(text: str, words: list[str]) -> None:
    assert split_words(text) == (words, True)


def test_what_precedes_an_open_quote_is_kept_and_the_rest_refused() -> None:
    assert split_words("A=1 'B=2") == (["A=1"], False)


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("$A", ["x", "y"]),
        ("${A}", ["x y"]),
        ("--a=${A}", ["--a=x y"]),
        ("--a=$A", ["--a=$A"]),  # not a variable within a word
        ("$$A", ["$A"]),
        ("$UNSET", []),
        ("${UNSET}", [""]),
        ("$Q", ["a b", "c"]),
        ("${A-}", [""]),
        ("$", []),
    ],
)
def test_variables_in_a_command_line(word: str, result: list[str]) -> None:
    assert expand(word, {"A": "x y", "Q": "'a b' c"}) == result


def test_a_word_made_to_grow_without_end_is_refused() -> None:
    assert expand("${A}" * 1000, {"A": "x" * 100_000}) is None


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('A="--x --y"\n', {"A": "--x --y"}),
        ("A=a b  \n", {"A": "a b"}),
        ("A=a \\\n  b\n", {"A": "a   b"}),
        ("A='1\n2'\n", {"A": "1\n2"}),
        ('A="1\\\n2"\n', {"A": "12"}),
        ('A="1" "2"\n', {"A": "12"}),
        ('A=x"1"\n', {"A": 'x"1"'}),  # quotes count only at the start
        ("#A=1\n;B=2\n", {}),
        ("export A=1\n", {}),
        ("A=1\nA=2", {"A": "2"}),
        ("=x\nA =1", {"A": "1"}),
        ('A="open', {"A": "open"}),
    ],
)
def test_assignments_of_an_environment_file(text: str, values: dict[str, str]) -> None:
    assert {name: value for name, value, _ in environment_file(file("/e", text))} == values


def test_an_assignment_is_placed_where_it_begins() -> None:
    text = "# ä\nA=1\nB='x\ny'\nC=3\n"
    places = {name: (line.place.line, line.place.offset) for name, _, line in environment_file(file("/e", text))}
    assert places == {"A": (2, 5), "B": (3, 9), "C": (5, 17)}
