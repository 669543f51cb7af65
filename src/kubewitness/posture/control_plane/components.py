"""Where the flags of each component stand: every place that tells, and which of them counts.

A component runs as a process; kubelet starts it from a manifest on the machine and shows it to the API server as a
mirror pod; or systemd starts it from a unit. What runs counts before what would. A pod counts only in kube-system and
only if a node or nobody owns it: control planes of other clusters run in ordinary pods.

Source: k8s.io/kubelet (static pods), kubeadm's manifests, kops (go-runner), systemd units of installations by hand.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol

from msgspec.structs import replace

from kubewitness.model.cluster import Cluster, KubeObject
from kubewitness.model.host import Host, HostFile, Process
from kubewitness.model.posture import Where
from kubewitness.posture import reading
from kubewitness.posture.control_plane import distributions
from kubewitness.posture.control_plane.flags import PROGRAMS, Program, Word, flags_of, program_of, with_variables
from kubewitness.posture.control_plane.nouns import Component, Kind, Start
from kubewitness.posture.kubelet import KubeletConfiguration
from kubewitness.posture.places import where_of
from kubewitness.posture.units import command_line
from kubewitness.posture.yaml_text import Document, read

SYSTEM: Final = "kube-system"
_MANIFESTS: Final = ("/etc/kubernetes/manifests", "/var/lib/rancher/rke2/agent/pod-manifests")
_MIRROR: Final = "kubernetes.io/config.mirror"
_RANK: Final[tuple[Kind, ...]] = ("process", "pod", "manifest", "unit", "arguments file", "command line")
_TAG: Final = re.compile(r":v?1\.(\d{1,3})(?:\.\d|[-+]|@|$)")
_VERSION: Final = re.compile(r"v?1\.(\d{1,3})")
_SHOWN: Final = 200


class OfMachine(Protocol):
    """What is asked of a machine."""

    @property
    def host(self) -> Host:
        """The machine."""
        ...

    @property
    def kubelet(self) -> KubeletConfiguration | None:
        """Its kubelet."""
        ...


def components(cluster: Cluster | None, machines: Sequence[OfMachine]) -> tuple[Component, ...]:
    """All components the evidence tells of, in the order of `PROGRAMS`, by machine."""
    starts = list(_of_cluster(cluster)) if cluster else []
    uids = {text for pod in _system_pods(cluster) for text in _uids(pod.document)}
    for one in machines:
        starts += _of_host(one.host, uids)
    found: dict[tuple[Program, str], list[Start]] = {}
    for start in starts:
        found.setdefault((start.program, start.instance), []).append(start)
    named = {one.host.name: one for one in machines}
    out = []
    for program, instance in sorted(found, key=lambda key: (PROGRAMS.index(key[0]), key[1])):
        own = sorted(found[program, instance], key=lambda one: (not one.complete, _RANK.index(one.kind)))
        told = _minor(cluster.version if cluster else "") if program != "etcd" else None
        minor = next((one.minor for one in own if one.minor is not None), told)
        of = named.get(instance) if minor is None and program != "etcd" else None
        at_least = _minor(of.kubelet.version) if of and of.kubelet else None
        out.append(Component(program, instance, tuple(own), minor, at_least or 0))
    return tuple(out)


def _uids(pod: object) -> Iterator[str]:
    """What the control groups of a pod are called: its uid; of a mirror pod, that of the pod it mirrors."""
    yield reading.text(pod, "metadata", "uid")
    yield reading.text(pod, "metadata", "annotations", "kubernetes.io/config.hash")


def _minor(version: str) -> int | None:
    found = _VERSION.match(version)
    return int(found[1]) if found else None


def _of_cluster(cluster: Cluster) -> Iterator[Start]:
    for pod in _system_pods(cluster):
        if reading.text(pod.document, "status", "phase") in {"Failed", "Succeeded"} or _is_ordinary(pod):
            continue
        path = f"{pod.path}." if pod.path else ""
        where = where_of(pod)
        instance = reading.text(pod.document, "spec", "nodeName")
        for found in _of_pod(pod.document, instance, "pod", where, path):
            yield found if instance else replace(found, instance=_named_after(pod.name, found.program))
    for line, place in cluster.command_lines:
        where = Where(place.item, place.line, text=line[:_SHOWN])
        found_ = program_of([Word(word, where) for word in line.split()], wrapped=False)
        if found_ is not None:
            yield Start(found_[0], "", "command line", where, flags_of(found_[1]))


def _named_after(pod: str, program: Program) -> str:
    """The machine in a mirror pod's name."""
    name = pod.removeprefix(f"{program}-")
    return "" if name == pod else name


def _system_pods(cluster: Cluster | None) -> Iterator[KubeObject]:
    if cluster is not None:
        yield from (one for one in cluster.objects if one.kind == "Pod" and one.namespace == SYSTEM)


def _is_ordinary(pod: KubeObject) -> bool:
    """Whether a workload owns it: kube-proxy is one, a control plane none (or one that says what it is)."""
    owners = {reading.text(one, "kind") for _, one in reading.nodes(pod.document, "metadata", "ownerReferences")}
    labels = reading.mapping(pod.document, "metadata", "labels")
    if labels.get("k8s-app") == "kube-proxy" or labels.get("component") == "kube-proxy":
        return False
    return bool(owners - {"Node", ""}) and labels.get("tier") != "control-plane"


def _of_pod(
    document: object, instance: str, kind: Kind, where: Where, path: str = "", *, source: Document | None = None
) -> Iterator[Start]:
    """The components among the containers of a pod. `source`: the manifest, which has lines."""
    volumes = {
        reading.text(one, "name"): reading.text(one, "hostPath", "path")
        for _, one in reading.nodes(document, "spec", "volumes")
    }
    for number, container in reading.nodes(document, "spec", "containers"):
        words = []
        for key in ("command", "args"):
            listed = reading.at(container, key)
            for position, word in enumerate(listed if isinstance(listed, list) else ()):
                if isinstance(word, str):
                    place = source.at("spec", "containers", number, key, position) if source else where
                    at = place.path if source else f"{path}spec.containers[{number}].{key}[{position}]"
                    words.append(Word(word, Where(place.item, place.line, where.object, at, word[:_SHOWN])))
        image = reading.text(container, "image")
        told = program_of(words, wrapped=True)
        if told is None:
            name = posixpath.basename(image.partition("@")[0]).partition(":")[0]
            program = next((one for one in PROGRAMS if one == name), None)
            if program is None or not words or not words[0].text.startswith("-"):
                continue
            told = (program, words)
        program, rest = told
        environment = {
            reading.text(one, "name"): reading.text(one, "value")
            for _, one in reading.nodes(container, "env")
            if isinstance(reading.at(one, "value"), str)
        }
        flags = flags_of(rest, environment)
        if program == "etcd":
            flags = with_variables(flags, ((name, value, where) for name, value in environment.items()))
        mounts = tuple(
            (reading.text(one, "mountPath"), volumes[name])
            for _, one in reading.nodes(container, "volumeMounts")
            if (name := reading.text(one, "name")) in volumes and volumes[name]
        )
        tag = _TAG.search(image) if program != "etcd" else None
        yield Start(program, instance, kind, where, flags, True, mounts, int(tag[1]) if tag else None)


def _of_host(host: Host, system: set[str]) -> Iterator[Start]:
    manifests = list(_static_pods(host))
    running = list(_processes(host, {*system, *(text for _, pod in manifests for text in _uids(pod.value))}))
    yield from running
    yield from distributions.k3s(host)
    yield from distributions.microk8s(host)
    for where, document in manifests:
        yield from _of_pod(document.value, host.name, "manifest", where, source=document)
    listed = any(not one.told_by for one in host.processes)
    for program in PROGRAMS:
        # A unit that lies there and does not run is none: packages bring units nobody enables.
        if not listed or any(one.program == program for one in running):
            yield from _unit(host, program)


def _static_pods(host: Host) -> Iterator[tuple[Where, Document]]:
    """The manifests kubelet starts pods of."""
    for file in host.files:
        if posixpath.dirname(file.path) in _MANIFESTS and not posixpath.basename(file.path).startswith("."):
            where = Where(file.place.item, file.place.line, path=file.path)
            document = read(file.text, where)
            if document is not None and reading.text(document.value, "kind") == "Pod":
                yield where, document


def _unit(host: Host, program: Program) -> Iterator[Start]:
    if not any(file.path.endswith(f"/{program}.service") for file in host.files):
        return
    made = command_line(host.files, f"{program}.service")
    if made is None or not made.words or made.refused:
        return
    words = [
        Word(word.text, Where(line.place.item, line.place.line, path=line.path, text=word.text[:_SHOWN]))
        for word in made.words
        for line in word.lines[:1]
    ]
    found = program_of(words, wrapped=True)
    if found is None or found[0] != program:
        return
    flags = flags_of(found[1])
    if program == "etcd":
        flags = with_variables(flags, ((name, value, words[0].where) for name, value in made.environment.items()))
    yield Start(program, host.name, "unit", words[0].where, flags, not (made.unset and made.not_in_evidence))


def _processes(host: Host, system: set[str]) -> Iterator[Start]:
    seen = set[Program]()
    for process in host.processes:
        if process.told_by or not process.visible:
            continue
        where = Where(process.place.item, process.place.line, text=process.command[:_SHOWN])
        texts = process.argv or tuple(process.command.split())
        found = program_of([Word(one, where) for one in texts[:4_000]], wrapped=False)
        if found is None or found[0] in seen or _elsewhere(process, found[0], system):
            continue
        program, rest = found
        seen.add(program)
        flags = flags_of(rest)
        bare = not any(word.text.startswith("-") for word in rest)
        hidden = False
        if program == "etcd":
            told = [tuple(one.split("=", 1)) for one in process.environment if one.startswith("ETCD_")]
            hidden = not process.environment or any(len(one) < 2 for one in told)
            flags = with_variables(flags, ((one[0], one[1], where) for one in told if len(one) == 2))
            bare = not flags
            hidden = hidden and not any(name in flags for name in ("listen-client-urls", "config-file"))
        yield Start(program, host.name, "process", where, flags, not (process.truncated or bare or hidden))


def _elsewhere(process: Process, program: Program, system: set[str]) -> bool:
    """Whether it belongs to another cluster, in an ordinary pod of this one (a static pod has no UUID)."""
    uid = process.pod_uid
    return program != "kube-proxy" and uid.count("-") == 4 and uid not in system


def files_named(component: Component, name: str, hosts: Iterable[Host]) -> HostFile | None:
    """The file that a flag of a component names, on its machine."""
    given = component.ask(name)
    if given is None or not given.value.startswith("/"):
        return None
    path = posixpath.normpath(given.value)
    for inside, outside in sorted(component.start.mounts or _mounts(component), key=lambda one: -len(one[0])):
        top = inside.rstrip("/")
        if path == top or path.startswith(top + "/"):
            path = posixpath.normpath(outside + path[len(top) :])
            break
    return next(
        (file for host in hosts if host.name == component.instance for file in host.files if file.path == path), None
    )


def _mounts(component: Component) -> tuple[tuple[str, str], ...]:
    """What a process sees of its machine is told by its manifest."""
    return next((one.mounts for one in component.starts if one.mounts), ())
