"""Docker over the network, the sockets of runtimes, and the modes of files."""

from __future__ import annotations

import pytest

from kubewitness.model.host import Host
from tests.posture.machine import file, listening, process
from tests.posture.nodes.made import clean, entry, judged, one, said

DAEMON = "/etc/docker/daemon.json"
DOCKERD = "/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock"


def engine(command: str = DOCKERD, daemon: str = "", *sockets: object) -> Host:
    machine = Host("n", processes=[process(command, pid=9)], sockets=[listening(22, owner="sshd")])
    if daemon:
        machine.files = [file(DAEMON, daemon)]
    machine.sockets += sockets  # type: ignore[arg-type]
    return machine


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (engine(), "pass"),
        (engine(f"{DOCKERD} -H tcp://0.0.0.0:2375"), "fail critical"),
        (engine(f"{DOCKERD} --host=tcp://0.0.0.0:2376 --tls"), "fail critical"),  # encrypted, but for everybody
        (engine(f"{DOCKERD} -H tcp://0.0.0.0:2376 --tlsverify --tlscacert=/ca.pem"), "pass"),
        (engine(f"{DOCKERD} -H tcp://0.0.0.0:2375 --tlsverify=false"), "fail critical"),
        (engine(f"{DOCKERD} -H tcp://127.0.0.1:2375"), "fail medium"),
        (engine(f"{DOCKERD} -H tcp://"), "fail medium"),  # the engine's own default is loopback
        (engine(DOCKERD, '{"hosts": ["unix:///var/run/docker.sock", "tcp://[::]:2375"]}'), "fail critical"),
        (engine(DOCKERD, '{"hosts": ["tcp://0.0.0.0:2376"], "tlsverify": true}'), "pass"),
        (engine(DOCKERD, '{"hosts": 7}'), "pass"),
        (engine(DOCKERD, "{" * 5000), "pass"),
        (engine(DOCKERD, "", listening(2375, "*", "dockerd", 9)), "fail critical"),
        (engine(DOCKERD, "", listening(2377, "*", "dockerd", 9)), "pass"),  # Swarm asks for certificates
        (engine(DOCKERD, "", listening(8080, "*", "docker-proxy", 10)), "pass"),  # a container's port
        (engine(DOCKERD, "", listening(6443, "*", "dockerd", 9)), "pass"),  # one of a Swarm's service
        (engine(f"{DOCKERD} -H tcp://0.0.0.0:4243", "", listening(4243, "*", "dockerd", 9)), "fail critical"),
        (engine("docker -H tcp://10.0.0.9:2375 ps"), "not_applicable"),  # a client
        (clean(), "not_applicable"),
        (Host("n"), "not_evaluated"),
    ],
)
def test_the_engine_over_tcp(machine: Host, expected: str) -> None:
    assert said("docker_tcp", machine) == expected


def test_the_line_of_the_file_is_cited() -> None:
    machine = engine(DOCKERD, '{\n  "debug": true,\n  "hosts": ["tcp://0.0.0.0:2375"]\n}')
    (place,) = one("docker_tcp", machine).where
    assert (place.path, place.line) == (DAEMON, 3)


@pytest.mark.parametrize(("mode", "expected"), [("srw-rw-rw-", "fail high"), ("srw-rw----", "pass")])
def test_a_socket_of_a_runtime_everybody_may_write_to(mode: str, expected: str) -> None:
    machine = Host("n", listing=[entry("/var/run/docker.sock", mode, "root docker", "socket")])
    assert said("runtime_socket_mode", machine) == expected
    assert said("runtime_socket_mode", Host("n")) == "not_evaluated"


@pytest.mark.parametrize(
    ("path", "mode", "owner", "expected"),
    [
        ("/etc/kubernetes/admin.conf", "-rw-------", "0:0", "pass"),
        ("/etc/kubernetes/admin.conf", "-rw-r--r--", "0:0", "fail high"),
        ("/etc/kubernetes/admin.conf", "-rw-r-----", "0:0", "pass"),
        ("/etc/kubernetes/admin.conf", "-rw-r-----", "0:1000", "fail high"),
        ("/etc/kubernetes/admin.conf", "-rw-------", "1000:1000", "fail high"),
        ("/home/jo/.kube/config", "-rw-------", "1000:1000", "pass"),
        ("/home/jo/.kube/config", "-rw-r--r--", "1000:1000", "fail high"),
        ("/etc/rancher/k3s/k3s.yaml", "-rw-r--r--", "0:0", "fail high"),
        ("/etc/kubernetes/kubelet.conf", "-rw-r--r--", "0:0", "fail medium"),
        ("/var/lib/kubelet/config.yaml", "-rw-r--r--", "0:0", "pass"),  # as kubeadm writes it
        ("/etc/kubernetes/manifests/etcd.yaml", "-rw-------", "root:root", "pass"),
        ("/etc/kubernetes/manifests/etcd.yaml", "-rw-rw-rw-", "0:0", "fail high"),
        ("/etc/kubernetes/pki/ca.crt", "-rw-r--r--", "0:0", "pass"),
        ("/etc/systemd/system/kubelet.service.d/10-kubeadm.conf", "-rw-rw-r--", "0:998", "fail high"),
        ("/etc/kubernetes/admin.conf", "", "0:0", "not_evaluated"),
        ("/etc/passwd", "-rw-r--r--", "0:0", "not_evaluated"),
    ],
)
def test_modes_and_owners(path: str, mode: str, owner: str, expected: str) -> None:
    assert said("file_modes", Host("n", copied=[entry(path, mode, owner)])) == expected


def test_a_kubeconfig_that_only_names_its_key_file_weighs_less() -> None:
    path = "/etc/kubernetes/kubelet.conf"
    text = "current-context: x\nusers:\n- user: {client-key: /var/lib/kubelet/pki/kubelet-client-current.pem"
    machine = Host("n", copied=[entry(path, "-rw-r--r--")], files=[file(path, f"{text}}}\n")])
    assert said("file_modes", machine) == "fail low"
    machine.files = [file(path, f"{text}, client-key-data: AAAA}}\n")]
    assert said("file_modes", machine) == "fail medium"
    machine.files = [file(path, "kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\n")]  # OpenShift
    assert said("file_modes", machine) == "pass"


def test_a_file_in_roots_own_folder_is_not_open_to_everybody_unless_the_folder_is() -> None:
    path = "/root/.kube/config"
    machine = Host("n", copied=[entry(path, "-rw-r--r--")])
    assert said("file_modes", machine) == "fail low"
    machine.listing = [entry("/root", "drwx------", kind="directory")]
    assert said("file_modes", machine) == "fail low"
    machine.listing = [entry("/root", "drwxr-xr-x", kind="directory")]
    assert said("file_modes", machine) == "fail high"
    assert said("file_modes", Host("n", copied=[entry(path, "-rw-rw-rw-")])) == "fail high"


def test_the_command_that_mends_a_file_quotes_its_name() -> None:
    machine = Host("n", copied=[entry("/home/it's/.kube/config", "-rw-r--r--", "1000:1000")])
    (result,) = judged("file_modes", machine)
    assert result.remedy is not None
    assert result.remedy.command == "chmod 600 '/home/it'\\''s/.kube/config'"


@pytest.mark.parametrize(
    ("path", "mode", "owner", "safe"),
    [
        ("/etc/rancher/k3s/k3s.yaml", "-rw-r--r--", "0:0", False),  # made readable for the kubectl of somebody
        ("/etc/kubernetes/manifests/etcd.yaml", "-rw-rw-rw-", "0:0", True),
        ("/etc/kubernetes/manifests/etcd.yaml", "-rw-------", "1000:1000", False),
    ],
)
def test_that_taking_rights_away_is_safe_is_said_only_of_what_root_alone_reads(
    path: str, mode: str, owner: str, safe: bool
) -> None:
    remedy = one("file_modes", Host("n", copied=[entry(path, mode, owner)])).remedy
    assert remedy is not None
    assert (remedy.safe, bool(remedy.breaks.zh)) == (safe, not safe)
    assert ("--write-kubeconfig-mode" in remedy.command) is ("rancher" in path)


def test_a_collected_machine_without_these_files_is_not_sent_to_the_collector() -> None:
    assert said("file_modes", Host("n", collected="2026-11-22T04:06:00Z")) == "not_applicable"
