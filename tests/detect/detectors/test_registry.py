"""All detectors: their descriptions are complete, they are quiet on benign days, they survive odd evidence."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.detect.detection import detections
from kubewitness.detect.detectors.interface import described
from kubewitness.detect.detectors.registry import typed_detections
from kubewitness.detect.run import scan
from kubewitness.evidence.opening import walk
from kubewitness.model.judgement import SEVERITIES
from kubewitness.rules.documents import read_documents
from kubewitness.rules.lint import lint_rule
from kubewitness.rules.loader import content_folder
from tests.detect.detectors.evidence import pack, scanned

NAMES = sorted(path.stem for path in (content_folder() / "detectors").glob("*.yml"))


@pytest.mark.parametrize("name", NAMES)
def test_descriptions_are_held_to_the_standard_of_rules(name: str) -> None:
    rule = described(name)
    issues = [str(issue) for issue in lint_rule(rule) if issue.check not in ("test rows", "cheap part")]
    assert issues == []
    assert rule.fields
    assert read_documents(rule.path)[0].value["name"] == rule.id


def test_every_description_is_used() -> None:
    folder = Path(__file__).parents[3] / "src" / "kubewitness" / "detect" / "detectors"
    source = "".join(path.read_text() for path in folder.glob("*.py"))
    assert [name for name in NAMES if f'"{name}"' not in source] == []


@pytest.mark.parametrize("scenario", ["benign_day", "rbac_buster"])
def test_a_benign_day_has_nothing_new_or_typed_above_low(scenario: str) -> None:
    path = content_folder() / "scenarios" / scenario / "audit.log.gz"
    rules, matcher = pack()
    result = scan(list(walk([str(path)], None)), rules, matcher, 1, lambda _bytes, _events: None)
    new = [one for one in detections(result, rules.rules) if getattr(one.rule, "first_seen", None)]
    loud = [one for one in (*new, *typed_detections(result)) if SEVERITIES.index(one.rule.severity) > 1]
    if scenario == "benign_day":
        assert loud == []
    else:  # the same day with an intruder: what is found is the intruder's
        assert {one.address for one in loud} <= {"203.0.113.77"}


def test_an_empty_log_has_nothing(tmp_path: Path) -> None:
    assert typed_detections(scanned(tmp_path, [])) == []
