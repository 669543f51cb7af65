"""What is reached from outside the cluster: by a port of its nodes, a load balancer, an external address, an Ingress or
a route of the Gateway API.

A port of a node is reached by whoever reaches a node; a load balancer by everybody, unless it is told to be internal or
to let only some addresses in. An Ingress or route opens the Services behind it as far as its controller is open, which
is not looked at: it counts as open.

Source: "Service" and "Ingress" of the Kubernetes documentation; gateway.networking.k8s.io/v1; annotations of the
clouds' own controllers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from ipaddress import ip_network
from typing import Final, Literal

from msgspec import Struct

from kubewitness.model.cluster import Cluster, KubeObject
from kubewitness.posture.nodes.network import is_public
from kubewitness.posture.pods.gathered import Same, Workload, workloads
from kubewitness.posture.reading import mapping, node, nodes, number, text, texts

Means = Literal["NodePort", "LoadBalancer", "externalIPs", "Ingress"]

_ROUTES: Final = ("HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute")
_SELECTORS: Final = 1_000  # looked at for one label
_AWS_SCHEME: Final = "service.beta.kubernetes.io/aws-load-balancer-scheme"
_AWS_TYPE: Final = "service.beta.kubernetes.io/aws-load-balancer-type"
_AWS_CLASSES: Final = frozenset({"service.k8s.aws/nlb", "eks.amazonaws.com/nlb"})
# Annotations that make a load balancer internal, with the values that do not.
_INTERNAL: Final = {
    "service.beta.kubernetes.io/aws-load-balancer-internal": {"false", ""},
    _AWS_SCHEME: {"internet-facing", ""},
    "service.beta.kubernetes.io/azure-load-balancer-internal": {"false", ""},
    "networking.gke.io/load-balancer-type": {"external", ""},
    "cloud.google.com/load-balancer-type": {"external", ""},
    "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type": {"internet", ""},
    "service.kubernetes.io/qcloud-loadbalancer-internal-subnetid": {""},
    "service.beta.kubernetes.io/openstack-internal-load-balancer": {"false", ""},
    "service.beta.kubernetes.io/oci-load-balancer-internal": {"false", ""},
}


class Exposed(Struct, frozen=True):
    """One way in from outside."""

    source: KubeObject  # the Service or Ingress
    means: Means
    ports: tuple[tuple[int, int, str], ...]  # outside, of the Service, name or number of the pod's
    ranges: tuple[str, ...] = ()  # from which addresses
    is_internal: bool = False
    selector: frozenset[tuple[str, str]] = frozenset()
    addresses: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether addresses of others come in: neither internal nor for private ranges alone."""
        return not self.is_internal and (not self.ranges or not all(map(_is_private, self.ranges)))


def _is_private(text_: str) -> bool:
    try:
        network = ip_network(text_, strict=False)
    except ValueError:
        return False
    return network.is_private and network.prefixlen > 0


def exposed(cluster: Cluster) -> Iterator[Exposed]:
    """Every way in, by namespace and name of the Service."""
    routed = defaultdict[tuple[str, str], list[KubeObject]](list)
    for one in cluster.of("Ingress", *_ROUTES):
        names = _backends(one.document) if one.kind == "Ingress" else _routed(one.document)
        for name in dict.fromkeys(names):
            routed[one.namespace, name].append(one)
    for one in sorted(cluster.of("Service"), key=lambda one: (one.namespace, one.name)):
        if one.group:
            continue  # Knative has Services of its own
        spec = node(one.document, "spec")
        selector = frozenset(mapping(spec, "selector").items())
        kind = text(spec, "type")
        if kind in {"NodePort", "LoadBalancer"}:
            annotations = mapping(one.document, "metadata", "annotations")
            internal = kind == "LoadBalancer" and (
                any(name in annotations and annotations[name].lower() not in no for name, no in _INTERNAL.items())
                or _is_internal_of_aws(spec, annotations)
                or _has_private_addresses(one.document)
            )
            ranges = texts(spec, "loadBalancerSourceRanges") if kind == "LoadBalancer" else ()
            yield Exposed(one, kind, _ports(spec, nodes_too=kind == "NodePort"), ranges, internal, selector)  # type: ignore[arg-type]
        if addresses := texts(spec, "externalIPs"):
            yield Exposed(one, "externalIPs", _ports(spec), selector=selector, addresses=addresses)
        for ingress in routed.get((one.namespace, one.name), ())[:5]:
            yield Exposed(ingress, "Ingress", _ports(spec), selector=selector)


def _is_internal_of_aws(spec: object, annotations: Mapping[str, str]) -> bool:
    """The AWS Load Balancer Controller makes internal ones unless told otherwise (since 2.2)."""
    its = text(spec, "loadBalancerClass") in _AWS_CLASSES or annotations.get(_AWS_TYPE, "") in {"external", "nlb-ip"}
    return its and _AWS_SCHEME not in annotations


def _has_private_addresses(document: object) -> bool:
    """Whether all addresses it was given are private: an internal one of a cloud, or MetalLB in its own network."""
    given = [text(each, "ip") for _, each in nodes(document, "status", "loadBalancer", "ingress")]
    return bool(given) and all(_is_private(one) and not is_public(one) for one in given)


def _ports(spec: object, *, nodes_too: bool = False) -> tuple[tuple[int, int, str], ...]:
    out = []
    for _, port in nodes(spec, "ports"):
        own = number(port, "port") or 0
        target = port.get("targetPort")
        inner = str(target)[:63] if isinstance(target, (int, str)) and not isinstance(target, bool) else str(own)
        out.append(((number(port, "nodePort") or 0) if nodes_too else own, own, inner))
    return tuple(out[:100])


def _backends(document: Mapping[str, object]) -> Iterator[str]:
    places = [node(document, "spec", "defaultBackend"), node(document, "spec", "backend")]
    for _, rule in nodes(document, "spec", "rules"):
        places += [node(path, "backend") for _, path in nodes(rule, "http", "paths")]
    for backend in places:
        name = text(backend, "service", "name") or text(backend, "serviceName")
        if name:
            yield name


def _routed(document: Mapping[str, object]) -> Iterator[str]:
    """Services of the same namespace that a route of the Gateway API leads to."""
    for _, rule in nodes(document, "spec", "rules"):
        for _, backend in nodes(rule, "backendRefs"):
            if text(backend, "kind") in {"", "Service"} and not text(backend, "namespace"):
                yield text(backend, "name")


class Selectors:
    """Which of some ways in lead to a pod. By one label of each selector: many services and many pods stay cheap."""

    def __init__(self, every: Iterable[Exposed]) -> None:
        self._by_label = defaultdict[tuple[str, tuple[str, str]], list[Exposed]](list)
        for one in every:
            if one.selector:
                self._by_label[one.source.namespace, min(one.selector)].append(one)

    def of(self, namespace: str, labels: Mapping[str, str]) -> Iterator[Exposed]:
        """Those that choose a pod with these labels."""
        own = frozenset(labels.items())
        for label in sorted(own):
            for one in self._by_label.get((namespace, label), ())[:_SELECTORS]:
                if one.selector <= own:
                    yield one


class Ways(Struct, frozen=True):
    """What leads where."""

    into: Mapping[tuple[str, str, str], tuple[Exposed, ...]]  # workloads by kind, namespace and name
    behind: tuple[tuple[Exposed, tuple[Workload, ...]], ...]


def ways(cluster: Cluster) -> Ways:
    """Every way in with the workloads behind it. Remembered for the cluster that was asked last."""
    return _ways(Same(cluster))


@lru_cache(maxsize=1)
def _ways(same: Same) -> Ways:
    every = list(exposed(same.cluster))
    selectors = Selectors(every)
    into = dict[tuple[str, str, str], tuple[Exposed, ...]]()
    behind = defaultdict[int, list[Workload]](list)
    for each in workloads(same.cluster):
        found = tuple(selectors.of(each.namespace, each.labels))
        for one in found:
            behind[id(one)].append(each)
        if found:
            key = (each.kind, each.namespace, each.name)
            into[key] = (*into.get(key, ()), *found)
    return Ways(into, tuple((one, tuple(behind[id(one)])) for one in every))
