"""Claims about certificate requests. The requests were made with OpenSSL."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.rules.features.csr import CertificateSubject, read_subject
from tests.rules.features.events import read, request

MASTERS = (
    "MIH9MIGkAgEAMEIxFzAVBgNVBAoMDnN5c3RlbTptYXN0ZXJzMQwwCgYDVQQKDANkZXYxGTAXBgNVBAMMEGt1YmVybmV0ZXMtYWRt"
    "aW4wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASkMRsVMv7piXoEbwYMrN0qUt/xUYCmRhrp/YYGb8Cyw3GfNUGhZisI9qPbFj7P"
    "B7Sh+L006W18c6qFr8kLSJOMoAAwCgYIKoZIzj0EAwIDSAAwRQIga96aBJkGDZ6xKZqygHQb+gJpp9Jv5iWkZacdqRw8phACIQCC"
    "sM3JtWtGD+8QCFSvVjRtQypNbBkzzghE1hjbbNGU+A=="
)
TWO_IN_ONE_SET = (
    "MIHdMIGFAgEAMCMxITAKBgNVBAoMA29wczATBgNVBAMMDOiKgueCuS1hZG1pbjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGgK"
    "0+IYH8GbpvVLFrrgWvwgDA6T47VWDLEb7MlX4E8lDESWh2X5eYlnTAy5OX54XVVLlE8tEWgSXEO1tm7E3oygADAKBggqhkjOPQQD"
    "AgNHADBEAiA5JmImMDQllZcKhNA8b7bN9LiK0N/V2gE6thVGbrNG1gIgRo0S/l6Pp7k0kyNaulT6qgwhujyGi/gS8EwKDKEJX2s="
)


def pem(der: str) -> str:
    """`spec.request` as kubectl sends it: base64 of the PEM block."""
    block = f"-----BEGIN CERTIFICATE REQUEST-----\n{der}\n-----END CERTIFICATE REQUEST-----\n"
    return base64.b64encode(block.encode()).decode()


def test_the_subject_becomes_user_and_groups() -> None:
    body = {
        "spec": {
            "request": pem(MASTERS),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
            "username": "eve",
        }
    }
    made = request("certificatesigningrequests", body)
    assert read("csr.commonName", made) == ("kubernetes-admin",)
    assert read("csr.organizations", made) == ("system:masters", "dev")
    assert read("csr.signerName", made) == ("kubernetes.io/kube-apiserver-client",)
    assert read("csr.usages", made) == ("client auth",)
    assert read("csr.username", made) == ("eve",)
    assert read("csr.approved", made) == ()


def test_several_attributes_in_one_set_and_other_scripts_are_read() -> None:
    assert read_subject(pem(TWO_IN_ONE_SET)) == CertificateSubject("节点-admin", ("ops",))


@pytest.mark.parametrize(("condition", "approved"), [("Approved", True), ("Denied", False)])
def test_an_approval_is_told_from_a_denial(condition: str, approved: bool) -> None:
    body = {"status": {"conditions": [{"type": condition, "status": "True"}]}}
    assert read("csr.approved", request("certificatesigningrequests", body, "update", "approval")) == (approved,)
    patch = [{"op": "add", "path": "/status/conditions/-", "value": {"type": condition}}]
    assert read("csr.approved", request("certificatesigningrequests", patch, "patch", "approval")) == (approved,)


@pytest.mark.parametrize(
    "value", ["", "!!!", "ünlesbar", pem("AAAA"), base64.b64encode(b"\x30\x84\xff\xff\xff\xff").decode()]
)
def test_what_is_no_request_has_no_subject(value: str) -> None:
    assert read_subject(value) == CertificateSubject()


@given(st.binary(max_size=80), st.integers(0, 250))
def test_damaged_requests_never_raise(noise: bytes, at: int) -> None:
    der = bytearray(base64.b64decode(MASTERS))
    der[at : at + len(noise)] = noise
    assert isinstance(read_subject(base64.b64encode(bytes(der)).decode()), CertificateSubject)
    assert isinstance(read_subject(base64.b64encode(noise).decode()), CertificateSubject)
