"""Claims about the words of the Chinese texts: one word, one meaning, whichever renderer or rule says it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "kubewitness"
TEXTS = sorted(path for ending in ("py", "yml", "j2") for path in SOURCE.rglob(f"*.{ending}"))
# The word that is used, and those that would mean the same.
ONE_WORD = {"凭据": re.compile("凭证"), "入侵者": re.compile("攻击者(?!就是)")}


@pytest.mark.parametrize("word", ONE_WORD)
def test_no_text_has_another_word_for_the_same(word: str) -> None:
    others = [str(path.relative_to(SOURCE)) for path in TEXTS if ONE_WORD[word].search(path.read_text("utf-8"))]
    assert not others, f"write {word}"


def test_both_words_are_in_use() -> None:
    shown = (SOURCE / "report" / "html" / "words.py").read_text("utf-8")
    assert all(word in shown for word in ONE_WORD)
