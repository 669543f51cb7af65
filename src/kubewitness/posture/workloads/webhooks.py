"""Checks of admission webhooks: who is shown every object, who may change it, and what happens without an answer.

A mutating webhook rewrites what it is shown; one for pods puts a container into each of them, one for Secrets reads
them all. Ordinary ones are a Service of the cluster. An address outside of it is shown everything, and is a way to stay
that outlives every binding.

Source: "Dynamic Admission Control" of the Kubernetes documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from kubewitness.model.cluster import KubeObject
from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result
from kubewitness.model.text import Text
from kubewitness.posture.check import CLUSTER, Snapshot
from kubewitness.posture.filling import filled
from kubewitness.posture.places import where_of
from kubewitness.posture.reading import nodes, text, texts

NEEDS: Final = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_INSIDE: Final = (".svc", ".cluster.local", ".local", ".internal", ".localdomain", ".lan")
_CLOUDS: Final = (
    "aks-",
    "eks-",
    "gke-",
    "pod-identity-webhook",
    "vpc-resource-",
    "iam-for-pods",
    "ack-",
    "admissionwebhookcontroller",
)
_GUARDS: Final = ("kyverno", "gatekeeper", "kubewarden", "polaris", "opa", "security", "policy")
_TAKEN: Final = frozenset({"pods", "secrets", "*", "*/*", "pods/*", "deployments", "daemonsets"})


def outside(snapshot: Snapshot) -> Iterator[Result]:
    """Webhooks that ask an address outside of the cluster."""
    for kind, one, number, hook in _hooks(snapshot):
        url = text(hook, "clientConfig", "url")[:500]
        host = _host(url)
        if not url or _is_inside(host):
            continue
        taken = sorted({each for _, rule in nodes(hook, "rules") for each in texts(rule, "resources")} & _TAKEN)
        what = ", ".join(taken) or "-"
        observed = Text(f"asks {url}, shown: {what}", f"请求 {url}，可见对象：{what}")
        path = f"webhooks[{number}].clientConfig.url"
        severity, reason = _rated(kind, one.name, host, bool(taken))
        yield Result(
            "fail", CLUSTER, f"{one} {text(hook, 'name')[:200]}", observed, _SERVICE,
             (where_of(one, path, url),), reason,
            severity, filled("workloads/webhook_outside", {"KIND": kind.lower(), "NAME": one.name}),
        )  # fmt: skip


_SERVICE: Final = Text("a Service of this cluster", "本集群中的 Service")


def _rated(kind: str, name: str, host: str, taken: bool) -> tuple[Severity, Text]:
    if name.lower().startswith(_CLOUDS):
        return "low", Text("named like one of the cloud's own", "名称与云厂商自带的 webhook 相似")
    severity: Severity = "medium"
    try:
        ip_address(host)
    except ValueError:
        reason = Text("whether that name leads outside is not known here", "此处无法得知该域名是否指向外部")
        return ("medium" if taken else "low"), reason
    if kind.startswith("Mutating") and taken:
        severity = "high"
    return severity, Text("a public address", "公网地址")


def unguarded(snapshot: Snapshot) -> Iterator[Result]:
    """Guards that let everything in when they do not answer."""
    for _, one, number, hook in _hooks(snapshot):
        name = text(hook, "name")[:200]
        if text(hook, "failurePolicy") != "Ignore" or not any(word in f"{one.name} {name}".lower() for word in _GUARDS):
            continue
        where = where_of(one, f"webhooks[{number}].failurePolicy", "Ignore")
        yield Result("fail", CLUSTER, f"{one} {name}", _IGNORE, _FAIL, (where,))


_IGNORE: Final = Text("failurePolicy: Ignore", "failurePolicy: Ignore")
_FAIL: Final = Text(
    "failurePolicy: Fail, with the platform's namespaces left out", "failurePolicy: Fail，并排除平台命名空间"
)


def _hooks(snapshot: Snapshot) -> Iterator[tuple[str, KubeObject, int, Mapping[str, object]]]:
    if snapshot.cluster is None:
        return
    for kind in NEEDS:
        for one in sorted(snapshot.cluster.of(kind), key=lambda one: one.name):
            for number, hook in nodes(one.document, "webhooks"):
                yield kind, one, number, hook


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower().rstrip(".")
    except ValueError:
        return ""


def _is_inside(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_INSIDE) or ".svc." in host
    return not address.is_global
