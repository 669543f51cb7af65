"""The Markdown report, read back by a CommonMark parser: evidence in it is text, whatever it looks like."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from kubewitness.model.text import Language
from kubewitness.report.blocks import Span
from kubewitness.report.markdown import code, escape, fenced, inline, render
from tests.report.small import HOSTILE, HOSTILE_TEXT, INTRUSION, LONG, QUIET

_FOLD = "<details><summary>{}</summary>"


def _tokens(markdown: str) -> list[Token]:
    every: list[Token] = []
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        every += [token, *(token.children or [])]
    return every


def _shown(markdown: str) -> str:
    return "".join(
        token.content for token in _tokens(markdown) if token.type in {"text", "code_inline", "text_special"}
    )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_hostile_evidence_makes_no_markup(language: Language) -> None:
    tokens = _tokens(render(HOSTILE, language))
    kinds = {token.type for token in tokens}
    assert not kinds & {"link_open", "image", "html_inline", "s_open", "blockquote_open"}
    ours = {_FOLD.format("original event"), _FOLD.format("原始事件"), "</details>"}
    assert {token.content.strip() for token in tokens if token.type == "html_block"} <= ours


def test_hostile_evidence_adds_no_headings_or_cells() -> None:
    hostile = [token for token in _tokens(render(HOSTILE)) if token.type == "inline" and token.content == "own"]
    assert not hostile
    rows = [one for one in render(HOSTILE).splitlines() if one.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", one)) for one in rows} <= {4, 5, 6, 7, 8}


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE_TEXT.replace("\n", " ").replace("\ud800", ""),
        "a_b*c",
        "1. x",
        "12) x",
        "- x",
        "> x",
        "# x",
        "---",
        "=== x",
    ],
)
def test_what_is_escaped_is_shown_as_it_was(text: str) -> None:
    shown = _shown(inline((Span(text),)))
    assert "".join(text.replace("`", "").split()) == "".join(shown.replace("`", "").split())


@given(st.text(alphabet="#-+=*_>1.) \\`[]()!<&a~|$", min_size=1, max_size=30))
def test_a_line_is_always_one_paragraph_of_plain_text(text: str) -> None:
    kinds = {token.type for token in _tokens(inline((Span(text),)))}
    assert kinds <= {"paragraph_open", "inline", "text", "text_special", "code_inline", "paragraph_close"}


@pytest.mark.parametrize("text", ["see http://evil.example/x", "tell @everyone", "www.evil.example", "a@b.example，好"])
def test_what_a_wiki_would_link_becomes_code(text: str) -> None:
    assert any(token.type == "code_inline" for token in _tokens(escape(text)))


def test_a_huge_word_takes_time_in_proportion() -> None:
    huge = "n" * 1_000_000  # a pattern that tries again at every letter would take hours
    assert escape(huge) == huge
    assert escape(huge + "@x") == f"`{huge}@x`"


@given(st.text(alphabet="`~ab\n", max_size=60))
@example("```")
@example("a\n````\nb")
def test_a_fence_is_never_closed_by_what_it_holds(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse(fenced(text))
    assert [token.type for token in tokens] == ["fence"]
    assert tokens[0].content == f"{text}\n"


@given(st.text(alphabet="`ab|*<", min_size=1, max_size=30))
def test_code_stays_one_code_span(text: str) -> None:
    children = MarkdownIt("commonmark").parse(f"x {code(text)} y")[1].children or []
    assert [token.type for token in children] == ["text", "code_inline", "text"]


def test_originals_are_folded_and_whole() -> None:
    rendered = render(INTRUSION)
    assert rendered.count("<details>") == rendered.count("</details>") > 3
    assert INTRUSION.incidents[0].steps[0].evidence[0].original in rendered


def test_the_whole_chain_is_in_the_table() -> None:
    rows = [one for one in render(LONG).splitlines() if re.match(r"\| \d+ \| ", one)]
    assert len(rows) == 60


def test_no_incident_is_said_honestly() -> None:
    assert render(QUIET).splitlines()[2] == "# No intrusion found in what was looked at"
