"""Tables of every network namespace, and the kubelet asked on the loopback."""

from __future__ import annotations

import os
import shutil
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from kubewitness.collect import configz, network, referenced
from kubewitness.collect.archive import Archive
from kubewitness.collect.rooted import Root
from kubewitness.model.collection import Header, ProcessRecord
from tests.collect.machine import build, certificate
from tests.collect.reading import proven


def archive(folder: Path) -> Archive:
    return Archive(folder / "a.tar.zst", "a", Header("f", "t", "h", ""), max_size=10**9)


def test_each_namespace_is_asked_once_through_a_process_that_answers(tmp_path: Path) -> None:
    for pid, text in ((2, "two"), (3, "three"), (4, "four")):
        (tmp_path / f"proc/{pid}/net").mkdir(parents=True)
        (tmp_path / f"proc/{pid}/net/tcp").write_text(text)
    processes = [
        ProcessRecord(pid, namespaces={"net": net}) for pid, net in ((1, "10"), (2, "10"), (3, "10"), (4, "11"))
    ]
    one = archive(tmp_path)
    assert network.take_tables(Root(str(tmp_path)), one, [*processes, ProcessRecord(9)]) == 2
    members, _ = proven(one.finish("", complete=True).path)
    assert members == {"live_response/network/net/10/tcp": b"two", "live_response/network/net/11/tcp": b"four"}


class _Kubelet(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        allowed = self.server.allowed  # type: ignore[attr-defined]
        self.send_response(200 if allowed else 403)
        self.end_headers()
        self.wfile.write(b'{"kubeletconfig":{"authorization":{"mode":"AlwaysAllow"},"token":"abcdefgh"}}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def kubelet(tmp_path: Path) -> Iterator[HTTPServer]:
    if not shutil.which("openssl"):
        pytest.skip("no openssl")
    text, key = certificate(tmp_path)
    (tmp_path / "root/var/lib/kubelet/pki").mkdir(parents=True)
    (tmp_path / "root/var/lib/kubelet/pki/kubelet-client-current.pem").write_text(text + key)
    server = HTTPServer(("127.0.0.1", 0), _Kubelet)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt.pem", tmp_path / "key.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(tmp_path / "crt.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("allowed", [True, False])
def test_the_running_configuration_or_the_refusal_is_recorded(
    tmp_path: Path, kubelet: HTTPServer, allowed: bool
) -> None:
    kubelet.allowed = allowed  # type: ignore[attr-defined]
    one = archive(tmp_path)
    assert configz.take(Root(str(tmp_path / "root")), one, kubelet.server_port) is allowed
    members, records = proven(one.finish("", complete=True).path)
    [command] = [record for record in records if record["record"] == "command"]
    assert command["argv"][:1] == ["GET"]
    if allowed:
        assert b'"mode":"AlwaysAllow"},"token":"REDACTED"' in members[configz.MEMBER]
        assert command["exit_code"] == 0
    else:
        assert members == {}
        assert command["exit_code"] == 403


@pytest.mark.parametrize(
    ("kubeconfig", "asked"),
    [
        ('{"users": [{"user": {"client-certificate": "/c/kubelet.crt", "client-key": "/c/kubelet.key"}}]}', True),
        ("users:\n- user:\n    client-certificate: /c/kubelet.crt\n    client-key: '/c/kubelet.key'\n", True),
        ("users:\n- user:\n    client-certificate: /c/kubelet.crt\n    client-key-data: L2Mva3ViZWxldC5rZXk=\n", False),
        ("users:\n- user:\n    client-certificate: /c/kubelet.crt\n    client-key: /c/pipe\n", False),
    ],
)
def test_a_certificate_that_only_the_kubelets_kubeconfig_names_is_used(
    tmp_path: Path, kubelet: HTTPServer, kubeconfig: str, asked: bool
) -> None:
    kubelet.allowed = True  # type: ignore[attr-defined]
    root = tmp_path / "root"
    (root / "var/lib/kubelet/pki/kubelet-client-current.pem").unlink()
    (root / "c").mkdir()
    (root / "c/kubelet.crt").write_text((tmp_path / "crt.pem").read_text())
    (root / "c/kubelet.key").write_text((tmp_path / "key.pem").read_text())
    os.mkfifo(root / "c/pipe")
    (root / "etc/kubernetes").mkdir(parents=True)
    (root / "etc/kubernetes/kubelet.conf").write_text(kubeconfig)
    assert configz.take(Root(str(root)), archive(tmp_path), kubelet.server_port) is asked


def test_without_a_credential_nobody_is_asked(tmp_path: Path) -> None:
    one = archive(tmp_path)
    assert not configz.take(Root(str(tmp_path)), one, 1)
    _, records = proven(one.finish("", complete=True).path)
    assert [record["record"] for record in records] == ["collection", "end"]


def test_flags_of_components_and_units_lead_to_files(tmp_path: Path) -> None:
    root = Root(str(build(tmp_path / "root")))
    kubelet = ProcessRecord(9, argv=("/usr/bin/kubelet", "--config=/a/b.yaml", "--kubeconfig", "/a/c.conf", "--v=2"))
    other = ProcessRecord(8, argv=("/usr/bin/other", "--config=/other.yaml"))
    found = referenced.patterns(root, [kubelet, other])
    assert {"/a/b.yaml", "/a/c.conf", "/opt/kubelet.env", "/opt/kubelet.yaml", "/opt/static/*"} <= set(found)
    assert "/other.yaml" not in found


def test_the_audit_log_is_where_the_api_server_says(tmp_path: Path) -> None:
    server = ProcessRecord(9, argv=("kube-apiserver", "--audit-log-path=/data/audit.log", "--audit-log-maxage=3"))
    standard = ProcessRecord(9, argv=("kube-apiserver", "--audit-log-path=-"))
    assert referenced.audit_logs([server, standard]) == ["/data/audit.log", "/data/audit-*.log"]
