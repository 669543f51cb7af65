"""The API server's doors: versions decide what a missing flag means, and defaults are no weakness above low."""

from __future__ import annotations

from typing import Any

import pytest

from tests.posture.control_plane.plane import (
    API,
    DEFAULTS,
    api,
    asked,
    command,
    file,
    machine,
    manifest,
    pod,
    told,
    verdict,
)
from tests.posture.made import results, snapshot

ALL = [
    "insecure_port", "anonymous_auth", "authorization_mode", "token_file", "service_account_lookup",
    "node_restriction", "admission_plugins", "client_ca", "kubelet_ca", "encryption_at_rest", "audit_log",
    "audit_policy", "audit_losses", "etcd_client_auth", "etcd_peer_auth", "etcd_auto_tls", "etcd_own_authority",
    "etcd_data_mode", "insecure_metrics_port", "bind_address", "service_account_credentials", "profiling",
    "proxy_metrics", "started_otherwise", "front_proxy", "etcd_servers",
]  # fmt: skip


@pytest.mark.parametrize("version", ["v1.22.17", "v1.28.7", "v1.34.4", "v1.36.0"])
def test_kubeadms_control_plane_fails_nothing_above_low_but_for_the_missing_audit_log(version: str) -> None:
    changed: dict[str, str | None] = {"port": "0"} if version == "v1.22.17" else {}
    pods = [pod(one, {} if one in {"etcd", "kube-apiserver"} else changed, version) for one in DEFAULTS]
    failed = {
        name: severity
        for name in ALL
        for status, _, severity in asked(name, *pods)
        if status == "fail" and severity not in {"low", "informational"}
    }
    assert failed == {"audit_log": "medium"}


@pytest.mark.parametrize(
    ("version", "flags", "expected"),
    [
        ("v1.19.16", {}, "fail medium"),  # open on loopback by default
        ("v1.19.16", {"insecure-port": "0"}, "pass"),
        ("v1.19.16", {"insecure-port": "8080"}, "fail high"),
        ("v1.19.16", {"insecure-port": "8080", "insecure-bind-address": "0.0.0.0"}, "fail critical"),
        ("v1.19.16", {"insecure-bind-address": "::"}, "fail critical"),
        ("v1.19.16", {"port": "9000", "address": "10.0.0.5"}, "fail critical"),
        ("v1.20.0", {}, "pass"),
        ("v1.20.0", {"insecure-bind-address": "0.0.0.0"}, "pass"),  # has no effect any more
        ("v1.34.4", {}, "pass"),
        ("latest", {}, "not_evaluated"),
        ("latest", {"insecure-port": "0"}, "pass"),
        ("latest", {"insecure-port": "8080", "insecure-bind-address": "0.0.0.0"}, "fail critical"),
        ("latest", {"insecure-port": "$(PORT)"}, "not_evaluated"),
    ],
)
def test_the_insecure_port_is_judged_by_the_version(version: str, flags: dict[str, str | None], expected: str) -> None:
    assert verdict("insecure_port", pod("kube-apiserver", flags, version)) == expected


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("Node,RBAC", [("pass", "", None)]),
        ("RBAC,Node,Webhook", [("pass", "", None)]),
        ("AlwaysAllow", [("fail", "AlwaysAllow", "critical")]),
        ("Node,RBAC,AlwaysAllow", [("fail", "AlwaysAllow", "critical")]),
        (None, [("fail", "AlwaysAllow", "critical")]),  # the default
        ("Node,ABAC", [("fail", "RBAC", "high")]),
        ("Node,Webhook", [("fail", "RBAC", "low")]),
        ("RBAC", [("fail", "Node", "low")]),
    ],
)
def test_authorization_is_by_node_and_rbac(mode: str | None, expected: list[Any]) -> None:
    assert asked("authorization_mode", api(authorization_mode=mode)) == expected


STRUCTURED = """apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- type: {}
  name: first
- type: RBAC
  name: rbac
"""
CONFIG = "/etc/kubernetes/authorization.yaml"


@pytest.mark.parametrize(
    ("first", "expected"), [("Node", ("pass", "", None)), ("AlwaysAllow", ("fail", "AlwaysAllow", "critical"))]
)
def test_authorizers_are_read_from_the_file_that_is_named(first: str, expected: object) -> None:
    server = api(authorization_mode=None, authorization_config=CONFIG)
    host = machine(manifest(server), file(CONFIG, STRUCTURED.format(first)))
    assert told("authorization_mode", snapshot(hosts=[host])) == [expected]
    assert told("authorization_mode", snapshot([server])) == [("not_evaluated", "", None)]


@pytest.mark.parametrize(
    ("check", "flags", "expected"),
    [
        ("token_file", {"token-auth-file": "/etc/tokens.csv"}, "fail medium"),
        ("token_file", {"basic-auth-file": "/etc/basic.csv"}, "pass"),  # 1.34 would not start with it
        ("token_file", {}, "pass"),
        ("service_account_lookup", {"service-account-lookup": "false"}, "fail high"),
        ("service_account_lookup", {"service-account-lookup": "true"}, "pass"),
        ("service_account_lookup", {}, "pass"),
        ("node_restriction", {}, "pass"),
        ("node_restriction", {"enable-admission-plugins": None}, "fail medium"),
        ("node_restriction", {"enable-admission-plugins": "PodSecurity"}, "fail medium"),
        ("node_restriction", {"disable-admission-plugins": "NodeRestriction"}, "fail medium"),
        ("node_restriction", {"enable-admission-plugins": None, "admission-control": "NodeRestriction"}, "pass"),
        ("admission_plugins", {"disable-admission-plugins": "CertificateSubjectRestriction"}, "fail high"),
        ("admission_plugins", {"disable-admission-plugins": "PodSecurity"}, "fail medium"),
        ("admission_plugins", {"disable-admission-plugins": "DefaultStorageClass"}, "pass"),
        ("admission_plugins", {"enable-admission-plugins": "NodeRestriction,AlwaysAdmit"}, "fail low"),
        ("client_ca", {"client-ca-file": None}, "fail low"),
        ("client_ca", {}, "pass"),
        ("kubelet_ca", {}, "fail low"),
        ("kubelet_ca", {"kubelet-certificate-authority": "/etc/kubernetes/pki/ca.crt"}, "pass"),
        ("encryption_at_rest", {}, "fail low"),
        ("encryption_at_rest", {"encryption-provider-config": "/etc/enc.yaml"}, "not_evaluated"),
        ("front_proxy", {}, "pass"),
        ("front_proxy", {"requestheader-client-ca-file": "/etc/kubernetes/pki/front-proxy-ca.crt"}, "pass"),
        ("front_proxy", {"requestheader-client-ca-file": API["client-ca-file"]}, "fail critical"),
        (
            "front_proxy",
            {"requestheader-client-ca-file": API["client-ca-file"], "requestheader-allowed-names": "a"},
            "fail low",
        ),
        ("etcd_servers", {}, "pass"),
        ("etcd_servers", {"etcd-servers": "http://127.0.0.1:2379"}, "pass"),
        ("etcd_servers", {"etcd-servers": "unix:///run/kine.sock"}, "pass"),
        ("etcd_servers", {"etcd-servers": "https://a:2379,http://10.0.0.6:2379"}, "fail high"),
        ("etcd_servers", {"etcd-servers": "http://$(ETCD):2379"}, "not_evaluated"),
        ("profiling", {"profiling": "false"}, "pass"),
        ("profiling", {"profiling": "F"}, "pass"),
        ("profiling", {}, "fail low"),
    ],
)
def test_a_flag_decides(check: str, flags: dict[str, str | None], expected: str) -> None:
    server = pod("kube-apiserver", flags)
    found = results(f"control_plane/{check}", snapshot([server]))
    own = [one for one in found if one.subject == "kube-apiserver cp1"]
    one = own[0]
    assert (f"{one.status} {one.severity}" if one.status == "fail" else one.status) == expected


def test_a_plugin_that_the_version_has_off_anyway_is_not_switched_off_by_its_name() -> None:
    off: dict[str, str | None] = {"disable-admission-plugins": "PodSecurity"}
    assert verdict("admission_plugins", pod("kube-apiserver", off, "v1.22.17")) == "pass"
    assert verdict("admission_plugins", pod("kube-apiserver", off, "v1.23.0")) == "fail medium"


def test_an_old_version_takes_passwords_from_a_file() -> None:
    assert verdict("token_file", pod("kube-apiserver", {"basic-auth-file": "/x"}, "v1.18.0")) == "fail high"


ENCRYPTION = """kind: EncryptionConfiguration
resources:
- resources: [{covered}]
  providers:
  - {first}: {{}}
  - identity: {{}}
"""


@pytest.mark.parametrize(
    ("covered", "first", "expected"),
    [
        ("secrets", "secretbox", "pass"),
        ("configmaps, secrets", "kms", "pass"),
        ("'*.*'", "aescbc", "pass"),
        ("secrets", "identity", "fail"),
        ("configmaps", "kms", "fail"),
    ],
)
def test_secrets_are_encrypted_by_the_first_provider(covered: str, first: str, expected: str) -> None:
    server = api(encryption_provider_config="/etc/kubernetes/enc.yaml")
    text = ENCRYPTION.format(covered=covered, first=first)
    host = machine(manifest(server), file("/etc/kubernetes/enc.yaml", text))
    assert [one[0] for one in told("encryption_at_rest", snapshot(hosts=[host]))] == [expected]


def test_a_file_is_found_where_it_is_mounted_from() -> None:
    server = api(authorization_mode=None, authorization_config="/etc/authz/config.yaml")
    server["spec"]["volumes"] = [{"name": "a", "hostPath": {"path": "/srv/authz"}}]
    server["spec"]["containers"][0]["volumeMounts"] = [{"name": "a", "mountPath": "/etc/authz"}]
    right = machine(manifest(server), file("/srv/authz/config.yaml", STRUCTURED.format("Node")))
    wrong = machine(manifest(server), file("/etc/authz/config.yaml", STRUCTURED.format("Node")))
    assert told("authorization_mode", snapshot(hosts=[right])) == [("pass", "", None)]
    assert told("authorization_mode", snapshot(hosts=[wrong])) == [("not_evaluated", "", None)]


def test_a_failure_names_the_line_of_the_manifest() -> None:
    host = machine(manifest(api(service_account_lookup="false")))
    (one,) = results("control_plane/service_account_lookup", snapshot(hosts=[host]))
    number = host.files[0].text.split("\n").index("    - --service-account-lookup=false") + 1
    assert (one.where[0].line, one.where[0].path) == (number, "/etc/kubernetes/manifests/kube-apiserver.yaml")
    assert one.subject == "kube-apiserver cp1"


def test_flags_kept_beside_an_audit_log_are_judged_too() -> None:
    line = " ".join(command("kube-apiserver", {"authorization-mode": "AlwaysAllow"}))
    of = snapshot(command_lines=[line], version="v1.34.4")
    assert told("authorization_mode", of) == [("fail", "AlwaysAllow", "critical")]
