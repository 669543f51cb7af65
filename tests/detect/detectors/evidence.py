"""Small logs for detectors: rows as beside the rules, scanned for real."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from kubewitness.detect.run import Scan, scan
from kubewitness.evidence.opening import walk
from kubewitness.rules.compile import Matcher
from kubewitness.rules.loader import RuleSet, shipped_rules
from tests.content.rows import make_event

Row = tuple[float, dict[str, Any]]  # seconds since the log's beginning, an event as in test rows
RBAC = {"apiGroup": "rbac.authorization.k8s.io", "apiVersion": "v1"}
REFUSED = {"responseStatus": {"code": 403}}


@cache
def pack() -> tuple[RuleSet, Matcher]:
    rules = shipped_rules()
    return rules, Matcher(rules.rules)


def scanned(folder: Path, rows: Sequence[Row], *more: Sequence[Row]) -> Scan:
    """The scan of a log with these rows, one file for each sequence."""
    number = 0
    for file, some in enumerate((rows, *more)):
        lines = []
        for at, event in sorted(some, key=lambda row: row[0]):
            number += 1
            lines.append(make_event(event, at, number).original)
        (folder / f"audit-{file}.log").write_bytes(b"\n".join(lines) + b"\n")
    rules, matcher = pack()
    return scan(list(walk([str(folder)], None)), rules, matcher, 1, lambda _bytes, _events: None)


def account(namespace: str, name: str) -> dict[str, Any]:
    """The user of a service account."""
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
    return {"username": f"system:serviceaccount:{namespace}:{name}", "groups": groups}


ANONYMOUS = {"username": "system:anonymous", "groups": ["system:unauthenticated"]}


def secrets(user: dict[str, Any], address: str, **more: Any) -> dict[str, Any]:
    """Lists the Secrets of a namespace."""
    ref = {"resource": "secrets", "namespace": "shop", "apiVersion": "v1"}
    return {"verb": "list", "user": user, "sourceIPs": [address], "objectRef": ref, **more}


def bind(
    user: dict[str, Any], address: str, subject: dict[str, str], name: str = "door", **more: Any
) -> dict[str, Any]:
    """Writes a ClusterRoleBinding to cluster-admin."""
    role = {"apiGroup": RBAC["apiGroup"], "kind": "ClusterRole", "name": "cluster-admin"}
    return {
        "verb": "create",
        "user": user,
        "sourceIPs": [address],
        "objectRef": {"resource": "clusterrolebindings", "name": name, **RBAC},
        "requestObject": {
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "subjects": [subject],
            "roleRef": role,
        },
        "responseStatus": {"code": 201},
        **more,
    }


def role(rules: list[dict[str, list[str]]], name: str = "reader", verb: str = "create", **more: Any) -> dict[str, Any]:
    """Writes a ClusterRole."""
    return {
        "verb": verb,
        "objectRef": {"resource": "clusterroles", "name": name, **RBAC},
        "requestObject": {"kind": "ClusterRole", "metadata": {"name": name}, "rules": rules},
        "responseStatus": {"code": 201 if verb == "create" else 200},
        **more,
    }
