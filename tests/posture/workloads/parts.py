"""Workloads made by hand."""

from __future__ import annotations

from typing import Any

from kubewitness.posture.check import Snapshot
from tests.posture.made import snapshot

WHOLE = (
    "Pod", "Namespace", "Service", "Ingress", "ServiceAccount", "RoleBinding", "ClusterRoleBinding", "NetworkPolicy",
    "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ClusterRole", "Role",
)  # fmt: skip


def of(*objects: Any, version: str = "v1.34.0", whole: tuple[str, ...] = WHOLE) -> Snapshot:
    return snapshot(objects, version=version, whole=whole)


def pod(name: str = "app-x", namespace: str = "web", owner: tuple[str, str] = ("", ""), **spec: Any) -> Any:
    owners = [{"kind": owner[0], "name": owner[1], "controller": True}] if owner[0] else []
    meta = {"name": name, "namespace": namespace, "labels": {"app": "app"}, "ownerReferences": owners}
    return {"kind": "Pod", "metadata": meta, "spec": {"containers": [{"name": "c", "image": "app:1"}], **spec}}


def privileged(*, kind: str = "", namespace: str = "web", name: str = "app") -> Any:
    box = {"name": "c", "image": "app:1", "securityContext": {"privileged": True}}
    return pod(f"{name}-x", namespace, (kind, name), containers=[box])


def mounting(path: str, *, read_only: bool = False, namespace: str = "web", part: str = "") -> Any:
    mount = {"name": "v", "mountPath": "/v", "readOnly": read_only, "subPath": part}
    box = {"name": "c", "image": "app:1", "volumeMounts": [mount]}
    return pod(namespace=namespace, containers=[box], volumes=[{"name": "v", "hostPath": {"path": path}}])


def running(image: str, *args: str, account: str = "default", namespace: str = "web") -> Any:
    box = {"name": "c", "image": image, "args": list(args)}
    return pod(namespace=namespace, containers=[box], serviceAccountName=account)


def service(
    kind: str = "NodePort", port: int = 80, namespace: str = "web", annotations: Any = None, **spec: Any
) -> Any:
    ports = [{"port": port, "targetPort": port, "nodePort": 30080}]
    meta = {"name": "s", "namespace": namespace, "annotations": annotations or {}}
    return {
        "kind": "Service",
        "metadata": meta,
        "spec": {"type": kind, "selector": {"app": "app"}, "ports": ports, **spec},
    }


def ingress(namespace: str = "web") -> Any:
    backend = {"service": {"name": "s", "port": {"number": 80}}}
    rule = {"host": "a.example.org", "http": {"paths": [{"path": "/", "backend": backend}]}}
    meta = {"name": "i", "namespace": namespace}
    return {"kind": "Ingress", "apiVersion": "networking.k8s.io/v1", "metadata": meta, "spec": {"rules": [rule]}}


def route(name: str = "s") -> Any:
    meta = {"name": "r", "namespace": "web"}
    spec = {"hostnames": ["a.example.org"], "rules": [{"backendRefs": [{"name": name, "port": 80}]}]}
    return {"kind": "HTTPRoute", "apiVersion": "gateway.networking.k8s.io/v1", "metadata": meta, "spec": spec}


def space(name: str = "web", **labels: str) -> Any:
    marks = {f"pod-security.kubernetes.io/{key.replace('_', '-')}": value for key, value in labels.items()}
    return {"kind": "Namespace", "metadata": {"name": name, "labels": marks}}


def account(name: str = "default", namespace: str = "web", **more: Any) -> Any:
    return {"kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}, **more}


def binding(role: str, subject: dict[str, str]) -> Any:
    return {
        "kind": "ClusterRoleBinding",
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }


def cluster_role(name: str, resources: list[str], verbs: list[str]) -> Any:
    groups = ["*"] if resources == ["*"] else [""]
    rules = [{"apiGroups": groups, "resources": resources, "verbs": verbs}]
    return {
        "kind": "ClusterRole",
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "metadata": {"name": name},
        "rules": rules,
    }


def webhook(url: str, kind: str = "Mutating", resource: str = "secrets", name: str = "w", policy: str = "Fail") -> Any:
    client = {"url": url} if url else {"service": {"name": "s", "namespace": "web"}}
    hook = {
        "name": f"{name}.example.org",
        "clientConfig": client,
        "failurePolicy": policy,
        "rules": [{"resources": [resource]}],
    }
    group = "admissionregistration.k8s.io/v1"
    return {"kind": f"{kind}WebhookConfiguration", "apiVersion": group, "metadata": {"name": name}, "webhooks": [hook]}
