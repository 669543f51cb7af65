"""Claims about the table of items: few are all shown, of many first those that something rests on."""

from __future__ import annotations

from msgspec.structs import replace

from kubewitness.model.evidence import ArchiveProof, EvidenceItem, ParseFailure, Place
from kubewitness.model.text import Language
from kubewitness.report.html.page import render as to_html
from kubewitness.report.items import telling
from kubewitness.report.text import render as to_text
from tests.report.small import INTRUSION


def test_few_items_are_all_shown() -> None:
    items = INTRUSION.coverage.items
    assert telling(INTRUSION, 100) == (list(enumerate(items, 1)), 0)


def test_of_many_items_those_that_are_cited_or_broken_stay_with_their_numbers() -> None:
    files = [EvidenceItem(f"node!{n}", "00", 1, "", "other file") for n in range(500)]
    broken = EvidenceItem("node!broken", "00", 1, "", "processes", failures=1)
    items = (*files, broken, *INTRUSION.coverage.items)
    document = replace(INTRUSION, coverage=replace(INTRUSION.coverage, items=items))
    shown, left = telling(document, 20)
    assert (len(shown), left) == (20, len(items) - 20)
    assert (501, broken) in shown
    cited = {one.item for incident in INTRUSION.incidents for step in incident.steps for one in step.evidence}
    assert cited <= {item.name for _, item in shown}
    assert [number for number, _ in shown] == sorted(number for number, _ in shown)


def test_a_file_that_breaks_off_is_told_once() -> None:
    cut = EvidenceItem("audit.log.gz", "00", 1, "gzip", "audit.k8s.io", failures=1, skipped="gzip ends too early")
    away = EvidenceItem("gone.log", "", 0, "", "", skipped="no such file")
    failure = ParseFailure(Place("audit.log.gz", 9, 800), "gzip ends too early", "800 bytes before it", "")
    document = replace(
        INTRUSION,
        coverage=replace(INTRUSION.coverage, items=(cut, away)),
        parse_failures=(failure,),
        parse_failures_total=1,
        complete=False,
    )
    text = to_text(document, width=200)
    assert text.count("gzip ends too early") == 2  # in the overview, and in the details
    assert text.count("no such file") == 2


def test_an_altered_archive_is_said_before_anything_else() -> None:
    proof = ArchiveProof("node1.tar.zst!n1", "n1", "2026-11-22T04:00:00Z", 600, 3, "ab" * 32)
    altered = replace(INTRUSION, coverage=replace(INTRUSION.coverage, archives=(proof,)))
    whole = replace(INTRUSION, coverage=replace(INTRUSION.coverage, archives=(replace(proof, differences=0),)))
    expected: tuple[tuple[Language, str], ...] = (("en", "is not as it was collected"), ("zh", "与收集时不一致"))
    for language, word in expected:
        for said, fine in (
            (to_text(altered, language=language, width=400), to_text(whole, language=language, width=400)),
            (to_html(altered, language), to_html(whole, language)),
        ):
            assert word in said
            assert word not in fine
            assert "ab" * 32 in fine
