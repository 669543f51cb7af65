"""Every shipped rule does what the test rows beside it say; both engines agree on every row."""

from __future__ import annotations

import pytest

from kubewitness.rules.compile import compile_node
from kubewitness.rules.ir import CorrelationRule, Rule
from kubewitness.rules.loader import RuleSet, content_folder, shipped_rules
from tests.content.rows import failures, read_rows, rows_file
from tests.rules.naive import matches

RULES: RuleSet = shipped_rules()


@pytest.mark.parametrize("rule", [*RULES.rules, *RULES.host_rules, *RULES.correlations], ids=lambda rule: rule.id)
def test_rows(rule: Rule | CorrelationRule) -> None:
    assert list(failures(rule, RULES)) == []


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_the_fast_engine_judges_every_row_as_the_naive_one(rule: Rule) -> None:
    fast = compile_node(rule.condition)
    for row in read_rows(rows_file(rule)):
        assert [fast(event) for event in row.events] == [matches(rule.condition, event) for event in row.events]


def test_every_file_of_rows_belongs_to_a_rule() -> None:
    known = set(map(rows_file, (*RULES.rules, *RULES.host_rules))) | set(map(rows_file, RULES.correlations))
    rows = {path for name in ("detections", "correlations") for path in (content_folder() / name).rglob("*.test.yml")}
    assert rows - known == set()
