"""What runs in a cluster, as far as it decides what a right leads to: whose tokens lie in which pods, which pods are as
good as their node, where a pod that takes over its node would be admitted, which Secrets hold tokens.

Pods that have ended do not count. Of manifests without any pod, the templates of workloads stand for their pods.

Whether a namespace admits a pod that takes its node is said only where the evidence shows it: its labels were read, no
configuration of the plugin stands behind them, and nothing else judges pods (constraints of OpenShift, pod security
policies up to 1.24). Webhooks that judge pods are unknown here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final

from kubewitness.model.cluster import Cluster, KubeObject
from kubewitness.posture.access.state import State, Who
from kubewitness.posture.control_plane.nouns import Component
from kubewitness.posture.credentials.objects import token_secrets
from kubewitness.posture.pod_security import levels_of
from kubewitness.posture.pods.exposed import Selectors, exposed
from kubewitness.posture.pods.gathered import Tokens, account_of, pods, templates
from kubewitness.posture.pods.node_hold import holds_node
from kubewitness.posture.reading import at, mapping, node, nodes

Pod = tuple[KubeObject, Mapping[str, object]]  # the object it stands in, the pod itself
_CONFIGURED: Final = "admission-control-config-file"
_PSA_SINCE: Final = 23


class Running:
    """What runs, by namespace."""

    def __init__(self, state: State, components: Iterable[Component] = ()) -> None:
        self._state = state
        self._cluster: Cluster = state.cluster
        self._components = tuple(components)

    @cached_property
    def pods(self) -> list[Pod]:
        """Pods that have not ended."""
        found: list[Pod] = [(one, one.document) for one in pods(self._cluster)]
        if not found and not self._cluster.has_all("Pod"):
            found = [(one, pod) for one, pod, _ in templates(self._cluster)]
        return found

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
        tokens = Tokens(self._cluster)
        out = defaultdict[str, dict[Who, KubeObject]](dict)
        for one, pod in self.pods:
            spec = node(pod, "spec")
            if tokens.lies_in(one.namespace, spec) or any(
                at(source, "serviceAccountToken") is not None
                for _, volume in nodes(spec, "volumes")
                for _, source in nodes(volume, "projected", "sources")
            ):
                out[one.namespace].setdefault(_account(one, spec), one)
        return out

    @cached_property
    def holding(self) -> dict[str, KubeObject]:
        """By namespace, the first pod whose every process is as good as root of its node."""
        out = dict[str, KubeObject]()
        for one, pod in self.pods:
            if one.namespace not in out and holds_node(node(pod, "spec")):
                out[one.namespace] = one
        return out

    @cached_property
    def secrets(self) -> dict[str, list[tuple[str, Who, KubeObject]]]:
        """Secrets that hold a service account's token: name and account, by namespace."""
        out = defaultdict[str, list[tuple[str, Who, KubeObject]]](list)
        for one in token_secrets(self._cluster):
            secret = one.source
            if one.account:
                owner = Who("ServiceAccount", f"{secret.namespace}/{one.account}")
                out[secret.namespace].append((secret.name, owner, secret))
        return out

    @cached_property
    def every_account_has_a_secret(self) -> bool:
        """Until 1.23 each account has one by itself."""
        version = self._state.version
        return version is not None and version.minor < 24 and not self._cluster.has_all("Secret")

    @cached_property
    def _configured(self) -> bool:
        """Whether the API server has a configuration of admission, which may set levels for every namespace."""
        servers = (one for one in self._components if one.program == "kube-apiserver")
        return any((given := one.ask(_CONFIGURED)) is not None and given.value for one in servers)

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
        """Accounts of pods that are reached from outside the cluster: by what opens them, or a port of their node."""
        open_ = Selectors(one for one in exposed(self._cluster) if one.is_open)
        out = set[Who]()
        for one, pod in self.pods:
            spec = node(pod, "spec")
            ports = any(at(port, "hostPort") for _, box in nodes(spec, "containers") for _, port in nodes(box, "ports"))
            if ports or any(True for _ in open_.of(one.namespace, mapping(pod, "metadata", "labels"))):
                out.add(_account(one, spec))
        return out


def _account(one: KubeObject, spec: object) -> Who:
    return Who("ServiceAccount", f"{one.namespace}/{account_of(spec)}")
