"""Recordings last two minutes, logs of clusters do not: the same acts after hours of the same ordinary traffic.

Only then is an address new and a habit a habit, so what a rule about the unaccustomed makes of a person at home at
night shows here and not in the recording itself. The rounds of ordinary traffic are the recording's own, moved back in
time and with audit ids of their own.
"""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pytest

from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.document import Document
from kubewitness.rules.loader import RuleSet

RECORDED = Path(__file__).parents[2] / "scenarios" / "recorded"
ROUNDS, APART = 20, timedelta(minutes=13)  # less than the quarter of an hour that is told as a silence
TIMES = ("requestReceivedTimestamp", "stageTimestamp")


def lengthened(name: str, stranger: str, folder: Path) -> tuple[Path, set[str]]:
    """The recording's log as the end of a long one, and the audit ids of `stranger`, of whom nothing is repeated."""
    labels = json.loads((RECORDED / name / "labels.json").read_bytes())
    actor = {one["audit_id"]: one["actor"] for one in labels["requests"]}
    usual = {who for who, one in labels["actors"].items() if one["role"] in ("benign", "system")} - {stranger}
    with gzip.open(RECORDED / name / "evidence/control-plane/audit.log.gz", "rb") as log:
        events = [json.loads(line) for line in log]
    came = min(event[TIMES[0]] for event in events if actor.get(event["auditID"]) == stranger)
    before = [event for event in events if event[TIMES[0]] < came]
    out = [moved(event, APART * ROUNDS) for event in before]
    for number in range(ROUNDS - 1, 0, -1):
        again = (e for e in before if actor.get(e["auditID"]) in usual and e["verb"] not in ("create", "delete"))
        out += [moved(e, APART * number, str(uuid5(NAMESPACE_OID, f"{number} {e['auditID']}"))) for e in again]
    path = folder / "audit.log"
    path.write_text("".join(f"{json.dumps(event)}\n" for event in [*out, *(e for e in events if e[TIMES[0]] >= came)]))
    return path, {audit_id for audit_id, who in actor.items() if who == stranger}


def moved(event: dict[str, Any], back: timedelta, audit_id: str = "") -> dict[str, Any]:
    times = {key: (datetime.fromisoformat(event[key]) - back).strftime("%Y-%m-%dT%H:%M:%S.%fZ") for key in TIMES}
    return {**event, **times, **({"auditID": audit_id} if audit_id else {})}


def judged(path: Path, rules: RuleSet) -> Document:
    return investigate([str(path)], rules=rules, options=Options())


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("name", "stranger"), [("on_call_night", "sara_home"), ("leaked_kubeconfig_twin", "wei_hotel")]
)
def test_the_owner_at_an_address_never_seen_is_no_incident(
    name: str, stranger: str, tmp_path: Path, rules: RuleSet
) -> None:
    path, theirs = lengthened(name, stranger, tmp_path)
    document = judged(path, rules)
    assert not [incident.title.en for incident in document.incidents]
    high = [one.rule for one in document.findings if one.severity in ("high", "critical")]
    assert theirs
    assert not high


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("name", "stranger"), [("leaked_kubeconfig", "intruder"), ("two_intruders", ""), ("slow_insider", "omar")]
)
def test_an_intruder_is_found_in_a_long_log_as_in_a_short_one(
    name: str, stranger: str, tmp_path: Path, rules: RuleSet
) -> None:
    labels = json.loads((RECORDED / name / "labels.json").read_bytes())
    intruders = [who for who, one in labels["actors"].items() if one["role"] == "intruder"]
    path, _ = lengthened(name, stranger or intruders[0], tmp_path)
    theirs = {one["audit_id"] for one in labels["requests"] if one["actor"] in intruders}
    found = {audit_id for incident in judged(path, rules).incidents for audit_id in incident.audit_ids}
    assert theirs <= found
    owned = {one["audit_id"] for one in labels["requests"]}
    assert found & owned == theirs
