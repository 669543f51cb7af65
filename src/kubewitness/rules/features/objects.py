"""Facts about the object of a request that no feature of its own is built on: its name, labels, small specs.

Sources: ObjectMeta in meta/v1; Secret, ConfigMap, Service, PersistentVolume in core/v1; Ingress in networking/v1;
mirror pods: "Create static Pods" in the Kubernetes documentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from kubewitness.model.event import Event
from kubewitness.rules.features.body import documents, is_patch
from kubewitness.rules.features.interface import FieldTable, Scalar, Values, distinct, once, one
from kubewitness.rules.features.untyped import MAX_VALUES, mapping, mappings, number, pairs, text

_MIRROR = ("kubernetes.io/config.mirror", "kubernetes.io/config.source")
_CONTENT = ("data", "binaryData")


@once
def object_name(event: Event) -> str:
    """The object's name; `prefix*` while the API server has still to make one up; empty if none is recorded."""
    if event.name:
        return event.name
    sent = mapping(mapping(event.request_object).get("metadata"))
    answered = mapping(mapping(event.response_object).get("metadata"))
    prefix = text(sent.get("generateName"))
    return text(sent.get("name")) or (f"{prefix}*" if prefix else "") or text(answered.get("name"))


@once
def _metadata(event: Event) -> tuple[dict[str, Any], ...]:
    return tuple(metadata for document in documents(event) if (metadata := mapping(document.get("metadata"))))


def _of(event: Event, resource: str) -> Iterator[dict[str, Any]]:
    """The bodies of a request on `resource` itself (its subresources hold other things)."""
    if event.resource == resource and not event.subresource:
        yield from documents(event)


def _specs(event: Event, resource: str) -> Iterator[dict[str, Any]]:
    return (spec for document in _of(event, resource) if (spec := mapping(document.get("spec"))))


def _is_mirror(event: Event) -> Values:
    found = [mapping(metadata.get("annotations")) for metadata in _metadata(event)]
    if event.resource != "pods" or not documents(event):
        return ()
    return (any(key in annotations for annotations in found for key in _MIRROR),)


def _entries(event: Event) -> Iterator[tuple[str, Any]]:
    found = (
        item for document in _of(event, "configmaps") for key in _CONTENT for item in mapping(document.get(key)).items()
    )
    return islice(found, MAX_VALUES)


def _ports(event: Event, key: str) -> Values:
    ports = (number(port.get(key)) for spec in _specs(event, "services") for port in mappings(spec.get("ports")))
    found: dict[Scalar, None] = dict.fromkeys(port for port in ports if port)
    return tuple(islice(found, MAX_VALUES))


def _has_tls(event: Event) -> Values:
    """Whether an Ingress terminates TLS; a patch that does not mention it says nothing."""
    specs = [spec for spec in _specs(event, "ingresses") if "tls" in spec or not is_patch(event)]
    return (any(mappings(spec.get("tls")) for spec in specs),) if specs else ()


def _volume_paths(event: Event) -> Values:
    """Host directories a PersistentVolume hands out: a hostPath that no pod spec shows."""
    sources = [mapping(spec.get(key)) for spec in _specs(event, "persistentvolumes") for key in ("hostPath", "local")]
    return distinct([text(source.get("path")) for source in sources])


FIELDS: FieldTable = {
    "object.name": lambda event: one(object_name(event)),
    "object.labels": lambda event: distinct([pair for m in _metadata(event) for pair in pairs(m.get("labels"))]),
    "object.annotations": lambda event: distinct(
        [pair for metadata in _metadata(event) for pair in pairs(metadata.get("annotations"))]
    ),
    "object.mirror": _is_mirror,
    "secret.type": lambda event: distinct([text(document.get("type")) for document in _of(event, "secrets")]),
    "configmap.keys": lambda event: distinct([key for key, _ in _entries(event)]),
    "configmap.values": lambda event: distinct([text(value) for _, value in _entries(event)]),
    "service.type": lambda event: distinct([text(spec.get("type")) for spec in _specs(event, "services")]),
    "service.ports": lambda event: _ports(event, "port"),
    "service.nodePorts": lambda event: _ports(event, "nodePort"),
    "ingress.tls": _has_tls,
    "volume.hostPath": _volume_paths,
}
