"""The terminal report: what it says, how wide it is, and that evidence in it stays inert."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from kubewitness.model.text import Language
from kubewitness.report.blocks import Span, line, span
from kubewitness.report.citation import values_at
from kubewitness.report.document import Document
from kubewitness.report.hostile import inert, short, short_path
from kubewitness.report.lines import cut, width_of, wrap
from kubewitness.report.text import render
from kubewitness.report.words import DETAILS_BELOW, duration
from tests.report.golden import CASES, FOLDER
from tests.report.small import HOSTILE, INTRUSION, LONG, QUIET, SEVERAL

_FORBIDDEN = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u202e\u200b\u2066\u061c\ufeff\u2028"} - {"\n"}


def _overview(document: Document, language: Language = "en", width: int = 100) -> str:
    return render(document, language, width).split(DETAILS_BELOW.in_(language))[0]


@pytest.mark.parametrize("name", CASES)
def test_the_report_is_the_golden_one(name: str) -> None:
    """If the change is wanted: `python -m tests.report.golden --refresh`."""
    assert CASES[name]() == (FOLDER / name).read_bytes().decode()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "document", [INTRUSION, QUIET, SEVERAL, LONG, HOSTILE], ids=["one", "none", "5", "long", "evil"]
)
def test_the_overview_fits_two_screens(document: Document, language: Language) -> None:
    assert len(_overview(document, language).splitlines()) <= 100


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_window(width: int, language: Language) -> None:
    for document in (INTRUSION, QUIET, SEVERAL):
        commands = {
            f"    {one}" for incident in document.incidents for a in incident.actions for one in a.command.split("\n")
        }
        for one in render(document, language, width).splitlines():
            assert cell_len(one) <= width or one in commands  # a command is copied, so never broken


def test_a_narrower_window_than_anybody_has_does_not_fail() -> None:
    assert render(HOSTILE, "zh", 1)


@pytest.mark.parametrize("width", [60, 100, 200])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_in_evidence_reaches_the_terminal_as_a_control(language: Language, width: int) -> None:
    assert not _FORBIDDEN & set(render(HOSTILE, language, width))


def test_with_colour_the_only_escapes_are_colours() -> None:
    rest = render(HOSTILE, "en", 100, colour=True).split("\x1b[")[1:]
    assert rest
    assert all(one.split("m", 1)[0].replace(";", "").isdigit() for one in rest)


def test_without_colour_there_is_no_escape() -> None:
    assert "\x1b" not in render(INTRUSION)
    assert "\x1b[" in render(INTRUSION, colour=True)


def test_the_overview_answers_who_how_what_and_what_now() -> None:
    said = " ".join(_overview(INTRUSION, width=200).split())
    for claim in (
        "[CRITICAL] Anyone on the internet was cluster-admin",
        "203.0.113.77",
        "ClusterRoleBinding cluster-system-anonymous gives ClusterRole cluster-admin to User system:anonymous",
        "Allowed 4 of the intruder's 47 granted requests",
        "deleted 2022-10-23 17:39:40 UTC by kube-system:default",
        "Created DaemonSet kube-controller",
        "(inferred, 0.70)",
        "T1098.006",
        "Snapshot etcd and the audit log",
        "Level Metadata: bodies of answers were not logged.",
        "cluster-admin granted to a person",
        "2 × not JSON: cut off",
        "not a log: binary data",
        "1 rule could not be loaded",
    ):
        assert claim in said


def test_the_label_of_a_reconstruction_is_shown() -> None:
    assert "reconstructed scenario" in _overview(INTRUSION)


def test_the_details_can_be_left_out() -> None:
    alone = render(INTRUSION, with_details=False)
    assert alone == _overview(INTRUSION).rstrip("\n") + "\n"


def test_secrets_to_rotate_are_named() -> None:
    assert "kube-system/*  all of them were listed" in _overview(INTRUSION)


def test_details_cite_item_line_and_decisive_fields() -> None:
    details = render(INTRUSION, width=200).split(DETAILS_BELOW.en)[1]
    assert "audit.log:1001" in details
    assert 'annotations.authorization.k8s.io/reason = RBAC: allowed by ClusterRoleBinding "cluster-sys' in details


def test_no_incident_is_never_called_clean() -> None:
    said = _overview(QUIET)
    assert "No intrusion found in what was looked at" in said
    assert "Looked at 412,906 events" in said
    assert "clean" not in said.lower()


def test_no_event_is_no_answer() -> None:
    nothing = msgspec.structs.replace(QUIET, coverage=msgspec.structs.replace(QUIET.coverage, events=0))
    assert "No intrusion" not in _overview(nothing)
    assert "nothing can be said" in _overview(nothing)


@pytest.mark.parametrize(
    ("language", "said"), [("en", "2 items, no audit event among them"), ("zh", "其中没有审计事件")]
)
def test_without_an_audit_event_nothing_is_said_of_levels_and_requests(language: Language, said: str) -> None:
    nodes = msgspec.structs.replace(
        INTRUSION, coverage=msgspec.structs.replace(INTRUSION.coverage, events=0, levels={})
    )
    text = _overview(nodes, language, 200)
    assert said in text
    assert not re.search(r"0 (?:events|requests|个)|Levels: |日志级别：", text)


def test_an_intruder_of_whom_nothing_is_known_is_called_unknown() -> None:
    (incident,) = INTRUSION.incidents
    nobody = msgspec.structs.replace(
        incident.actors[0], addresses=(), claimed_addresses=(), identities=(), credentials=(), agents=(), requests=0
    )
    text = _overview(
        msgspec.structs.replace(INTRUSION, incidents=(msgspec.structs.replace(incident, actors=(nobody,)),))
    )
    assert re.search(r"Intruder +unknown", text)


def test_findings_of_an_incident_are_not_listed_again() -> None:
    assert "Anonymous read of Secrets" not in _overview(INTRUSION)


def test_findings_below_the_minimum_are_counted_not_listed() -> None:
    assert "Not listed: informational 1" in _overview(INTRUSION)
    assert "A namespace was made" in render(INTRUSION, minimum="informational")
    assert "cluster-admin granted to a person" not in render(INTRUSION, minimum="high")


def test_everything_cut_says_how_much_there_is() -> None:
    said = _overview(LONG)
    steps = len(re.findall(r"^ +\d+  17:\d\d:\d\d  ", said, re.MULTILINE))
    assert 4 <= steps < 60
    assert f"refused … and {60 - steps} more, in the details" in " ".join(said.split())
    assert "more, in the details" in said.split("Evidence that could not be read")[1]


def test_every_incident_is_named_even_if_not_all_are_drawn() -> None:
    assert all(f"INC-20221023-{number:02d}" in _overview(SEVERAL) for number in range(1, 6))


def test_the_same_document_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = render(INTRUSION)
    for name, value in (("COLUMNS", "33"), ("FORCE_COLOR", "1"), ("TERM", "dumb")):
        monkeypatch.setenv(name, value)
    assert render(INTRUSION) == plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07", "␛[31mred␇"),
        ("a\u202eb", "a<U+202E>b"),
        ("\u200b", "<U+200B>"),
        ("\x9b", "<U+009B>"),
        ("\ud800", "\ufffd"),
        ("a\nb", "a␊b"),
        ("e" + "\u0301" * 9, "e" + "\u0301" * 3),
        ("系统 é 🐳", "系统 é 🐳"),
    ],
)
def test_what_a_screen_would_obey_is_made_visible(text: str, shown: str) -> None:
    assert inert(text) == shown


@given(st.text(), st.integers(min_value=1, max_value=30))
def test_short_text_is_never_wider_than_asked(text: str, cells: int) -> None:
    assert cell_len(short(text, cells)) <= cells


@given(
    st.lists(st.text(alphabet="ab ，。（）中文x", max_size=30).map(Span), max_size=4),
    st.integers(min_value=4, max_value=40),
)
def test_wrapping_loses_nothing_but_spaces_and_fits(spans: list[Span], width: int) -> None:
    content = tuple(one for one in spans if one.text)
    lines = wrap(content, width)
    together = "".join(one.text for row in lines for one in row)
    assert together.replace(" ", "") == "".join(one.text for one in content).replace(" ", "")
    assert all(sum(cell_len(one.text) for one in row) <= width for row in lines)


@given(st.lists(st.text().map(span), max_size=3), st.integers(min_value=1, max_value=20))
@example([span("\U0001f3fb"), span("000")], 1)
def test_wrapping_ends_whatever_the_text(spans: list[Span], width: int) -> None:
    content = tuple(one for one in spans if one.text)
    kept = "".join(one.text for row in wrap(content, width) for one in row)
    assert "".join(kept.split()) == "".join("".join(one.text for one in content).split())


def test_a_long_path_keeps_its_end() -> None:
    assert short_path("/very/long/way/to/the/audit.log", 12) == "…e/audit.log"


def test_a_huge_word_takes_time_in_proportion() -> None:
    huge = "中名" + "n" * 400_000  # one wide character keeps the quick way of ASCII from being taken
    rows = wrap(line(huge), 100)
    assert "".join(one.text for row in rows for one in row) == huge
    assert all(width_of(row) <= 100 for row in rows)


def test_chinese_lines_break_between_characters_but_not_before_punctuation() -> None:
    rows = ["".join(one.text for one in row) for row in wrap(line("入侵者读取了密钥，然后离开。"), 16)]
    assert rows == ["入侵者读取了密", "钥，然后离开。"]


def test_cut_ends_with_an_ellipsis_and_keeps_its_width() -> None:
    rows = cut((span("word " * 40),), 20, 2)
    assert len(rows) == 2
    assert rows[-1][-1].text.endswith("…")
    assert all(sum(cell_len(one.text) for one in row) <= 20 for row in rows)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("annotations.authorization.k8s.io/reason", ["why"]),
        ("user.groups", ['["a","b"]']),
        ("requestObject.spec.containers.image", ["x", "y"]),
        ("requestObject.spec.containers[1].image", ["y"]),
        ("responseStatus.code", ["200"]),
        ("no.such.field", []),
    ],
)
def test_decisive_fields_are_found_though_keys_have_dots(path: str, found: list[str]) -> None:
    event = (
        '{"annotations":{"authorization.k8s.io/reason":"why"},"user":{"groups":["a","b"]},"responseStatus":{"code":200},'
        '"requestObject":{"spec":{"containers":[{"image":"x"},{"image":"y"}]}}}'
    )
    assert values_at(event, path) == found


@pytest.mark.parametrize("original", ["", "{", "[" * 100_000, "null", "\ud800"])
def test_an_unreadable_original_has_no_decisive_fields(original: str) -> None:
    assert values_at(original, "verb") == []


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "under 1 s"), (59.7, "1 min"), (655, "10 min 55 s"), (93600, "1 d 2 h")]
)
def test_durations_use_the_two_greatest_units(seconds: float, said: str) -> None:
    assert duration(seconds, "en") == said
