"""Audit events as bytes: the API server's own key order, escapes and time format, without its cluster.

The order of keys is the order of fields in k8s.io/apiserver/pkg/apis/audit/v1/types.go; Go's JSON encoder writes
`&`, `<` and `>` as `\\u0026`, `\\u003c`, `\\u003e`; times are RFC 3339 with six digits and Z. Until about
Kubernetes 1.22 the server copied only status, reason and code of a failure into `responseStatus`, later also
message and details (pkg/audit/request.go, LogResponseObject): `Log(detailed=...)` chooses.

Lines are formatted with f-strings, not by dumping dictionaries: a million events have to be written in well under
two minutes.
"""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

SECOND = 1_000_000  # all times are integer microseconds since the epoch


def dump(value: Any) -> str:
    """Compact JSON with Go's HTML escapes; keys keep the order they are given in."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def stamp(at: int) -> str:
    """MicroTime: 2022-10-23T17:30:24.602000Z."""
    seconds, micro = divmod(at, SECOND)
    return f"{_second(seconds)}.{micro:06d}Z"


def stamp_seconds(at: int) -> str:
    """Time as in object metadata: 2022-10-23T17:38:21Z."""
    return _second(at // SECOND) + "Z"


def micros(text: str) -> int:
    """Microseconds since the epoch of an RFC 3339 time."""
    when = datetime.fromisoformat(text)
    return int(when.timestamp()) * SECOND + when.microsecond


@lru_cache(maxsize=65536)
def ref(
    resource: str,
    namespace: str = "",
    name: str = "",
    *,
    uid: str = "",
    group: str = "",
    version: str = "v1",
    rv: str = "",
    sub: str = "",
) -> str:
    """`objectRef`."""
    parts = [f'"resource":"{resource}"']
    for key, value in (
        ("namespace", namespace),
        ("name", name),
        ("uid", uid),
        ("apiGroup", group),
        ("apiVersion", version),
        ("resourceVersion", rv),
        ("subresource", sub),
    ):
        if value:
            parts.append(f'"{key}":"{value}"')
    return "{" + ",".join(parts) + "}"


def allowed(reason: str = "") -> str:
    """Annotations of an allowed request. RBAC names the binding; node authorizer and system:masters name nothing."""
    return dump({"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": reason})


FORBIDDEN = dump({"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": ""})


def rbac(
    binding: str, role: str, subject: str, kind: str = "ClusterRoleBinding", role_kind: str = "ClusterRole"
) -> str:
    """The sentence RBAC writes: `subject` is 'User "x"', 'Group "x"' or 'ServiceAccount "name/namespace"'."""
    return f'RBAC: allowed by {kind} "{binding}" of {role_kind} "{role}" to {subject}'


@dataclass(frozen=True, slots=True)
class Who:
    """A client: who it is, from where, with what, and why it is allowed. `user`, `ips`, `annotations` are JSON text."""

    name: str
    user: str
    ips: str
    agent: str
    annotations: str

    def using(self, agent: str) -> Who:
        """The same client with another program."""
        return replace(self, agent=agent)

    def by(self, reason: str) -> Who:
        """The same client, allowed for another reason."""
        return replace(self, annotations=allowed(reason))


def client(
    name: str, ip: str, agent: str, *, groups: tuple[str, ...] = (), uid: str = "", reason: str = "",
    extra: dict[str, list[str]] | None = None,
) -> Who:  # fmt: skip
    """A client from its parts."""
    user: dict[str, Any] = {"username": name}
    if uid:
        user["uid"] = uid
    if groups:
        user["groups"] = list(groups)
    if extra:
        user["extra"] = dict(sorted(extra.items()))
    return Who(name, dump(user), dump([ip]), agent, allowed(reason))


@dataclass(frozen=True, slots=True)
class Failure:
    """A refused or failed request: what `metav1.Status` says about it."""

    code: int
    reason: str
    message: str
    details: dict[str, Any]

    def status(self, *, detailed: bool) -> str:
        """`responseStatus`."""
        body: dict[str, Any] = {"metadata": {}, "status": "Failure"}
        if detailed:
            body |= {"message": self.message, "reason": self.reason, "details": self.details}
        else:
            body["reason"] = self.reason
        return dump({**body, "code": self.code})

    def body(self) -> str:
        """`responseObject`."""
        head: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        tail = {"message": self.message, "reason": self.reason, "details": self.details, "code": self.code}
        return dump(head | tail)


def not_found(resource: str, name: str, group: str = "") -> Failure:
    """404."""
    full = f"{resource}.{group}" if group else resource
    details = {"name": name, "group": group, "kind": resource} if group else {"name": name, "kind": resource}
    return Failure(404, "NotFound", f'{full} "{name}" not found', details)


def conflict(resource: str, name: str, group: str = "") -> Failure:
    """409, somebody else was faster."""
    full = f"{resource}.{group}" if group else resource
    text = "the object has been modified; please apply your changes to the latest version and try again"
    details = {"name": name, "group": group, "kind": resource} if group else {"name": name, "kind": resource}
    return Failure(409, "Conflict", f'Operation cannot be fulfilled on {full} "{name}": {text}', details)


def forbidden(user: str, verb: str, resource: str, *, group: str = "", namespace: str = "", name: str = "") -> Failure:
    """403 by the authorizer."""
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    full = f"{resource}.{group}" if group else resource
    named = f'{full} "{name}"' if name else full
    text = f'{named} is forbidden: User "{user}" cannot {verb} resource "{resource}" in API group "{group}" {where}'
    details: dict[str, Any] = {"name": name} if name else {}
    if group:
        details["group"] = group
    return Failure(403, "Forbidden", text, {**details, "kind": resource})


OK = {code: f'{{"metadata":{{}},"code":{code}}}' for code in (101, 200, 201, 202)}
DELETED = '{"metadata":{},"status":"Success","code":200}'


class Log:
    """Collects events and hands them out in the order the server would have written them: by the time a stage ended."""

    def __init__(self, rng: random.Random, *, detailed: bool) -> None:
        self.rng = rng
        self.detailed = detailed
        self._heap: list[tuple[int, int, str]] = []
        self._count = 0
        self._version = 4_000_000

    def uuid(self) -> str:
        """A random (version 4) UUID."""
        bits = self.rng.getrandbits(128)
        h = f"{bits:032x}"
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{'89ab'[bits & 3]}{h[17:20]}-{h[20:]}"

    def suffix(self, length: int = 5) -> str:
        """A generated name's ending; the alphabet is that of k8s.io/apimachinery/pkg/util/rand."""
        bits, out = self.rng.getrandbits(5 * length + 8), ""
        for _ in range(length):
            bits, rest = divmod(bits, 27)
            out += "bcdfghjklmnpqrstvwxz2456789"[rest]
        return out

    def rv(self) -> str:
        """The next resourceVersion."""
        self._version += 1 + self.rng.getrandbits(2)
        return str(self._version)

    def put(self, at: int, line: str) -> None:
        """A finished line, written at `at`."""
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, line))

    def request(
        self, at: int, who: Who, verb: str, uri: str, target: str = "", *,
        code: int = 200, status: str = "", failure: Failure | None = None, level: str = "Metadata",
        sent: str = "", returned: str = "", took: int = 0, annotations: str = "", long: int = 0, impersonated: str = "",
    ) -> str:  # fmt: skip
        """One request: its ResponseComplete event, and ResponseStarted before it if it is `long`-running. The auditID.

        Args:
            at: when it arrived.
            who: the client.
            verb: as in the audit log.
            uri: unescaped.
            target: `objectRef`, empty for non-resource requests.
            code: HTTP status where it succeeded.
            status: `responseStatus` where it is not just the code.
            failure: why it failed.
            level: policy level; bodies are written as the level says.
            sent: `requestObject`.
            returned: `responseObject`.
            took: microseconds until the response; random if 0.
            annotations: where not those of `who`.
            long: microseconds a watch or exec stayed open.
            impersonated: `impersonatedUser`.
        """
        audit_id = self.uuid()
        if "&" in uri or "<" in uri or ">" in uri:
            uri = uri.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
        if failure is not None:
            status = failure.status(detailed=self.detailed)
            if failure.code == 403 and not annotations:
                annotations, sent = FORBIDDEN, ""  # the authorizer answers before the body is read
            returned = returned or failure.body()
        elif not status:
            status = OK[code]
        body = ""
        if level in ("Request", "RequestResponse") and target:
            if sent:
                body = f',"requestObject":{sent}'
            if returned and level == "RequestResponse":
                body += f',"responseObject":{returned}'
        if not took:
            took = 900 + self.rng.getrandbits(12) + (self.rng.getrandbits(14) if verb not in ("get", "watch") else 0)
        as_user = f'"impersonatedUser":{impersonated},' if impersonated else ""
        about = f'"objectRef":{target},' if target else ""
        head = f'{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"{level}","auditID":"{audit_id}","stage":"'
        middle = (
            f'","requestURI":"{uri}","verb":"{verb}","user":{who.user},{as_user}"sourceIPs":{who.ips},'
            f'"userAgent":"{who.agent}",{about}"responseStatus":'
        )
        arrived = stamp(at)
        notes = f',"annotations":{annotations or who.annotations}}}\n'
        if long:
            first = f'{head}ResponseStarted{middle}{status}{body},"requestReceivedTimestamp":"{arrived}"'
            self.put(at + took, f'{first},"stageTimestamp":"{stamp(at + took)}"{notes}')
            took += long
        last = f'{head}ResponseComplete{middle}{status}{body},"requestReceivedTimestamp":"{arrived}"'
        self.put(at + took, f'{last},"stageTimestamp":"{stamp(at + took)}"{notes}')
        return audit_id

    def until(self, at: int) -> Iterator[str]:
        """The lines written before `at`, in order."""
        heap = self._heap
        while heap and heap[0][0] < at:
            yield heapq.heappop(heap)[2]
