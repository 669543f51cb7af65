"""What could not be seen is said out loud: files of several machines that lie in one folder."""

from __future__ import annotations

from pathlib import Path

from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.text import Text
from kubewitness.rules.loader import RuleSet
from tests.incident.conftest import Investigate
from tests.incident.logs import Log

LOGIN = "Nov 20 03:59:12 {} sshd[812]: Accepted password for root from 192.0.2.1 port 9 ssh2\n"


def limitations(folder: Path, rules: RuleSet, names: tuple[str, ...]) -> tuple[Text, ...]:
    flat = folder / "nodes" / "dump"
    flat.mkdir(parents=True)
    for number, name in enumerate(names):
        (flat / f"auth{number}.log").write_text(LOGIN.format(name))
    return investigate([str(folder)], rules=rules, options=Options()).coverage.limitations


def test_files_of_several_machines_in_one_folder_are_told_with_what_to_do(tmp_path: Path, rules: RuleSet) -> None:
    (told,) = [one for one in limitations(tmp_path, rules, ("node1", "node2")) if "several machines" in one.en]
    assert told.en.startswith("The files in dump seem to be of several machines")
    assert "Put each machine's into a folder of its own." in told.en
    assert told.zh.startswith("dump 中的文件似乎来自多台机器")


def test_files_of_one_machine_are_not(tmp_path: Path, rules: RuleSet) -> None:
    assert not any("several machines" in one.en for one in limitations(tmp_path, rules, ("node1", "node1")))


def test_where_there_is_no_audit_log_none_is_called_too_short(
    tmp_path: Path, rules: RuleSet, judged: Investigate
) -> None:
    assert not any("too short" in one.en for one in limitations(tmp_path, rules, ("node1",)))
    log = Log()
    log.admin("list", "pods", at="09:00")
    assert any("too short" in one.en for one in judged(log).coverage.limitations)


def test_only_what_events_came_from_counts_as_a_format(tmp_path: Path, rules: RuleSet) -> None:
    log = Log()
    log.admin("list", "pods", at="09:00")
    (tmp_path / "audit.log").write_bytes(b"\n".join(log.lines()))
    (tmp_path / "notes.txt").write_text("nothing in here is an event\n")
    found = investigate([str(tmp_path)], rules=rules, options=Options()).coverage
    assert list(found.formats.values()) == [1]
