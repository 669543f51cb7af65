"""What runs in a cluster, as far as it decides what a right leads to: whose tokens lie in which pods, which pods are as
good as their node, where a pod that takes over its node would be admitted, which Secrets hold tokens.

Pods that have ended do not count. Of manifests without any pod, the templates of workloads stand for their pods.

Whether a namespace admits a pod that takes its node is said only where the evidence shows it: its labels were read, no
configuration of the plugin stands behind them, and nothing else judges pods (constraints of OpenShift, pod security
policies up to 1.24). Webhooks that judge pods are unknown here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

from kubewitness.model.cluster import Cluster, KubeObject
from kubewitness.model.posture import Where
from kubewitness.posture.access.state import State, Who
from kubewitness.posture.pod_security import levels_of, pod_of
from kubewitness.posture.reading import at, flag, mapping, node, nodes, text

Pod = tuple[KubeObject, Mapping[str, object]]  # the object it stands in, its spec
_ENDED: Final = frozenset({"Succeeded", "Failed"})
_TEMPLATES: Final = ("Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ReplicationController", "CronJob", "Job")
_HOLDS_TOKEN: Final = "kubernetes.io/service-account-token"  # noqa: S105 - a type of Secret
_OWNER: Final = "kubernetes.io/service-account.name"
_MADE: Final = re.compile(r"(.{1,240})-token-[a-z0-9]{5}")
_CONFIGURED: Final = "--admission-control-config-file"
_OPEN: Final = frozenset({"NodePort", "LoadBalancer"})
_PSA_SINCE: Final = 23
_SELECTORS: Final = 1_000  # looked at for one label
# Folders and sockets with which one gets hold of the node, if they can be written.
_HOLD: Final = frozenset(
    ("/", "/etc", "/etc/kubernetes", "/etc/kubernetes/manifests", "/etc/kubernetes/pki", "/etc/cron.d", "/root",
     "/home", "/var", "/var/lib", "/var/lib/kubelet", "/var/lib/docker", "/var/lib/containerd", "/var/lib/etcd",
     "/var/run", "/run", "/proc", "/usr", "/usr/bin", "/bin", "/sbin", "/opt/cni/bin", "/etc/cni/net.d",
     "/var/run/docker.sock", "/run/docker.sock", "/run/containerd", "/run/containerd/containerd.sock",
     "/var/run/crio/crio.sock", "/run/crio/crio.sock")
)  # fmt: skip


class Running:
    """What runs, by namespace."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._cluster: Cluster = state.cluster

    @cached_property
    def pods(self) -> list[Pod]:
        """Pods that have not ended."""
        found = [
            (one, node(one.document, "spec"))
            for one in self._cluster.of("Pod")
            if not one.group and text(one.document, "status", "phase") not in _ENDED
        ]
        return found or ([] if self._cluster.has_all("Pod") else list(self._templates()))

    def _templates(self) -> Iterator[Pod]:
        for one in self._cluster.of(*_TEMPLATES):
            made = pod_of({**one.document, "kind": one.kind, "apiVersion": one.api_version})
            if made is not None:
                yield one, node(made[0], "spec")

    @cached_property
    def accounts(self) -> dict[str, set[str]]:
        """Service accounts by namespace: those that exist, and those that something names."""
        out = defaultdict[str, set[str]](set)
        for one in self._cluster.of("ServiceAccount"):
            out[one.namespace].add(one.name)
        if not self._cluster.has_all("ServiceAccount"):
            named = (grant.who for grant in self._state.grants)
            for whom in (*named, *(account for some in self.mounted.values() for account in some)):
                if whom.kind == "ServiceAccount":
                    out[whom.namespace].add(whom.name.partition("/")[2])
        return out

    @cached_property
    def mounted(self) -> dict[str, dict[Who, KubeObject]]:
        """Accounts whose token lies in a running pod, by the pod's namespace, each with its first pod."""
        open_ = {
            (one.namespace, one.name): flag(one.document, "automountServiceAccountToken")
            for one in self._cluster.of("ServiceAccount")
        }
        out = defaultdict[str, dict[Who, KubeObject]](dict)
        for one, spec in self.pods:
            name = text(spec, "serviceAccountName") or text(spec, "serviceAccount") or "default"
            mounts = flag(spec, "automountServiceAccountToken")
            if mounts is None:
                mounts = open_.get((one.namespace, name)) is not False
            if mounts or any(
                at(source, "serviceAccountToken") is not None
                for _, volume in nodes(spec, "volumes")
                for _, source in nodes(volume, "projected", "sources")
            ):
                out[one.namespace].setdefault(Who("ServiceAccount", f"{one.namespace}/{name}"), one)
        return out

    @cached_property
    def holding(self) -> dict[str, KubeObject]:
        """By namespace, the first pod whose every process is as good as root of its node."""
        out = dict[str, KubeObject]()
        for one, spec in self.pods:
            if one.namespace not in out and _holds(spec):
                out[one.namespace] = one
        return out

    @cached_property
    def secrets(self) -> dict[str, list[tuple[str, Who, KubeObject]]]:
        """Secrets that hold a service account's token: name and account, by namespace."""
        out = defaultdict[str, list[tuple[str, Who, KubeObject]]](list)
        owners = {
            (account.namespace, text(secret, "name")): account.name
            for account in self._cluster.of("ServiceAccount")
            for _, secret in nodes(account.document, "secrets")
        }
        for one in self._cluster.of("Secret"):
            if text(one.document, "type") == _HOLDS_TOKEN:
                said = mapping(one.document, "metadata", "annotations").get(_OWNER)
                made = _MADE.fullmatch(one.name)  # an archive has Secrets without their annotations
                owner = said or owners.get((one.namespace, one.name)) or (made[1] if made else "")
                if owner:
                    out[one.namespace].append((one.name, Who("ServiceAccount", f"{one.namespace}/{owner}"), one))
        return out

    @cached_property
    def every_account_has_a_secret(self) -> bool:
        """Until 1.23 each account has one by itself."""
        version = self._state.version
        return version is not None and version.minor < 24 and not self._cluster.has_all("Secret")

    @cached_property
    def _configured(self) -> bool:
        """Whether the API server has a configuration of admission, which may set levels for every namespace."""
        if any(_CONFIGURED in line for line, _ in self._cluster.command_lines):
            return True
        servers = (spec for one, spec in self.pods if one.namespace == "kube-system" and "apiserver" in one.name)
        return any(
            isinstance(words, list) and any(isinstance(word, str) and word.startswith(_CONFIGURED) for word in words)
            for spec in servers
            for _, container in nodes(spec, "containers")
            for words in (container.get("command"), container.get("args"))
        )

    @cached_property
    def _others_judge(self) -> bool:
        return self._state.is_openshift or bool(self._cluster.of("PodSecurityPolicy"))

    @cached_property
    def _labels(self) -> dict[str, dict[str, str]]:
        return {one.name: mapping(one.document, "metadata", "labels") for one in self._cluster.of("Namespace")}

    def admits(self, namespace: str) -> bool:
        """Whether a pod that takes its node would be let in; the empty namespace: into any of them."""
        if self._others_judge:
            return False
        if not namespace:
            return True
        labels = self._labels.get(namespace)
        if labels is None:
            return False
        version = self._state.version
        if version is not None and version.minor < _PSA_SINCE:
            return True
        said = levels_of(labels).enforce.level
        unsaid = not any(key.startswith("pod-security.kubernetes.io/enforce") for key in labels)
        return said == "privileged" and not (unsaid and self._configured)

    @cached_property
    def exposed(self) -> set[Who]:
        """Accounts of pods that others than the cluster's own can reach: by port of a node, balancer or Ingress."""
        # By one label of each selector, so that many services and many pods stay cheap.
        chosen = defaultdict[tuple[str, tuple[str, str]], list[frozenset[tuple[str, str]]]](list)
        routed = {
            (one.namespace, name)
            for one in self._cluster.of("Ingress")
            for name in _backends(one.document)
        }  # fmt: skip
        for one in self._cluster.of("Service"):
            labels = frozenset(mapping(one.document, "spec", "selector").items())
            if labels and (text(one.document, "spec", "type") in _OPEN or (one.namespace, one.name) in routed):
                chosen[one.namespace, min(labels)].append(labels)
        out = set[Who]()
        for one, spec in self.pods:
            labels = frozenset(mapping(one.document, "metadata", "labels").items())
            ports = any(at(port, "hostPort") for _, box in nodes(spec, "containers") for _, port in nodes(box, "ports"))
            chosen_by = (wanted for label in labels for wanted in chosen.get((one.namespace, label), ())[:_SELECTORS])
            if ports or any(wanted <= labels for wanted in chosen_by):
                name = text(spec, "serviceAccountName") or text(spec, "serviceAccount") or "default"
                out.add(Who("ServiceAccount", f"{one.namespace}/{name}"))
        return out

    @staticmethod
    def where(one: KubeObject) -> Where:
        """Where an object was read."""
        return Where(one.place.item, one.place.line, str(one), one.path)


def _holds(spec: Mapping[str, object]) -> bool:
    volumes = {
        text(volume, "name")
        for _, volume in nodes(spec, "volumes")
        if (text(volume, "hostPath", "path").rstrip("/") or ("/" if text(volume, "hostPath", "path") else "")) in _HOLD
    }
    return any(
        flag(box, "securityContext", "privileged")
        or any(
            text(mount, "name") in volumes and not flag(mount, "readOnly") for _, mount in nodes(box, "volumeMounts")
        )
        for _, box in nodes(spec, "containers")
    )


def _backends(document: Mapping[str, object]) -> Iterator[str]:
    places = [node(document, "spec", "defaultBackend"), node(document, "spec", "backend")]
    for _, rule in nodes(document, "spec", "rules"):
        places += [node(path, "backend") for _, path in nodes(rule, "http", "paths")]
    for backend in places:
        yield text(backend, "service", "name") or text(backend, "serviceName")
