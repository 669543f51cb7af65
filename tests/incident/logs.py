"""A hand-made audit log: a clock, an API server that fills in what it would, and a quiet cluster around the story.

    log = Log()
    log.quiet_day()
    door = log.request("list", "secrets", at="13:00", by="system:anonymous", address="203.0.113.77", reason=DOOR)
    log.write(path)

Times are clock times of one day. Requests may be added in any order; the log is written in the order in which the API
server would have finished them.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

DAY = datetime(2026, 3, 2, tzinfo=UTC)
KUBECTL = "kubectl/v1.31.0 (linux/amd64) kubernetes/9edcffc"
KUBELET = "kubelet/v1.31.0 (linux/amd64) kubernetes/9edcffc"
MANAGER = "kube-controller-manager/v1.31.0 (linux/amd64) kubernetes/9edcffc/system:serviceaccount:kube-system:"
OFFICE = "198.51.100.20"  # where the administrators sit
CONTROL_PLANE = "10.0.0.10"
NODES = ("node-a", "node-b", "node-c")
MASTERS = ("system:masters", "system:authenticated")
_GROUPS = {
    "apps": ("deployments", "daemonsets", "statefulsets", "replicasets"),
    "batch": ("jobs", "cronjobs"),
    "rbac.authorization.k8s.io": ("roles", "rolebindings", "clusterroles", "clusterrolebindings"),
    "coordination.k8s.io": ("leases",),
    "authorization.k8s.io": ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "subjectaccessreviews"),
}
_CODES = {"create": 201}


def account(namespace: str, name: str) -> str:
    """The user name of a service account."""
    return f"system:serviceaccount:{namespace}:{name}"


def allowed_by(binding: str, role: str, subject: str, namespace: str = "") -> str:
    """The authorizer's reason; `role` and `subject` with their kind: "ClusterRole cluster-admin", "User jane"."""
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    named = f"{binding}/{namespace}" if namespace else binding
    (role_kind, role_name), (subject_kind, subject_name) = role.split(" "), subject.split(" ")
    return f'RBAC: allowed by {kind} "{named}" of {role_kind} "{role_name}" to {subject_kind} "{subject_name}"'


DOOR = allowed_by("anonymous-admin", "ClusterRole cluster-admin", "User system:anonymous")


def binding(name: str, role: str, *subjects: str, namespace: str = "") -> dict[str, Any]:
    """The body of a ClusterRoleBinding or RoleBinding. Subjects: "User x", "Group x", "ServiceAccount ns/x"."""
    listed = []
    for subject in subjects:
        kind, _, who = subject.partition(" ")
        if kind == "ServiceAccount":
            where, _, who = who.partition("/")
            listed.append({"kind": kind, "namespace": where, "name": who})
        else:
            listed.append({"kind": kind, "apiGroup": "rbac.authorization.k8s.io", "name": who})
    return {
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "subjects": listed,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
    }


def daemonset(name: str, image: str, namespace: str = "kube-system") -> dict[str, Any]:
    """The body of a DaemonSet with one privileged container."""
    container = {"name": "main", "image": image, "securityContext": {"privileged": True}}
    spec = {"hostPID": True, "hostNetwork": True, "containers": [container]}
    return {
        "kind": "DaemonSet",
        "apiVersion": "apps/v1",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"spec": spec}},
    }


def clock(at: str, seconds: float = 0) -> datetime:
    """A time of the day: 13:05 or 13:05:07.25."""
    hours, minutes, *rest = at.split(":")
    return DAY + timedelta(hours=int(hours), minutes=int(minutes), seconds=float(rest[0] if rest else 0) + seconds)


def stamp(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Log:
    """Events, kept with the moment the API server wrote them."""

    def __init__(self) -> None:
        self._events: list[tuple[datetime, int, dict[str, Any]]] = []
        self._requests = 0

    def request(
        self,
        verb: str,
        resource: str = "",
        *,
        at: str | datetime,
        by: str = "kubernetes-admin",
        address: str = OFFICE,
        agent: str = KUBECTL,
        namespace: str = "",
        name: str = "",
        subresource: str = "",
        code: int = 0,
        reason: str = "",
        body: Any = None,
        response: Any = None,
        groups: Sequence[str] | None = None,
        extra: Mapping[str, Sequence[str]] | None = None,
        forwarded: Sequence[str] = (),
        uri: str = "",
        query: str = "",
        stages: Sequence[str] = ("ResponseComplete",),
        takes: float = 0.01,
        audit_id: str = "",
        **fields: Any,
    ) -> str:
        """One request, logged at `stages`; gives its auditID. `fields` overwrite keys of its events, None deletes."""
        self._requests += 1
        audit_id = audit_id or f"{self._requests:08x}-0000-4000-8000-{0:012d}"
        came = clock(at) if isinstance(at, str) else at
        code = code or _CODES.get(verb, 200)
        event: dict[str, Any] = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "RequestResponse" if body is not None or response is not None else "Metadata",
            "auditID": audit_id,
            "requestURI": uri or _uri(verb, resource, namespace, name, subresource) + query,
            "verb": verb,
            "user": {"username": by, "groups": list(_groups_of(by) if groups is None else groups)},
            "sourceIPs": [*forwarded, address],
            "userAgent": agent,
        }
        if by == "":
            event["user"] = {}
        if extra:
            event["user"]["extra"] = {key: list(values) for key, values in extra.items()}
        if resource:
            ref = {"resource": resource, "namespace": namespace, "name": name, "subresource": subresource}
            ref["apiGroup"] = _group_of(resource)
            event["objectRef"] = {key: value for key, value in ref.items() if value} | {"apiVersion": "v1"}
        event["requestReceivedTimestamp"] = stamp(came)
        for number, stage in enumerate(stages):
            wrote = came if stage == "RequestReceived" else came + timedelta(seconds=takes * (number or 1))
            logged = dict(event, stage=stage, stageTimestamp=stamp(wrote))
            if stage != "RequestReceived":
                logged["responseStatus"] = {"metadata": {}, "code": code}
                logged["annotations"] = _annotations(code, reason)
            if stage in ("ResponseComplete", "Panic") and code < 400:
                logged |= {"requestObject": body} if body is not None else {}
                logged |= {"responseObject": response} if response is not None else {}
            logged = {key: value for key, value in (logged | fields).items() if value is not None}
            self._events.append((wrote, len(self._events), logged))
        return audit_id

    # -- the cluster around it ---------------------------------------------------------------------------------------

    def quiet_day(self, first: int = 6, last: int = 20, office: bool = True) -> None:
        """Heartbeats of nodes and controllers, and an administrator who looks after things from the office."""
        for minute in range(first * 60, last * 60, 2):
            at = DAY + timedelta(minutes=minute)
            for number, node in enumerate(NODES):
                self.request("patch", "nodes", at=at + timedelta(seconds=number), by=f"system:node:{node}",
                             address=f"10.0.0.{11 + number}", agent=KUBELET, name=node,
                             subresource="status")  # fmt: skip
            self.request("update", "leases", at=at + timedelta(seconds=7), by="system:kube-controller-manager",
                         address=CONTROL_PLANE, agent="kube-controller-manager/v1.31.0 (linux/amd64)",
                         namespace="kube-system", name="kube-controller-manager")  # fmt: skip
            self.request("get", at=at + timedelta(seconds=9), by="system:anonymous", address="10.0.0.30",
                         agent="kube-probe/1.31", uri="/healthz",
                         reason=allowed_by("system:public-info-viewer", "ClusterRole system:public-info-viewer",
                                           "Group system:unauthenticated"))  # fmt: skip
            if office and minute % 20 == 0:
                self.admin("list", "pods", at=at + timedelta(seconds=12), namespace="shop")

    def admin(self, verb: str, resource: str, *, at: str | datetime, **more: Any) -> str:
        """A request of the administrator."""
        return self.request(verb, resource, at=at, by="kubernetes-admin", groups=MASTERS, **more)

    def cascade(self, name: str, *, at: str, namespace: str = "kube-system") -> list[str]:
        """What controllers, scheduler and kubelets do with a new DaemonSet: a pod on every node."""
        ids = []
        owner = [{"kind": "DaemonSet", "name": name, "controller": True}]
        for number, node in enumerate(NODES):
            pod, came = f"{name}-{'bcd'[number]}x2z7", clock(at, 1 + number)
            body = {"metadata": {"generateName": f"{name}-", "ownerReferences": owner}, "spec": {"containers": []}}
            ids.append(self.request(
                "create", "pods", at=came, by=account("kube-system", "daemon-set-controller"), address=CONTROL_PLANE,
                agent=MANAGER + "daemon-set-controller", namespace=namespace, body=body,
                response={"metadata": {"name": pod, "namespace": namespace}}))  # fmt: skip
            ids.append(self.request(
                "create", "pods", at=came + timedelta(seconds=1), by="system:kube-scheduler", address=CONTROL_PLANE,
                agent="kube-scheduler/v1.31.0", namespace=namespace, name=pod, subresource="binding",
                body={"metadata": {"name": pod}, "target": {"kind": "Node", "name": node}}))  # fmt: skip
            ids.append(self.request(
                "patch", "pods", at=came + timedelta(seconds=3), by=f"system:node:{node}",
                address=f"10.0.0.{11 + number}", agent=KUBELET, namespace=namespace, name=pod, subresource="status",
                body={"status": {"phase": "Running"}}))  # fmt: skip
        return ids

    # -- writing -----------------------------------------------------------------------------------------------------

    @property
    def events(self) -> list[dict[str, Any]]:
        """In the order of the log."""
        return [event for _, _, event in sorted(self._events, key=lambda kept: kept[:2])]

    def lines(self) -> list[bytes]:
        return [msgspec.json.encode(event) for event in self.events]

    def bytes(self) -> bytes:
        return b"".join(line + b"\n" for line in self.lines())

    def write(self, path: Path) -> str:
        """Write the whole log, compressed if the name says so."""
        return write_lines(path, self.lines())


def write_lines(path: Path, lines: Iterable[bytes]) -> str:
    data = b"".join(line + b"\n" for line in lines)
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return str(path)


def _groups_of(by: str) -> Sequence[str]:
    if by == "system:anonymous":
        return ("system:unauthenticated",)
    if by.startswith("system:serviceaccount:"):
        namespace = by.split(":")[2]
        return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return ("system:nodes", "system:authenticated") if by.startswith("system:node:") else ("system:authenticated",)


def _group_of(resource: str) -> str:
    return next((group for group, resources in _GROUPS.items() if resource in resources), "")


def _annotations(code: int, reason: str) -> dict[str, str]:
    if code == 401:
        return {}
    decision = "forbid" if code == 403 else "allow"
    return {"authorization.k8s.io/decision": decision, "authorization.k8s.io/reason": reason}


def _uri(verb: str, resource: str, namespace: str, name: str, subresource: str) -> str:
    group = _group_of(resource)
    parts = ["/apis", group, "v1"] if group else ["/api", "v1"]
    parts += ["namespaces", namespace] if namespace else []
    parts += [part for part in (resource, name if verb != "create" or subresource else "", subresource) if part]
    return "/".join(parts)
