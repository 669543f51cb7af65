"""A control plane as kubeadm makes it, and what was changed of it."""

from __future__ import annotations

from typing import Any

import yaml

from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, HostFile, Process
from kubewitness.posture.check import Snapshot
from tests.posture.made import results, snapshot

API = {
    "advertise-address": "10.0.0.5", "allow-privileged": "true", "authorization-mode": "Node,RBAC",
    "client-ca-file": "/etc/kubernetes/pki/ca.crt", "enable-admission-plugins": "NodeRestriction",
    "enable-bootstrap-token-auth": "true", "etcd-servers": "https://127.0.0.1:2379", "secure-port": "6443",
    "service-account-key-file": "/etc/kubernetes/pki/sa.pub",
}  # fmt: skip
ETCD = {
    "advertise-client-urls": "https://10.0.0.5:2379", "client-cert-auth": "true", "data-dir": "/var/lib/etcd",
    "listen-client-urls": "https://127.0.0.1:2379,https://10.0.0.5:2379",
    "listen-metrics-urls": "http://127.0.0.1:2381", "listen-peer-urls": "https://10.0.0.5:2380",
    "peer-client-cert-auth": "true", "peer-trusted-ca-file": "/etc/kubernetes/pki/etcd/ca.crt",
    "trusted-ca-file": "/etc/kubernetes/pki/etcd/ca.crt",
}  # fmt: skip
MANAGER = {"bind-address": "127.0.0.1", "use-service-account-credentials": "true", "leader-elect": "true"}
SCHEDULER = {"bind-address": "127.0.0.1", "leader-elect": "true"}
DEFAULTS = {
    "kube-apiserver": API, "etcd": ETCD, "kube-controller-manager": MANAGER, "kube-scheduler": SCHEDULER,
}  # fmt: skip


def command(program: str, changed: dict[str, str | None] | None = None) -> list[str]:
    """The command of a component with flags changed; None takes one away."""
    flags = {**DEFAULTS.get(program, {}), **(changed or {})}
    return [program, *(f"--{name}={value}" for name, value in flags.items() if value is not None)]


def pod(
    program: str, changed: dict[str, str | None] | None = None, version: str = "v1.34.4", **spec: Any
) -> dict[str, Any]:
    """The mirror pod of a component on cp1."""
    container = {"name": program, "image": f"registry.k8s.io/{program}:{version}", "command": command(program, changed)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{program}-cp1",
            "namespace": "kube-system",
            "annotations": {"kubernetes.io/config.mirror": "x"},
            "ownerReferences": [{"kind": "Node", "name": "cp1"}],
        },
        "spec": {"nodeName": "cp1", "containers": [container], **spec},
    }


def asked(name: str, *pods: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    """What a check says about these pods: status, aspect, severity of a failure."""
    return told(name, snapshot(pods))


def told(name: str, of: Snapshot) -> list[tuple[str, str, str | None]]:
    """What a check says: status, aspect, severity of a failure."""
    return [
        (one.status, one.aspect, one.severity if one.status == "fail" else None)
        for one in results(f"control_plane/{name}", of)
    ]


def verdict(name: str, *pods: dict[str, Any]) -> str:
    """The worst of it: "fail high", "pass"."""
    status, _, severity = asked(name, *pods)[0]
    return f"{status} {severity}" if severity else status


def api(**changed: str | None) -> dict[str, Any]:
    """The pod of an API server of 1.34; `_` in names for `-`."""
    return pod("kube-apiserver", {name.replace("_", "-"): value for name, value in changed.items()})


def file(path: str, text: str) -> HostFile:
    """A file of the machine."""
    return HostFile(path, text, Place("cp1" + path, 1, 0, len(text)))


def manifest(document: dict[str, Any]) -> HostFile:
    """A pod as a static manifest."""
    name = document["spec"]["containers"][0]["name"]
    plain = {**document, "metadata": {"name": name, "namespace": "kube-system"}}
    plain["spec"] = {key: value for key, value in document["spec"].items() if key != "nodeName"}
    return file(f"/etc/kubernetes/manifests/{name}.yaml", yaml.safe_dump(plain))


def process(words: list[str], pid: int = 700, **more: Any) -> Process:
    """A process with its words kept apart."""
    return Process(pid, " ".join(words), Place("ps", pid, 0), ppid=1, argv=tuple(words), **more)


def machine(*files: HostFile, processes: tuple[Process, ...] = (), name: str = "cp1") -> Host:
    """A machine of the control plane."""
    return Host(name, files=list(files), processes=list(processes))
