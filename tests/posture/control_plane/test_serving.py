"""Ports and profiles of the other components, by version; kube-proxy by its ConfigMap."""

from __future__ import annotations

from typing import Any

import pytest

from tests.posture.control_plane.plane import file, machine, manifest, pod, process, told, verdict
from tests.posture.made import snapshot


@pytest.mark.parametrize(
    ("version", "flags", "expected"),
    [
        ("v1.22.0", {}, "fail low"),
        ("v1.22.0", {"port": "0"}, "pass"),
        ("v1.22.0", {"address": "127.0.0.1"}, "pass"),
        ("v1.22.0", {"address": "10.0.0.5"}, "fail low"),
        ("v1.23.0", {}, "pass"),
        ("v1.34.4", {}, "pass"),
        ("latest", {}, "not_evaluated"),
        ("latest", {"port": "10251"}, "fail low"),
    ],
)
def test_the_port_without_authentication_is_judged_by_the_version(
    version: str, flags: dict[str, str | None], expected: str
) -> None:
    scheduler = pod("kube-scheduler", flags, version)
    manager = pod("kube-controller-manager", flags, version)
    assert verdict("insecure_metrics_port", scheduler, manager) == expected


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, "pass"),
        ({"bind-address": "0.0.0.0"}, "fail"),
        ({"bind-address": None}, "fail"),
        ({"bind-address": "::1"}, "pass"),
        ({"bind-address": "10.0.0.5"}, "fail"),
        ({"bind-address": "0.0.0.0", "secure-port": "0"}, "pass"),
        ({"bind-address": "$(HOST_IP)"}, "not_evaluated"),
    ],
)
def test_the_port_with_authentication_binds_to_loopback(flags: dict[str, str | None], expected: str) -> None:
    of = snapshot([pod("kube-scheduler", flags), pod("kube-controller-manager", flags)])
    assert {one[0] for one in told("bind_address", of)} == {expected}


def test_controllers_have_their_own_accounts() -> None:
    assert verdict("service_account_credentials", pod("kube-controller-manager")) == "pass"
    without = pod("kube-controller-manager", {"use-service-account-credentials": None})
    assert verdict("service_account_credentials", without) == "fail low"


SCHEDULER = "kind: KubeSchedulerConfiguration\nenableProfiling: {}\n"


@pytest.mark.parametrize(("text", "expected"), [("false", "pass"), ("true", "fail"), ("", "fail")])
def test_a_schedulers_file_decides_on_profiles_and_no_flag(text: str, expected: str) -> None:
    one = pod("kube-scheduler", {"config": "/etc/kubernetes/s.yaml", "profiling": "false"})
    host = machine(manifest(one), file("/etc/kubernetes/s.yaml", SCHEDULER.format(text)))
    found = told("profiling", snapshot(hosts=[host]))
    assert expected in {one[0] for one in found}
    assert not {"pass", "fail"} - {expected} & {one[0] for one in found}
    assert {one[0] for one in told("profiling", snapshot([one]))} == {"not_evaluated"}


def proxy(address: str) -> dict[str, Any]:
    text = (
        f'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmetricsBindAddress: "{address}"\n'
    )
    return {
        "kind": "ConfigMap", "metadata": {"name": "kube-proxy", "namespace": "kube-system"},
        "data": {"config.conf": text},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", "pass"),
        ("127.0.0.1:10249", "pass"),
        ("[::1]:10249", "pass"),
        ("0.0.0.0:10249", "fail"),
        ("[::]:10249", "fail"),
        (":10249", "fail"),
        ("0.0.0.0", "fail"),
    ],
)
def test_kube_proxys_metrics_are_told_by_its_configmap(address: str, expected: str) -> None:
    assert [one[0] for one in told("proxy_metrics", snapshot([proxy(address)]))] == [expected]


def test_kube_proxys_metrics_are_told_by_its_flags_where_it_has_no_file() -> None:
    words = ["/usr/local/bin/kube-proxy", "--metrics-bind-address=0.0.0.0:10249"]
    assert [one[0] for one in told("proxy_metrics", snapshot(hosts=[machine(processes=(process(words),))]))] == ["fail"]
    words.append("--config=/var/lib/kube-proxy/config.conf")
    found = told("proxy_metrics", snapshot(hosts=[machine(processes=(process(words),))]))
    assert [one[0] for one in found] == ["not_evaluated"]


def test_another_configmap_of_that_name_is_none() -> None:
    other = proxy("0.0.0.0:10249")
    other["metadata"]["namespace"] = "shop"
    assert [one[0] for one in told("proxy_metrics", snapshot([other]))] == ["not_evaluated"]
