"""What runs in a cluster, each once: pods under the workload that makes them, templates where no pod shows them.

A pod is judged rather than its template, for admission webhooks add containers; replicas of one template are judged
once, and a pod that was given an ephemeral container by itself. A ReplicaSet that is not in the evidence is led back to
its Deployment by its own name, which ends with the hash its pods carry as a label.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from msgspec import Struct

from kubewitness.model.cluster import Cluster, KubeObject
from kubewitness.model.posture import Where
from kubewitness.posture.places import where_of
from kubewitness.posture.platforms import is_platform_or_agent
from kubewitness.posture.pod_security import pod_of
from kubewitness.posture.pods.node_hold import boxes
from kubewitness.posture.reading import at, flag, mapping, nodes, text

_ENDED: Final = frozenset({"Succeeded", "Failed"})
_MAKERS: Final = ("Deployment", "DaemonSet", "StatefulSet", "CronJob", "Job", "ReplicaSet", "ReplicationController")
_HASH: Final = "pod-template-hash"
_CRON: Final = re.compile(r"(.{1,240})-(\d{8,10})")
SYSTEM: Final = "kube-system"
# What of kube-system needs its node, by kind and name, as installers and clouds ship it.
_KNOWN: Final[dict[str, re.Pattern[str]]] = {
    "DaemonSet": re.compile(
        r"kube-proxy(?:-windows)?|calico-node|cilium(?:-envoy)?|kube-flannel-ds.{0,20}|canal|weave-net|kube-router|kindnet"
        r"|antrea-agent|rke2-.{1,40}|svclb-.{1,80}|aws-node|ebs-csi-node.{0,20}|efs-csi-node|eks-pod-identity-agent"
        r"|node-local-dns|nodelocaldns|kube-multus-ds.{0,20}|csi-.{1,50}|azure-.{1,50}|cloud-node-manager.{0,20}"
        r"|ama-.{1,40}|fluentbit-gke.{0,30}|gke-.{1,50}|netd|pdcsi-node.{0,20}|nvidia-.{1,50}|anetd|ip-masq-agent"
        r"|terway.{0,30}|ack-.{1,50}|logtail-ds|node-problem-detector|metadata-proxy.{0,20}|retina-agent.{0,10}"
        r"|do-node-agent|konnectivity-agent|kops-controller|aws-cloud-controller-manager|openstack-.{1,40}|speaker"
    ),
    "Deployment": re.compile(
        r"coredns|metrics-server.{0,20}|cilium-operator|calico-typha.{0,20}|calico-kube-controllers|traefik"
        r"|local-path-provisioner|konnectivity-agent.{0,20}|hubble-.{1,20}|.{0,30}-cloud-controller-manager"
        r"|cluster-autoscaler.{0,20}|csi-.{1,50}|ebs-csi-controller|efs-csi-controller|antrea-controller"
    ),
    "StatefulSet": re.compile(r"csi-.{1,50}"),
    "Pod": re.compile(r"storage-provisioner"),
}


class Workload(Struct, frozen=True):
    """A pod or a template of one, and who makes it."""

    kind: str
    namespace: str
    name: str
    source: KubeObject  # the object it was read of
    pod: Mapping[str, object]
    prefix: str  # before the paths in it: "spec.template."
    pods: int = 0  # that run
    made_by_node: bool = False  # a static pod's image in the API

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def spec(self) -> object:
        """The pod's."""
        return at(self.pod, "spec")

    @property
    def labels(self) -> dict[str, str]:
        """The pod's."""
        return mapping(self.pod, "metadata", "labels")

    @property
    def account(self) -> str:
        """Of the namespace's service accounts, the one it runs as."""
        return account_of(self.spec)

    @property
    def is_platform(self) -> bool:
        """Whether it belongs to the cluster itself, as far as its place, kind and name tell."""
        if self.namespace != SYSTEM:
            return is_platform_or_agent(self.namespace)
        known = _KNOWN.get(self.kind)
        return self.made_by_node or (known is not None and known.fullmatch(self.name) is not None)

    def where(self, path: str = "", shown: str = "") -> Where:
        """Where it, or something in its pod, was read."""
        return where_of(self.source, f"{self.prefix}{path}" if path else "", shown)

    def boxes(self) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Its containers of every sort, with their paths."""
        return boxes(self.spec)


def pods(cluster: Cluster) -> Iterator[KubeObject]:
    """Every pod that has not ended."""
    for one in cluster.of("Pod"):
        if not one.group and text(one.document, "status", "phase") not in _ENDED:
            yield one


def templates(cluster: Cluster) -> Iterator[tuple[KubeObject, Mapping[str, object], str]]:
    """Every template of pods: the object it stands in, the pod, what stands before the paths in it."""
    for one in cluster.of(*_MAKERS):
        made = pod_of({**one.document, "kind": one.kind, "apiVersion": one.api_version})
        if made is not None:
            yield one, made[0], made[1]


def account_of(spec: object) -> str:
    """The service account that a pod runs as."""
    return text(spec, "serviceAccountName") or text(spec, "serviceAccount") or "default"


class Tokens:
    """Whether the token of its account is put into a pod."""

    def __init__(self, cluster: Cluster) -> None:
        self._said = {
            (one.namespace, one.name): flag(one.document, "automountServiceAccountToken")
            for one in cluster.of("ServiceAccount")
        }

    def lies_in(self, namespace: str, spec: object) -> bool:
        """What the pod says counts before what its account says."""
        own = flag(spec, "automountServiceAccountToken")
        return own if own is not None else self._said.get((namespace, account_of(spec))) is not False


def workloads(cluster: Cluster) -> list[Workload]:
    """All of them, by namespace, kind and name. Remembered for the cluster that was asked last."""
    return list(_gathered(Same(cluster)))


class Same:
    """A cluster by its identity."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.count = cluster, len(cluster.objects)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.cluster is self.cluster and other.count == self.count

    def __hash__(self) -> int:
        return id(self.cluster)


@lru_cache(maxsize=1)
def _gathered(same: Same) -> tuple[Workload, ...]:
    cluster = same.cluster
    found = dict[tuple[str, str, str, bool], Workload]()
    counts = dict[tuple[str, str, str], int]()
    for one in pods(cluster):
        kind, name = _maker(one, cluster)
        key = (kind, one.namespace, name)
        counts[key] = counts.get(key, 0) + 1
        by_node = kind == "Node"
        if by_node:
            key = ("Pod", one.namespace, one.name)
            counts[key] = 1
        special = bool(at(one.document, "spec", "ephemeralContainers"))
        if (*key, special) not in found:
            found[*key, special] = Workload(key[0], key[1], key[2], one, one.document, "", 0, by_node)
    for one, template, prefix in templates(cluster):
        if any(flag(owner, "controller") for _, owner in nodes(one.document, "metadata", "ownerReferences")):
            continue  # its maker tells
        key = (one.kind, one.namespace, one.name)
        if (*key, False) not in found:
            found[*key, False] = Workload(*key, one, template, prefix)
    ordered = sorted(found.items(), key=lambda pair: (pair[0][1], pair[0][0], pair[0][2], pair[0][3]))
    return tuple(
        Workload(
            one.kind, one.namespace, one.name, one.source, one.pod, one.prefix, counts.get(key[:3], 0), one.made_by_node
        )
        for key, one in ordered
    )


def _maker(pod: KubeObject, cluster: Cluster) -> tuple[str, str]:
    """Kind and name of what makes a pod, as far up as the evidence shows."""
    kind, name = _owner(pod.document)
    if kind not in {"ReplicaSet", "Job"}:
        return (kind, name) if kind else ("Pod", pod.name)
    if (above := cluster.get(kind, pod.namespace, name)) is not None:
        upper = _owner(above.document)
        return upper if upper[0] else (kind, name)
    if kind == "Job":
        timed = _CRON.fullmatch(name)
        return ("CronJob", timed[1]) if timed else (kind, name)
    end = mapping(pod.document, "metadata", "labels").get(_HASH, "")
    return ("Deployment", name.removesuffix(f"-{end}")) if end and name.endswith(f"-{end}") else (kind, name)


def _owner(document: object) -> tuple[str, str]:
    for _, owner in nodes(document, "metadata", "ownerReferences"):
        if flag(owner, "controller") or text(owner, "kind") == "Node":
            return text(owner, "kind"), text(owner, "name")
    return "", ""
