"""What is compared between machines: one value for each trait, where it was read, and which values are the worse ones.

A machine of the control plane listens on more ports than a worker, so listeners are compared within a role. Everything
else is the same on all machines of a well-kept cluster. What the evidence does not tell of a machine is no value, and
a machine without a value is neither odd nor like the others.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from kubewitness.model.host import Host
from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Where
from kubewitness.posture import reading
from kubewitness.posture.check import Machine, Snapshot
from kubewitness.posture.exposed import ANONYMOUS, MODE, READ_ONLY
from kubewitness.posture.nodes.door import door
from kubewitness.posture.nodes.kubelet_settings import CLIENT_CA, WEBHOOK, places, view_of
from kubewitness.posture.nodes.network import addresses_of, listening, own_sockets
from kubewitness.posture.nodes.ports import component
from kubewitness.posture.nodes.telling import at_place, at_socket
from kubewitness.posture.places import where_of

LISTENERS: Final = "listeners"
CONTROL_PLANE: Final = ("kube-apiserver", "kube-controller-manager", "etcd")
_RUNTIMES: Final = ("containerd", "dockerd", "crio")
_NODE_INFO: Final = ("kubeletVersion", "containerRuntimeVersion", "osImage", "kernelVersion")
# Settings of the kubelet, how much a machine that differs in them weighs, and its worse values.
_SETTINGS: Final[tuple[tuple[str, Severity, str], ...]] = (
    (ANONYMOUS, "high", r"true"),
    (MODE, "high", r"AlwaysAllow"),
    (READ_ONLY, "medium", r"[1-9]\d*"),
    (WEBHOOK, "low", r"false"),
    (CLIENT_CA, "low", r""),
    ("staticPodURL", "medium", r".+"),
    ("staticPodPath", "medium", r".+"),
    ("healthzBindAddress", "low", r"(?!127\.).*"),
    ("rotateCertificates", "low", r"false"),
    ("serverTLSBootstrap", "informational", r"false"),
    ("protectKernelDefaults", "informational", r"false"),
    ("port", "low", r".*"),
)


class Trait(Struct, frozen=True):
    """A value of one machine."""

    name: str  # the same on all machines: "kubelet authorization.mode"
    value: str
    where: tuple[Where, ...]
    severity: Severity
    worse: bool | None  # of two that differ; None: neither is
    role: str = ""  # compared with machines of this role alone


def traits_of(machine: Machine, snapshot: Snapshot) -> Iterator[Trait]:
    """The traits of a machine, as far as the evidence tells them."""
    yield from _kubelet(machine)
    yield from _filter(machine, snapshot)
    yield from _listeners(machine)
    yield from _versions(machine, snapshot)


def is_control_plane(host: Host) -> bool:
    """Whether parts of the control plane run on it."""
    names = {posixpath.basename(process.command.split(maxsplit=1)[0]) for process in host.processes if process.command}
    manifests = any(file.path == "/etc/kubernetes/manifests/kube-apiserver.yaml" for file in host.files)
    return manifests or not names.isdisjoint(CONTROL_PLANE)


def _kubelet(machine: Machine) -> Iterator[Trait]:
    configuration = machine.kubelet
    if configuration is None:
        return
    for name, severity, worse in _SETTINGS:
        view, _ = view_of(configuration, name)
        setting = view.get(name) if view else None
        if view and setting:
            where = tuple(places(configuration, view, setting))
            yield Trait(f"kubelet {name}", setting.value, where, severity, bool(re.fullmatch(worse, setting.value)))
    view = configuration.running or configuration.after_restart
    if view is not None and (view.config or view.lacks_config):
        line = view.config_line or view.line
        causes = [at_place(one.line.place, one.line.text, one.line.path) for one in configuration.because]
        named = [at_place(line.place, line.text, line.path)] if line else []
        where = tuple(named if view.config else [*causes, *named])
        yield Trait("kubelet --config", view.config, where, "high", not view.config)
    if configuration.version:
        yield Trait("kubelet version", configuration.version, (), "low", worse=None)


def _filter(machine: Machine, snapshot: Snapshot) -> Iterator[Trait]:
    outer = [one.interface for one in addresses_of(machine, snapshot).own if one.interface]
    found = door(machine.host, 10250, "ip", outer)
    if found.state not in {"open", "closed"}:
        return
    where = [at_place(rule.place, rule.text) for rule in found.rules[:2]]
    where += [
        at_place(dump.place, f"{dump.source} ({dump.family}): {len(dump.rules)} rules") for dump in found.dumps[:2]
    ]
    yield Trait("packet filter for port 10250", found.state, tuple(where), "medium", found.state == "open")


def _listeners(machine: Machine) -> Iterator[Trait]:
    host = machine.host
    if not any(socket.state == "LISTEN" for socket in own_sockets(host)):
        return
    role = "control plane" if is_control_plane(host) else "worker"
    names: dict[str, Where] = {}
    for socket in listening(host):
        owners = [name for name, _ in socket.owners]
        known = component(socket)
        if known is not None or owners:
            name = known.name if known else owners[0]
            port = socket.local_port if known or socket.local_port < _PASSING else 0
            names.setdefault(f"{name[:40]}:{port or '*'}", at_socket(socket))
    value = ", ".join(sorted(names))[:1000]
    yield Trait(LISTENERS, value, tuple(names[name] for name in sorted(names)), "low", worse=None, role=role)


_PASSING: Final = 30_000  # ports from here on are chosen by chance, or are NodePorts


def _versions(machine: Machine, snapshot: Snapshot) -> Iterator[Trait]:
    host = machine.host
    runtimes = sorted(
        {
            name
            for process in host.processes
            if process.command and (name := posixpath.basename(process.command.split(maxsplit=1)[0])) in _RUNTIMES
        }
    )
    if host.processes and runtimes:
        yield Trait("container runtime", ", ".join(runtimes), (), "low", worse=None)
    node = snapshot.cluster.get("Node", "", host.name) if snapshot.cluster else None
    for name in _NODE_INFO:
        value = reading.text(node.document, "status", "nodeInfo", name)[:120] if node else ""
        if node and value:
            where = (where_of(node, f"status.nodeInfo.{name}", value),)
            yield Trait(f"node {name}", value, where, "informational", worse=None)
    if host.kernel and node is None:
        yield Trait("kernel", host.kernel[:120], (), "informational", worse=None)
