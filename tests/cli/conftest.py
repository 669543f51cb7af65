"""Every test of the command line runs in its own folder, in English, with a fake investigation."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.cli import pipeline
from kubewitness.rules.loader import RuleSet
from tests.cli.fake import Fake
from tests.report.small import INTRUSION


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fake:
    made = Fake(INTRUSION)
    monkeypatch.setattr("kubewitness.incident.investigate.investigate", made.investigate)
    monkeypatch.setattr(pipeline, "load_rules", lambda _folders, *, shipped: RuleSet())
    monkeypatch.setattr("kubewitness.cli.investigate.anything_there", lambda _paths: True)
    monkeypatch.chdir(tmp_path)
    for name in ("LC_ALL", "LC_MESSAGES", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1666580000")
    return made
