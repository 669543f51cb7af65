"""etcd: open to the network is critical, to its own machine medium; certificates are asked for in two ways."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.model.evidence import Place
from kubewitness.model.host import FileEntry
from tests.posture.control_plane.plane import ETCD, api, command, file, machine, manifest, pod, process, told, verdict
from tests.posture.made import results, snapshot

NO_CA = {"trusted-ca-file": None, "client-cert-auth": None}


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, "pass"),
        ({"listen-client-urls": "http://0.0.0.0:2379"}, "fail critical"),
        ({"listen-client-urls": "http://127.0.0.1:2379,https://10.0.0.5:2379"}, "fail medium"),
        ({"listen-client-urls": "http://127.0.0.1:2379,http://10.0.0.5:2379"}, "fail critical"),
        ({"listen-client-urls": "http://[::1]:2379"}, "fail medium"),
        ({"listen-client-urls": "http://[::]:2379"}, "fail critical"),
        (NO_CA, "fail critical"),
        ({**NO_CA, "listen-client-urls": "https://127.0.0.1:2379"}, "fail medium"),
        ({"client-cert-auth": None}, "pass"),  # a trusted authority makes etcd ask for certificates too
        ({"client-cert-auth": "false"}, "pass"),
        ({"trusted-ca-file": None}, "pass"),  # asks, by the system's authorities
        ({"listen-client-urls": "https://$(POD_IP):2379"}, "pass"),
        ({"listen-client-urls": "http://$(POD_IP):2379"}, "not_evaluated"),
        ({"listen-client-urls": "unixs://localhost:2379"}, "pass"),
        ({**NO_CA, "listen-client-urls": None}, "fail medium"),  # its default: http on localhost
    ],
)
def test_clients_need_a_certificate(flags: dict[str, str | None], expected: str) -> None:
    assert verdict("etcd_client_auth", pod("etcd", flags, "3.5.15-0")) == expected


def remedies(flags: dict[str, str | None], name: str = "etcd_client_auth") -> list[tuple[str, str]]:
    """The commands and details of what fails."""
    found = results(f"control_plane/{name}", snapshot([pod("etcd", flags, "3.5.15-0")]), "fail")
    return [(one.remedy.command, one.remedy.detail.en) for one in found if one.remedy]


def test_the_remedy_names_the_addresses_it_listens_on() -> None:
    [(command_, detail)] = remedies({"listen-client-urls": "http://127.0.0.1:2379,http://10.0.0.5:2379"})
    assert "--listen-client-urls=https://127.0.0.1:2379,https://10.0.0.5:2379" in command_
    assert "block port 2379" in detail
    [(command_, _)] = remedies({"listen-peer-urls": "http://10.0.0.5:2380"}, "etcd_peer_auth")
    assert "--listen-peer-urls=https://10.0.0.5:2380" in command_
    assert remedies({"listen-client-urls": "http://10.0.0.5:2379,http://$(id) #"}) == []  # not into a manifest


def test_on_loopback_no_firewall_is_advised() -> None:
    [(_, detail)] = remedies({"listen-client-urls": "http://127.0.0.1:2379"})
    assert "no packet filter helps" in detail


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, "pass"),
        ({"listen-peer-urls": "http://10.0.0.5:2380"}, "fail high"),
        ({"listen-peer-urls": "http://127.0.0.1:2380"}, "fail low"),
        ({"peer-client-cert-auth": None, "peer-trusted-ca-file": None}, "fail high"),
        ({"peer-client-cert-auth": None}, "pass"),
    ],
)
def test_members_need_a_certificate(flags: dict[str, str | None], expected: str) -> None:
    assert verdict("etcd_peer_auth", pod("etcd", flags, "3.5.15-0")) == expected


def test_certificates_that_etcd_makes_itself_are_told() -> None:
    assert verdict("etcd_auto_tls", pod("etcd", {"auto-tls": "true"}, "3.5")) == "fail medium"
    assert verdict("etcd_auto_tls", pod("etcd", {}, "3.5")) == "pass"


def test_an_authority_shared_with_the_clients_of_the_cluster_opens_etcd() -> None:
    shared = pod("etcd", {"trusted-ca-file": "/etc/kubernetes/pki/ca.crt"}, "3.5")
    assert verdict("etcd_own_authority", shared, api()) == "fail high"
    assert verdict("etcd_own_authority", pod("etcd", {}, "3.5"), api()) == "pass"
    assert verdict("etcd_own_authority", shared) == "not_evaluated"
    assert verdict("etcd_own_authority", pod("etcd", {**NO_CA}, "3.5"), api()) == "not_applicable"


def test_variables_count_where_no_flag_stands() -> None:
    plain = pod("etcd", dict.fromkeys(ETCD), "3.5")
    plain["spec"]["containers"][0]["env"] = [{"name": "ETCD_LISTEN_CLIENT_URLS", "value": "http://0.0.0.0:2379"}]
    assert verdict("etcd_client_auth", plain) == "fail critical"
    both = pod("etcd", {}, "3.5")
    both["spec"]["containers"][0]["env"] = plain["spec"]["containers"][0]["env"]
    assert verdict("etcd_client_auth", both) == "pass"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ((), "not_evaluated"),  # what the process was given is not known
        (("ETCD_LISTEN_CLIENT_URLS",), "not_evaluated"),  # its value was left out
        (("PATH=/bin", "ETCD_LISTEN_CLIENT_URLS=http://10.0.0.5:2379"), "fail"),
        (("PATH=/bin", "ETCD_NAME=a"), "fail"),  # whole: what is not set is the default
    ],
)
def test_of_a_process_without_flags_its_variables_tell(environment: tuple[str, ...], expected: str) -> None:
    host = machine(processes=(process(["etcd", "--name=a"], environment=environment),))
    assert told("etcd_client_auth", snapshot(hosts=[host]))[0][0] == expected


FILE = """name: a
listen-client-urls: http://10.0.0.5:2379
client-transport-security:
  client-cert-auth: {}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FILE.format("false"), "fail"),
        (FILE.replace("http:", "https:").format("true"), "pass"),
        (FILE.replace("http:", "https:").format("false"), "fail"),
        ("{", "not_evaluated"),
    ],
)
def test_beside_a_configuration_file_no_flag_counts(text: str, expected: str) -> None:
    words = [*command("etcd"), "--config-file=/etc/etcd/etcd.yml"]
    host = machine(file("/etc/etcd/etcd.yml", text), processes=(process(words),))
    assert told("etcd_client_auth", snapshot(hosts=[host]))[0][0] == expected


def entry(path: str, mode: str) -> FileEntry:
    return FileEntry(path, Place("bodyfile", 1, 0), "directory", mode=mode, owner="root")


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        ([entry("/var/lib/etcd", "drwx------")], ("pass", None)),
        ([entry("/var/lib/etcd", "drwxr-xr-x")], ("fail", "medium")),
        ([entry("/var/lib/etcd", "drwxr-x---")], ("fail", "low")),
        ([entry("/var/lib/etcd", "drwxr-xr-x"), entry("/var/lib/etcd/member", "drwx------")], ("pass", None)),
        ([entry("/var/lib/etcd2", "drwxrwxrwx")], ("not_evaluated", None)),
        ([], ("not_evaluated", None)),
    ],
)
def test_the_folder_of_the_data_is_closed(listing: Any, expected: object) -> None:
    host = machine(manifest(pod("etcd", {}, "3.5")))
    host.listing = listing
    ((status, _, severity),) = told("etcd_data_mode", snapshot(hosts=[host]))
    assert (status, severity) == expected
