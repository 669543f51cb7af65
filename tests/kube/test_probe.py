"""The unauthenticated probe: one request, bounded, and only what was named. Servers on loopback only."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kubewitness.kube.probe import Question, ask
from tests.collect.machine import certificate

Serve = Callable[[socket.socket], None]


@contextmanager
def server(serve: Serve, context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[int]]]:
    """A server on loopback; the list has a mark for each connection."""
    seen: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def run() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                seen.append(1)
                try:
                    with context.wrap_socket(connection, server_side=True) if context else connection as secured:
                        serve(secured)
                except OSError:
                    continue

        threading.Thread(target=run, daemon=True).start()
        yield listening.getsockname()[1], seen
        listening.shutdown(socket.SHUT_RDWR)


def answering(text: bytes, asked: list[bytes] | None = None) -> Serve:
    def serve(connection: socket.socket) -> None:
        got = connection.recv(4096)
        if asked is not None:
            asked.append(got)
        connection.sendall(text)

    return serve


def question(port: int, **more: object) -> Question:
    return Question("127.0.0.1", port, "/pods", tls=False, timeout=2.0, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [200, 301, 401, 403, 500])
def test_the_status_is_told_and_no_body_is_kept(status: int) -> None:
    text = b"HTTP/1.1 %d X\r\nContent-Length: 6\r\nLocation: http://127.0.0.1:1/\r\n\r\nsecret" % status
    asked: list[bytes] = []
    with server(answering(text, asked)) as (port, seen):
        answer = ask(question(port))
    assert (answer.status, answer.body, answer.sent) == (status, b"", True)
    assert len(seen) == 1  # no redirect is followed, nothing is asked again
    assert asked[0].startswith(b"GET /pods HTTP/1.1\r\n")
    assert b"uthorization" not in asked[0]


def test_of_a_body_no_more_is_read_than_was_wanted() -> None:
    with server(answering(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000)) as (port, _):
        assert ask(question(port, most=10)).body == b"x" * 10


@pytest.mark.parametrize("text", [b"", b"SSH-2.0-OpenSSH\r\n", b"\x00" * 100_000, b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_no_http_is_told_as_such(text: bytes) -> None:
    with server(answering(text)) as (port, _):
        assert (ask(question(port)).status, ask(question(port)).error) in {(0, "not http"), (0, "closed")}


def test_a_closed_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert ask(question(port)).error == "refused"


def test_who_says_nothing_or_one_byte_at_a_time_is_left_in_time() -> None:
    def drip(connection: socket.socket) -> None:
        for _ in range(100):
            connection.sendall(b"H")
            time.sleep(0.1)

    for serve in (drip, lambda _: time.sleep(3)):
        began = time.monotonic()
        with server(serve) as (port, _):
            answer = ask(Question("127.0.0.1", port, "/", tls=False, timeout=0.4))
        assert answer.status == 0
        assert time.monotonic() - began < 2


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_over_tls_the_certificate_is_noted_and_its_demand_is_told(tmp_path: Path, version: ssl.TLSVersion) -> None:
    certificate(tmp_path)
    pem, key = tmp_path / "crt.pem", tmp_path / "key.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = version
    context.load_cert_chain(pem, key)
    with server(answering(b"HTTP/1.1 401 Unauthorized\r\n\r\n"), context) as (port, _):
        answer = ask(Question("127.0.0.1", port, "/pods", tls=True, timeout=3.0))
    assert (answer.status, len(answer.fingerprint)) == (401, 64)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(pem)
    with server(answering(b"HTTP/1.1 200 OK\r\n\r\n"), context) as (port, _):
        answer = ask(Question("127.0.0.1", port, "/version", tls=True, timeout=3.0))
    assert (answer.status, answer.error) == (0, "tls")
    assert answer.certificate_asked or version is ssl.TLSVersion.TLSv1_2  # whose alert may mean other things


def test_a_server_without_tls_is_told() -> None:
    with server(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as (port, _):
        answer = ask(Question("127.0.0.1", port, "/", tls=True, timeout=2.0))
    assert (answer.status, answer.error, answer.certificate_asked) == (0, "tls", False)
