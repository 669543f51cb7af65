"""Evidence text on its way into the page: characters, JSON, shell commands."""

from __future__ import annotations

import json
import shlex
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from kubewitness.model.evidence import EvidenceItem
from kubewitness.model.text import Text
from kubewitness.report.html.inert import both, clipped, columns, headline, middle, one_line, visible
from kubewitness.report.html.originals import MOST_LINES, reason_of, unfold
from kubewitness.report.html.views import read_command

ANY_TEXT = st.text(alphabet=st.characters(), max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


@given(ANY_TEXT)
def test_no_character_without_a_glyph_survives(text: str) -> None:
    shown = visible(text)
    assert all(unicodedata.category(c) not in ("Cf", "Cs", "Co", "Zl", "Zp") for c in shown)
    assert all(unicodedata.category(c) != "Cc" or c in "\n\t" for c in shown)
    shown.encode("utf-8")
    assert "\n" not in one_line(text)


@given(ANY_TEXT, ANY_TEXT)
def test_claims_never_bring_markup_of_their_own(english: str, chinese: str) -> None:
    for markup in (both(Text(english, chinese)), headline(Text(english, chinese))):
        plain = str(markup)
        for ours in (
            '<span class="en">',
            '<span class="zh" lang="zh-Hans">',
            '<span class="nb">',
            "</span>",
            "<code>",
            "</code>",
        ):
            plain = plain.replace(ours, "")
        assert "<" not in plain
        assert ">" not in plain


@given(ANY_TEXT, st.integers(min_value=4, max_value=40))
def test_shortened_names_fit(text: str, width: int) -> None:
    assert columns(clipped(text, width)) <= width
    assert columns(middle(text, width)) <= width


@given(JSON)
def test_an_unfolded_original_is_still_the_same_json(value: object) -> None:
    lines = unfold(json.dumps(value), ()).lines
    assert json.loads("\n".join(line.text for line in lines)) == value
    assert all(line.text.isprintable() for line in lines)


def test_duplicate_keys_order_and_numbers_stay_as_they_were_written() -> None:
    shown = "\n".join(line.text for line in unfold('{"b":1.50,"a":123456789012345678901234567890,"b":1E2}', ()).lines)
    assert shown == '{\n  "b": 1.50,\n  "a": 123456789012345678901234567890,\n  "b": 1E2\n}'


def test_decisive_paths_may_name_list_elements_or_whole_objects() -> None:
    original = '{"o":{"c":[{"image":"bad","n":1}]},"x":2}'
    marked = [line.text.strip() for line in unfold(original, ("o.c[0].image",)).lines if line.decisive]
    assert marked == ['"image": "bad",']
    assert sum(line.decisive for line in unfold(original, ("o",)).lines) == 8


def test_what_is_no_json_is_shown_as_found_and_deep_nesting_is_survived() -> None:
    assert unfold('{"verb":"get","us\x1b', ()).lines[0].text == '{"verb":"get","us⟨U+001B⟩'
    assert unfold("[" * 30_000, ()).lines
    assert unfold("[" * 900 + "]" * 900, ()).cut > 0 or unfold("[" * 900 + "]" * 900, ()).lines
    assert reason_of("[" * 30_000) == ""
    assert len(unfold(json.dumps(list(range(5_000))), ()).lines) == MOST_LINES


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30))
def test_a_command_names_the_item_and_nothing_else(name: str) -> None:
    for compression in ("", "gzip", "zstd"):
        command = read_command(EvidenceItem(name, compression=compression), [3, 9])
        if not command:
            continue
        words = shlex.split(command)
        archive, _, member = name.partition("!")
        assert "3p;9p;9q" in words
        assert (archive in words and member in words) if member else name in words


def test_no_command_is_offered_for_names_a_terminal_would_obey() -> None:
    assert read_command(EvidenceItem("a\x1b]0;b\x07.log"), [1]) == ""
    assert read_command(EvidenceItem("a\nrm -rf .log"), [1]) == ""
    assert read_command(EvidenceItem("-"), [1]) == ""
