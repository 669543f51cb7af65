"""`--indicators` and `--no-indicators`: what is looked for, and what is said about lists that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kubewitness.cli.main import program
from kubewitness.detect.indicators.pack import shipped
from tests.cli.fake import Fake
from tests.sources.reading import event


def _run(*args: str) -> Result:
    return CliRunner().invoke(program, ["investigate", *args])


def test_the_shipped_pack_is_looked_for_unless_it_is_left_out(fake: Fake) -> None:
    _run("audit.log")
    _run("audit.log", "--no-indicators")
    first, second = (call[2].indicators for call in fake.calls)
    assert first.indicators == shipped().indicators
    assert second.indicators == ()


def test_lists_of_the_users_are_added_and_their_bad_lines_told(fake: Fake, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("45.9.148.77\nnot one\n\x1b[31mnor this\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "x.csv").write_text("type,value\ndomain,c2.example\n")
    result = _run("audit.log", "--no-indicators", "--indicators", "mine.txt", "--indicators", "more")
    ((_, _, options, _),) = fake.calls
    assert [one.value for one in options.indicators.indicators] == ["45.9.148.77", "c2.example"]
    assert "2 lines of the indicator lists could not be used" in result.stderr
    assert "mine.txt:2: " in result.stderr
    assert "\x1b" not in result.stderr
    assert result.exit_code == _run("audit.log").exit_code, "never fatal"


def test_a_list_that_is_not_there_is_a_wrong_call(fake: Fake) -> None:
    result = _run("audit.log", "--indicators", "gone.txt")
    assert result.exit_code == 2
    assert "gone.txt: no such file" in result.stderr
    assert fake.calls == []


@pytest.mark.parametrize(("form", "said"), [("text", "and 1 indicator."), ("md", "and 1 indicator.")])
def test_the_report_says_how_many_were_looked_for(
    form: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("audit.log").write_bytes(event())
    Path("mine.txt").write_text("45.9.148.77\nnot one\n")
    call = ("audit.log", "--workers", "1", "--quiet", "--no-indicators", "--indicators", "mine.txt")
    assert said in " ".join(_run(*call, "--format", form).stdout.split())
    assert "mine.txt:2: " in _run(*call, "--format", form).stdout
    coverage = json.loads(_run(*call, "--format", "json").stdout)["coverage"]
    assert coverage["indicators_loaded"] == 1
    assert coverage["indicators_failed"][0].startswith("mine.txt:2: ")
