"""Our own archives: whether they are whole, and what the collector knows about the machine."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import tarfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from kubewitness.evidence.opening import walk
from kubewitness.model.collection import FORMAT, PROCESSES, Command, End, Header, Item, Omitted, ProcessRecord
from kubewitness.sources.host import recognise
from kubewitness.sources.host.hosts import HostEvidence, read_hosts
from tests.sources.host.reading import only

TOP = "kubewitness-n1-20261122T040000Z/"
HEADER = Header(
    FORMAT, "kubewitness 0.2.0", "n1", "2026-11-22T04:00:00Z", "5.15.0", "b00t", zone="+0800", clock_synchronised=True
)
INIT = ProcessRecord(1, 0, "init", ("/sbin/init",), "S", 0, namespaces={"net": "9"}, files=("3 socket:[1578]",))
ROW = "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1578 1 0\n"
FILES: dict[str, bytes] = {
    PROCESSES: msgspec.json.encode(INIT) + b"\n",
    "live_response/network/net/9/tcp": ROW.encode(),
    "live_response/network/ip_-j_addr.txt": b'[{"ifindex":1,"ifname":"lo"}]',
    "live_response/process/ps_lstart.txt": b"USER PID PPID STARTED COMMAND\n"
    b"root 1 0 Sun Nov 22 08:00:00 2026 /sbin/init\n",
    "[root]/etc/hostname": b"other\n",
    "[root]/tmp/notes": b"hello\n",
    "recovered/" + "c" * 64: b"\x7fELF" + bytes(60),
}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def manifest(
    files: Mapping[str, bytes], *more: object, header: Header = HEADER, end: bool = True, hashes: bool = True
) -> bytes:
    records = [header, *(Item(path, len(data), sha(data) if hashes else "") for path, data in files.items()), *more]
    body = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    last = End("2026-11-22T04:01:00Z", len(files), sha(body) if hashes else "")
    return body + (msgspec.json.encode(last) + b"\n" if end else b"")


def packed(members: Mapping[str, bytes], top: str = TOP) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(top + name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), 1)


def whole(*more: object, header: Header = HEADER, files: Mapping[str, bytes] = FILES) -> dict[str, bytes]:
    return {**files, "manifest.jsonl": manifest(files, *more, header=header)}


def read(tmp_path: Path, members: Mapping[str, bytes], name: str = "x.tar.gz") -> HostEvidence:
    (tmp_path / name).write_bytes(packed(members))
    return read_hosts(walk([str(tmp_path)]), 2026)


def reasons(evidence: HostEvidence) -> list[str]:
    return [failure.reason for failure in evidence.failures]


def test_a_whole_archive_is_one_machine_and_nothing_in_it_is_unknown(tmp_path: Path) -> None:
    evidence = read(tmp_path, whole())
    host = only(evidence)
    assert reasons(evidence) == []
    assert (host.name, host.kernel, host.boot_id, host.collected) == ("n1", "5.15.0", "b00t", "2026-11-22T04:00:00Z")
    assert len(evidence.items) == len(FILES) + 1
    kinds = {name.partition("!" + TOP)[2]: kind for name, kind in evidence.items.items()}
    assert kinds["live_response/network/ip_-j_addr.txt"] == "addresses"
    assert kinds["[root]/tmp/notes"] == "other file"
    assert kinds["recovered/" + "c" * 64] == "executable"
    assert {file.path for file in host.files} == {"/etc/hostname", "/tmp/notes"}
    assert [socket.owners for socket in host.sockets] == [(("init", 1),)]
    assert len(evidence.executables) == 1


def test_the_collectors_zone_settles_the_wall_clock(tmp_path: Path) -> None:
    evidence = read(tmp_path, whole())
    assert {process.started for process in only(evidence).processes} == {"2026-11-22T00:00:00Z"}
    assert not any("time zone" in note.reason for note in evidence.notes)


def test_archives_of_several_nodes_are_several_machines_and_the_same_twice_is_one(tmp_path: Path) -> None:
    other = msgspec.structs.replace(HEADER, host="n2")
    second = {**FILES, PROCESSES: FILES[PROCESSES].replace(b"init", b"INIT")}
    for name, members in (("a", whole()), ("b", whole(header=other, files=second)), ("c", whole())):
        (tmp_path / f"{name}.tar.gz").write_bytes(packed(members))
    evidence = read_hosts(walk([str(tmp_path)]), 2026)
    assert [host.name for host in evidence.hosts] == ["n1", "n2"]
    assert reasons(evidence) == []


def test_what_lies_beside_an_archive_in_its_nodes_folder_is_of_the_same_machine(tmp_path: Path) -> None:
    log = b'E1122 04:00:36.670951 1 kubelet.go:1] "x" err="y"\n'
    for name, data in (("nodes/n1/a.tar.gz", packed(whole())), ("nodes/n1/kubelet.log", log)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert len(only(read_hosts(walk([str(tmp_path)]), 2026)).logs) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"[root]/tmp/notes": b"other\n"}, "changed since it was collected"),
        ({PROCESSES: FILES[PROCESSES].replace(b'"S"', b'"R"')}, "changed since it was collected"),
        ({"[root]/etc/cron.d/x": b"* * * * * root id\n"}, "not in the manifest of its archive"),
        ({"recovered/" + "c" * 64: None}, "in the manifest and not in the archive"),
        ({"[root]/tmp/notes": packed({"a": b"b"})}, "an archive itself"),
        ({"manifest.jsonl": manifest(FILES, end=False)}, "has no last line"),
        ({"manifest.jsonl": manifest(FILES).replace(b'"n1"', b'"n9"')}, "manifest was changed"),
        ({"manifest.jsonl": manifest(FILES) + b'{"record":"item","path":"x","size":1,"sha256":""}'}, "behind the man"),
        ({"manifest.jsonl": manifest(FILES).replace(b'"items":7', b'"items":8')}, "counts 8 items and names 7"),
        ({"manifest.jsonl": None}, "no manifest beside it"),
        ({"manifest.jsonl": b""}, "no manifest beside it"),
    ],
)
def test_a_tampered_archive_is_recognised(tmp_path: Path, change: dict[str, bytes | None], reason: str) -> None:
    members = {**whole(), **change}
    evidence = read(tmp_path, {name: data for name, data in members.items() if data is not None})
    assert [one for one in reasons(evidence) if reason in one], reasons(evidence)
    assert len(reasons(evidence)) == 1
    assert len(only(evidence).processes) == 1  # and is read all the same


def test_a_second_member_of_one_name_is_recognised(tmp_path: Path) -> None:
    plain = gzip.decompress(packed(whole())).rstrip(b"\0")
    plain += bytes(-len(plain) % 512)
    again = gzip.decompress(packed({"[root]/tmp/notes": b"other\n"}))
    (tmp_path / "x.tar").write_bytes(plain + again)
    evidence = read_hosts(walk([str(tmp_path)]), 2026)
    assert any("twice in the archive" in reason for reason in reasons(evidence))


def test_disagreements_without_number_are_counted(tmp_path: Path) -> None:
    files = {**FILES, **{f"[root]/tmp/{number}": b"x" for number in range(50)}}
    evidence = read(tmp_path, {**whole(), "manifest.jsonl": manifest(files)})
    assert len(evidence.failures) == 21
    assert reasons(evidence)[-1] == "30 more items do not agree with the manifest"


def test_an_archive_that_breaks_off_keeps_what_was_in_it_and_says_so(tmp_path: Path) -> None:
    data = packed({**FILES, "[root]/zz": random.Random(1).randbytes(100_000), "manifest.jsonl": manifest(FILES)})
    (tmp_path / "x.tar.gz").write_bytes(data[: len(data) // 2])
    evidence = read_hosts(walk([str(tmp_path)]), 2026)
    assert len(only(evidence).processes) == 1
    assert any("cut off" in reason for reason in reasons(evidence))


def test_an_unpacked_archive_is_verified_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, data in whole().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    assert reasons(read_hosts(walk(["."]), 2026)) == []
    (tmp_path / "[root]/etc/hostname").write_text("changed\n")
    for paths in (["."], [str(tmp_path)]):
        evidence = read_hosts(walk(paths), 2026)
        assert ["changed" in reason for reason in reasons(evidence)] == [True]
        assert only(evidence).name == "n1"


def test_an_audit_log_in_the_archive_stays_one_and_is_verified(tmp_path: Path) -> None:
    event = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"x","stage":"ResponseComplete"}\n'
    files = {**FILES, "[root]/var/log/kubernetes/audit.log": event}
    assert reasons(evidence := read(tmp_path, whole(files=files))) == []
    assert not any(name.endswith("audit.log") for name in evidence.items)
    broken = {**whole(files=files), "[root]/var/log/kubernetes/audit.log": event * 2}
    assert "changed" in reasons(read(tmp_path, broken))[0]


def test_without_a_tool_for_hashes_sizes_are_compared_and_it_is_said(tmp_path: Path) -> None:
    members = {**FILES, "manifest.jsonl": manifest(FILES, hashes=False)}
    evidence = read(tmp_path, members)
    assert reasons(evidence) == []
    assert any("no hash in the manifest" in note.reason for note in evidence.notes)
    assert "changed" in reasons(read(tmp_path, {**members, "[root]/tmp/notes": b"longer than it was"}))[0]


def test_what_the_collector_could_not_do_is_noted(tmp_path: Path) -> None:
    header = msgspec.structs.replace(HEADER, uid=1000, clock_synchronised=False)
    left = [Omitted(f"/etc/{n}.key", "private key") for n in range(3)]
    text = " | ".join(note.reason for note in read(tmp_path, whole(*left, header=header)).notes)
    assert "without root (uid 1000)" in text
    assert "clock was not synchronised" in text
    assert "left out of the archive: 3 (private key: 3)" in text
    assert "without root" not in " ".join(note.reason for note in read(tmp_path, whole()).notes)


SAVE = ("iptables-save",)


@pytest.mark.parametrize(
    ("command", "families"),
    [
        (Command(SAVE, 0), ["ip"]),  # asked, and there is nothing
        (Command(("/usr/sbin/ip6tables-nft-save",), 0), ["ip6"]),
        (Command(SAVE, 127), []),
        (Command(SAVE, 1, error="Permission denied"), []),
        (Command(SAVE, 0, timed_out=True), []),
        (Command(("iptables", "-L"), 0), []),
    ],
)
def test_only_a_packet_filter_that_answered_is_empty(tmp_path: Path, command: Command, families: list[str]) -> None:
    evidence = read(tmp_path, whole(command))
    host = only(evidence)
    assert [firewall.family for firewall in host.firewalls] == families
    assert " ".join(command.argv) in host.commands
    failed = command.exit_code != 0 or command.timed_out
    assert any("about the packet filter" in note.reason for note in evidence.notes) == failed


def test_half_a_dump_is_no_dump(tmp_path: Path) -> None:
    path = "live_response/network/iptables-save.txt"
    files = {**FILES, path: b"*filter\n:INPUT ACCEPT [0:0]\n"}
    assert only(read(tmp_path, whole(Command(SAVE, 0, path=path), files=files))).firewalls
    assert not only(read(tmp_path, whole(Command(SAVE, 1, path=path), files=files))).firewalls


@pytest.mark.parametrize(
    "first",
    [
        b'{"record":"collection","format":"other/1","tool":"x","host":"h","started":""}',
        b'{"record":"item","path":"x","size":1,"sha256":""}',
        b'{"collection":"x"}',
        b'"collection"',
    ],
)
def test_what_is_no_header_is_no_manifest(first: bytes) -> None:
    assert recognise.kind_of("a/some.jsonl", first) == ""


@pytest.mark.parametrize("line", [b"nonsense", b"[" * 9999, b'{"record":"item"}', b'{"record":"what"}', b"\xff\xfe"])
def test_a_bad_line_in_a_manifest_is_a_failure_and_costs_nothing_else(tmp_path: Path, line: bytes) -> None:
    first, _, rest = manifest(FILES).partition(b"\n")
    members = {**FILES, "manifest.jsonl": first + b"\n" + line + b"\n" + rest}
    found = reasons(read(tmp_path, members))
    assert [reason.split(":")[0] for reason in found] == ["no record of a manifest", "the manifest was changed"]


def test_tools_that_are_not_there_are_named_once_and_only_if_none_answered(tmp_path: Path) -> None:
    missing = [Command((name,), 127) for name in ("iptables-save", "ip6tables-save")]
    [note] = [one.reason for one in read(tmp_path, whole(*missing)).notes]
    assert note == "not on this machine: iptables-save, ip6tables-save, so nothing is known about the packet filter"
    assert read(tmp_path, whole(*missing, Command(("iptables-nft-save",), 0))).notes == []


def test_an_archive_is_proved_with_the_sum_that_its_collector_printed(tmp_path: Path) -> None:
    members = whole()
    (proof,) = read(tmp_path, members).proofs
    assert (proof.host, proof.items, proof.differences) == ("n1", len(FILES), 0)
    assert proof.manifest_sha256 == sha(members["manifest.jsonl"])
    assert proof.collected == HEADER.started
    (changed,) = read(tmp_path, {**members, "[root]/tmp/notes": b"other\n", "[root]/x": b"new"}).proofs
    assert changed.differences == 2


def test_a_machine_knows_which_files_held_keys_and_were_left_out_for_that(tmp_path: Path) -> None:
    told = "subject=O = system:nodes, CN = system:node:n1; notAfter=Nov 22 10:21:47 2027 GMT"
    key = Omitted("/var/lib/kubelet/pki/k.pem", "holds a private key and is never copied", 9, "a" * 64, told)
    other = Omitted("/opt/big", "larger than what is recovered", 9, "b" * 64)
    [host] = read(tmp_path, whole(key, other)).hosts
    assert [(one.path, one.sha256, one.subjects) for one in host.keys] == [(key.path, key.sha256, told)]
