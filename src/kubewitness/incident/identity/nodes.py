"""Machines whose kubelet's credential an intruder had: read by a command in a pod, or in reach of a pod it made.

A kubelet speaks as `system:node:NAME` with a client certificate and key that lie on the machine, by default below
/var/lib/kubelet/pki, named in /etc/kubernetes/kubelet.conf. Whoever may read them may read the Secrets of that node's
pods and ask for tokens of their accounts. The credential of one node is that node's alone; where the log does not tell
on which node a pod ran it may be any.

Source: kubernetes.io, "Using Node Authorization"; kubeadm's implementation details (kubelet.conf).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from kubewitness.incident.requests import Request
from kubewitness.rules.features.identity import kind_of_name
from kubewitness.rules.features.pod_spec import PodSpec, pod_specs

ROOT_PATHS: Final = frozenset(
    ("/", "/etc", "/var", "/var/lib", "/var/lib/kubelet", "/root", "/home", "/run", "/var/run", "/proc")
)
_CREDENTIAL: Final = (
    re.compile(  # the key, the folder it is in or a file that holds both; the certificate alone is none
        r"\b(?:var/lib/kubelet/(?:kubeconfig|pki(?:/?(?![\w./*-])|/\*|/kubelet(?:-client[\w-]{0,60})?\.(?:key|pem)))"
        r"|etc/kubernetes/kubelet\.conf)"
    )
)
_READ: Final = re.compile(r"(?:^|[\s/;|&])(?:cat|head|tail|base64|cp|tar|dd|xxd|od|strings|less|more|scp|nc|curl)\b")
_LONGEST: Final = 4096  # characters of a command that are looked at
_PREFIX: Final = "system:node:"
_MADE: Final = frozenset(("create", "update", "patch"))


class NodeGained(NamedTuple):
    """A kubelet's credential, from a request on."""

    node: str  # empty: the log does not tell which
    request: Request
    pod: str  # "namespace/name" of the pod or workload; empty for a command given to the kubelet itself
    read: bool  # a command named the files; else the pod only had the machine in its hands

    def is_of(self, identity: str) -> bool:
        """Whether it may be the credential of that name."""
        return kind_of_name(identity) == "node" and self.node in ("", identity.removeprefix(_PREFIX))


def reaches_node(spec: PodSpec) -> bool:
    """Whether who is in such a pod has the machine: privileged, or with its files."""
    return any(container.privileged for container in spec.containers) or not ROOT_PATHS.isdisjoint(spec.host_paths)


def nodes_gained(requests: Sequence[Request]) -> list[NodeGained]:
    """Each node's credential as it was gained first, and as it was first read; `requests` are in time order."""
    homes, out = _homes(requests), dict[tuple[str, str, bool], NodeGained]()
    for request in requests:
        found = _made(request) or _read(request, homes)
        if found is not None:
            out.setdefault((found.node, "" if found.node else found.pod, found.read), found)
    return list(out.values())


def _homes(requests: Iterable[Request]) -> Mapping[tuple[str, str], str]:
    """On which node pods run, as far as who made them said so."""
    return {
        (request.namespace, request.name): spec.node_name
        for request in requests
        if request.resource == "pods" and request.verb == "create" and not request.subresource
        for spec in pod_specs(request.final)
        if spec.node_name
    }


def _made(request: Request) -> NodeGained | None:
    if not request.succeeded or request.verb not in _MADE or request.subresource not in ("", "ephemeralcontainers"):
        return None
    spec = next(filter(reaches_node, pod_specs(request.final)), None)
    if spec is None:
        return None
    return NodeGained(spec.node_name, request, f"{request.namespace}/{request.name}", read=False)


def _read(request: Request, homes: Mapping[tuple[str, str], str]) -> NodeGained | None:
    command = request.command[:_LONGEST] if request.subresource in ("exec", "proxy") else ""
    if not command or not _READ.search(command) or not _CREDENTIAL.search(command):
        return None
    if request.resource == "nodes" and not request.refused:
        return NodeGained(request.name, request, "", read=True)
    if request.resource == "pods" and request.succeeded:
        home = homes.get((request.namespace, request.name), "")
        return NodeGained(home, request, f"{request.namespace}/{request.name}", read=True)
    return None
