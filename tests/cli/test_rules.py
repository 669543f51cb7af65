"""`kubewitness rules`: list, show, lint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kubewitness.cli import rules as command
from kubewitness.cli.main import program
from kubewitness.rules.loader import RuleSet, load_rules

GOOD = """title: Somebody reads a Secret
status: experimental
description: Reading secrets.
logsource: {product: kubernetes, service: audit}
detection:
  selection: {verb: get, objectRef.resource: secrets}
  condition: selection
level: high
tags: [attack.credential-access, attack.t1552.007]
"""

MACHINE = """title: Somebody fetches
logsource: {product: linux, category: process_creation}
detection:
  s: {Image|endswith: /curl}
  condition: s
"""


@pytest.fixture(autouse=True)
def only_own_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped pack is large and changes; what is tested here is the command."""

    def load(folders: list[Path], *, shipped: bool = False) -> RuleSet:
        return load_rules(folders)

    monkeypatch.setattr(command, "load_rules", load)
    monkeypatch.setattr(command, "descriptions", lambda _folder: {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret_read.yml").write_text(GOOD)
    return tmp_path


def _run(*args: str | Path) -> Result:
    return CliRunner().invoke(program, ["rules", *map(str, args)])


def test_rules_are_listed(folder: Path) -> None:
    result = _run("list", "--rules", folder)
    assert result.exit_code == 0
    assert "high" in result.stdout
    assert "secret_read" in result.stdout
    assert result.stdout.endswith("1 rule\n")


@pytest.mark.parametrize(("technique", "count"), [("T1552", 1), ("t1552.007", 1), ("T155", 0), ("T1098", 0)])
def test_techniques_filter_with_their_sub_techniques(folder: Path, technique: str, count: int) -> None:
    result = _run("list", "--rules", folder, "--technique", technique, "--format", "json")
    assert len(json.loads(result.stdout)) == count


def test_a_rule_is_shown_with_its_text(folder: Path) -> None:
    result = _run("show", "secret_read", "--rules", folder, "--lang", "en")
    assert result.exit_code == 0
    assert "T1552.007 Container API" in result.stdout
    assert "condition: selection" in result.stdout


def test_an_unknown_rule_is_a_wrong_call_that_helps(folder: Path) -> None:
    result = _run("show", "secret", "--rules", folder)
    assert result.exit_code == 2
    assert "did you mean secret_read" in result.stderr


def test_lint_of_good_rules_ends_with_0(folder: Path) -> None:
    result = _run("lint", folder)
    assert (result.exit_code, result.stdout) == (0, "1 rule loaded, 0 problems, 0 skipped\n")


def test_lint_names_file_and_line_of_a_bad_rule(folder: Path) -> None:
    (folder / "bad.yml").write_text(GOOD.replace("verb: get", "verb|fuzzy: get"))
    result = _run("lint", folder)
    assert result.exit_code == 1
    assert f"{folder}/bad.yml:" in result.stdout
    assert "1 rule loaded, 1 problem" in result.stdout


def test_the_standard_of_the_pack_is_asked_for_only_on_wish(folder: Path) -> None:
    assert _run("lint", folder).exit_code == 0
    assert _run("lint", folder, "--pack").exit_code == 1


def test_a_missing_folder_is_a_wrong_call(tmp_path: Path) -> None:
    assert _run("lint", tmp_path / "none").exit_code == 2


def test_rules_about_machines_are_listed_shown_and_checked(folder: Path) -> None:
    (folder / "curl.yml").write_text(MACHINE)
    assert "curl" in _run("list", "--rules", str(folder)).stdout
    assert "Somebody fetches" in _run("show", "curl", "--rules", str(folder)).stdout
    assert _run("lint", str(folder)).stdout.splitlines()[-1] == "2 rules loaded, 0 problems, 0 skipped"
    (folder / "curl.yml").write_text(MACHINE.replace("Image|", "Imgae|"))
    result = _run("lint", str(folder))
    assert result.exit_code == 1
    assert "curl.yml:4: Imgae|endswith: process_creation has no field 'Imgae'" in result.stdout
