"""What was read of rule files is used again only if nothing has changed and nobody else could have made it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from kubewitness.rules import cache
from kubewitness.rules.loader import RuleSet, load_rules, shipped_rules

RULE = """\
title: A verb
logsource: {product: kubernetes, service: audit}
detection:
  one: {verb: %s}
  condition: one
level: low
"""


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder that does not exist yet."""
    folder = tmp_path / "made" / "cache"
    monkeypatch.setenv("KUBEWITNESS_CACHE", str(folder))
    return folder


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "one.yml").write_text(RULE % "get")
    return folder


def load(folder: Path) -> RuleSet:
    return load_rules([folder])


def entry(folder: Path) -> Path:
    (only,) = folder.glob("*.rules")
    return only


def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on reading a rule file is an error."""

    def fail(*_: object) -> None:
        raise AssertionError("a rule file was read")

    monkeypatch.setattr("kubewitness.rules.rule_file.parse_file", fail)


def test_the_shipped_rules_come_back_equal_and_unread(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shipped_rules()
    unread(monkeypatch)
    assert shipped_rules() == first
    assert {path.stat().st_mode & 0o777 for path in kept.iterdir()} == {0o600}


def test_a_start_with_kept_rules_loads_no_parser(kept: Path) -> None:
    shipped_rules()
    code = (
        "import sys, kubewitness.cli.investigate as _; from kubewitness.rules.loader import shipped_rules;"
        "print(len(shipped_rules().rules), {'sigma', 'yaml', 'rich.console', 'jinja2'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1)[1] == "set()\n", kept


def test_a_changed_rule_is_read_anew(kept: Path, rules: Path) -> None:
    before = load(rules)
    (rules / "one.yml").write_text(RULE % "put")
    after = load(rules)
    assert after != before
    assert len(list(kept.glob("*.rules"))) == 2


def test_a_changed_program_reads_anew(kept: Path, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(rules)
    monkeypatch.setattr(cache, "_program", lambda: b"another version")
    unread(monkeypatch)
    with pytest.raises(AssertionError, match="was read"):
        load(rules)


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "other", "open to others", "link", "folder"])
def test_an_entry_that_cannot_be_trusted_is_as_good_as_none(
    damage: str, kept: Path, rules: Path, tmp_path: Path
) -> None:
    before = load(rules)
    place = entry(kept)
    content = place.read_bytes()
    match damage:
        case "flipped":
            place.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "cut":
            place.write_bytes(content[:-9])
        case "empty":
            place.write_bytes(b"")
        case "other":
            place.write_bytes(hashlib.sha256(b"\xc0").digest() + b"\xc0")
        case "open to others":
            place.chmod(0o666)
        case "link":
            place.rename(tmp_path / "elsewhere")
            place.symlink_to(tmp_path / "elsewhere")
        case _:
            place.unlink()
            place.mkdir()
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        unread(patch)
        with pytest.raises(AssertionError, match="was read"):
            load(rules)
    assert load(rules) == before


def test_rules_with_errors_complain_every_time(kept: Path, rules: Path) -> None:
    (rules / "two.yml").write_text("title: [")
    assert load(rules).errors
    assert str(load(rules).errors[0]) == str(load(rules).errors[0])
    assert not list(kept.glob("*"))


def test_where_nothing_can_be_written_rules_are_read_each_time(
    rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for place in ("", str(tmp_path / "file" / "below")):
        monkeypatch.setenv("KUBEWITNESS_CACHE", place)
        assert load(rules).rules


def test_the_folder_does_not_grow_for_ever(kept: Path, rules: Path) -> None:
    for number in range(20):
        (rules / "one.yml").write_text(RULE % f"v{number}")
        load(rules)
    assert len(list(kept.iterdir())) <= 12
