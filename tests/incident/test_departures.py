"""Beside an actor stands what its identities never did otherwise; an intruder's own requests make nothing usual."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.incident import Incident
from kubewitness.rules.loader import RuleSet
from tests.detect.behaviour.accustomed import DANA, FAR, WEB, cluster
from tests.incident.conftest import Investigate
from tests.incident.logs import DOOR, Log, binding

RECORDED = Path(__file__).parents[2] / "scenarios" / "recorded"


def intruded(log: Log) -> Log:
    """Through an open door, for hours, with a backdoor at the end."""
    for minute in range(0, 50, 5):
        log.request("list", "secrets", at=f"13:{minute:02}", by="system:anonymous", address=FAR, agent="curl/8",
                    reason=DOOR)  # fmt: skip
    body = binding("door", "cluster-admin", f"User {DANA}")
    log.request("create", "clusterrolebindings", at="13:55", by="system:anonymous", address=FAR, agent="curl/8",
                reason=DOOR, name="door", body=body)  # fmt: skip
    return log


def told(incident: Incident) -> list[str]:
    return [text.en for actor in incident.actors for text in actor.departures]


def test_what_was_never_done_otherwise_is_told_although_the_intruder_did_it_ten_times(judged: Investigate) -> None:
    (incident,) = judged(intruded(cluster())).incidents
    own, *rest = told(incident)
    assert own.startswith("A caller without any credential had otherwise never ")
    assert "listed secrets" in own
    assert "created clusterrolebindings" in own
    assert f"never come from a public address ({FAR}), never used curl" in own
    assert own.endswith("(84 other requests compared).")
    assert rest == [
        "Hours of the day were not compared: that takes habits of 7 days, a log of another week may be given with "
        "--baseline."
    ]


def test_after_a_week_hours_are_compared(judged: Investigate) -> None:
    log = cluster(days=8, people=False)
    body = binding("door", "cluster-admin", f"User {DANA}")
    log.request("create", "clusterrolebindings", at="03:10", by="system:anonymous", address=FAR, agent="curl/8",
                reason=DOOR, name="door", body=body)  # fmt: skip
    (incident,) = judged(log).incidents
    (own,) = told(incident)
    assert "never worked at 03:00 UTC" in own


def test_finding_and_actor_agree_and_rarity_makes_no_incident(tmp_path: Path, rules: RuleSet) -> None:
    usual = cluster().write(tmp_path / "usual.log")
    log = Log()
    log.request(
        "get", "secrets", at="10:30", by=WEB, address="10.9.0.7", agent="shop-0/1.2", namespace="shop", name="x"
    )
    document = investigate([log.write(tmp_path / "audit.log")], rules=rules, options=Options(baseline=(usual,)))
    (finding,) = [one for one in document.findings if one.rule == "detectors/unaccustomed"]
    assert (finding.severity, finding.identity, finding.incident) == ("low", WEB, "")
    assert "never come from 10.9.0.0/16 (10.9.0.7)" in finding.reasons[0].en
    assert document.incidents == ()
    assert any("baseline of 420 events" in text.en for text in document.coverage.limitations)


def test_an_empty_baseline_is_said(tmp_path: Path, rules: RuleSet) -> None:
    (tmp_path / "usual.log").write_text("nothing here\n")
    log = intruded(cluster()).write(tmp_path / "audit.log")
    document = investigate([log], rules=rules, options=Options(baseline=(str(tmp_path / "usual.log"),)))
    assert any("holds no audit event" in text.en for text in document.coverage.limitations)
    assert document.incidents


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("leaked_kubeconfig", ["wei.chen had otherwise never", "asked for tokens of service accounts",
                               "never come from a public address (198.51.100.42)"]),
        ("pod_token_theft", ["system:serviceaccount:webshop:storefront has no other requests to compare with",
                             "used curl"]),
    ],
)  # fmt: skip
def test_recorded_intruders_with_valid_credentials(name: str, words: list[str], rules: RuleSet) -> None:
    document = investigate([str(RECORDED / name / "evidence" / "control-plane")], rules=rules, options=Options())
    said = " ".join(text for incident in document.incidents for text in told(incident))
    assert [word for word in words if word not in said] == []


@pytest.mark.recordings
def test_recorded_benign_days_are_quiet_against_each_other(rules: RuleSet) -> None:
    days = [str(RECORDED / f"benign_day_{name}" / "evidence" / "control-plane") for name in ("busy", "quiet", "ugly")]
    for day in days:
        usual = tuple(other for other in days if other != day)
        document = investigate([day], rules=rules, options=Options(baseline=usual))
        assert [one.rule for one in document.findings if one.rule == "detectors/unaccustomed"] == []
        assert document.incidents == ()
        assert document.coverage.events > 1_000


@pytest.mark.recordings
def test_a_stolen_kubeconfig_is_a_finding_against_the_days_before(rules: RuleSet) -> None:
    usual = tuple(
        str(RECORDED / name / "evidence" / "control-plane") for name in ("leaked_kubeconfig_twin", "benign_day_busy")
    )
    document = investigate(
        [str(RECORDED / "leaked_kubeconfig" / "evidence" / "control-plane")],
        rules=rules,
        options=Options(baseline=usual),
    )
    (finding,) = [one for one in document.findings if one.rule == "detectors/unaccustomed"]
    assert (finding.identity, finding.address, finding.severity) == ("wei.chen", "198.51.100.42", "medium")
    assert finding.incident == document.incidents[0].id
