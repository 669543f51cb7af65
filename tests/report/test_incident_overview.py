"""What of an incident stands in its short chain."""

from __future__ import annotations

from msgspec.structs import replace

from kubewitness.model.incident import Act, Technique
from kubewitness.model.text import Text
from kubewitness.report.incident_overview import Limits, incident_blocks
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
