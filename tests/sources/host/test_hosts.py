"""Machines put together from whatever folders and archives their evidence lies in."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from kubewitness.evidence.opening import walk
from kubewitness.sources.host.folders import folder_of, grouped, machine_path, name_of
from kubewitness.sources.host.hosts import MAX_FILE, read_hosts
from kubewitness.sources.host.klog import argv
from tests.corpus import CORPUS, needs_corpus
from tests.sources.host.reading import folder, only, recorded

PS = "USER PID PPID COMMAND\nroot 1 0 /sbin/init\n"
KUBELET = "root 60 1 /usr/bin/kubelet --v=2 --hostname-override=worker-7 --node-ip=10.0.0.7\n"


def test_the_recorded_second_incident_is_one_machine_with_all_it_tells() -> None:
    evidence = recorded("kubelet_config_commented_out")
    host = only(evidence)
    assert evidence.failures == []
    assert (host.name, len(host.processes), len(host.sockets), len(host.firewalls)) == ("node1", 45, 6, 4)
    miner = next(process for process in host.processes if process.pid == 3261)
    assert (miner.executable, miner.pod_uid) == ("/var/tmp/.system", "7ed4aa24-da57-4fed-90f1-ec6c083b099c")
    assert miner.container.startswith("f60d2ba54be6b158")
    assert miner.started == "2026-11-22T03:59:54Z"
    assert not any(process.truncated for process in host.processes)
    tried = [argv(line.fields["cmd"])[0] for line in host.logs if line.component == "kubelet" and "cmd" in line.fields]
    assert {"apt", "apk", "yum"} <= set(tried)
    assert {line.time[:13] for line in host.logs} == {"2026-11-22T03", "2026-11-22T04"}
    drop_in = next(file for file in host.files if file.path.endswith("/10-kubeadm.conf"))
    assert drop_in.path == "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf"
    assert drop_in.text.split("\n")[2].startswith('#Environment="KUBELET_CONFIG_ARGS')
    assert {socket.local_port for socket in host.sockets if socket.state == "LISTEN"} >= {10250, 10255}


def test_two_recorded_machines_stay_two() -> None:
    assert [host.name for host in recorded("anonymous_cluster_admin").hosts] == ["node1", "node2"]


def test_every_item_read_has_its_hash(tmp_path: Path) -> None:
    (tmp_path / "ps.txt").write_text(PS)
    (tmp_path / "etc/cron.d").mkdir(parents=True)
    (tmp_path / "etc/cron.d/big").write_bytes(b"x\n" * MAX_FILE)
    sources = list(walk([str(tmp_path)]))
    evidence = read_hosts(sources, 2024)
    assert all(len(source.sha256) == 64 for source in sources)
    assert only(evidence).files == []
    assert [note.reason for note in evidence.notes] == [f"file of {2 * MAX_FILE} bytes, not kept"]


def test_the_kubelet_names_its_machine(tmp_path: Path) -> None:
    assert only(folder(tmp_path, {"dump/ps.txt": PS + KUBELET})).name == "worker-7"


def test_a_kubelet_inside_a_container_names_nothing(tmp_path: Path) -> None:
    group = f"60 4:memory:/kubepods/pod7ed4aa24-da57-4fed-90f1-ec6c083b099c/{'a' * 64}\n1 4:memory:/\n"
    assert only(folder(tmp_path, {"dump/ps.txt": PS + KUBELET, "dump/cgroups.txt": group})).name == "dump"


def test_a_hostile_host_name_is_not_taken(tmp_path: Path) -> None:
    evidence = folder(tmp_path, {"dump/ps.txt": PS, "dump/etc/hostname": "\x1b[31mred\n"})
    assert only(evidence).name == "dump"
    (tmp_path / "dump/etc/hostname").write_text("web-9\n")
    assert only(folder(tmp_path, {})).name == "web-9"


def test_machines_of_one_name_are_told_apart(tmp_path: Path) -> None:
    other = PS + KUBELET + "root 61 1 /sbin/agetty\n"
    names = [host.name for host in folder(tmp_path, {"a/ps.txt": PS + KUBELET, "b/ps.txt": other}).hosts]
    assert [name.split(" ")[0] for name in names] == ["worker-7", "worker-7"]
    assert len(set(names)) == 2


def test_a_machine_that_was_given_twice_is_counted_once(tmp_path: Path) -> None:
    files = {"ps.txt": PS + KUBELET, "etc/hostname": "worker-7\n"}
    twice = {f"{where}/{path}": text for where in ("first/nodes/a", "copy/nodes/a") for path, text in files.items()}
    evidence = folder(tmp_path, twice)
    assert [host.name for host in evidence.hosts] == ["worker-7"]
    assert len(evidence.items) == 4
    assert "counted once" in evidence.notes[-1].reason


def test_a_copy_with_a_file_more_costs_no_evidence(tmp_path: Path) -> None:
    alike = {f"nodes/{name}/ps.txt": PS + KUBELET for name in ("a", "b")}
    evidence = folder(
        tmp_path, {**alike, "nodes/b/crontab": "* * * * * root id\n", "nodes/a/root/.bash_history": "id\n"}
    )
    assert len(evidence.hosts) == 2
    assert not any("counted once" in note.reason for note in evidence.notes)


def test_of_two_copies_the_fuller_one_is_kept_whichever_comes_first(tmp_path: Path) -> None:
    files = {"ps.txt": PS + KUBELET, "etc/crontab": "* * * * * root id\n"}
    whole = {f"{name}/{path}": text for name in ("b",) for path, text in files.items()}
    evidence = folder(tmp_path, {"a/ps.txt": files["ps.txt"], **whole, "c/ps.txt": files["ps.txt"]})
    host = only(evidence)
    assert [file.path for file in host.files] == ["/etc/crontab"]
    assert sum("counted once" in note.reason for note in evidence.notes) == 2


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("var/log/messages", True),
        ("var/log/audit/audit.log.1", True),
        ("var/log/syslog-20260102", True),
        ("var/log/wtmp", False),
        ("var/log/lastlog", False),
        ("usr/share/x.log.png", False),
    ],
)
def test_binary_data_under_the_name_of_a_log_is_told(tmp_path: Path, path: str, told: bool) -> None:
    evidence = folder(tmp_path, {f"nodes/n/{path}": b"\x00\x9c\xfe\x01" * 999, "nodes/n/ps.txt": PS})
    assert only(evidence).processes
    assert [failure.place.item.endswith(path) for failure in evidence.failures] == [True] * told


def test_machines_that_are_set_alike_stay_several(tmp_path: Path) -> None:
    unit = "[Service]\nExecStart=/usr/bin/kubelet\n"
    alike = {f"nodes/{name}/etc/systemd/system/kubelet.service": unit for name in ("a", "b", "c")}
    assert [host.name for host in folder(tmp_path, alike).hosts] == ["a", "b", "c"]


def test_an_archive_of_a_machine_is_read(tmp_path: Path) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, text in (
            ("live_response/process/ps_auxwww.txt", PS),
            ("live_response/network/ss_-tanp.txt", "LISTEN 0 1 *:22 *:*\n"),
            ("[root]/etc/crontab", "* * * * * root id\n"),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    evidence = folder(tmp_path, {"uac-web9-linux-20240323150000.tar.gz": gzip.compress(raw.getvalue())})
    host = only(evidence)
    assert host.name == "web9"
    assert (len(host.processes), len(host.sockets)) == (1, 1)
    assert [file.path for file in host.files] == ["/etc/crontab"]


@pytest.mark.parametrize(
    ("name", "of", "path"),
    [
        ("case/nodes/n1/ps.txt", "case/nodes/n1/", ""),
        ("case/nodes/n1/opt/x/y.sh", "case/nodes/n1/", "/opt/x/y.sh"),
        ("case.tgz!hosts/n1/etc/hosts", "case.tgz!hosts/n1/", "/etc/hosts"),
        ("dump/etc/systemd/system/a.service", "dump/", "/etc/systemd/system/a.service"),
        ("n1.tgz!var/lib/kubelet/config.yaml", "n1.tgz!", "/var/lib/kubelet/config.yaml"),
        ("/var/lib/kubelet/config.yaml", "/", "/var/lib/kubelet/config.yaml"),
        ("/home/me/case/n1/home/eve/.bash_history", "/home/me/case/n1/", "/home/eve/.bash_history"),
        ("dump/process/ps.txt", "dump/", ""),
        ("u!live_response/process/ps.txt", "u!", ""),
        ("u![root]/etc/x", "u!", "/etc/x"),
        ("etc/hosts", "", "/etc/hosts"),
        ("ps.txt", "", ""),
    ],
)
def test_a_name_tells_machine_and_path(name: str, of: str, path: str) -> None:
    assert (folder_of(name), machine_path(name)) == (of, path)


def test_what_lies_deeper_belongs_to_the_machine_above_unless_it_is_one() -> None:
    kinds = {"m/ps.txt": "processes", "m/deep/ss.txt": "sockets", "m/other/ps.txt": "processes"}
    assert grouped(kinds) == {"m/ps.txt": "m/", "m/deep/ss.txt": "m/", "m/other/ps.txt": "m/other/"}


def test_the_name_of_a_folder_is_its_last_part() -> None:
    assert [name_of(one) for one in ("a/nodes/n1/", "case/n2.tar.gz!", "", "/")] == ["n1", "n2", "host", "host"]


def test_a_hostile_folder_names_no_machine() -> None:
    assert [
        name_of(one) for one in ("case.tar!../../x.tar!", "n3.tar!../../", "./../", "a/\x1b[31mred/", "y" * 999)
    ] == [
        "x",
        "n3",
        "host",
        "?[31mred",
        "y" * 253,
    ]


def test_everything_of_a_collection_is_known_and_of_its_machine(tmp_path: Path) -> None:
    root = "uac-web9-linux-20240323150000"
    evidence = folder(
        tmp_path,
        {
            f"{root}/live_response/process/ps_auxwww.txt": PS,
            f"{root}/live_response/containers/docker_info.txt": "Client:\n Version: 1\n",
            f"{root}/live_response/network/empty.txt": "",
            f"{root}/chkrootkit/chkrootkit.log": "ROOTDIR is /\n",
            f"{root}/uac.log": "hello\n",
            f"{root}/notes/read.me": "hello\n",
        },
    )
    host = only(evidence)
    assert (host.name, host.files, evidence.failures) == ("web9", [], [])
    assert sorted(name.rpartition("/")[2] for name, kind in evidence.items.items() if kind == "other file") == [
        "chkrootkit.log",
        "docker_info.txt",
        "empty.txt",
        "uac.log",
    ]
    assert not any(name.endswith("read.me") for name in evidence.items)


def test_a_socket_that_several_lists_show_is_one(tmp_path: Path) -> None:
    owner = 'users:(("sshd",pid=600,fd=3))'
    files = {
        "n/ss.txt": "tcp LISTEN 0 1 0.0.0.0:22 0.0.0.0:*\n" + "tcp LISTEN 0 1 0.0.0.0:80 0.0.0.0:*\n" * 2,
        "n/ss2.txt": f"tcp LISTEN 0 1 0.0.0.0:22 0.0.0.0:* {owner} ino:77 sk:1\n",
        "n/netstat.txt": "tcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN 600/sshd\ntcp6 0 0 :::22 :::* LISTEN 600/sshd\n",
        "n/other.txt": "tcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN 0 78 601/fake\n",
    }
    found = [
        (one.local_address, one.local_port, one.owners, one.inode) for one in only(folder(tmp_path, files)).sockets
    ]
    assert sorted(found) == [
        ("0.0.0.0", 22, (("fake", 601),), 78),
        ("0.0.0.0", 22, (("sshd", 600),), 77),
        ("0.0.0.0", 80, (), 0),
        ("0.0.0.0", 80, (), 0),
        ("::", 22, (("sshd", 600),), 0),
    ]


def test_a_worker_of_the_kernel_is_one_whatever_it_works_on(tmp_path: Path) -> None:
    head = "USER PID PPID COMMAND\n"
    files = {
        "n/a.txt": head + "root 9 2 [kworker/1:1-events]\nroot 10 2 [kworker/u8:0+flush]\n",
        "n/b.txt": head + "root 9 2 [kworker/1:1-virtio_vsock]\nroot 10 2 [kworker/u8:0]\nroot 9 1 /tmp/x\n",
    }
    commands = [one.command for one in only(folder(tmp_path, files)).processes]
    assert commands == ["[kworker/1:1-virtio_vsock]", "/tmp/x", "[kworker/u8:0+flush]"]


def test_a_machine_beside_a_collection_stays_another(tmp_path: Path) -> None:
    files = {
        "u/live_response/process/ps.txt": PS,
        "u/other/ps.txt": PS + "root 2 0 [kthreadd]\n",
        "u/more/ss.txt": "LISTEN 0 1 *:22 *:*\n",
    }
    assert {(host.name, len(host.sockets)) for host in folder(tmp_path, files).hosts} == {("other", 0), ("u", 1)}


def test_a_damaged_log_keeps_what_was_read(tmp_path: Path) -> None:
    text = 'E0323 15:05:36.670951 1 kubelet.go:1] "x" err="y"\n' * 5000
    evidence = folder(tmp_path, {"nodes/n/kubelet.log.gz": gzip.compress(text.encode(), 0)[:-30_000]})
    assert len(only(evidence).logs) > 1000
    assert len(evidence.failures) >= 1


def test_a_binary_journal_is_a_failure_that_says_what_to_do(tmp_path: Path) -> None:
    evidence = folder(tmp_path, {"nodes/n/var/log/journal/x/system.journal": b"LPKSHHRH" + b"\0" * 4000})
    assert "journalctl" in evidence.failures[0].reason


def test_garbage_under_any_name_breaks_nothing(tmp_path: Path) -> None:
    junk = bytes(range(256)) * 64
    heads = {
        "ps": PS,
        "ss": "LISTEN 0 1 *:22 *:*\n",
        "fw": "*filter\n:INPUT ACCEPT [0:0]\n",
        "kubelet": "E0323 15:05:36.1 1 a.go:1] x\n",
    }
    files = {f"nodes/n/{name}.txt": head.encode() * 400 + junk for name, head in heads.items()}
    evidence = folder(tmp_path, files)
    assert set(evidence.items.values()) >= {"processes", "sockets", "iptables"}
    assert len(evidence.failures) < 100


@needs_corpus
def test_lists_of_real_machines_are_read_whole() -> None:
    assert CORPUS
    root = CORPUS / "kellyjonbrazil__jc/tests/fixtures/ubuntu-18.04"
    evidence = read_hosts(walk([str(root / "ps-axu.out"), str(root / "ss-sudo-tulpen.out")]), 2024)
    host = only(evidence)
    assert (len(host.processes), len(host.sockets), evidence.failures) == (172, 73, [])


@needs_corpus
def test_control_plane_logs_of_a_real_cluster_are_read() -> None:
    assert CORPUS
    pods = CORPUS / "vmware-tanzu__sonobuoy/pkg/discovery/testdata/healthsummary/podlogs/kube-system"
    evidence = read_hosts(walk([str(pods / "kube-controller-manager-kind-control-plane")]), 2021)
    host = only(evidence)
    assert {line.component for line in host.logs} == {"control_plane"}
    assert {line.time[:10] for line in host.logs} <= {"2021-01-27", "2021-01-28"}
    assert evidence.failures == []


def test_a_long_log_is_folded_while_it_is_read(tmp_path: Path) -> None:
    line = "Nov 13 09:59:01 n sshd[9]: Failed password for root from 203.0.113.9 port 9 ssh2\n"
    (tmp_path / "nodes/n/var/log").mkdir(parents=True)
    (tmp_path / "nodes/n/var/log/auth.log").write_text(line * 8_000)
    tracemalloc.start()
    host = only(folder(tmp_path, {}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [event.count for event in host.events] == [8_000]
    assert peak < 3 * 1024 * 1024, peak
