"""Asking an address of a node what it says to somebody without a credential: one GET, and how the answer begins.

Only addresses a person has named are asked, one connection each. There are no redirects, no retries, no names looked up
in an answer. The certificate is not verified, since nobody trusts the answer with anything, but its fingerprint is
noted. Of the answer only the status and a few bytes are read, at most as many as the caller says, and nothing is kept
of pods or secrets: whoever asks for /pods wants to know whether it is told, not what.
"""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

_HEAD: Final = 16 * 1024
_PATIENCE: Final = 0.5
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]{0,200})?\r?\n")
_AGENT: Final = "kubewitness-probe"


@dataclass(frozen=True)
class Question:
    """What is asked."""

    host: str
    port: int
    path: str
    tls: bool
    timeout: float = 5.0  # of everything together
    most: int = 0  # bytes of the body that are read; 0: none

    @property
    def request(self) -> str:
        """In words, as sent."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"GET {'https' if self.tls else 'http'}://{host}:{self.port}{self.path}"


@dataclass(frozen=True)
class Answer:
    """What came back. `status` 0: nothing that is HTTP, `error` tells why."""

    status: int = 0
    error: str = ""  # "refused", "timeout", "unreachable", "tls", "not http", "name"
    detail: str = ""
    fingerprint: str = ""  # SHA-256 of the server's certificate
    body: bytes = b""
    certificate_asked: bool = False  # the server closed the connection because no certificate was shown
    sent: bool = False  # the request went out


def ask(question: Question) -> Answer:
    """Ask once."""
    until = time.monotonic() + question.timeout
    try:
        connection = socket.create_connection((question.host, question.port), timeout=question.timeout)
    except ConnectionRefusedError as error:
        return Answer(error="refused", detail=_said(error))
    except TimeoutError as error:
        return Answer(error="timeout", detail=_said(error))
    except (socket.gaierror, UnicodeError) as error:
        return Answer(error="name", detail=_said(error))
    except OSError as error:
        return Answer(error="unreachable", detail=_said(error))
    with connection:
        if not question.tls:
            return _exchange(connection, question, until, "")
        try:
            with _context().wrap_socket(connection, server_hostname=None) as secured:
                certificate = secured.getpeercert(binary_form=True) or b""
                return _exchange(secured, question, until, hashlib.sha256(certificate).hexdigest())
        except TimeoutError as error:
            return Answer(error="timeout", detail=_said(error))
        except (ssl.SSLError, OSError) as error:
            return Answer(error="tls", detail=_said(error), certificate_asked=_asks(error))


def _asks(error: BaseException) -> bool:
    """Whether the server refused because no certificate was shown: TLS 1.3 says so after the handshake, 1.2 in it."""
    text = str(error).lower().replace("_", " ")
    return "alert" in text and any(
        one in text for one in ("certificate required", "bad certificate", "handshake failure")
    )


def _context() -> ssl.SSLContext:
    """Without verification: whoever answers is what is wanted to be known, and nothing secret is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _exchange(connection: socket.socket, question: Question, until: float, fingerprint: str) -> Answer:
    host = f"[{question.host}]" if ":" in question.host else question.host
    request = (
        f"GET {question.path} HTTP/1.1\r\nHost: {host}:{question.port}\r\nUser-Agent: {_AGENT}\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n"
    )
    try:
        if question.tls:
            _wait_for_refusal(connection, until)
        connection.settimeout(max(0.05, until - time.monotonic()))
        connection.sendall(request.encode("ascii"))
        head = _until_body(connection, until)
        found = _STATUS.match(head)
        if found is None:
            return Answer(error="not http", fingerprint=fingerprint, sent=True)
        body = head.partition(b"\r\n\r\n")[2][: question.most]
        with suppress(OSError):
            while len(body) < question.most and time.monotonic() < until:
                connection.settimeout(max(0.05, until - time.monotonic()))
                piece = connection.recv(question.most - len(body))
                if not piece:
                    break
                body += piece
        return Answer(int(found[1]), fingerprint=fingerprint, body=body, sent=True)
    except TimeoutError as error:
        return Answer(error="timeout", detail=_said(error), fingerprint=fingerprint, sent=True)
    except (OSError, UnicodeError) as error:
        kind = "tls" if question.tls else "closed"
        return Answer(0, kind, _said(error), fingerprint, certificate_asked=_asks(error), sent=True)


def _wait_for_refusal(connection: socket.socket, until: float) -> None:
    """Give the server time to refuse: TLS 1.3 asks for a certificate behind the handshake, and what we send meanwhile
    may reset the connection before its refusal was read.
    """
    connection.settimeout(max(0.05, min(_PATIENCE, until - time.monotonic())))
    with suppress(TimeoutError):
        connection.recv(1)  # no server speaks first; the end, or a refusal, is an error or nothing


def _until_body(connection: socket.socket, until: float) -> bytes:
    """The head of the answer, and what came with it."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _HEAD and time.monotonic() < until:
        connection.settimeout(max(0.05, until - time.monotonic()))
        piece = connection.recv(1024)
        if not piece:
            break
        head += piece
    return head


def _said(error: BaseException) -> str:
    return str(error)[:200]
