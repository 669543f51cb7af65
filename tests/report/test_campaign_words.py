"""How a likeness to a known campaign is told, in every form of the report."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubewitness.model.incident import CampaignMatch, CampaignStep, Evidence
from kubewitness.model.text import Text
from kubewitness.report import markdown, text
from kubewitness.report.campaign_words import statement
from kubewitness.report.html.page import render as page
from tests.report.small import INTRUSION

HOSTILE = "<script>alert(1)</script>\x1b[31m"


def campaign(*states: str) -> CampaignMatch:
    evidence = (Evidence("", "node/ps.txt", 7, 0, "", summary=HOSTILE),)
    steps = tuple(
        CampaignStep(Text(f"Step {state}", f"步骤 {state}"), state, "T1609", False, evidence if state == "seen" else ())  # type: ignore[arg-type]
        for state in states
    )
    seen = states.count("seen")
    able = len(states) - states.count("not_visible")
    name = Text("Some Campaign", "某活动")
    return CampaignMatch("campaigns/some", name, seen, able, len(states), steps, "high", "2021", (HOSTILE,))


@pytest.mark.parametrize(
    ("states", "en", "zh"),
    [
        (("seen",) * 3, "Some Campaign: 3 of 3 steps seen", "某活动：3 个步骤中已见 3 个"),
        (
            ("seen", "not_visible", "seen", "not_seen", "seen"),
            "Some Campaign: 3 of 5 steps seen, step 2 not visible from this evidence",
            "某活动：5 个步骤中已见 3 个，第 2 步在现有证据中无法看到",
        ),
        (
            ("not_visible", "not_visible", "seen", "not_visible", "out_of_order"),
            "Some Campaign: 1 of 5 steps seen, steps 1–2, 4 not visible from this evidence",
            "某活动：5 个步骤中已见 1 个，第 1–2, 4 步在现有证据中无法看到",
        ),
    ],
)
def test_the_statement_says_how_much_was_seen_and_what_could_not_be(states: tuple[str, ...], en: str, zh: str) -> None:
    assert statement(campaign(*states)) == Text(en, zh)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_overview_and_details_tell_it_and_hostile_evidence_stays_inert(language: str) -> None:
    known = campaign("seen", "not_visible", "seen", "seen")
    document = replace(INTRUSION, incidents=(replace(INTRUSION.incidents[0], campaigns=(known,)),))
    name, step = ("Some Campaign", "Step seen") if language == "en" else ("某活动", "步骤 seen")
    plain = text.render(document, language, 120)  # type: ignore[arg-type]
    assert plain.count(name) >= 3, "one line in the overview, a heading and the statement in the details"
    assert step in plain
    assert "\x1b" not in plain
    marked = markdown.render(document, language)  # type: ignore[arg-type]
    assert name in marked
    assert "<script>alert" not in marked
    shown = page(document, language)  # type: ignore[arg-type]
    assert name in shown
    assert step in shown
    assert "<script>alert" not in shown


@pytest.mark.parametrize("language", ["en", "zh"])
def test_indicators_of_an_incident_are_listed_with_value_and_source_inert(language: str) -> None:
    incident = INTRUSION.incidents[0]
    known = replace(
        INTRUSION.findings[0],
        rule="indicators/some-campaign",
        incident=incident.id,
        matched={"seen": f"/tmp/.x1mr{HOSTILE}", "source": "list of a friend"},
    )
    document = replace(INTRUSION, findings=(*INTRUSION.findings, known))
    plain = text.render(document, language, 160)  # type: ignore[arg-type]
    assert "/tmp/.x1mr" in plain
    assert "list of a friend" in plain
    assert "\x1b" not in plain
    shown = page(document, language)  # type: ignore[arg-type]
    assert "list of a friend" in shown
    assert "<script>alert" not in shown
