"""The pods a request would make: every pod spec in its body, typed.

A pod spec lies at `spec` of a Pod, at `spec.template.spec` of every workload (custom ones too, if it looks like a pod
spec), at `spec.jobTemplate.spec.template.spec` of a CronJob and at `template.spec` of a PodTemplate. Init and ephemeral
containers count as containers: an intruder's container runs as well there. Patches give partial specs; what they do not
mention is None ("says nothing"), never False.

Subresources that do not take a pod spec (status, scale, eviction, binding …) have none, whatever their body holds: the
API server drops it.

Sources: PodSpec in k8s.io/api/core/v1/types.go; image references: distribution/reference.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

from kubewitness.model.event import Event
from kubewitness.rules.features.body import documents
from kubewitness.rules.features.interface import FieldTable, Getter, Scalar, Values, distinct, once
from kubewitness.rules.features.untyped import (
    MAX_TEXT,
    MAX_VALUES,
    flag,
    mapping,
    mappings,
    number,
    text,
    texts,
)

ContainerKind = Literal["container", "init", "ephemeral"]

WORKLOADS = frozenset(
    {
        "deployments", "daemonsets", "statefulsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs",
        "podtemplates", "deploymentconfigs",
    }
)  # fmt: skip
_WITH_SPEC = frozenset({"", "ephemeralcontainers", "resize"})
# A template's spec in a custom resource is a pod spec only if it has one of these.
_POD_KEYS = frozenset({"containers", "initContainers", "ephemeralContainers"})
_LISTS: tuple[tuple[str, ContainerKind], ...] = (
    ("containers", "container"),
    ("initContainers", "init"),
    ("ephemeralContainers", "ephemeral"),
)


class Container(NamedTuple):
    """One container of a pod spec. None where the body says nothing."""

    kind: ContainerKind
    name: str
    image: str
    command: str  # command and args joined by spaces
    hooks: tuple[str, ...]  # commands of its lifecycle hooks and probes
    env: tuple[str, ...]  # "NAME=value"
    privileged: bool | None
    privilege_escalation: bool | None
    added_capabilities: tuple[str, ...]  # upper case, without CAP_
    run_as_user: int | None
    proc_mount: str
    host_ports: tuple[int, ...]
    limits: bool


class PodSpec(NamedTuple):
    """One pod spec, whole or partial. None and empty where the body says nothing."""

    containers: tuple[Container, ...]
    host_paths: tuple[str, ...]  # without trailing or doubled slashes
    volume_types: tuple[str, ...]
    host_network: bool | None
    host_pid: bool | None
    host_ipc: bool | None
    share_process_namespace: bool | None
    tolerates_all: bool
    run_as_user: int | None
    service_account: str
    node_name: str
    priority_class: str

    @property
    def images(self) -> tuple[str, ...]:
        """The images of all containers."""
        return tuple(container.image for container in self.containers if container.image)


@once
def pod_specs(event: Event) -> tuple[PodSpec, ...]:
    """Every pod spec in the request body, in its order."""
    if event.subresource not in _WITH_SPEC:
        return ()
    return tuple(_pod_spec(raw) for document in documents(event) for raw in _raw_specs(document, event))


def _raw_specs(document: dict[str, Any], event: Event) -> Iterator[dict[str, Any]]:
    spec = mapping(document.get("spec"))
    kind = text(document.get("kind"))
    if event.resource == "pods" or kind == "Pod":
        # Before 1.23 the body of pods/ephemeralcontainers was a kind of its own with the list at its root.
        root_list = event.subresource == "ephemeralcontainers" and "ephemeralContainers" in document
        raw, certain = (document if root_list else spec), True
    elif "jobTemplate" in spec:
        raw, certain = _below(spec, "jobTemplate", "spec", "template", "spec"), event.resource in WORKLOADS
    elif "template" in spec:
        raw, certain = _below(spec, "template", "spec"), event.resource in WORKLOADS
    elif event.resource == "podtemplates" or kind == "PodTemplate":
        raw, certain = _below(document, "template", "spec"), True
    else:
        return
    if raw and (certain or not _POD_KEYS.isdisjoint(raw)):
        yield raw


def _below(value: object, *keys: str) -> dict[str, Any]:
    for key in keys:
        value = mapping(value).get(key)
    return mapping(value)


def _pod_spec(raw: dict[str, Any]) -> PodSpec:
    volumes = [volume for volume in mappings(raw.get("volumes")) if volume.get("$patch") != "delete"]
    return PodSpec(
        containers=tuple(
            _container(entry, kind)
            for key, kind in _LISTS
            for entry in mappings(raw.get(key))
            if entry.get("$patch") != "delete"
        ),
        host_paths=distinct([_clean_path(text(mapping(v.get("hostPath")).get("path"))) for v in volumes]),
        volume_types=distinct(
            [key for v in volumes for key, value in v.items() if isinstance(value, dict) and not key.startswith("$")]
        ),
        host_network=flag(raw.get("hostNetwork")),
        host_pid=flag(raw.get("hostPID")),
        host_ipc=flag(raw.get("hostIPC")),
        share_process_namespace=flag(raw.get("shareProcessNamespace")),
        tolerates_all=any(
            entry.get("operator") == "Exists" and not entry.get("key") for entry in mappings(raw.get("tolerations"))
        ),
        run_as_user=number(mapping(raw.get("securityContext")).get("runAsUser")),
        service_account=text(raw.get("serviceAccountName")) or text(raw.get("serviceAccount")),
        node_name=text(raw.get("nodeName")),
        priority_class=text(raw.get("priorityClassName")),
    )


def _container(raw: dict[str, Any], kind: ContainerKind) -> Container:
    security = mapping(raw.get("securityContext"))
    added = texts(mapping(security.get("capabilities")).get("add"))
    ports = (number(port.get("hostPort")) for port in mappings(raw.get("ports")))
    return Container(
        kind=kind,
        name=text(raw.get("name")),
        image=text(raw.get("image")),
        command=" ".join((*texts(raw.get("command")), *texts(raw.get("args"))))[:MAX_TEXT],
        hooks=tuple(_hook_commands(raw)),
        env=tuple(
            f"{text(entry.get('name'))}={text(entry.get('value'))}"[:MAX_TEXT] for entry in mappings(raw.get("env"))
        ),
        privileged=flag(security.get("privileged")),
        privilege_escalation=flag(security.get("allowPrivilegeEscalation")),
        added_capabilities=distinct([name.upper().removeprefix("CAP_") for name in added]),
        run_as_user=number(security.get("runAsUser")),
        proc_mount=text(security.get("procMount")),
        host_ports=tuple(port for port in ports if port),
        limits=bool(mapping(mapping(raw.get("resources")).get("limits"))),
    )


def _hook_commands(raw: dict[str, Any]) -> Iterator[str]:
    """Commands that run without being the container's own: a quiet place for a payload."""
    lifecycle = mapping(raw.get("lifecycle"))
    places = [lifecycle.get("postStart"), lifecycle.get("preStop")]
    places += [raw.get("startupProbe"), raw.get("livenessProbe"), raw.get("readinessProbe")]
    for place in places:
        argv = texts(mapping(mapping(place).get("exec")).get("command"))
        if argv:
            yield " ".join(argv)[:MAX_TEXT]


def _clean_path(path: str) -> str:
    """`//etc/./` and `/etc` are one directory; POSIX lets normpath keep two leading slashes."""
    if not path:
        return ""
    clean = posixpath.normpath(path)
    return "/" + clean.lstrip("/") if clean.startswith("/") else clean


def registry_of(image: str) -> str:
    """The registry host of an image reference; docker.io if it names none."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return "docker.io" if first == "index.docker.io" else first
    return "docker.io"


@once
def _images(event: Event) -> tuple[str, ...]:
    """The images of all containers, without building what else they say: asked of every pod that is made."""
    if event.subresource not in _WITH_SPEC:
        return ()
    specs = (raw for document in documents(event) for raw in _raw_specs(document, event))
    entries = (entry for raw in specs for key, _ in _LISTS for entry in mappings(raw.get(key)))
    return tuple(text(entry.get("image")) for entry in entries if entry.get("$patch") != "delete")


def _all_containers(event: Event) -> Iterator[Container]:
    for spec in pod_specs(event):
        yield from spec.containers


def _listed(values: Iterable[Scalar]) -> Values:
    """Distinct values in their order, capped, empty and absent ones left out."""
    return tuple(dict.fromkeys(value for value in values if value is not None and value != ""))[:MAX_VALUES]


def _any_spec(test: Callable[[PodSpec], bool | None]) -> Getter:
    """True if `test` holds for some pod spec; absent if the body has none."""
    return lambda event: (any(test(spec) for spec in specs),) if (specs := pod_specs(event)) else ()


def _any_container(test: Callable[[Container], bool | None]) -> Getter:
    return _any_spec(lambda spec: any(test(container) for container in spec.containers))


def _of_specs(read: Callable[[PodSpec], Iterable[Scalar]]) -> Getter:
    return lambda event: _listed(value for spec in pod_specs(event) for value in read(spec))


def _of_containers(read: Callable[[Container], Iterable[Scalar]]) -> Getter:
    return lambda event: _listed(value for container in _all_containers(event) for value in read(container))


def _has_limits(event: Event) -> Values:
    """Whether every container has limits. Ephemeral ones cannot have any; a patched part without image says nothing."""
    whole = [container for container in _all_containers(event) if container.image and container.kind != "ephemeral"]
    return (all(container.limits for container in whole),) if whole else ()


FIELDS: FieldTable = {
    "podSpec.privileged": _any_container(lambda container: container.privileged),
    "podSpec.allowPrivilegeEscalation": _any_container(lambda container: container.privilege_escalation),
    "podSpec.ephemeral": _any_container(lambda container: container.kind == "ephemeral"),
    "podSpec.hasLimits": _has_limits,
    "podSpec.hostNetwork": _any_spec(lambda spec: spec.host_network),
    "podSpec.hostPID": _any_spec(lambda spec: spec.host_pid),
    "podSpec.hostIPC": _any_spec(lambda spec: spec.host_ipc),
    "podSpec.shareProcessNamespace": _any_spec(lambda spec: spec.share_process_namespace),
    "podSpec.tolerateAll": _any_spec(lambda spec: spec.tolerates_all),
    "podSpec.hostPath": _of_specs(lambda spec: spec.host_paths),
    "podSpec.volumeTypes": _of_specs(lambda spec: spec.volume_types),
    "podSpec.serviceAccountName": _of_specs(lambda spec: (spec.service_account,)),
    "podSpec.nodeName": _of_specs(lambda spec: (spec.node_name,)),
    "podSpec.priorityClassName": _of_specs(lambda spec: (spec.priority_class,)),
    "podSpec.runAsUser": _of_specs(lambda spec: (spec.run_as_user, *(c.run_as_user for c in spec.containers))),
    "podSpec.capabilities": _of_containers(lambda container: container.added_capabilities),
    "podSpec.images": lambda event: _listed(_images(event)),
    "podSpec.registries": lambda event: _listed(registry_of(image) for image in _images(event) if image),
    "podSpec.commands": _of_containers(lambda container: (container.command, *container.hooks)),
    "podSpec.env": _of_containers(lambda container: container.env),
    "podSpec.containerNames": _of_containers(lambda container: (container.name,)),
    "podSpec.procMount": _of_containers(lambda container: (container.proc_mount,)),
    "podSpec.hostPorts": _of_containers(lambda container: container.host_ports),
}
