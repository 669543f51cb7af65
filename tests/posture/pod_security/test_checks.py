"""Each check speaks on its field, stays silent just beside it, and says which field it was."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.posture.pod_security import Level, evaluate, sentence
from kubewitness.posture.pod_security.policy import CHECKS
from tests.posture.pod_security.made_up import changed, clean, container, failed

_SC = "spec.containers[0].securityContext"
_POD = "spec.securityContext"
_APPARMOR = 'metadata.annotations["container.apparmor.security.beta.kubernetes.io/app"]'
_SYSCTL = f"{_POD}.sysctls[0].name"


def test_a_clean_pod_fails_nothing_in_any_version() -> None:
    for minor in range(40):
        assert evaluate(clean("a", "b"), "restricted", (1, minor)) == []
        assert evaluate(clean("a", "b"), "baseline", (1, minor)) == []


@pytest.mark.parametrize(
    ("path", "value", "level", "check"),
    [
        ("spec.hostNetwork", True, "baseline", "hostNamespaces"),
        ("spec.hostPID", True, "baseline", "hostNamespaces"),
        ("spec.hostIPC", True, "baseline", "hostNamespaces"),
        (f"{_SC}.privileged", True, "baseline", "privileged"),
        (f"{_SC}.capabilities.add[0]", "NET_RAW", "baseline", "capabilities_baseline"),
        (f"{_SC}.capabilities.add[0]", "chown", "baseline", "capabilities_baseline"),
        (f"{_SC}.capabilities.add[0]", None, "baseline", "capabilities_baseline"),
        (f"{_SC}.capabilities.add[0]", "CHOWN", "restricted", "capabilities_restricted"),
        (f"{_SC}.capabilities.drop", ["all"], "restricted", "capabilities_restricted"),
        (f"{_SC}.capabilities.drop", ..., "restricted", "capabilities_restricted"),
        ("spec.volumes[0].hostPath", {}, "baseline", "hostPathVolumes"),
        ("spec.volumes[0].hostPath", {}, "restricted", "restrictedVolumes"),
        ("spec.volumes[0].nfs", {}, "restricted", "restrictedVolumes"),
        ("spec.containers[0].ports[0].hostPort", 80, "baseline", "hostPorts"),
        ("spec.containers[0].livenessProbe.httpGet.host", "10.0.0.1", "baseline", "hostProbesAndHostLifecycle"),
        ("spec.containers[0].startupProbe.tcpSocket.host", "a", "baseline", "hostProbesAndHostLifecycle"),
        ("spec.containers[0].lifecycle.preStop.httpGet.host", "a", "baseline", "hostProbesAndHostLifecycle"),
        (f"{_POD}.appArmorProfile.type", "Unconfined", "baseline", "appArmorProfile"),
        (f"{_SC}.appArmorProfile.type", "", "baseline", "appArmorProfile"),
        (_APPARMOR, "unconfined", "baseline", "appArmorProfile"),
        (f"{_POD}.seLinuxOptions.type", "spc_t", "baseline", "seLinuxOptions"),
        (f"{_SC}.seLinuxOptions.user", "system_u", "baseline", "seLinuxOptions"),
        (f"{_SC}.seLinuxOptions.role", "system_r", "baseline", "seLinuxOptions"),
        (f"{_SC}.procMount", "Unmasked", "baseline", "procMount"),
        (f"{_SC}.procMount", "Unmasked", "restricted", "procMount_restricted"),
        (f"{_SC}.seccompProfile.type", "Unconfined", "baseline", "seccompProfile_baseline"),
        (f"{_SC}.seccompProfile.type", ..., "restricted", "seccompProfile_restricted"),
        (_SYSCTL, "kernel.msgmax", "baseline", "sysctls"),
        (f"{_POD}.windowsOptions.hostProcess", True, "baseline", "windowsHostProcess"),
        (f"{_SC}.windowsOptions.hostProcess", True, "baseline", "windowsHostProcess"),
        (f"{_SC}.allowPrivilegeEscalation", None, "restricted", "allowPrivilegeEscalation"),
        (f"{_SC}.allowPrivilegeEscalation", True, "restricted", "allowPrivilegeEscalation"),
        (f"{_SC}.runAsNonRoot", False, "restricted", "runAsNonRoot"),
        (f"{_SC}.runAsNonRoot", ..., "restricted", "runAsNonRoot"),
        (f"{_POD}.runAsNonRoot", False, "restricted", "runAsNonRoot"),
        (f"{_SC}.runAsUser", 0, "restricted", "runAsUser"),
        (f"{_POD}.runAsUser", 0, "restricted", "runAsUser"),
    ],
)
def test_a_field_that_a_level_forbids_fails_its_check_alone_and_is_named(
    path: str, value: Any, level: Level, check: str
) -> None:
    (violation,) = evaluate(changed((path, value)), level)
    assert violation.check == check
    assert violation.paths == (path,)
    assert violation.reason
    assert violation.detail


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.hostNetwork", False),
        ("spec.hostPID", None),
        (f"{_SC}.privileged", False),
        (f"{_SC}.capabilities.add", ["NET_BIND_SERVICE"]),
        (f"{_SC}.capabilities.drop", ["NET_RAW", "ALL"]),
        ("spec.volumes[0].hostPath", None),
        ("spec.volumes[0].name", "without-a-source"),
        ("spec.volumes[0].image", {}),
        ("spec.containers[0].ports[0].hostPort", 0),
        ("spec.containers[0].ports[0].containerPort", 80),
        ("spec.containers[0].livenessProbe.httpGet.host", ""),
        ("spec.containers[0].livenessProbe.httpGet.port", 80),
        ("spec.containers[0].lifecycle.preStop.exec", {"host": "a"}),
        (f"{_POD}.appArmorProfile.type", "Localhost"),
        (f"{_POD}.appArmorProfile", None),
        (_APPARMOR, "localhost/mine"),
        (_APPARMOR, ""),
        ('metadata.annotations["container.apparmor.security.beta.kubernetes/app"]', "unconfined"),
        (f"{_POD}.seLinuxOptions.type", "container_engine_t"),
        (f"{_POD}.seLinuxOptions.level", "s0:c1,c2"),
        (f"{_SC}.procMount", "Default"),
        (f"{_SC}.seccompProfile.type", "Localhost"),
        ('metadata.annotations["seccomp.security.alpha.kubernetes.io/pod"]', "unconfined"),
        (_SYSCTL, "net.ipv4.tcp_notsent_lowat"),
        (f"{_SC}.windowsOptions.hostProcess", False),
        (f"{_SC}.runAsUser", 1),
        (f"{_SC}.runAsUser", None),
        (f"{_POD}.runAsNonRoot", True),
    ],
)
def test_a_field_beside_it_fails_nothing(path: str, value: Any) -> None:
    assert evaluate(changed((path, value)), "restricted") == []
    assert evaluate(changed((path, value)), "baseline") == []


@pytest.mark.parametrize("where", ["initContainers", "ephemeralContainers"])
def test_containers_of_every_list_are_looked_at(where: str) -> None:
    pod = changed((f"spec.{where}[0]", container("other")))
    assert evaluate(pod, "restricted") == []
    pod["spec"][where][0]["securityContext"]["privileged"] = True
    assert [one.paths for one in evaluate(pod, "baseline")] == [(f"spec.{where}[0].securityContext.privileged",)]


def test_what_the_pod_says_holds_for_containers_that_say_nothing() -> None:
    pod = changed(
        (f"{_SC}.runAsNonRoot", ...),
        (f"{_SC}.seccompProfile", ...),
        (f"{_POD}.runAsNonRoot", True),
        (f"{_POD}.seccompProfile.type", "Localhost"),
    )
    assert evaluate(pod, "restricted") == []
    assert failed(changed((f"{_SC}.runAsNonRoot", False), pod=pod), "restricted") == {"runAsNonRoot"}
    assert failed(changed((f"{_SC}.seccompProfile", {}), pod=pod), "restricted") == {"seccompProfile_restricted"}


def test_on_the_nodes_network_a_port_is_the_nodes_but_not_a_debuggers() -> None:
    """The API server's default: a manifest says no hostPort, its pod has one."""
    port = ("spec.containers[0].ports[0].containerPort", 8080)
    pod = changed(("spec.hostNetwork", True), port)
    assert failed(pod, "baseline") == {"hostNamespaces", "hostPorts"}
    assert evaluate(pod, "baseline")[1].paths == ("spec.containers[0].ports[0].containerPort",)
    pod["spec"]["ephemeralContainers"] = pod["spec"].pop("containers")
    assert failed(pod, "baseline") == {"hostNamespaces"}


def test_a_source_of_volumes_from_the_future_is_forbidden_as_upstream_forbids_what_it_does_not_know() -> None:
    (violation,) = evaluate(changed(("spec.volumes[0].teleport", {"to": "node"})), "restricted")
    assert violation.detail == 'volume "" uses restricted volume type "unknown"'
    assert violation.paths == ("spec.volumes[0]",)


def test_the_answer_is_the_api_servers_sentence() -> None:
    pod = changed(
        (f"{_SC}.capabilities.add", ["SYS_ADMIN", "NET_RAW"]),
        ("spec.hostPID", True),
        ("spec.hostNetwork", True),
        ("spec.volumes[0].name", "root"),
        ("spec.volumes[0].hostPath.path", "/"),
        ("spec.containers[0].ports", [{"hostPort": 80}, {"hostPort": 443}]),
        (_APPARMOR, "unconfined"),
    )
    pod["spec"]["containers"].append({"name": "side", "securityContext": {"privileged": True}})
    assert sentence(evaluate(pod, "baseline")) == (
        "forbidden AppArmor profile (annotation must not set AppArmor profile type to "
        '"container.apparmor.security.beta.kubernetes.io/app="unconfined""), '
        'non-default capabilities (container "app" must not include "NET_RAW", "SYS_ADMIN" in '
        "securityContext.capabilities.add), "
        "host namespaces (hostNetwork=true, hostPID=true), "
        'hostPath volumes (volume "root"), '
        'hostPort (container "app" uses hostPorts 443, 80), '
        'privileged (container "side" must not set securityContext.privileged=true)'
    )
    assert sentence(evaluate(pod, "restricted")).endswith(
        'allowPrivilegeEscalation != false (container "side" must set '
        "securityContext.allowPrivilegeEscalation=false), "
        'unrestricted capabilities (container "side" must set securityContext.capabilities.drop=["ALL"]; '
        'container "app" must not include "NET_RAW", "SYS_ADMIN" in securityContext.capabilities.add), '
        'restricted volume types (volume "root" uses restricted volume type "hostPath"), '
        'runAsNonRoot != true (pod or container "side" must set securityContext.runAsNonRoot=true), '
        'seccompProfile (pod or container "side" must set securityContext.seccompProfile.type to '
        '"RuntimeDefault" or "Localhost")'
    )


def test_privileged_forbids_nothing() -> None:
    assert evaluate(changed(("spec.hostPID", True), (f"{_SC}.privileged", True)), "privileged") == []


def test_the_checks_stand_in_upstreams_order() -> None:
    """Baseline's by id, then restricted's: the order of the sentence."""
    assert [(one.level, one.name) for one in CHECKS] == sorted((one.level, one.name) for one in CHECKS)
