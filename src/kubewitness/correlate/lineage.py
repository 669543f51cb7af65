"""Who belongs to whom on one machine: pod → container → process → socket, each by a key that the machine wrote itself.

A pod's uid is in the name of its log folder, in the runtime's line about its sandbox and in the control groups of its
containers; a container's id is in the runtime's log and in the control groups of its processes; a socket names the
process that holds it. None of these is a guess. A name of a pod may be used again by another pod: uids are compared,
never names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final, NamedTuple

from kubewitness.correlate.links import edge
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, Process, Socket
from kubewitness.model.incident import Edge, Entity, Evidence, ObjectName

_SANDBOX = re.compile(
    r'PodSandboxMetadata\{Name:([^,]+),Uid:([^,]+),Namespace:([^,]+),[^}]*\}(?: returns sandbox id \\?"([0-9a-f]{64}))?'
)
_CONTAINER = re.compile(
    r'CreateContainer within sandbox \\?"([0-9a-f]{64})\\?" for (?:container )?&ContainerMetadata\{Name:([^,}]+),'
    r'[^}]*\} returns container id \\?"([0-9a-f]{64})'
)
_POD_LOG = re.compile(r"/pods/([^_/]+)_([^_/]+)_([0-9a-f-]{32,36})/")
_ANCESTORS: Final = 6  # processes above a process that are named
_SOCKETS: Final = 6  # of one process
_LOOPBACK = re.compile(r"127\.|::1$|\[::1\]")


class Seat(NamedTuple):
    """Where a fact was read."""

    place: Place
    text: str
    time: str = ""


class Container(NamedTuple):
    """A container as the runtime's log knows it."""

    pod_uid: str
    name: str
    seat: Seat


class Lineage:
    """The descent of everything on one machine."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.pods: dict[str, tuple[ObjectName, str, Seat]] = {}  # uid → name, link that tells it, where
        self.containers: dict[str, Container] = {}  # id → as the runtime made it
        self._processes: dict[int, Process] = {process.pid: process for process in host.processes}
        self._sockets: dict[int, list[Socket]] = {}
        self._read()

    def _read(self) -> None:
        sandboxes = dict[str, str]()
        for line in self.host.logs:
            if found := _SANDBOX.search(line.message):
                name, uid, namespace, sandbox = found.groups()
                seat = Seat(line.place, line.message, line.time)
                self.pods.setdefault(uid, (ObjectName("pods", namespace, name), "runtime_sandbox", seat))
                if sandbox:
                    sandboxes[sandbox] = uid
            elif (found := _CONTAINER.search(line.message)) and found[1] in sandboxes:
                seat = Seat(line.place, line.message, line.time)
                self.containers[found[3]] = Container(sandboxes[found[1]], found[2], seat)
        for item in self.host.sources:
            if found := _POD_LOG.search(item):
                seat = Seat(Place(item, 0, 0), item)
                self.pods.setdefault(found[3], (ObjectName("pods", found[1], found[2]), "pod_log_path", seat))
        for socket in self.host.sockets:
            for _, pid in socket.owners:
                self._sockets.setdefault(pid, []).append(socket)

    @property
    def names(self) -> dict[str, ObjectName]:
        """Pods that ran here, by uid."""
        return {uid: name for uid, (name, _, _) in self.pods.items()}

    def uid_of(self, process: Process) -> str:
        """The pod's uid of a process, by its control group or by its container; empty for the machine's own."""
        container = self.containers.get(process.container)
        return process.pod_uid or (container.pod_uid if container else "")

    def container(self, name: str) -> Entity:
        """The entity of a container by its id."""
        return Entity("container", f"{self.host.name}/{name}")

    def process(self, pid: int) -> Entity:
        """The entity of a process."""
        return Entity("process", f"{self.host.name}/{pid}")

    def edges_of_process(self, process: Process, hashes: Mapping[str, str]) -> Iterator[Edge]:
        """From the node or pod down to the process, and on to its sockets."""
        here, node = self.process(process.pid), Entity("node", self.host.name)
        chain = self._ancestors(process)
        first = chain[-1]
        seen = cite(Seat(first.place, first.command), hashes)
        if first.container:
            yield from self.edges_of_container(first.container, hashes, process=first)
            keys = {"container id": first.container, "pid": str(first.pid)}
            yield edge("cgroup_process", self.container(first.container), self.process(first.pid), keys, (seen,))
        else:
            yield edge("node_process", node, self.process(first.pid), {"pid": str(first.pid)}, (seen,))
        for child, parent in pairwise(chain):
            keys = {"pid": str(parent.pid), "ppid": str(child.ppid)}
            evidence = (cite(Seat(child.place, child.command), hashes),)
            yield edge("parent_process", self.process(parent.pid), self.process(child.pid), keys, evidence)
        for socket in self._telling(process.pid):
            name = f"{socket.protocol} {socket.local_address}:{socket.local_port}"
            name += f" → {socket.peer_address}:{socket.peer_port}" if socket.peer_port else f" {socket.state}"
            evidence = (cite(Seat(socket.place, name), hashes),)
            target = Entity("socket", f"{self.host.name}/{name}")
            yield edge("socket_owner", here, target, {"pid": str(process.pid), "socket": name}, evidence)

    def edges_of_container(
        self, container: str, hashes: Mapping[str, str], process: Process | None = None
    ) -> Iterator[Edge]:
        """From the pod's node and pod to a container, as far as the evidence names them."""
        made = self.containers.get(container)
        process = process or next((p for p in self.host.processes if p.container == container), None)
        uid = (made.pod_uid if made else "") or (process.pod_uid if process else "")
        if uid not in self.pods:
            return
        name, link, seat = self.pods[uid]
        pod = Entity("pod", f"{name.namespace}/{name.name}")
        keys = {"namespace": name.namespace, "pod": name.name, "pod uid": uid}
        yield edge(link, pod, Entity("node", self.host.name), keys, (cite(seat, hashes),))
        keys = {"pod uid": uid, "container id": container}
        if made is not None:
            yield edge("runtime_container", pod, self.container(container), keys, (cite(made.seat, hashes),))
        elif process is not None:
            evidence = (cite(Seat(process.place, process.cgroup or process.command), hashes),)
            yield edge("cgroup_pod", pod, self.container(container), keys, evidence)

    def _ancestors(self, process: Process) -> list[Process]:
        """The process and those above it within its container; on the machine itself, up to the one below init."""
        chain = [process]
        while len(chain) <= _ANCESTORS:
            above = self._processes.get(chain[-1].ppid)
            if above is None or above.pid in (0, 1, 2) or above in chain or above.container != process.container:
                break
            chain.append(above)
        return chain

    def _telling(self, pid: int) -> list[Socket]:
        """Sockets of a process that tell something: with a far end, or open to others."""
        found = [
            socket
            for socket in self._sockets.get(pid, ())
            if socket.peer_port and not _LOOPBACK.match(socket.peer_address)
        ]
        found += [
            socket
            for socket in self._sockets.get(pid, ())
            if socket.state == "LISTEN" and not _LOOPBACK.match(socket.local_address)
        ]
        return found[:_SOCKETS]


def cite(seat: Seat, hashes: Mapping[str, str]) -> Evidence:
    """The citation of a line of a machine's evidence."""
    place, text, time = seat
    return Evidence(
        audit_id="",
        item=place.item,
        line=place.line,
        offset=place.offset,
        time=time,
        sha256=hashes.get(place.item, ""),
        summary=text[:400],
    )
