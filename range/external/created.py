"""What a run made in a cluster that is not the range's own: told from the answers, looked up again, deleted on request.

An answer "201 Created" to a POST on a collection or to a PUT or PATCH of an object names it; curl's answers are JSON,
kubectl's are read from its trace (--v=8), in which bodies are JSON or a hex dump of Kubernetes' protobuf envelope
(k8s.io/apimachinery, runtime/serializer/protobuf: "k8s\\0", then Unknown with the object in field 2; every object has
its ObjectMeta in field 1 and that has the name in field 1).
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

# As kubectl up to 1.32 and from 1.33 on prints them.
_REQUEST = re.compile(r"\] (GET|HEAD|POST|PUT|PATCH|DELETE) (https://\S+)|\"Request\" verb=\"(\w+)\" url=\"([^\"]+)\"")
_STATUS = re.compile(r"Response Status: (\d+)|\"Response\".* status=\"(\d+)")
_NAME = re.compile(r"\\?\"metadata\\?\":\s*\{.*?\\?\"name\\?\":\s*\\?\"([^\"\\]+)")
_DUMPED = re.compile(r"^\s*[0-9a-f]{8}  ((?:[0-9a-f]{2} {1,2}){1,16})", re.MULTILINE)
_PATH = re.compile(
    r"/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?/(?P<kind>[^/]+)/(?P<name>[^/]+)"
)


class Created(Struct, frozen=True):
    """An object that an answer said was made."""

    path: str  # API path
    at: datetime
    actor: str  # empty: the recorder itself


class Left(Struct, frozen=True):
    """One that is still there."""

    path: str
    uid: str

    @property
    def command(self) -> str:
        """The kubectl command that removes it."""
        found = _PATH.fullmatch(self.path)
        assert found
        kind = f"{found['kind']}.{found['group']}" if found["group"] else found["kind"]
        inside = f" -n {found['namespace']}" if found["namespace"] else ""
        return f"kubectl delete {kind} {found['name']}{inside}"


def created_by(command: list[str], done: subprocess.CompletedProcess[str]) -> Iterator[str]:
    """API paths of the objects that a run of curl or kubectl made."""
    if "curl" in command:
        text, _, code = done.stdout.rpartition("\n")
        found = re.search(r"\"metadata\"", text) and _json_name(text)
        if code == "201":
            yield from _object(command[command.index("-X") + 1], command[-1], found or "")
    else:
        yield from _in_trace(done.stderr)


def _in_trace(trace: str) -> Iterator[str]:
    verb, url, answered, body = "", "", 0, list[str]()

    def made() -> Iterator[str]:
        if answered == 201:
            yield from _object(verb, url, _body_name("\n".join(body)))

    inside = False
    for line in trace.splitlines():
        if found := _REQUEST.search(line):
            yield from made()
            verb, url, answered, body = found[1] or found[3], found[2] or found[4], 0, []
        elif found := _STATUS.search(line):
            answered = int(found[1] or found[2])
        if "Response Body" in line:
            inside = True
        elif re.match(r"[IWEF]\d{4} ", line):
            inside = False
        if inside:
            body.append(line)
    yield from made()


def _object(verb: str, url: str, name: str) -> Iterator[str]:
    path = urlsplit(url).path.rstrip("/")
    if verb in {"PUT", "PATCH"}:
        yield path
    elif verb == "POST" and name:
        yield f"{path}/{name}"


def _json_name(text: str) -> str:
    try:
        return str(json.loads(text)["metadata"].get("name") or "")
    except (ValueError, TypeError, KeyError, AttributeError):
        return ""


def _body_name(text: str) -> str:
    if rows := _DUMPED.findall(text):
        data = bytes.fromhex("".join(rows).replace(" ", ""))
        return _field(_field(_field(data[4:], 2), 1), 1).decode(errors="replace") if data[:4] == b"k8s\0" else ""
    found = _NAME.search(text)
    return found[1] if found else ""


def _field(data: bytes, number: int) -> bytes:
    """The first length-delimited field `number` of a protobuf message, cut short if the message is; empty if none."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while at < len(data) and shift < 64:
            value |= (data[at] & 0x7F) << shift
            at += 1
            if data[at - 1] < 0x80:
                break
            shift += 7
        return value

    while at < len(data):
        tag = varint()
        if tag & 7 != 2:
            if tag & 7 != 0:
                return b""
            varint()
            continue
        size = varint()
        if tag >> 3 == number:
            return data[at : at + size]
        at += size
    return b""


def still_there(created: Iterable[Created], since: datetime, get: Callable[[str], Any]) -> tuple[Left, ...]:
    """Which of `created` are there, made since, and not in a namespace that is listed itself; in order of deletion."""
    found = dict[str, str]()
    for path in dict.fromkeys(one.path for one in created):
        if not _PATH.fullmatch(path):  # a subresource, such as a token: nothing is kept of it
            continue
        thing = get(path)
        meta = thing.get("metadata", {}) if isinstance(thing, dict) else {}
        if meta.get("uid") and not meta.get("deletionTimestamp") and _made(meta) >= since.replace(microsecond=0):
            found[path] = meta["uid"]
    whole = {
        path.rpartition("/")[2] for path in found if path.startswith("/api/v1/namespaces/") and path.count("/") == 4
    }
    return tuple(
        Left(path, uid)
        for path, uid in sorted(found.items(), key=lambda item: (_turn(item[0]), item[0]))
        if not ((inside := _PATH.fullmatch(path)) and inside["namespace"] in whole)
    )


def _made(meta: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(str(meta["creationTimestamp"]))


def _turn(path: str) -> int:
    """What may stand in the way of other deletions first (webhooks, bindings), namespaces last."""
    if path.startswith("/api/v1/namespaces/"):
        return 2 if path.count("/") == 4 else 1
    return 0
