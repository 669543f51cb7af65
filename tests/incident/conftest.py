"""The shipped rules, loaded once; a short way from a log to its document."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.document import Document
from kubewitness.rules.loader import RuleSet, shipped_rules
from tests.incident.logs import Log

Investigate = Callable[[Log], Document]


@pytest.fixture(scope="session")
def rules() -> RuleSet:
    return shipped_rules()


@pytest.fixture
def judged(tmp_path: Path, rules: RuleSet) -> Investigate:
    def judge(log: Log) -> Document:
        return investigate([log.write(tmp_path / "audit.log")], rules=rules, options=Options())

    return judge
