"""A whole node: made up, and this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kubewitness.collect import node, plan
from kubewitness.collect.node import Options, Result, Stop
from kubewitness.collect.plan import Run
from kubewitness.evidence.opening import walk
from kubewitness.model.text import Text
from kubewitness.sources.host.hosts import read_hosts
from tests.collect.machine import build
from tests.collect.reading import omitted, proven, unpacked


def collected(root: Path, folder: Path, stop: Stop | None = None, **options: object) -> tuple[Result, Path]:
    chosen = Options(root=str(root), **options)  # type: ignore[arg-type]
    target = folder / "node.tar.zst"
    about = node.header(chosen, 1_600_000_000.0)
    return node.collect(chosen, target, about, stop or Stop(100)), target


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    return build(tmp_path / "root")


def test_a_mounted_file_system_is_collected_with_what_its_units_point_to(machine: Path, tmp_path: Path) -> None:
    done, target = collected(machine, tmp_path)
    members, records = proven(target)
    wanted = (
        "etc/crontab", "etc/ld.so.preload", "etc/kubernetes/manifests/web.yaml", "etc/systemd/system/kubelet.service",
        "etc/systemd/system/kubelet.service.d/10-x.conf", "opt/kubelet.env", "opt/kubelet.yaml",
        "opt/static/miner.yaml",
        "root/.ssh/authorized_keys", "root/.bash_history", "srv/worker/.bash_history", "var/log/auth.log", "tmp/.x1mr",
        "tmp/run.sh",
    )  # fmt: skip
    assert [name for name in wanted if members.get(f"[root]/{name}") != (machine / name).read_bytes()] == []
    assert records[0]["host"] == "node-7"
    assert records[0]["machine_id"] == "0123456789abcdef0123456789abcdef"
    assert done.complete
    assert not any(record["record"] == "command" for record in records)  # they would tell of another machine


def test_no_secret_is_anywhere_in_the_archive(machine: Path, tmp_path: Path) -> None:
    _, target = collected(machine, tmp_path)
    everything = b"".join(unpacked(target).values())
    for secret in (b"abcdefghijklmnop", b"MC4CAQAwBQYDK2Vw", b"$6$salt"):
        assert secret not in everything
    assert b"    token: REDACTED-REDACTE\n" in unpacked(target)["[root]/etc/kubernetes/admin.conf"]
    assert {"/etc/kubernetes/pki/ca.key"} <= set(omitted(proven(target)[1]))


def test_temporary_folders_are_listed_with_sums_and_only_scripts_copied(machine: Path, tmp_path: Path) -> None:
    _, target = collected(machine, tmp_path)
    members, _ = proven(target)
    listing = {
        line["path"]: line for line in map(json.loads, members["live_response/files/listing.jsonl"].splitlines())
    }
    assert {"/tmp/.x1mr", "/tmp/run.sh", "/tmp/notes", "/var/tmp/prog"} <= set(listing)
    assert len(listing["/var/tmp/prog"]["sha256"]) == 64
    assert "[root]/tmp/notes" not in members


def test_settings_of_containers_are_copied_without_values_of_variables(machine: Path, tmp_path: Path) -> None:
    settings = "run/containerd/io.containerd.runtime.v2.task/k8s.io/" + "a" * 64 + "/config.json"
    (machine / settings).parent.mkdir(parents=True)
    (machine / settings).write_text('{"process":{"args":["sh"],"env":["DB=hunter22"]},"mounts":[{"source":"/"}]}')
    _, target = collected(machine, tmp_path)
    kept = json.loads(proven(target)[0][f"[root]/{settings}"])
    assert kept == {"process": {"args": ["sh"], "env": ["DB=REDACTED"]}, "mounts": [{"source": "/"}]}


def test_our_own_readers_find_the_archive_whole_and_everything_in_it(machine: Path, tmp_path: Path) -> None:
    for name in (b"a\nb.sh", b"\x1b[2J.sh", b"\xff\xfe.sh", b"!x!.sh", b"n" * 252 + b".sh"):
        Path(os.fsdecode(bytes(machine / "tmp") + b"/" + name)).write_text("#!/bin/sh\n")
    _, target = collected(machine, tmp_path)
    evidence = read_hosts(walk([str(target)]), 2026)
    assert [failure.reason for failure in evidence.failures] == []
    [host] = evidence.hosts
    assert host.name == "node-7"
    paths = {file.path for file in host.files}
    assert {"/etc/ld.so.preload", "/opt/kubelet.yaml", "/root/.ssh/authorized_keys"} <= paths
    assert {"/tmp/a\\x0ab.sh", "/tmp/\\x1b[2J.sh", "/tmp/\\xff\\xfe.sh"} <= {entry.path for entry in host.listing}


def test_nothing_on_the_machine_is_changed(machine: Path, tmp_path: Path) -> None:
    def state() -> dict[str, tuple[int, ...]]:
        paths = [machine, *sorted(machine.rglob("*"))]
        told = {str(path): path.lstat() for path in paths}
        return {name: (one.st_mtime_ns, one.st_ctime_ns, one.st_size, one.st_mode) for name, one in told.items()}

    before = state()
    collected(machine, tmp_path)
    assert state() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["node.tar.zst", "root"]


def test_time_that_is_up_ends_it_with_a_manifest_that_says_so(machine: Path, tmp_path: Path) -> None:
    done, target = collected(machine, tmp_path, Stop(0))
    _, records = proven(target)
    assert (done.complete, done.out_of_time, done.interrupted) == (False, True, False)
    assert records[-1]["complete"] is False
    assert omitted(records)["Configuration"] == "time was up"


def test_an_interruption_ends_it_with_what_there_is(machine: Path, tmp_path: Path) -> None:
    stop = Stop(100)

    def progress(title: Text, number: int, count: int, written: int) -> None:
        if title.en == "Journal":
            stop.ask()

    options = Options(root=str(machine))
    done = node.collect(options, tmp_path / "node.tar.zst", node.header(options, 0.0), stop, progress)
    members, records = proven(tmp_path / "node.tar.zst")
    assert done.interrupted
    assert not done.complete
    assert "[root]/etc/crontab" in members
    assert omitted(records)["Logs"] == "interrupted"


def test_a_piece_that_fails_costs_only_itself(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("odd")

    monkeypatch.setattr("kubewitness.collect.network.take_tables", broken)
    done, target = collected(machine, tmp_path)
    members, records = proven(target)
    assert done.failed == ("Sockets",)
    assert not done.complete
    assert "failed: ValueError" in omitted(records)["Sockets"]
    assert "[root]/etc/crontab" in members


def test_sockets_are_taken_before_every_number_is_asked_and_a_hidden_process_own_network_after(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pid, net in ((1, 10), (2, 10), (3, 11)):  # the listing has 1; 2 is hidden in its network, 3 in its own
        (machine / f"proc/{pid}/net").mkdir(parents=True)
        (machine / f"proc/{pid}/ns").mkdir()
        (machine / f"proc/{pid}/ns/net").symlink_to(f"net:[{net}]")
        (machine / f"proc/{pid}/stat").write_text(f"{pid} (one) S 0 " + "0 " * 40)
        (machine / f"proc/{pid}/net/tcp").write_text(f"of {pid}")
    monkeypatch.setattr("kubewitness.collect.processes.Proc.listed", lambda _: {1})

    def hidden(*_: object) -> set[int]:
        (machine / "proc/1/net/tcp").write_text("later")
        return {2, 3}

    monkeypatch.setattr("kubewitness.collect.processes.Proc.hidden", hidden)
    done, target = collected(machine, tmp_path)
    members, _ = proven(target)
    assert done.hidden == (2, 3)
    tables = {name: data for name, data in members.items() if name.endswith("/tcp")}
    assert tables == {"live_response/network/net/10/tcp": b"of 1", "live_response/network/net/11/tcp": b"of 3"}


def test_the_limit_of_size_is_kept(machine: Path, tmp_path: Path) -> None:
    (machine / "var/log/messages").write_bytes(os.urandom(3_000_000))
    done, target = collected(machine, tmp_path, max_size=2_000_000)
    _, records = proven(target)
    assert target.stat().st_size < 2_000_000
    assert done.written.full
    assert "/var/log/messages" in omitted(records)


def test_this_machine_is_collected_and_the_deleted_program_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NETWORK", "SYSTEM", "RUNTIME", "SERVICES"):
        monkeypatch.setattr(plan, name, ())
    monkeypatch.setattr(plan, "VOLATILE", (Run("network", ("ss", "-tunap")), Run("x", ("no-such-program", "a b"))))
    monkeypatch.setattr(plan, "journal", lambda _: ())
    monkeypatch.setattr(plan, "TEMPORARY", (str(tmp_path),))
    program = tmp_path / "kinsing"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    running = subprocess.Popen([str(program), "60"])
    time.sleep(0.2)
    content = program.read_bytes()
    program.unlink()
    try:
        options = Options(max_time=60)
        done = node.collect(options, tmp_path / "m.tar.zst", node.header(options, time.time()), Stop(60))
    finally:
        running.kill()
        running.wait()
    members, records = proven(tmp_path / "m.tar.zst")
    processes = [json.loads(line) for line in members["live_response/process/processes.jsonl"].splitlines()]
    [found] = [one for one in processes if one["pid"] == running.pid]
    assert found["exe"].endswith("kinsing (deleted)")
    assert members[f"recovered/{found['sha256']}"] == content
    [own] = [one for one in processes if one["pid"] == os.getpid()]
    assert members[f"live_response/network/net/{own['namespaces']['net']}/tcp"].startswith(b"  sl  local_address")
    commands = {tuple(one["argv"]): one for one in records if one["record"] == "command"}
    assert commands["no-such-program", "a b"]["exit_code"] == 127
    assert done.missing >= 1
    assert done.hidden == ()
    assert records[0]["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert sys.platform == "linux"
