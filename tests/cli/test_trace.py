"""Claims about `kubewitness trace`: it answers from a report alone, and a wrong name comes with ones that exist."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.shell_completion import ShellComplete

from kubewitness.cli.main import program
from tests.report.test_tracing import document


def call(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        program(list(words))
    code = ended.value.code
    return code if isinstance(code, int) else 0


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    path.write_bytes(msgspec.json.encode(document()))
    return path


def test_the_way_back_is_printed(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("trace", str(report), "--from", "pid:4411@node2", "--lang", "en") == 0
    printed = capsys.readouterr().out
    assert "request a-1 → daemonsets" in printed
    assert "What came of it" in printed


def test_json_has_the_same(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("trace", str(report), "--from", "pid:4411@node2", "--format", "json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["origin"] == 1
    assert found["back"][0]["link"] == "links/request_names_object"


def test_an_unknown_name_is_told_with_known_ones(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("trace", str(report), "--from", "pid:1@nowhere") == 2
    assert "pid:4411@node2" in capsys.readouterr().err


def test_what_is_no_report_is_no_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text("{}")
    assert call("trace", str(tmp_path / "x.json"), "--from", "step:1") == 3
    assert call("trace", str(tmp_path / "none.json"), "--from", "step:1") == 2
    assert "no such file" in capsys.readouterr().err


def test_a_bare_name_is_answered_with_what_bears_it(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("trace", str(report), "--from", "4411") == 2
    assert "did you mean pid:4411@node2?" in capsys.readouterr().err


def test_only_what_came_of_it_is_printed_if_asked_for(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("trace", str(report), "--from", "pod:kube-controller-x7", "--forward", "--lang", "en") == 0
    printed = capsys.readouterr().out
    assert "What came of it" in printed
    assert "Back to" not in printed


def test_a_shell_is_offered_what_the_report_knows(report: Path) -> None:
    complete = ShellComplete(program, {}, "kubewitness", "_KUBEWITNESS_COMPLETE")
    offered = [one.value for one in complete.get_completions(["trace", str(report), "--from"], "pid:")]
    assert offered == ["pid:4411@node2", "pid:99@node2"]
    kinds = [one.value for one in complete.get_completions(["trace", "--from"], "p")]
    assert kinds == ["pid:", "pod:"]
    assert not complete.get_completions(["trace", "nowhere.json", "--from"], "p")
