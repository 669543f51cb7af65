"""Keys and certificates of one run, as openssl itself reads them; and the addresses of the range's network."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
from pathlib import Path

import pytest

from range.certificates import Authority
from range.network import CONTROL_PLANE, node_address, on_host, pod_network
from range.sandbox import RangeError

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not on the PATH")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


def openssl(*words: str | Path) -> str:
    return subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=True).stdout


@needs_openssl
def test_a_signed_certificate_is_the_users_with_groups_in_order_and_the_authority_vouches(authority: Authority) -> None:
    certificate, key = authority.sign("jane", "jane@example.com", ("shop", "system:masters"))
    openssl("verify", "-purpose", "sslclient", "-CAfile", authority.certificate, certificate)
    subject = openssl("x509", "-in", certificate, "-noout", "-subject", "-nameopt", "RFC2253").strip()
    assert subject == "subject=CN=jane@example.com,O=system:masters,O=shop"
    assert openssl("x509", "-in", certificate, "-noout", "-pubkey") == openssl("pkey", "-in", key, "-pubout")


@needs_openssl
def test_only_what_has_addresses_can_be_a_server(authority: Authority) -> None:
    server, _ = authority.sign("api", "kube-apiserver", (), ("10.77.0.10", "kubernetes.default"))
    text = openssl("x509", "-in", server, "-noout", "-ext", "subjectAltName,extendedKeyUsage")
    assert "IP Address:10.77.0.10" in text
    assert "DNS:kubernetes.default" in text
    assert "TLS Web Server Authentication" in text
    client, _ = authority.sign("someone", "someone")
    assert "Server" not in openssl("x509", "-in", client, "-noout", "-ext", "extendedKeyUsage")


@needs_openssl
def test_a_signing_request_is_well_formed_and_unsigned(authority: Authority) -> None:
    request, _ = authority.request("ghost", "ghost", ("system:masters",))
    assert "ghost" in openssl("req", "-in", request, "-noout", "-verify", "-subject")
    assert not request.with_suffix(".crt").exists()


@needs_openssl
def test_what_openssl_refuses_is_told_in_its_words(authority: Authority) -> None:
    with pytest.raises(RangeError, match="openssl x509: "):
        authority.sign("bad", "bad", (), ("999.1.1.1",))


def test_nodes_pods_and_control_plane_have_addresses_of_their_own() -> None:
    nodes = [node_address(number) for number in (1, 2, 3)]
    assert nodes == ["10.77.0.11", "10.77.0.12", "10.77.0.13"]
    assert CONTROL_PLANE not in nodes
    first, second = (ipaddress.ip_network(pod_network(number)) for number in (1, 2))
    assert not first.overlaps(second)


def test_a_command_on_a_host_runs_in_that_hosts_network_alone() -> None:
    assert on_host("node1") == ["nsenter", "--net=/run/netns/node1", "--"]
