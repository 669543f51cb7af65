"""Clusters made by hand: what a version of Kubernetes makes, and what somebody put beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kubewitness.model.posture import Result
from kubewitness.posture.bootstrap.defaults import defaults, document_of
from kubewitness.posture.bootstrap.known import version_of
from kubewitness.posture.check import Snapshot
from tests.posture.made import results, snapshot

RBAC = "rbac.authorization.k8s.io/v1"
WHOLE = (
    "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount", "Pod", "Secret", "Namespace",
    "Service",
)  # fmt: skip
Document = dict[str, Any]
Rule = tuple[str, str, str] | tuple[str, str, str, str]  # verbs, group, resources, names


def made(kind: str, name: str, namespace: str = "", version: str = "v1", **more: Any) -> Document:
    """An object."""
    meta: Document = {"name": name} | ({"namespace": namespace} if namespace else {})
    meta |= {key: more.pop(key) for key in ("labels", "annotations") if key in more}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **more}


def role(name: str, *rules: Rule, namespace: str = "", **more: Any) -> Document:
    """A role; words of a rule are separated by spaces."""
    kind = "Role" if namespace else "ClusterRole"
    written = [
        {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split()}
        | ({"resourceNames": names[0].split()} if names else {})
        for verbs, group, resources, *names in rules
    ]
    return made(kind, name, namespace, RBAC, rules=written, **more)


def binding(name: str, refers: str, *subjects: str, namespace: str = "", **more: Any) -> Document:
    """A binding to "cluster-admin" or "Role reader", of "User eve", "Group x", "ServiceAccount ns/name"."""
    kind, _, target = refers.rpartition(" ")
    named = []
    for one in subjects:
        what, _, who = one.partition(" ")
        place, slash, account = who.partition("/")
        named.append({"kind": what, "name": account, "namespace": place} if slash else {"kind": what, "name": who})
    return made(
        "RoleBinding" if namespace else "ClusterRoleBinding", name, namespace, RBAC,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": kind or "ClusterRole", "name": target},
        subjects=named, **more,
    )  # fmt: skip


def account(name: str, **more: Any) -> Document:
    """A service account "ns/name"."""
    namespace, _, own = name.partition("/")
    return made("ServiceAccount", own, namespace, **more)


def pod(name: str, runs_as: str = "default", **spec: Any) -> Document:
    """A running pod "ns/name"."""
    namespace, _, own = name.partition("/")
    made_spec = {"serviceAccountName": runs_as, "containers": [{"name": "c"}]} | spec
    return made("Pod", own, namespace, spec=made_spec, status={"phase": "Running"}, labels={"app": own})


def namespace(name: str, level: str = "") -> Document:
    """A namespace that enforces a level of Pod Security."""
    return made("Namespace", name, labels={"pod-security.kubernetes.io/enforce": level} if level else {})


def fresh(version: str = "v1.34.4") -> list[Document]:
    """What an API server of this version makes."""
    out = []
    for key, one in sorted(defaults(version_of(version)).objects.items()):
        document = document_of(one)
        document["metadata"] |= {"namespace": key.namespace} if key.namespace else {}  # type: ignore[operator]
        out.append({"apiVersion": RBAC, "kind": key.kind, **document})
    return out


def cluster(
    *objects: Document, version: str = "v1.34.4", whole: Iterable[str] = WHOLE, start: Sequence[Document] | None = None
) -> Snapshot:
    """A fresh cluster with these objects; of the same kind and name, instead of its own."""
    every: Mapping[Any, Document] = {
        _place(one): one for one in (*(fresh(version) if start is None else start), *objects)
    }
    return snapshot(list(every.values()), version=version, whole=whole)


def _place(document: Document) -> tuple[str, str, str]:
    meta = document["metadata"]
    return document["kind"], meta.get("namespace", ""), meta["name"]


def fails(check: str, of: Snapshot) -> list[tuple[str, str, str | None]]:
    """Subject, aspect and severity of what fails."""
    return [(one.subject, one.aspect, one.severity) for one in results(f"access/{check}", of, "fail")]


def failed(check: str, of: Snapshot) -> Result:
    """The one thing that fails."""
    (found,) = results(f"access/{check}", of, "fail")
    return found
