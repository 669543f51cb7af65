"""Who a certificate would be for: the subject inside a CertificateSigningRequest.

`spec.request` is base64 of a PEM block that holds a PKCS#10 request in DER. Only its subject matters (CN is the user,
each O a group of the future certificate), so a walk over tags and lengths is all it takes:

    CertificationRequest ::= SEQUENCE { info SEQUENCE { version INTEGER, subject Name, … }, … }
    Name ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value string }

Sources: RFC 2986 (PKCS#10), X.690 (DER), certificates/v1 types.go.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from kubewitness.model.event import Event
from kubewitness.rules.features.body import documents
from kubewitness.rules.features.interface import FieldTable, Values, distinct, once
from kubewitness.rules.features.untyped import MAX_VALUES, mapping, mappings, text, texts

_PEM = re.compile(rb"-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([^-]*)-----END")
_COMMON_NAME, _ORGANIZATION = b"\x55\x04\x03", b"\x55\x04\x0a"  # 2.5.4.3, 2.5.4.10
_SEQUENCE, _SET, _OID, _INTEGER, _BMP, _UNIVERSAL = 0x30, 0x31, 0x06, 0x02, 0x1E, 0x1C


class CertificateSubject(NamedTuple):
    """User and groups of the future certificate."""

    common_name: str = ""
    organizations: tuple[str, ...] = ()


class SigningRequest(NamedTuple):
    """A CertificateSigningRequest, or what of it a body holds."""

    signer: str
    usages: tuple[str, ...]
    requester: str  # spec.username, written by the API server: shows in approvals
    subject: CertificateSubject
    conditions: tuple[str, ...]  # types: Approved, Denied, Failed


def read_subject(request: str) -> CertificateSubject:
    """The subject of a `spec.request` value; empty if it cannot be read."""
    der = _der_of(request)
    body = next(_elements(der, 0, len(der), _SEQUENCE), None)
    info = next(_elements(der, *body, _SEQUENCE), None) if body else None
    # The version is an INTEGER, so the first SEQUENCE inside is the subject.
    name = next(_elements(der, *info, _SEQUENCE), None) if info else None
    if not name:
        return CertificateSubject()
    found = list(_attributes(der, name))
    return CertificateSubject(
        common_name=next((value for kind, value in found if kind == _COMMON_NAME), ""),
        organizations=distinct([value for kind, value in found if kind == _ORGANIZATION]),
    )


def _der_of(request: str) -> bytes:
    try:
        outer = binascii.a2b_base64(request)
        block = _PEM.search(outer)
        return binascii.a2b_base64(block[1]) if block else outer
    except ValueError:  # binascii.Error is one
        return b""


def _elements(der: bytes, start: int, end: int, wanted: int | None = None) -> Iterator[tuple[int, int]]:
    """Start and end of the contents of the elements in `der[start:end]` (only those tagged `wanted`)."""
    for tag, first, last in _tagged(der, start, end):
        if wanted is None or tag == wanted:
            yield first, last


def _tagged(der: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Tag, start and end of each element; stops at the first that does not fit."""
    at = start
    while at + 2 <= end:
        tag, length = der[at], der[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            if not 1 <= size <= 4 or at + size > end:
                return
            length = int.from_bytes(der[at : at + size])
            at += size
        if at + length > end:
            return
        yield tag, at, at + length
        at += length


def _attributes(der: bytes, name: tuple[int, int]) -> Iterator[tuple[bytes, str]]:
    for relative in _elements(der, *name, _SET):
        for pair in _elements(der, *relative, _SEQUENCE):
            parts = list(_tagged(der, *pair))
            if len(parts) >= 2 and parts[0][0] == _OID:
                (_, oid_start, oid_end), (tag, start, end) = parts[0], parts[1]
                coding = {_BMP: "utf-16-be", _UNIVERSAL: "utf-32-be"}.get(tag, "utf-8")
                yield der[oid_start:oid_end], der[start:end].decode(coding, "replace")


@once
def signing_requests(event: Event) -> tuple[SigningRequest, ...]:
    """The signing requests in the body of a request on certificatesigningrequests."""
    if event.resource not in ("certificatesigningrequests", ""):
        return ()
    return tuple(
        _signing_request(document)
        for document in documents(event)
        if event.resource or document.get("kind") == "CertificateSigningRequest"
    )


def _signing_request(document: dict[str, Any]) -> SigningRequest:
    spec = mapping(document.get("spec"))
    conditions = mappings(mapping(document.get("status")).get("conditions"))
    return SigningRequest(
        signer=text(spec.get("signerName")),
        usages=texts(spec.get("usages")),
        requester=text(spec.get("username")),
        subject=read_subject(text(spec.get("request"))),
        conditions=distinct([text(condition.get("type")) for condition in conditions])[:MAX_VALUES],
    )


def _approved(event: Event) -> Values:
    if event.resource != "certificatesigningrequests" or event.subresource != "approval":
        return ()
    found = signing_requests(event)
    return (any("Approved" in request.conditions for request in found),) if found else ()


FIELDS: FieldTable = {
    "csr.signerName": lambda event: distinct([request.signer for request in signing_requests(event)]),
    "csr.usages": lambda event: distinct([usage for request in signing_requests(event) for usage in request.usages]),
    "csr.username": lambda event: distinct([request.requester for request in signing_requests(event)]),
    "csr.commonName": lambda event: distinct([request.subject.common_name for request in signing_requests(event)]),
    "csr.organizations": lambda event: distinct(
        [group for request in signing_requests(event) for group in request.subject.organizations]
    ),
    "csr.approved": _approved,
}
