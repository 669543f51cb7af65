"""Google Kubernetes Engine: Cloud Audit Logs entries (`LogEntry` with a `protoPayload`).

Google does not export the API server's event; it writes its own record of it. What can be put back exactly is put back:
verb, group, version, resource, namespace, name and subresource from `methodName` and `resourceName`, the path of the
URI, the caller, the bodies, the authorization labels. What is not in a LogEntry stays absent and is said once per item;
the HTTP status is derived from the RPC code.

Sources: "Audit logging in GKE" and google/cloud/audit/audit_log.proto (fields), google/rpc/code.proto (codes),
the khi and stackdriver-webhook-bridge samples (shapes of methodName and resourceName).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from kubewitness.sources.interface import Foreign, Found, Rebuilt
from kubewitness.sources.values import ARRAY, OBJECT, Fields, encode, first_byte, inside, lenient, scalar, string

MISSING: Final = (
    "GKE log entries do not carry the query of the request (exec commands, dry run, selectors), the caller's groups, "
    "uid and extra values, impersonation, the stage, or addresses before the last one",
    "GKE log entries carry an RPC code: the HTTP status of the answer is derived from it",
)

_VERSION = re.compile(r"v\d+(?:(?:alpha|beta)\d+)?")
_ADDRESS = re.compile(r"[0-9a-fA-F.:]*[.:][0-9a-fA-F.:]*")

# google.rpc.Code → HTTP status as the Kubernetes API uses it (5 not found, 6 already exists, 10 aborted = conflict, …)
_HTTP: Final = {
    0: 200, 1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400,
    12: 501, 13: 500, 14: 503, 15: 500, 16: 401,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A LogEntry of the Kubernetes API of a cluster; others are named and counted."""

    format: str = "GKE LogEntry"

    def recognises(self, fields: Fields) -> bool:
        """By its payload; an audit event that an agent shipped from a cluster of one's own is an envelope's matter."""
        shipped = "auditID" in inside(fields.get("jsonPayload"))
        return "protoPayload" in fields or ("insertId" in fields and "logName" in fields and not shipped)

    def open(self, fields: Fields) -> Iterator[Found]:
        """The event, rebuilt."""
        payload = inside(fields.get("protoPayload"))
        method = string(payload.get("methodName"))
        if not payload:
            resource = string(inside(fields.get("resource")).get("type"))
            yield Foreign(
                f"Google Cloud log entry of {resource or 'unknown type'} without a protoPayload, no audit event"
            )
        elif string(payload.get("serviceName")) != "k8s.io" and not method.startswith("io.k8s."):
            yield Foreign(f"Google Cloud audit entry of {method or 'another service'}, not of the Kubernetes API")
        else:
            yield Rebuilt(_rebuild(fields, payload), MISSING)


def _rebuild(fields: Fields, payload: Fields) -> Fields:
    method, target = string(payload.get("methodName")), string(payload.get("resourceName"))
    reference, path = _reference(method, target)
    when = string(fields.get("timestamp")) or string(fields.get("receiveTimestamp"))
    audit_id = string(inside(fields.get("operation")).get("id")) or string(fields.get("insertId"))
    caller = inside(payload.get("requestMetadata"))
    address, agent = string(caller.get("callerIp")), string(caller.get("callerSuppliedUserAgent"))
    identity = string(inside(payload.get("authenticationInfo")).get("principalEmail"))
    bodies = {"requestObject": payload.get("request"), "responseObject": payload.get("response")}
    logged = {name: raw for name, raw in bodies.items() if raw is not None and first_byte(raw) in (OBJECT, ARRAY)}
    level = "RequestResponse" if "responseObject" in logged else "Request" if logged else "Metadata"
    rebuilt: dict[str, Any] = {
        "auditID": audit_id,
        "level": level,
        "stage": "ResponseComplete",  # entries are written when the answer is known
        "verb": method.rpartition(".")[2],
        "requestURI": path,
        "user": {"username": identity} if identity else {},
        "responseStatus": _status(payload),
        "requestReceivedTimestamp": when,
        "stageTimestamp": when,
        "annotations": _annotations(fields, payload),
    }
    if agent:
        rebuilt["userAgent"] = agent
    if _ADDRESS.fullmatch(address):  # internal callers are written as "private" or "gce-internal-ip"
        rebuilt["sourceIPs"] = [address]
    if reference:
        rebuilt["objectRef"] = reference
    return {name: encode(value) for name, value in rebuilt.items()} | logged


def _reference(method: str, target: str) -> tuple[dict[str, str], str]:
    """The objectRef and the path of the URI out of the two names.

    `io.k8s.core.v1.pods.exec.create` with `core/v1/namespaces/NS/pods/NAME/exec/NAME`. The method tells the resource
    where the path is ambiguous: `…/namespaces/NS/pods` is a list, `…/namespaces/NS/status` a subresource.
    """
    parts = [part for part in target.split("/") if part]
    named = method.split(".")
    versions = [i for i, part in enumerate(named[:-1]) if _VERSION.fullmatch(part)]
    resource = named[versions[-1] + 1] if versions and versions[-1] + 1 < len(named) - 1 else ""
    if len(parts) < 2 or not _VERSION.fullmatch(parts[1]):
        return {}, "/" + "/".join(parts)
    group, version, rest = ("" if parts[0] == "core" else parts[0]), parts[1], parts[2:]
    prefix = f"/apis/{group}/{version}" if group else f"/api/{version}"
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) >= 3 and resource != "namespaces":
        namespace, rest = rest[1], rest[2:]
    elif rest[:1] == ["namespaces"] and len(rest) >= 2:
        namespace = rest[1]  # the API server sets both for requests on a namespace
    resource = rest[0] if rest else resource
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    reference = {
        "resource": resource,
        "namespace": namespace,
        "name": name,
        "apiGroup": group,
        "apiVersion": version,
        "subresource": subresource,
    }
    scope = f"/namespaces/{namespace}" if namespace and resource != "namespaces" else ""
    path = prefix + scope + "".join(f"/{part}" for part in (resource, name, subresource) if part)
    return {key: value for key, value in reference.items() if value}, path


def _status(payload: Fields) -> dict[str, Any]:
    response = inside(payload.get("response"))
    if string(response.get("kind")) == "Status" or string(response.get("@type")).endswith(".Status"):
        code = lenient(response["code"]) if "code" in response else None
        if isinstance(code, int) and not isinstance(code, bool):
            texts = {key: string(response.get(key)) for key in ("status", "reason", "message")}
            return {key: text for key, text in texts.items() if text} | {"code": code}
    status = inside(payload.get("status"))
    rpc = scalar(status.get("code")) or "0"
    code = _HTTP.get(int(rpc) if rpc.isdecimal() and len(rpc) < 4 else 2, 500)
    message = string(status.get("message"))
    return {"code": code} | ({"message": message} if message else {}) | ({"status": "Failure"} if code >= 400 else {})


def _annotations(fields: Fields, payload: Fields) -> dict[str, str]:
    """Audit annotations are exported as labels of the entry; a refused permission also says so."""
    labels = {key: string(raw) for key, raw in inside(fields.get("labels")).items() if "/" in key}
    grants = lenient(payload["authorizationInfo"]) if "authorizationInfo" in payload else None
    if "authorization.k8s.io/decision" not in labels and isinstance(grants, list):
        granted = [bool(item.get("granted")) for item in grants if isinstance(item, dict)]
        if granted:
            labels["authorization.k8s.io/decision"] = "allow" if all(granted) else "forbid"
    return labels
