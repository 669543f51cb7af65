"""What every export keeps: same input same bytes, nothing a screen obeys, no document too odd for it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.model.document import Document
from kubewitness.model.text import Language
from kubewitness.report.document import to_json
from kubewitness.report.exports.interface import LONGEST, clean, filled, microseconds, moment, rows, stamp, whole
from kubewitness.report.formats import EXPORTS, FORMATS, View
from tests.report.exports.documents import BARE, DOCUMENTS, INDICATORS, JOINED
from tests.report.small import INTRUSION

_CHINESE = re.compile("[\u4e00-\u9fff]")
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_OBEYED = set("\x1b\x9b\x07\x7f\u202e\u2066\u200b\u2028\ufeff\x00")


def texts(form: str, document: Document, language: Language = "en") -> list[str]:
    """The JSON texts of an export: one, or one a line."""
    made = FORMATS[form].render(document, View(language=language)).decode()
    return made.split("\n")[:-1] if FORMATS[form].suffix == ".jsonl" else [made]


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
@pytest.mark.parametrize("form", EXPORTS)
def test_any_document_becomes_json_that_no_screen_obeys(form: str, document: Document) -> None:
    for language in get_args(Language):
        for text in texts(form, document, language):
            assert isinstance(json.loads(text), dict)
            assert not set(text) & _OBEYED
            text.encode()  # no half of a surrogate pair


@pytest.mark.parametrize("form", EXPORTS)
def test_the_same_document_gives_the_same_bytes_also_when_read_again(form: str) -> None:
    again = msgspec.json.decode(to_json(JOINED), type=Document)
    assert texts(form, JOINED) == texts(form, JOINED) == texts(form, again)


@pytest.mark.parametrize("form", EXPORTS)
def test_texts_follow_the_language_and_ids_do_not(form: str) -> None:
    english, chinese = "\n".join(texts(form, INTRUSION, "en")), "\n".join(texts(form, INTRUSION, "zh"))
    assert _CHINESE.search(chinese)
    assert not _CHINESE.search(english)
    assert set(_UUID.findall(english)) - set(_UUID.findall(chinese)) <= _bundles(english)


def _bundles(text: str) -> set[str]:
    """A bundle is an envelope: its id tells one making from another."""
    return {name.partition("--")[2] for name in re.findall(r"bundle--[0-9a-f-]{36}", text)}


@pytest.mark.parametrize("form", EXPORTS)
def test_an_export_grows_no_faster_than_its_document(form: str) -> None:
    small = sum(map(len, texts(form, INTRUSION)))
    many = msgspec.structs.replace(INTRUSION, findings=INDICATORS * 50)
    assert sum(map(len, texts(form, many))) < 100 * small + len(to_json(many))


def test_a_value_is_cut_not_the_document() -> None:
    made = json.loads(whole({"a": "x" * (LONGEST + 10), "b": "y"}))
    assert len(made["a"]) == LONGEST + 1
    assert made["b"] == "y"


def test_numbers_that_json_readers_would_lose_are_kept_in_bounds() -> None:
    assert json.loads(whole({"a": 10**30, "b": float("inf"), "c": True})) == {"a": 2**53 - 1, "b": 0.0, "c": True}


def test_what_says_nothing_is_left_out_and_zero_says_something() -> None:
    assert filled(a="", b=None, c=[], d={}, e=0, f=False, g=0.0) == {"e": 0, "f": False, "g": 0.0}


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("2022-10-23T17:30:24.602118Z", True),
        ("2022-10-23T17:30:24Z", True),
        ("2022-10-23T17:30:24+08:00", True),
        ("2022-10-23T17:30:24", False),  # of which zone?
        ("2022-10-23", False),
        ("", False),
        ("not a time", False),
        ("0001-01-01T00:00:00+14:00", False),  # before the first day
        ("２０２２-10-23T17:30:24Z", False),
        ("T+" * 4_000, False),
    ],
)
def test_a_time_is_a_moment_only_with_a_zone(text: str, known: bool) -> None:
    assert (moment(text) is not None) is known


def test_times_are_written_in_utc_with_microseconds() -> None:
    time = moment("2022-10-24T01:30:24.602118+08:00")
    assert time is not None
    assert stamp(time) == "2022-10-23T17:30:24.602118Z"
    assert microseconds(time) == 1_666_546_224_602_118
    assert stamp(datetime(33, 4, 3, tzinfo=UTC)) == "0033-04-03T00:00:00.000000Z"


@given(st.text())
def test_any_text_is_carried_with_its_value_but_for_halves_of_pairs(text: str) -> None:
    (line,) = rows([{"a": text}]).decode().split("\n")[:-1]
    assert json.loads(line)["a"] == clean(text) == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_bare_documents_lose_nobody() -> None:
    assert [json.loads(line)["class_uid"] for line in texts("ocsf", BARE)] == [2005, 2004]
