"""Certificates are read as openssl reads them, and what is none gives none."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.posture.credentials.der import certificate, certificates, joined, request, within
from tests.posture.credentials.certificates import AUTHORITY, JANE, MASTERS, REQUEST_OF_NODE, SERVER, encoded


def der(pem: str) -> bytes:
    return base64.b64decode("".join(pem.splitlines()[1:-1]))


def test_a_certificate_tells_whom_it_makes_until_when_and_who_issued_it() -> None:
    [read] = certificates(MASTERS)
    assert (read.user, read.groups) == ("kubernetes-admin", ("system:masters",))
    assert (joined(read.issuer), read.not_before[:4], read.not_after[:4]) == ("CN=kubernetes", "2026", "2027")
    assert read.fingerprint == FINGERPRINT
    assert read.is_for_clients


FINGERPRINT = "bbb9b2690526c5f7b0c448b2242c256a37a50b4ce900013ddca9dd9ac364838e"


def test_every_group_of_a_certificate_counts() -> None:
    [read] = certificates(JANE)
    assert read.groups == ("dev", "ops")


@pytest.mark.parametrize("text", [AUTHORITY, SERVER])
def test_an_authoritys_and_a_servers_certificate_are_no_clients(text: str) -> None:
    [read] = certificates(text)
    assert not read.is_for_clients


def test_of_a_request_the_name_is_read() -> None:
    read = within(encoded(REQUEST_OF_NODE))
    assert read is not None
    assert (read.user, read.groups, read.fingerprint) == ("system:node:n1", ("system:nodes",), "")


def test_what_cannot_be_read_costs_no_certificate_behind_it() -> None:
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    assert [one.user for one in certificates(broken * 3 + MASTERS)] == ["kubernetes-admin"]


@given(st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_a_changed_certificate_is_read_or_refused_and_never_more(at: int, change: bytes) -> None:
    data = der(MASTERS)
    certificate(data[:at] + change + data[at + len(change) :])
    assert certificate(data[: at % len(data)]) is None


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    certificate(data)
    request(data)
    within(base64.b64encode(data).decode())
