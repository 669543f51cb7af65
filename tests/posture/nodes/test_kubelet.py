"""The kubelet's settings as they are in effect, each with the line that decided it."""

from __future__ import annotations

import pytest

from kubewitness.model.host import Host
from kubewitness.model.posture import Result
from kubewitness.posture.catalogue import catalogue
from kubewitness.posture.check import run
from kubewitness.posture.nodes.checks import CHECKS
from tests.posture.machine import CONFIG, DROP_IN, NODE, file, host, listening, process
from tests.posture.nodes.made import (
    PUBLIC,
    WITH,
    WITHOUT,
    clean,
    commented,
    entry,
    filtered,
    node_object,
    one,
    said,
    snapshot,
)  # fmt: skip

SETTINGS = {
    "kubelet_anonymous": "critical",
    "kubelet_authorization": "high",
    "kubelet_read_only_port": "medium",
    "kubelet_client_ca": "medium",
    "kubelet_token_webhook": "low",
}


@pytest.mark.parametrize(("name", "severity"), SETTINGS.items())
def test_the_machine_of_the_second_incident_fails_with_the_commented_line_as_its_cause(
    name: str, severity: str
) -> None:
    result = one(name, commented())
    assert (result.status, result.severity) == ("fail", severity)
    first = result.where[0]
    assert (first.path, first.line) == (DROP_IN, 4)
    assert first.text.startswith('#Environment="KUBELET_CONFIG_ARGS')
    assert "commented out" in result.observed.en
    assert "被注释" in result.observed.zh


def test_the_value_that_lost_is_shown_with_its_line() -> None:
    where = one("kubelet_anonymous", commented()).where
    assert ("enabled: false", CONFIG) in [(place.text, place.path) for place in where]


def test_a_setting_without_a_value_is_told_as_empty() -> None:
    assert 'clientCAFile="".' in one("kubelet_client_ca", commented()).observed.en


def test_the_file_that_is_never_read_is_its_own_failure() -> None:
    result = one("kubelet_config_unread", commented())
    assert (result.status, result.severity, result.where[0].line) == ("fail", "high", 4)
    assert result.where[-1].path == CONFIG
    assert said("kubelet_config_unread", clean()) == "pass"
    flags_alone = host({}, f"{WITHOUT} --anonymous-auth=false --authorization-mode=Webhook")
    assert said("kubelet_config_unread", flags_alone) == "pass"


def test_an_untouched_kubeadm_node_has_no_failure_above_low() -> None:
    results = run(CHECKS, catalogue(), snapshot(clean()))
    assert {one.severity for one in results if one.status == "fail"} <= {"low", "informational"}
    assert not [one for one in results if "itself failed" in one.reason.en]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (WITH, "pass"),
        (f"{WITH} --anonymous-auth=true", "fail low"),  # left to RBAC
        (f"{WITH} --anonymous-auth=true --authorization-mode=AlwaysAllow", "fail critical"),
        (f"{WITH} --anonymous-auth=true --authorization-mode=AlwaysAllow --address=127.0.0.1", "fail medium"),
        (f"{WITHOUT} --anonymous-auth=false", "pass"),
        ("/usr/bin/kubelet --config=/other.yaml", "not_evaluated"),
        ("kubelet", "not_evaluated"),  # a list without arguments
    ],
)
def test_anonymous_access_is_rated_by_what_it_gives(command: str, expected: str) -> None:
    assert said("kubelet_anonymous", host({CONFIG: NODE[CONFIG]}, command)) == expected


def test_a_file_that_is_named_and_missing_is_said() -> None:
    result = one("kubelet_authorization", host({}, "/usr/bin/kubelet --config=/other.yaml"))
    assert "/other.yaml" in result.reason.en
    assert "/other.yaml" in result.reason.zh


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (Host("n"), "not_evaluated"),
        (Host("n", processes=[process("/usr/sbin/sshd -D")]), "not_applicable"),
        (Host("n", processes=[process("/usr/local/bin/k3s agent")]), "not_evaluated"),
    ],
)
def test_without_a_kubelet_nothing_is_passed(machine: Host, expected: str) -> None:
    for name in (*SETTINGS, "kubelet_config_unread", "kubelet_restart", "kubelet_reachable_without_credential"):
        assert said(name, machine) == expected


def test_gke_opens_the_read_only_port_itself() -> None:
    machine = host({CONFIG: NODE[CONFIG] + "readOnlyPort: 10255\n"}, WITH)
    assert said("kubelet_read_only_port", machine) == "fail medium"
    gke = node_object("x")
    gke.document["metadata"]["labels"] = {"cloud.google.com/gke-nodepool": "p"}
    assert said("kubelet_read_only_port", machine, gke) == "fail low"


def test_a_restart_that_would_open_the_kubelet_is_told_before_it_happens() -> None:
    machine = commented()
    machine.processes = [process(WITH)]
    machine.sockets = [listening(10250)]
    run_of = {one.aspect: one.severity for one in run_restart(machine)}
    assert run_of["authentication.anonymous.enabled"] == "high"
    assert run_of["authorization.mode"] == "high"
    assert said("kubelet_restart", clean()) == "pass"
    assert said("kubelet_restart", host({CONFIG: NODE[CONFIG]}, WITH)) == "not_evaluated"


def run_restart(machine: Host) -> list[Result]:
    checks = [one for one in CHECKS if one.id == "checks/nodes/kubelet_restart"]
    return [one for one in run(checks, catalogue(), snapshot(machine)) if one.status == "fail"]


def test_a_restart_that_mends_is_told_too() -> None:
    machine = host(NODE, WITHOUT)
    severities = {one.aspect: one.severity for one in run_restart(machine)}
    assert severities["authorization.mode"] == "medium"


def test_static_pods_beyond_those_of_a_control_plane_are_told() -> None:
    machine = clean()
    machine.files.append(file("/etc/kubernetes/manifests/kube-apiserver.yaml", "kind: Pod\n"))
    assert said("static_pods", machine) == "pass"
    machine.files = [file("/etc/kubernetes/manifests/kube-system-helper.yaml", "kind: Pod\n")]
    assert said("static_pods", machine) == "fail informational"
    assert said("static_pods", clean()) == "not_evaluated"
    seen = clean()
    seen.copied = [entry("/etc/kubernetes/kubelet.conf", "-rw-------")]
    assert said("static_pods", seen) == "pass"


EKS = """{"kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1", "address": "0.0.0.0",
"authentication": {"anonymous": {"enabled": false}, "webhook": {"cacheTTL": "2m0s", "enabled": true},
"x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"}}, "authorization": {"mode": "Webhook"},
"protectKernelDefaults": true, "serverTLSBootstrap": true}"""
GKE = NODE[CONFIG] + "readOnlyPort: 10255\nstaticPodPath: /etc/kubernetes/manifests\n"
CA = "enabled: true\n  x509:\n    clientCAFile: /etc/kubernetes/kubelet-ca.crt\n"
OPENSHIFT = NODE[CONFIG].replace("enabled: true\n", CA)


@pytest.mark.parametrize(
    ("config", "text", "command"),
    [
        ("/etc/kubernetes/kubelet/c.json", EKS, "/usr/bin/kubelet --config /etc/kubernetes/kubelet/c.json"),
        ("/etc/kubernetes/kubelet.conf", OPENSHIFT, "/usr/bin/kubelet --config=/etc/kubernetes/kubelet.conf"),
        (
            "/home/kubernetes/kubelet-config.yaml",
            GKE.replace("enabled: true\n", CA),
            "/home/kubernetes/bin/kubelet --v=2 --config /home/kubernetes/kubelet-config.yaml",
        ),
        (  # AKS before it wrote a file
            "/etc/default/kubelet",
            "",
            "/usr/local/bin/kubelet --anonymous-auth=false --authorization-mode=Webhook "
            "--authentication-token-webhook=true "
            "--client-ca-file=/etc/kubernetes/certs/ca.crt --read-only-port=0 --rotate-certificates=true",
        ),
    ],
)  # fmt: skip
def test_nodes_of_the_clouds_have_no_failure_above_low(config: str, text: str, command: str) -> None:
    machine = host({config: text}, command, listening(10250), listening(10248, "127.0.0.1"))
    machine.copied = [entry(config, "-rw-r--r--")]
    machine.firewalls = [filtered("")]
    node = node_object(machine.name, addresses=[{"type": "ExternalIP", "address": PUBLIC}])
    results = run(CHECKS, catalogue(), snapshot(machine, objects=[node]))
    assert not [one for one in results if one.status == "fail" and one.severity not in {"low", "informational"}]
    assert {one.status for one in results if one.check.endswith("kubelet_anonymous")} == {"pass"}
