"""Where the flags of a component are found, which place counts, and what is none of this cluster's."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.model.host import Host
from kubewitness.posture.control_plane.components import components
from kubewitness.posture.control_plane.nouns import Component
from tests.posture.control_plane.plane import api, command, file, machine, manifest, pod, process
from tests.posture.machine import listening
from tests.posture.made import results, snapshot

ALLOWS = {"authorization-mode": "AlwaysAllow"}
UNIT = "/etc/systemd/system/kube-apiserver.service"


def found(objects: Any = (), hosts: Any = (), version: str = "") -> list[Component]:
    """The components of that evidence."""
    of = snapshot(objects, hosts, version)
    return list(components(of.cluster, of.machines))


def modes(objects: Any = (), hosts: Any = ()) -> list[tuple[str, str, str]]:
    """Machine, kind of the place that counts, authorization mode."""
    return [
        (one.instance, one.start.kind, given.value if (given := one.ask("authorization-mode")) else "?")
        for one in found(objects, hosts)
    ]


def shell(text: str) -> dict[str, Any]:
    one = api()
    one["spec"]["containers"][0]["command"] = ["/bin/sh", "-c", text]
    return one


@pytest.mark.parametrize(
    "words",
    [
        ["kube-apiserver", "--authorization-mode=RBAC"],
        ["/usr/local/bin/kube-apiserver", "--authorization-mode", "RBAC"],
        ["/hyperkube", "apiserver", "--authorization-mode=RBAC"],
        ["/go-runner", "--log-file=/var/log/kube-apiserver.log", "/usr/local/bin/kube-apiserver",
         "--authorization_mode=RBAC"],
        ["/bin/sh", "-c", "exec /usr/local/bin/kube-apiserver --v=2 --authorization-mode=RBAC 1>>/var/log/x 2>&1"],
        ["--authorization-mode=RBAC"],  # the image's own program
        ["kube-apiserver", "--authorization-mode=$(MODE)"],
    ],
)  # fmt: skip
def test_a_command_is_read_however_it_is_wrapped(words: list[str]) -> None:
    one = api()
    one["spec"]["containers"][0] |= {"command": words, "env": [{"name": "MODE", "value": "RBAC"}]}
    assert modes([one]) == [("cp1", "pod", "RBAC")]


@pytest.mark.parametrize(
    "words",
    [["sleep", "infinity"], ["/bin/sh", "-c", "echo kube-apiserver.log"], ["vi", "/etc/kube-apiserver.yaml"], []],
)
def test_another_command_is_no_component(words: list[str]) -> None:
    one = api()
    one["spec"]["containers"][0] |= {"command": words, "image": "busybox"}
    assert modes([one]) == []


def test_a_workload_with_a_control_plane_inside_is_another_clusters() -> None:
    inner = api(authorization_mode="AlwaysAllow")
    inner["metadata"] |= {"ownerReferences": [{"kind": "StatefulSet", "name": "vc"}], "annotations": {}}
    assert modes([inner]) == []
    elsewhere = api(authorization_mode="AlwaysAllow")
    elsewhere["metadata"] |= {"namespace": "tenant"}
    assert modes([elsewhere]) == []
    uid = "0b6f1bb2-64d6-47b9-b02b-3946826d12f9"
    assert modes(hosts=[machine(processes=(process(command("kube-apiserver"), pod_uid=uid),))]) == []
    hashed = "099480b83165a0f9cd11a6c608caac27"
    assert len(modes(hosts=[machine(processes=(process(command("kube-apiserver"), pod_uid=hashed),))])) == 1


def test_a_static_pod_with_a_uid_of_its_own_is_this_clusters() -> None:
    uid = "0b6f1bb2-64d6-47b9-b02b-3946826d12f9"
    running = process(command("kube-apiserver"), pod_uid=uid)
    own = manifest(api())
    told = file(own.path, own.text.replace("metadata:", f"metadata:\n  uid: {uid}"))
    assert modes(hosts=[machine(told, processes=(running,))]) == [("cp1", "process", "Node,RBAC")]
    assert modes(hosts=[machine(own, processes=(running,))]) == [("cp1", "manifest", "Node,RBAC")]


def test_what_runs_counts_before_what_is_written() -> None:
    running = process(command("kube-apiserver", {**ALLOWS}))
    host = machine(manifest(api()), processes=(running,))
    assert modes([api()], [host]) == [("cp1", "process", "AlwaysAllow")]
    assert modes([api()], [machine(manifest(api()))]) == [("cp1", "pod", "Node,RBAC")]
    assert modes(hosts=[machine(manifest(api()))]) == [("cp1", "manifest", "Node,RBAC")]


def test_a_command_line_that_was_cut_counts_last_and_tells_no_default() -> None:
    cut = process(["kube-apiserver", "--authorization-mode=Node,RBAC"], truncated=True)
    assert modes([api()], [machine(processes=(cut,))]) == [("cp1", "pod", "Node,RBAC")]
    (alone,) = found(hosts=[machine(processes=(cut,))])
    assert alone.ask("profiling", "true") is None
    bare = process(["kube-apiserver"])
    (one,) = results("control_plane/authorization_mode", snapshot(hosts=[machine(processes=(bare,))]))
    assert one.status == "not_evaluated"


def test_a_unit_counts_if_nothing_says_that_it_does_not_run() -> None:
    unit = file(UNIT, "[Service]\nExecStart=/usr/bin/kube-apiserver \\\n  --authorization-mode=AlwaysAllow\n")
    assert modes(hosts=[machine(unit)]) == [("cp1", "unit", "AlwaysAllow")]
    (one,) = found(hosts=[machine(unit)])
    assert one.start.flags["authorization-mode"].where.line == 3
    assert modes(hosts=[machine(unit, processes=(process(["sshd"]),))]) == []


@pytest.mark.parametrize(
    "path",
    ["/etc/kubernetes/manifests/.kube-apiserver.yaml.swp", "/etc/kubernetes/kube-apiserver.yaml",
     "/etc/kubernetes/manifests/old/kube-apiserver.yaml"],
)  # fmt: skip
def test_a_manifest_that_kubelet_does_not_read_is_none(path: str) -> None:
    text = manifest(api()).text
    assert modes(hosts=[machine(file(path, text))]) == []
    assert len(modes(hosts=[machine(file("/etc/kubernetes/manifests/kube-apiserver.yaml.bak", text))])) == 1


def test_of_a_flag_given_twice_the_last_counts_and_lists_grow() -> None:
    one = api(authorization_mode="Node")
    one["spec"]["containers"][0]["command"] += ["--authorization-mode=RBAC", "--profiling", "--profiling=false"]
    (server,) = found([one])
    assert server.start.flags["authorization-mode"].value == "Node,RBAC"
    assert server.start.flags["profiling"].value == "false"


def test_the_version_is_the_images_else_the_api_servers_else_at_least_the_kubelets() -> None:
    assert found([pod("kube-apiserver", {}, "v1.28.7")], version="v1.34.4")[0].minor == 28
    assert found([pod("kube-apiserver", {}, "v1.27.3-rke2r1-build2023")])[0].minor == 27
    assert found([pod("kube-apiserver", {}, "sha256")], version="v1.34.4-eks-1")[0].minor == 34
    assert found([pod("etcd", {}, "1.2.3")], version="v1.34.4")[0].minor is None
    older = Component("kube-apiserver", "", (), None, 20)
    assert (older.before(20), older.before(24), Component("etcd", "", (), 19).before(20)) == (False, None, True)


@pytest.mark.parametrize(
    ("labels", "version", "who"),
    [
        ({"eks.amazonaws.com/nodegroup": "a"}, "", "Amazon EKS"),
        ({}, "v1.33.1-eks-abc", "Amazon EKS"),
        ({"cloud.google.com/gke-nodepool": "a"}, "", "Google GKE"),
        ({"kubernetes.azure.com/cluster": "a"}, "", "Azure AKS"),
    ],
)
def test_a_managed_control_plane_is_not_applicable_and_its_audit_log_is_asked_for(
    labels: dict[str, str], version: str, who: str
) -> None:
    of = snapshot([{"kind": "Node", "metadata": {"name": "n", "labels": labels}}], version=version)
    (one,) = results("control_plane/authorization_mode", of)
    assert (one.status, who in one.reason.en, who in one.reason.zh) == ("not_applicable", True, True)
    (log,) = results("control_plane/audit_log", of)
    assert (log.status, who in log.reason.en) == ("not_evaluated", True)


def test_a_component_that_is_nowhere_is_not_evaluated() -> None:
    node = {"kind": "Node", "metadata": {"name": "n", "labels": {"kubernetes.io/os": "linux"}}}
    (one,) = results("control_plane/authorization_mode", snapshot([node]))
    assert (one.status, "kube-system" in one.reason.en) == ("not_evaluated", True)
    openshift = {"kind": "Namespace", "metadata": {"name": "openshift-kube-apiserver"}}
    (other,) = results("control_plane/authorization_mode", snapshot([openshift]))
    assert (other.status, "OpenShift" in other.reason.en) == ("not_evaluated", True)


@pytest.mark.parametrize(
    ("ports", "expected"),
    [([], "not_evaluated"), ([6443], "pass"), ([6443, 8080], "not_evaluated")],  # 8080 might be the secure port
)
def test_of_an_unknown_version_the_sockets_of_its_process_tell(ports: list[int], expected: str) -> None:
    host = machine(processes=(process(command("kube-apiserver")),))
    host.sockets = [listening(port, owner="kube-apiserver", pid=700) for port in ports]
    (one,) = results("control_plane/insecure_port", snapshot(hosts=[host]))
    assert one.status == expected
    host = machine(processes=(process(command("kube-controller-manager")),))
    host.sockets = [listening(port, owner="kube-controller", pid=700) for port in ports]
    found = results("control_plane/insecure_metrics_port", snapshot(hosts=[host]))
    told = next(one for one in found if one.subject == "kube-controller-manager cp1")
    assert told.status == ("pass" if ports else "not_evaluated")


K3S = "/etc/systemd/system/k3s.service"
K3S_UNIT = "[Service]\nExecStart=/usr/local/bin/k3s \\\n    server \\\n    {}\n"
K3S_CONFIG = "/etc/rancher/k3s/config.yaml"


def k3s(argument: str = "", config: str = "") -> Host:
    """A K3s server, whose process hides its arguments."""
    files = [file(K3S, K3S_UNIT.format(argument))]
    if config:
        files.append(file(K3S_CONFIG, config))
    return machine(*files, processes=(process(["/usr/local/bin/k3s", "server"]),))


CHECKS = (
    "insecure_port", "anonymous_auth", "authorization_mode", "token_file", "service_account_lookup",
    "node_restriction", "admission_plugins", "client_ca", "kubelet_ca", "bind_address", "insecure_metrics_port",
    "service_account_credentials", "profiling",
)  # fmt: skip


def test_an_untouched_k3s_fails_nothing_but_the_audit_log_and_encryption() -> None:
    of = snapshot(hosts=[k3s()])
    assert {one.status for check in CHECKS for one in results(f"control_plane/{check}", of, "fail")} == set()
    assert [one.status for one in results("control_plane/audit_log", of)] == ["fail"]
    assert [one.severity for one in results("control_plane/encryption_at_rest", of)] == ["low"]


@pytest.mark.parametrize(
    ("argument", "config"),
    [
        ("--kube-apiserver-arg=anonymous-auth=true", ""),
        ("--kube-apiserver-arg anonymous-auth=true", ""),
        ("'--kube-apiserver-arg=authorization-mode=AlwaysAllow'", ""),
        ("", "kube-apiserver-arg:\n- authorization-mode=AlwaysAllow\n"),
        ("", "kube-apiserver-arg: authorization-mode=AlwaysAllow\n"),
        ("", "kube-apiserver-arg+:\n- authorization-mode=AlwaysAllow\n"),
    ],
)
def test_what_is_added_to_k3s_wins_over_what_it_sets(argument: str, config: str) -> None:
    (server,) = [one for one in found(hosts=[k3s(argument, config)]) if one.program == "kube-apiserver"]
    changed = {"anonymous-auth": "true", "authorization-mode": "AlwaysAllow"}
    assert any((given := server.ask(name)) and given.value == value for name, value in changed.items())


def test_a_k3s_of_which_only_the_process_is_known_tells_no_default() -> None:
    host = machine(processes=(process(["/usr/local/bin/k3s", "server"]),))
    assert [one.status for one in results("control_plane/audit_log", snapshot(hosts=[host]))] == ["not_evaluated"]
    assert found(hosts=[machine(processes=(process(["/usr/local/bin/k3s", "agent"]),))]) == []


def test_microk8s_keeps_flags_in_files() -> None:
    text = "--authorization-mode=AlwaysAllow\n# --authorization-mode=RBAC\n--profiling=false\n"
    host = machine(file("/var/snap/microk8s/current/args/kube-apiserver", text))
    assert modes(hosts=[host]) == [("cp1", "arguments file", "AlwaysAllow")]
