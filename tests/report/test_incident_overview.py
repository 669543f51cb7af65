"""What of an incident stands in its short chain."""

from __future__ import annotations

from typing import Literal

import pytest
from msgspec.structs import replace

from kubewitness.model.incident import Act, Technique, Verdict
from kubewitness.model.text import Language, Text
from kubewitness.report.incident_overview import Limits, incident_blocks
from kubewitness.report.overview import seen
from kubewitness.report.phrases import root_cause_life
from kubewitness.report.text import draw
from tests.report.small import INTRUSION


def test_of_equally_grave_steps_the_short_chain_shows_acts_and_taken_credentials_before_looks() -> None:
    incident = INTRUSION.incidents[0]
    first = replace(incident.steps[0], severity="low", techniques=())
    acts: tuple[Act, ...] = ("read", "refused", "create", "read")
    steps = [replace(first, number=n, act=act, description=Text(f"deed {n}", "")) for n, act in enumerate(acts, 1)]
    steps[3] = replace(steps[3], techniques=(Technique("T1552.007", "Container API", ("credential-access",)),))
    shown = list(incident_blocks(replace(incident, steps=tuple(steps)), "en", Limits(), steps=2, alone=True))
    text = draw(shown, 200)
    assert [n for n in range(1, 5) if f"deed {n}" in text] == [3, 4]


@pytest.mark.parametrize(
    ("used", "total", "said"),
    [
        (1, 1, "Allowed the intruder's one granted request"),
        (1, 2, "Allowed 1 of the intruder's 2 granted requests"),
        (2, 2, "Allowed 2 of the intruder's 2 granted requests"),
    ],
)
def test_one_request_is_not_one_of_one_requests(used: int, total: int, said: str) -> None:
    cause = replace(INTRUSION.incidents[0].root_causes[0], requests_authorised=used, requests_total=total)
    assert root_cause_life(cause, "en").startswith(said)
    assert ("唯一获准的请求" in root_cause_life(cause, "zh")) is (total == 1)


@pytest.mark.parametrize(
    ("language", "untold", "told"),
    [
        ("en", "at times that are not told, with", "2022-10-23 "),
        ("zh", "个请求），时间未知，用", "个请求），时间 2022-10-23 "),
    ],
)
def test_a_log_without_times_is_told_in_a_sentence(language: Language, untold: str, told: str) -> None:
    nothing = replace(INTRUSION, coverage=replace(INTRUSION.coverage, first="", last=""))
    assert untold in seen(nothing, language)
    assert told in seen(INTRUSION, language)


@pytest.mark.parametrize(("verdict", "label"), [("insider", "Who did it"), ("intruder", "Intruder")])
def test_an_owner_who_did_it_is_not_called_an_intruder(verdict: Literal["insider", "intruder"], label: str) -> None:
    judged = replace(INTRUSION.incidents[0], verdicts=(Verdict(verdict, "low", question="insider_or_intruder"),))
    text = draw(list(incident_blocks(judged, "en", Limits(), steps=2, alone=True)), 200)
    labels = [row.split("  ")[1] for row in text.splitlines() if row.startswith(("  Who did it  ", "  Intruder  "))]
    assert labels == [label]
