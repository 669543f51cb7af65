"""X.509 certificates and requests as far as they tell who somebody is: names, dates, what it is for, fingerprint.

DER is a tree of tag, length and value; only definite lengths and tags of one byte occur in certificates. What is read
is evidence: a length beyond its parent, a value of a wrong type or an odd date gives no certificate, never half of one.
Signatures are not verified: a certificate that no authority signed makes nobody, but it lies on the disk all the same.

Source: RFC 5280 (Certificate, Extensions), RFC 2986 (CertificationRequest), RFC 7468 (PEM), X.690 (DER).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from msgspec import Struct

_PEM: Final = re.compile(
    r"-----BEGIN (CERTIFICATE|CERTIFICATE REQUEST)-----([A-Za-z0-9+/=\s]{1,200000})-----END \1-----"
)
_MOST: Final = 64 * 1024  # bytes of one certificate
_CERTIFICATES: Final = 200  # of one file
_NAMES: Final = 200  # parts of a name
_NAME_OF: Final = {
    b"\x55\x04\x03": "CN", b"\x55\x04\x0a": "O", b"\x55\x04\x0b": "OU", b"\x55\x04\x06": "C", b"\x55\x04\x07": "L",
    b"\x55\x04\x08": "ST", b"\x55\x04\x05": "serialNumber",
}  # fmt: skip
_BASIC: Final = b"\x55\x1d\x13"
_USAGE: Final = b"\x55\x1d\x25"
_CLIENT: Final = b"\x2b\x06\x01\x05\x05\x07\x03\x02"
_SERVER: Final = b"\x2b\x06\x01\x05\x05\x07\x03\x01"
_SEQUENCE, _SET, _OID, _INTEGER, _OCTETS, _BOOLEAN = 0x30, 0x31, 0x06, 0x02, 0x04, 0x01
_UTC_TIME, _GENERAL_TIME = 0x17, 0x18
_TEXTS: Final = {0x0C: "utf-8", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1E: "utf-16-be", 0x12: "ascii"}


class Certificate(Struct, frozen=True):
    """What a certificate, or a request for one, says."""

    subject: tuple[tuple[str, str], ...]  # ("O", "system:masters"), ("CN", "admin")
    issuer: tuple[tuple[str, str], ...] = ()
    not_before: str = ""  # RFC 3339 UTC; of a request empty
    not_after: str = ""
    fingerprint: str = ""  # SHA-256 of the DER, hexadecimal
    is_authority: bool = False
    purposes: tuple[str, ...] = ()  # "client", "server"; empty: any

    @property
    def user(self) -> str:
        """Whom the API server takes its holder for."""
        return next((value for key, value in reversed(self.subject) if key == "CN"), "")

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups its holder is in."""
        return tuple(value for key, value in self.subject if key == "O")

    @property
    def is_for_clients(self) -> bool:
        """Whether an API server would take it from a client."""
        return not self.is_authority and (not self.purposes or "client" in self.purposes)


def joined(name: tuple[tuple[str, str], ...]) -> str:
    """A name as openssl writes it: "O=system:masters, CN=admin"."""
    return ", ".join(f"{key}={value}" for key, value in name)


def certificates(text: str) -> Iterator[Certificate]:
    """The certificates in a text of PEM, in their order; what cannot be read is passed over."""
    for number, found in enumerate(_PEM.finditer(text)):
        if number >= _CERTIFICATES:
            return
        data = _decoded(found[2])
        read = None if data is None else certificate(data) if found[1] == "CERTIFICATE" else request(data)
        if read is not None:
            yield read


def within(encoded: str) -> Certificate | None:
    """The first certificate or request of a base64 text of PEM, as kubeconfigs and the API hold it."""
    data = _decoded(encoded) if len(encoded) < 1_000_000 else None
    return None if data is None else next(certificates(data.decode("latin-1")), None)


def certificate(data: bytes) -> Certificate | None:
    """A certificate in DER."""
    try:
        parts = _parts(_body(data))
        fields = _parts(_of(parts[0], _SEQUENCE))
        fields = fields[1:] if fields[0].tag == 0xA0 else fields
        _of(fields[0], _INTEGER)
        issuer, validity, subject = _name(fields[2]), _parts(_of(fields[3], _SEQUENCE)), _name(fields[4])
        authority, purposes = False, tuple[str, ...]()
        for one in fields[6:]:
            if one.tag == 0xA3:
                authority, purposes = _extensions(one.value)
        return Certificate(
            subject, issuer, _time(validity[0]), _time(validity[1]), hashlib.sha256(data).hexdigest(), authority,
            purposes,
        )  # fmt: skip
    except (_OddError, IndexError, ValueError):
        return None


def request(data: bytes) -> Certificate | None:
    """A certification request in DER: of it only the name is known."""
    try:
        fields = _parts(_of(_parts(_body(data))[0], _SEQUENCE))
        _of(fields[0], _INTEGER)
        return Certificate(_name(fields[1]))
    except (_OddError, IndexError, ValueError):
        return None


class _Part(NamedTuple):
    tag: int
    value: bytes


class _OddError(Exception):
    """Not what it should be."""


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _body(data: bytes) -> bytes:
    if len(data) > _MOST:
        raise _OddError
    (whole,) = _parts(data)
    return _of(whole, _SEQUENCE)


def _parts(data: bytes) -> list[_Part]:
    out, at = list[_Part](), 0
    while at < len(data):
        if at + 2 > len(data) or len(out) > _NAMES:
            raise _OddError
        tag, size, at = data[at], data[at + 1], at + 2
        if tag & 0x1F == 0x1F or size == 0x80 or size > 0x84:
            raise _OddError
        if size > 0x80:
            more = size & 0x7F
            size, at = int.from_bytes(data[at : at + more], "big"), at + more
        if at + size > len(data):
            raise _OddError
        out.append(_Part(tag, data[at : at + size]))
        at += size
    return out


def _of(part: _Part, tag: int) -> bytes:
    if part.tag != tag:
        raise _OddError
    return part.value


def _name(part: _Part) -> tuple[tuple[str, str], ...]:
    out = []
    for relative in _parts(_of(part, _SEQUENCE)):
        for pair in _parts(_of(relative, _SET)):
            kind, value = _parts(_of(pair, _SEQUENCE))[:2]
            known, coding = _NAME_OF.get(_of(kind, _OID)), _TEXTS.get(value.tag)
            if known and coding:
                out.append((known, value.value.decode(coding, "replace")))
    return tuple(out)


def _time(part: _Part) -> str:
    text = part.value.decode("ascii")
    if part.tag == _UTC_TIME and len(text) == 13:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif part.tag != _GENERAL_TIME:
        raise _OddError
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _extensions(data: bytes) -> tuple[bool, tuple[str, ...]]:
    (listed,) = _parts(data)
    authority, purposes = False, list[str]()
    for one in _parts(_of(listed, _SEQUENCE)):
        inner = _parts(_of(one, _SEQUENCE))
        kind, value = _of(inner[0], _OID), _of(inner[-1], _OCTETS)
        if kind == _BASIC:
            said = _parts(_of(_parts(value)[0], _SEQUENCE))
            authority = bool(said) and said[0].tag == _BOOLEAN and said[0].value != b"\0"
        elif kind == _USAGE:
            named = {_of(use, _OID) for use in _parts(_of(_parts(value)[0], _SEQUENCE))}
            purposes += ["client"] * (_CLIENT in named) + ["server"] * (_SERVER in named)
            purposes += ["other"] * (not purposes)
    return authority, tuple(purposes)
