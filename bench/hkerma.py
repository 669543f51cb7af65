"""Turn the rows of hkerma/kubernetes-event-dataset (CC-BY-4.0) back into audit events.

The dataset is a Logstash projection of a real audit log at level Metadata: host, time, user, verb, resource,
subresource, name, (empty), URI, auditID, stage, code, and three empty columns. What the projection dropped cannot be
had back: addresses, programs, groups and annotations are missing, except the groups a user name implies; the
namespace, API group and version are read off the URI.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def groups(user: str) -> list[str]:
    """The groups that follow from the name."""
    if user == "system:anonymous":
        return ["system:unauthenticated"]
    if user.startswith("system:serviceaccount:"):
        return ["system:serviceaccounts", f"system:serviceaccounts:{user.split(':')[2]}", "system:authenticated"]
    if user.startswith("system:node:"):
        return ["system:nodes", "system:authenticated"]
    masters = ["system:masters"] if user in ("kubernetes-admin", "system:apiserver") else []
    return [*masters, "system:authenticated"]


def object_ref(uri: str, resource: str, subresource: str, name: str) -> dict[str, str]:
    """`objectRef` from the columns and the path."""
    parts = urlsplit(uri).path.strip("/").split("/")
    group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
    namespace = rest[1] if rest[:1] == ["namespaces"] and len(rest) > 1 else ""
    found = {
        "resource": resource, "namespace": namespace, "name": name, "apiGroup": group, "apiVersion": version,
        "subresource": subresource,
    }  # fmt: skip
    return {key: value for key, value in found.items() if value}


def event(row: list[str]) -> dict[str, Any]:
    """One row as an event."""
    _, time, user, verb, resource, subresource, name, _, uri, audit_id, stage, code, *_ = row
    found: dict[str, Any] = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": audit_id, "stage": stage,
        "requestURI": uri, "verb": verb, "user": {"username": user, "groups": groups(user)},
    }  # fmt: skip
    if resource:
        found["objectRef"] = object_ref(uri, resource, subresource, name)
    found["responseStatus"] = {"metadata": {}, "code": int(code)}
    found["requestReceivedTimestamp"] = found["stageTimestamp"] = time
    found["annotations"] = {"authorization.k8s.io/decision": "forbid" if code == "403" else "allow"}
    return found


def convert(source: Path, target: Path) -> int:
    """Write JSON lines; the number of events."""
    with source.open(newline="") as rows, target.open("w") as lines:
        count = 0
        for row in csv.reader(rows):
            lines.write(json.dumps(event(row), separators=(",", ":")) + "\n")
            count += 1
    return count
