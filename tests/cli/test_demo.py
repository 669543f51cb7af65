"""`kubewitness demo`: the shipped scenario from end to end, once really and once with a fake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from kubewitness.cli.demo import read_scenario
from kubewitness.cli.main import program
from kubewitness.model.errors import ContentError
from kubewitness.report.formats import FORMATS, Format
from tests.cli.fake import Fake
from tests.report.small import INTRUSION


def test_the_demo_finds_the_intrusion_and_writes_the_page(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kubewitness", "demo", "--lang", "en"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode == 0
    assert "[CRITICAL]" in done.stdout
    assert "ClusterRoleBinding cluster-system-anonymous" in done.stdout  # though the intruder deleted it
    assert "203.0.113.77" in done.stdout
    page = tmp_path / "kubewitness-demo.html"
    assert str(page) in done.stdout
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_demo_that_finds_nothing_fails(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "html", Format("html", ".html", lambda document, view: b""))
    assert CliRunner().invoke(program, ["demo"]).exit_code == 0
    fake.answer = msgspec.structs.replace(INTRUSION, incidents=())
    assert CliRunner().invoke(program, ["demo"]).exit_code == 3


def test_the_demo_says_that_it_is_reconstructed(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "html", Format("html", ".html", lambda document, view: b""))
    CliRunner().invoke(program, ["demo", "--lang", "zh"])
    label = fake.calls[0][2].label
    assert label is not None
    assert label.en
    assert label.zh


@pytest.mark.parametrize("text", ["", "title: x", "title: {en: a}", "[", "title: {en: a, zh: b}"])
def test_a_broken_scenario_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scenario.yml"
    path.write_text(text)
    with pytest.raises(ContentError, match=r"scenario\.yml: not a scenario"):
        read_scenario(path)
