"""One Kubernetes audit event, typed: the only shape the rest of the program sees.

`AuditRecord` is the wire shape that msgspec fills at several hundred thousand events a second; sub-objects that most
events share (user, sourceIPs, responseStatus, annotations) and bodies stay `Raw`, so they are parsed only for the few
events that matter. `Event` is a record with its place in the evidence and the parsed views.

Source: k8s.io/apiserver/pkg/apis/audit/v1/types.go (field names), "Auditing" in the Kubernetes documentation.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from kubewitness.model.evidence import Place
from kubewitness.model.lazy import lazy

ABSENT = Raw(b"")  # the one Raw that stands for an absent field
_decode: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


class ObjectRef(Struct, frozen=True, gc=False):
    """`objectRef`: what the request was about. Empty strings where the API server wrote nothing."""

    resource: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    apiGroup: str = ""
    apiVersion: str = ""
    subresource: str = ""


class AuditRecord(Struct, gc=False):
    """audit.k8s.io Event as decoded. Unknown keys are ignored, the last of duplicate keys wins (as in Go)."""

    auditID: str = ""
    stage: str = ""
    verb: str = ""
    requestURI: str = ""
    level: str = ""
    user: Raw = ABSENT
    impersonatedUser: Raw = ABSENT
    sourceIPs: Raw = ABSENT
    userAgent: str = ""
    objectRef: ObjectRef | None = None
    responseStatus: Raw = ABSENT
    requestObject: Raw = ABSENT
    responseObject: Raw = ABSENT
    requestReceivedTimestamp: str = ""
    stageTimestamp: str = ""
    annotations: Raw = ABSENT


class User(Struct, frozen=True):
    """`user` or `impersonatedUser`. `extra` maps a key to its list of values."""

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, Any] = {}


_KEPT: Final = 4096  # bytes of a user that is remembered
_NO_OBJECT = ObjectRef()
_NO_USER = User()


def parse_raw(raw: Raw | bytes | None) -> Any:
    """The JSON value of `raw`; None if absent or unreadable (the reader has already counted what is unreadable)."""
    if raw is None:
        return None
    data = bytes(raw)
    if not data:
        return None
    try:
        return _decode.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def parse_user(raw: Raw | bytes) -> User:
    """Lenient: wrong types become their empty value, so one odd field never hides the rest."""
    data = bytes(raw)
    return _known_user(data) if len(data) <= _KEPT else _user(data)


def _user(data: bytes) -> User:
    value = parse_raw(data)
    if not isinstance(value, dict):
        return _NO_USER
    username, uid = value.get("username"), value.get("uid")
    groups, extra = value.get("groups"), value.get("extra")
    return User(
        username=username if isinstance(username, str) else "",
        uid=uid if isinstance(uid, str) else "",
        groups=tuple(g for g in groups if isinstance(g, str)) if isinstance(groups, list) else (),
        extra=extra if isinstance(extra, dict) else {},
    )


_known_user = lru_cache(maxsize=1024)(_user)  # the same few ask for most


def parse_time(text: str) -> datetime | None:
    """RFC 3339 as the API server writes it (microseconds, Z); None if absent or malformed. Always UTC-aware."""
    try:
        when = datetime.fromisoformat(text)
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # year 1 or 9999 moved over the edge by its zone
        return None


class Event:
    """An audit event with its place. Values are parsed on first use and kept."""

    def __init__(self, record: AuditRecord, place: Place, original: bytes = b"") -> None:
        self.record = record
        self.place = place
        self.original = original  # the untouched bytes of the event (of its wrapper line, if it had one)
        ref = record.objectRef or _NO_OBJECT
        self.object_ref = ref
        self.audit_id = record.auditID
        self.stage = record.stage
        self.verb = record.verb
        self.resource, self.subresource = ref.resource, ref.subresource
        self.namespace, self.name = ref.namespace, ref.name

    def __repr__(self) -> str:
        return f"<Event {self.audit_id} {self.verb} {self.record.requestURI} {self.stage}>"

    @lazy
    def user(self) -> User:
        """Who authenticated (not whom they impersonated)."""
        return parse_user(self.record.user)

    @lazy
    def impersonated(self) -> User | None:
        """Whose rights were used instead, if the request impersonated somebody."""
        user = parse_user(self.record.impersonatedUser)
        return user if user.username else None

    @property
    def request(self) -> tuple[str, str]:
        """What the stages of one request have in common: auditID and the time it was received.

        A client may choose the auditID (header Audit-ID) and use one for several requests: the id alone proves nothing.
        """
        return (self.audit_id, self.record.requestReceivedTimestamp)

    @lazy
    def identity(self) -> str:
        """The authenticated name; empty for a rejected credential (401)."""
        return self.user.username

    @lazy
    def source_ips(self) -> tuple[str, ...]:
        """As written: all but the last can be set by the client (X-Forwarded-For), the last is the peer."""
        value = parse_raw(self.record.sourceIPs)
        return tuple(ip for ip in value if isinstance(ip, str)) if isinstance(value, list) else ()

    @lazy
    def address(self) -> str:
        """The peer that opened the connection: the only address that is fact. Empty if not recorded."""
        return self.source_ips[-1] if self.source_ips else ""

    @lazy
    def status(self) -> dict[str, Any]:
        """`responseStatus`, empty if absent (stage RequestReceived)."""
        value = parse_raw(self.record.responseStatus)
        return value if isinstance(value, dict) else {}

    @lazy
    def code(self) -> int:
        """HTTP status; 0 if not recorded."""
        code = self.status.get("code")
        return code if isinstance(code, int) else 0

    @lazy
    def annotations(self) -> dict[str, Any]:
        """Audit annotations (authorization decision and reason, admission notes)."""
        value = parse_raw(self.record.annotations)
        return value if isinstance(value, dict) else {}

    @lazy
    def decision(self) -> str:
        """`allow`, `forbid`, or empty where it is not recorded and the status does not tell."""
        decision = self.annotations.get("authorization.k8s.io/decision")
        if decision in ("allow", "forbid"):
            return str(decision)
        if self.code in (401, 403):
            return "forbid"
        return "allow" if self.code else ""

    @lazy
    def succeeded(self) -> bool:
        """The request was carried out: authorised and answered with 1xx to 3xx."""
        return self.decision != "forbid" and 100 <= self.code < 400

    @property
    def reason(self) -> str:
        """Why the authorizer allowed it; names the binding when RBAC did."""
        reason = self.annotations.get("authorization.k8s.io/reason")
        return reason if isinstance(reason, str) else ""

    @lazy
    def request_object(self) -> Any:
        """The body sent (a list for JSON patches), None if not logged."""
        return parse_raw(self.record.requestObject)

    @lazy
    def response_object(self) -> Any:
        """The body returned, None if not logged."""
        return parse_raw(self.record.responseObject)

    @lazy
    def derived(self) -> dict[str, Any]:
        """What `rules.features` computed from this event, by name, because several fields share it."""
        return {}

    @lazy
    def time(self) -> datetime | None:
        """When the request arrived (the stage's own time is `record.stageTimestamp`). None if not recorded."""
        return parse_time(self.record.requestReceivedTimestamp) or parse_time(self.record.stageTimestamp)
