"""Each lint finds its fault with the line, and the shipped pack has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.rules.attack import technique, techniques
from kubewitness.rules.lint import lint
from kubewitness.rules.loader import load_rules, shipped_rules

GOOD = """\
title: A title
name: folder/rule
description: Something happens.
tags: [attack.execution, attack.t1610]
logsource: {product: kubernetes, service: audit}
detection:
  made: {verb: create, objectRef.resource: pods}
  ours: {user.kind: controlPlane}
  condition: made and not ours
falsepositives: [Somebody tests it.]
level: high
kubewitness:
  confidence: high
  kind: intrusion
  runbook: Look at the pod.
  zh:
    title: 标题
    description: 发生了某事，需要查看。
    runbook: 查看该 Pod。
    falsepositives: [有人在测试。]
"""
ROWS = "match: [{why: a, event: {}}]\nnear_miss: [{why: b, event: {}}, {why: c, event: {}}]\n"


def issues(folder: Path, text: str, rows: str | None = ROWS) -> list[str]:
    place = folder / "folder"
    place.mkdir(exist_ok=True)
    (place / "rule.yml").write_text(text, encoding="utf-8")
    if rows is not None:
        (place / "rule.test.yml").write_text(rows, encoding="utf-8")
    return [str(issue).removeprefix(f"{place}/") for issue in lint(load_rules([folder]))]


def test_a_good_rule_has_no_issue(tmp_path: Path) -> None:
    assert issues(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "issue"),
    [
        ("name: folder/rule", "name: rule", "rule.yml:2: name is path: the name must be the path"),
        ("attack.t1610", "attack.t9999", "rule.yml:4: technique: ATT&CK has no technique T9999"),
        ("attack.t1610", "attack.x", "rule.yml:4: technique: tags name no ATT&CK technique"),
        ("level: high\n", "", "rule.yml:1: judgement: level is not given"),
        ("  confidence: high\n", "", "rule.yml:12: judgement: confidence is not given"),
        ("falsepositives: [Somebody tests it.]\n", "falsepositives: []\n", "guidance: no falsepositives"),
        ("  runbook: Look at the pod.\n", "", "guidance: no runbook"),
        ("    title: 标题\n", "", "rule.yml:16: both languages: no Chinese title"),
        ("    title: 标题", "    title: Title", "rule.yml:17: both languages: no Chinese title"),
        ("某事，", "某事, ", "rule.yml:18: both languages: half-width mark after Chinese: '事,'"),
        (
            "[有人在测试。]",
            "[有人在测试。, 又]",
            "rule.yml:20: both languages: 1 falsepositives in English, 2 in Chinese",
        ),
        ("made and not ours", "made", "rule.yml:8: unused detection: the condition does not use 'ours'"),
        (
            "{verb: create, objectRef.resource: pods}",
            "{podSpec.privileged: true}",
            "rule.yml:9: cheap part: asks nothing",
        ),
        (
            "{verb: create, objectRef.resource: pods}",
            "{request.succeeded: true}",
            "rule.yml:9: cheap part: asks nothing",
        ),
        ("user.kind: controlPlane", "user.knd: x", "rule.yml:8: load: user.knd: no audit event has a field 'user.knd'"),
    ],
)
def test_a_fault_is_found_with_its_place(old: str, new: str, issue: str, tmp_path: Path) -> None:
    assert old in GOOD
    found = issues(tmp_path, GOOD.replace(old, new))
    assert any(issue in text for text in found), found


def test_a_rule_may_look_at_every_event_if_it_says_why(tmp_path: Path) -> None:
    broad = GOOD.replace("{verb: create, objectRef.resource: pods}", "{podSpec.privileged: true}")
    assert issues(tmp_path, broad.replace("  confidence:", "  broad: Any object may carry a pod.\n  confidence:")) == []


@pytest.mark.parametrize(
    ("rows", "issue"),
    [
        (None, "cannot be read"),
        (ROWS.replace(", {why: c, event: {}}", ""), "has 1 rows under near_miss, needs 2"),
        ("match: []\n" + ROWS[ROWS.index("near") :], "has 0 rows under match, needs 1"),
    ],
)
def test_test_rows_are_demanded(rows: str | None, issue: str, tmp_path: Path) -> None:
    found = issues(tmp_path, GOOD, rows)
    assert len(found) == 1
    assert issue in found[0]


def test_the_shipped_pack_has_no_issue() -> None:
    assert [str(issue) for issue in lint(shipped_rules())] == []


def test_the_technique_table_gives_names_and_tactics_and_lives_with_unknown_ids() -> None:
    assert technique("T1610").name == "Deploy Container"
    assert "execution" in technique("T1610").tactics
    assert technique("T0000").name == ""
    assert len(techniques()) > 400
