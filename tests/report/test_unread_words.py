"""Claims about why evidence could not be read: the Chinese report says it in Chinese, whatever stands in the reason."""

from __future__ import annotations

import re
import time

import pytest
from msgspec.structs import replace

from kubewitness.model.evidence import EvidenceItem, ParseFailure, Place
from kubewitness.report.html.page import render as to_html
from kubewitness.report.markdown import render as to_markdown
from kubewitness.report.text import render as to_text
from kubewitness.report.unread_words import _WORDS, why
from tests.detect.scanning import scan_bytes
from tests.detect.test_damage import FILES, PIECES
from tests.report.small import INTRUSION

_HAN = re.compile("[\u4e00-\u9fff]")


@pytest.mark.parametrize(
    ("reason", "chinese"),
    [
        ("gzip ends too early, after 247279 decompressed bytes", "gzip 提前结束，此前解压出 247279 字节"),
        ("link inside an archive (to ../../etc), not followed", "归档中的链接（指向 ../../etc），未跟随"),
        ("verb is no text and was left out; user has the wrong type and was left out",
         "verb 不是文本，已略去；user 类型不对，已略去"),
        ("no audit log: 3 lines of text (syslog line, no audit event)",
         "不是审计日志：3 行文本（syslog 日志行，不是审计事件）"),
        ("damaged gzip: its checksum is wrong, any of 5 decompressed bytes may be wrong too",
         "gzip 损坏：校验和不符，解压出的 5 字节中任何一处都可能有误"),
        ("the event has no time; the time of its wrapper was taken", "事件没有时间，采用其封装的时间"),
        ("a reason nobody has translated", "a reason nobody has translated"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_reason_is_told_in_chinese(reason: str, chinese: str) -> None:
    assert why(reason).zh == chinese
    assert why(reason).en == reason


def test_nothing_that_stands_in_a_reason_is_lost() -> None:
    assert [english for english, chinese in _WORDS.items() if english.count("{}") != chinese.count("{}")] == []


@pytest.mark.parametrize("name", PIECES)
def test_every_reason_of_a_damaged_piece_has_its_chinese(name: str) -> None:
    part = scan_bytes(PIECES[name][0])
    reasons = [one.reason for one in part.failures] + [one.reason for one in part.notes]
    assert [reason for reason in reasons if not _HAN.search(why(reason).zh)] == []
    assert [one.kept for one in part.failures if one.kept.islower() and not _HAN.search(why(one.kept).zh)] == []


@pytest.mark.parametrize("name", FILES)
def test_every_reason_of_a_file_that_is_no_log_has_its_chinese(name: str) -> None:
    part = scan_bytes(FILES[name][0]())
    assert [one.reason for one in part.failures if not _HAN.search(why(one.reason).zh)] == []


def test_a_long_or_twisted_reason_takes_no_time() -> None:
    began = time.process_time()
    for reason in ("link inside an archive (to " * 15, "tar archive damaged behind member : " * 11, "; " * 100_000):
        assert why(reason).en == reason
    assert time.process_time() - began < 1


def test_all_reports_say_it_in_their_language() -> None:
    failure = ParseFailure(Place("audit.log", 9, 800), "truncated JSON", "the rest of the event", "{")
    away = EvidenceItem("gone.log", "", 0, "", "", skipped="no such file or directory")
    document = replace(
        INTRUSION,
        coverage=replace(INTRUSION.coverage, items=(away,)),
        parse_failures=(failure,),
        parse_failures_total=1,
        complete=False,
    )
    for render in (to_text, to_markdown):
        chinese, english = render(document, "zh"), render(document, "en")
        assert "JSON 不完整" in chinese
        assert "文件或目录不存在" in chinese
        assert "truncated JSON" not in chinese
        assert "truncated JSON" in english
        assert "不完整" not in english
    page = to_html(document, "zh")
    for word in (
        "truncated JSON",
        "JSON 不完整",
        "事件的其余部分",
        "未读取：文件或目录不存在",
        "no such file or directory",
    ):
        assert word in page
