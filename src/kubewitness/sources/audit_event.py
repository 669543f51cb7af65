"""One audit event, from undecoded members to the typed record, whatever is odd about it.

Each field is read by itself: a wrong type costs that field, never the event. What is lost with it is counted as a piece
that could not be read; what could be made good (a number for a text) is noted. What older API servers and forwarders
write differently is brought to audit.k8s.io/v1 here and nowhere else:

* v1alpha1 and v1beta1 have `timestamp` or `metadata.creationTimestamp` instead of `requestReceivedTimestamp`;
* exports write times with other precisions and zones: all become UTC with six digits;
* v1alpha1 puts the group into `objectRef.apiVersion` ("apps/v1"), Google's export calls the core group "core";
* viaq (OpenShift logging) overwrites `level` and keeps the audit level under its own name.

Source: k8s.io/apiserver/pkg/apis/audit/{v1,v1beta1,v1alpha1}/types.go; the openshift/cluster-logging-operator samples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec
from msgspec import Raw, Struct, structs

from kubewitness.model.event import AuditRecord, ObjectRef, parse_time
from kubewitness.sources.values import (
    ABSENT,
    STRING,
    UNDECODABLE,
    Fields,
    encode,
    first_byte,
    inside,
    is_null,
    lenient,
    string,
)

LEVELS: Final = ("None", "Metadata", "Request", "RequestResponse")
_MICRO_LENGTH: Final = len("2024-05-01T10:00:00.000000Z")
_LEVEL_ELSEWHERE: Final = ("k8s_audit_level", "openshift_audit_level")


class _User(Struct):
    username: str = ""
    uid: str = ""
    groups: list[str] | None = None
    extra: dict[str, Raw] | None = None


class _Status(Struct):
    code: int = 0


_text: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)
_record: msgspec.json.Decoder[AuditRecord] = msgspec.json.Decoder(AuditRecord)
_object_ref: msgspec.json.Decoder[ObjectRef] = msgspec.json.Decoder(ObjectRef)
_SHAPES: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    "user": msgspec.json.Decoder(_User),
    "impersonatedUser": msgspec.json.Decoder(_User),
    "sourceIPs": msgspec.json.Decoder(list[str]),
    "responseStatus": msgspec.json.Decoder(_Status),
    "annotations": msgspec.json.Decoder(dict[str, str]),
}


@dataclass(frozen=True, slots=True)
class Oddities:
    """What was not as it should be in one event."""

    good: list[str] = field(default_factory=list)  # made good: nothing is missing
    lost: list[str] = field(default_factory=list)  # left out, because its type is wrong or it cannot be decoded


def identified(fields: Fields) -> bool:
    """Enough to say that this is an audit event: its ID, or who asked for what."""
    if "auditID" in fields:
        return True
    return "verb" in fields and "user" in fields and ("requestURI" in fields or "objectRef" in fields)


def format_of(fields: Fields) -> str:
    """The name of the format of a bare event."""
    if any(key in fields for key in _LEVEL_ELSEWHERE):
        return "OpenShift viaq"
    version = string(fields.get("apiVersion"))
    return version if version.startswith("audit.k8s.io/") and len(version) < 32 else "audit.k8s.io"


def is_settled(record: AuditRecord) -> bool:
    """A record decoded straight from a line needs nothing of what this module does."""
    ref = record.objectRef
    return bool(
        record.auditID
        and is_shaped(record)
        and _is_micro(record.requestReceivedTimestamp)
        and record.level in LEVELS
        and (ref is None or ("/" not in ref.apiVersion and ref.apiGroup != "core"))
    )


class Undecoded(Protocol):
    """The parts of an event that are left undecoded at first."""

    user: Raw
    impersonatedUser: Raw
    sourceIPs: Raw
    responseStatus: Raw
    annotations: Raw


def is_shaped(record: Undecoded) -> bool:
    """Whether the undecoded parts have their types; some exports write them as text (`"{…}"`).

    Whoever reads a part later is lenient and would pass over what is wrong with it in silence.
    """
    try:
        for part, shape in (
            (record.user, _SHAPES["user"]),
            (record.impersonatedUser, _SHAPES["impersonatedUser"]),
            (record.sourceIPs, _SHAPES["sourceIPs"]),
            (record.responseStatus, _SHAPES["responseStatus"]),
            (record.annotations, _SHAPES["annotations"]),
        ):
            if part is not ABSENT and (text := bytes(part)) and text != b"null":
                shape.decode(text)
    except UNDECODABLE:
        return False
    return True


def build(fields: Fields, time: str = "", text: bytes = b"") -> tuple[AuditRecord, Oddities]:
    """The record of `fields` and what was odd about them.

    Args:
        fields: The members of the event.
        time: The time of the wrapper, used if the event has none.
        text: The object the members came from, if it can be decoded as a whole: the short way for a sound event.
    """
    if text and _sound(fields) and "k8s_audit_level" not in fields:
        try:
            record = _record.decode(text)
        except UNDECODABLE:
            pass
        else:
            if is_settled(record) and parse_time(record.requestReceivedTimestamp) is not None:
                return record, Oddities()
    odd = Oddities()
    record = AuditRecord(
        auditID=_string(fields, "auditID", odd),
        stage=_string(fields, "stage", odd),
        verb=_string(fields, "verb", odd),
        requestURI=_string(fields, "requestURI", odd),
        level=_level(fields, odd),
        userAgent=_string(fields, "userAgent", odd),
        objectRef=_reference(fields, odd),
        requestObject=_body(fields, "requestObject"),
        responseObject=_body(fields, "responseObject"),
        user=_part(fields, "user", odd),
        impersonatedUser=_part(fields, "impersonatedUser", odd),
        sourceIPs=_part(fields, "sourceIPs", odd),
        responseStatus=_part(fields, "responseStatus", odd),
        annotations=_part(fields, "annotations", odd),
        stageTimestamp=_micro(_string(fields, "stageTimestamp", odd)),
    )
    record.requestReceivedTimestamp = _time(fields, record.stageTimestamp, time, odd)
    return record, odd


def _sound(fields: Fields) -> bool:
    """All parts have their types, and bodies are no strings."""
    try:
        for key, shape in _SHAPES.items():
            if (raw := fields.get(key)) is not None:
                shape.decode(raw)
    except UNDECODABLE:
        return False
    return first_byte(fields.get("requestObject")) != STRING and first_byte(fields.get("responseObject")) != STRING


def _string(fields: Fields, key: str, odd: Oddities) -> str:
    raw = fields.get(key)
    if raw is None:
        return ""
    try:
        return _text.decode(raw)
    except UNDECODABLE:
        value = lenient(raw)
        if value is None:
            if not is_null(raw):
                odd.lost.append(f"{key} is unreadable and was left out")
            return ""
        if isinstance(value, str):
            odd.good.append(f"{key} had invalid characters, which were replaced")
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            odd.good.append(f"{key} is a number, read as text")
            return str(value)
        odd.lost.append(f"{key} is no text and was left out")
        return ""


def _level(fields: Fields, odd: Oddities) -> str:
    for key in _LEVEL_ELSEWHERE:
        if (elsewhere := string(fields.get(key))) in LEVELS:
            return elsewhere
    level = _string(fields, "level", odd)
    if level in LEVELS or not level:
        return level
    for known in LEVELS:
        if level.lower() == known.lower():
            return known
    odd.good.append("level is none of the four audit levels and was left out")
    return ""


def _reference(fields: Fields, odd: Oddities) -> ObjectRef | None:
    raw = fields.get("objectRef")
    if raw is None or is_null(raw):
        return None
    try:
        ref = _object_ref.decode(raw)
    except UNDECODABLE:
        value = lenient(raw)
        if not isinstance(value, dict):
            odd.lost.append("objectRef is no object and was left out")
            return None
        texts = {key: value[key] for key in ObjectRef.__struct_fields__ if isinstance(value.get(key), str)}
        wrong = [k for k in ObjectRef.__struct_fields__ if value.get(k) is not None and k not in texts]
        if wrong:
            odd.lost.append(f"objectRef.{', '.join(wrong)} is no text and was left out")
        ref = ObjectRef(**texts)
    if "/" in ref.apiVersion and not ref.apiGroup:
        group, _, version = ref.apiVersion.rpartition("/")
        ref = structs.replace(ref, apiGroup=group, apiVersion=version)
    return structs.replace(ref, apiGroup="") if ref.apiGroup == "core" else ref


def _body(fields: Fields, key: str) -> Raw:
    """A body as found. One in a string (SLS, Log Analytics) is taken out of it."""
    raw = fields.get(key, ABSENT)
    if first_byte(raw) == STRING:
        text = string(raw).lstrip()
        return Raw(text.encode("utf-8", "replace")) if text[:1] in ("{", "[") else raw
    return ABSENT if is_null(raw) else raw


def _part(fields: Fields, key: str, odd: Oddities) -> Raw:
    raw = fields.get(key)
    if raw is None:
        return ABSENT
    try:
        _SHAPES[key].decode(raw)
    except UNDECODABLE:
        return ABSENT if is_null(raw) else _mended(key, raw, odd)
    return raw


def _mended(key: str, raw: Raw, odd: Oddities) -> Raw:
    """The readable rest of a part whose type is wrong somewhere."""
    value = lenient(raw)
    if key == "sourceIPs":
        if isinstance(value, str):
            odd.good.append("sourceIPs is one text instead of a list")
            return encode([ip.strip() for ip in value.split(",") if ip.strip()])
        if isinstance(value, list):
            odd.lost.append("sourceIPs holds something that is no text, which was left out")
            return encode([ip for ip in value if isinstance(ip, str)])
    elif isinstance(value, dict):
        if key == "responseStatus":
            return _mended_status(value, odd)
        if key == "annotations":
            wrong = sorted(name for name, text in value.items() if not isinstance(text, str))
            if wrong:
                odd.good.append(f"annotations: {', '.join(wrong)[:80]} is no text")
        else:
            wrong = [name for name, kind in _USER_TYPES.items() if not isinstance(value.get(name), kind | None)]
            if isinstance(groups := value.get("groups"), list) and not all(isinstance(g, str) for g in groups):
                wrong.append("groups")
            if wrong:
                odd.lost.append(f"{key}.{', '.join(wrong)} has the wrong type and was left out")
        return encode(value)
    elif isinstance(value, str) and key in ("user", "impersonatedUser"):
        odd.good.append(f"{key} is a text instead of an object, read as the user name")
        return encode({"username": value})
    odd.lost.append(f"{key} has the wrong type and was left out")
    return ABSENT


_USER_TYPES: Final[dict[str, type]] = {"username": str, "uid": str, "groups": list, "extra": dict}


def _mended_status(value: dict[str, Any], odd: Oddities) -> Raw:
    code = value.get("code")
    if isinstance(code, float) and code.is_integer():
        code = str(int(code))
    if isinstance(code, str) and code.strip().isdecimal() and len(code) < 9:
        odd.good.append("responseStatus.code is a text, read as a number")
        return encode(value | {"code": int(code)})
    if code is not None:
        odd.lost.append("responseStatus.code is no number and was left out")
    return encode({name: item for name, item in value.items() if name != "code"})


def _time(fields: Fields, stage_time: str, wrapper_time: str, odd: Oddities) -> str:
    received = _string(fields, "requestReceivedTimestamp", odd)
    if received:
        if parse_time(received) is None:
            # A text is kept as found; a number stands in no report.
            told = odd.good if first_byte(fields["requestReceivedTimestamp"]) == STRING else odd.lost
            told.append("requestReceivedTimestamp cannot be read as a time")
        return _micro(received)
    older = _string(fields, "timestamp", Oddities()) or string(inside(fields.get("metadata")).get("creationTimestamp"))
    if older or stage_time:
        return _micro(older or stage_time)
    if wrapper_time:
        odd.good.append("the event has no time; the time of its wrapper was taken")
    return _micro(wrapper_time)


def _micro(text: str) -> str:
    """A time as the API server writes it (UTC, six digits), so that times compare as text; unreadable ones as found."""
    if _is_micro(text):
        return text
    when = parse_time(text)
    return when.isoformat(timespec="microseconds").replace("+00:00", "Z") if when else text


def _is_micro(text: str) -> bool:
    return len(text) == _MICRO_LENGTH and text[-1] == "Z"
