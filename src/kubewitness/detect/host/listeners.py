"""Ports of the kubelet that anybody can reach.

10250 listens on all addresses on every node, and must: the API server asks there. It is told as context, because it
is the way in if the kubelet lets anonymous people in. 10255, the read-only port, asks nobody for a name and has been
off by default for years; it shows all pods with their environment.

Source: kubernetes.io/docs/reference/networking/ports-and-protocols; kubelet option --read-only-port.
"""

from __future__ import annotations

from collections.abc import Iterator

from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.stating import state
from kubewitness.model.host import Host, Socket
from kubewitness.sources.host.packet_filter import unprotected_families

_ALL = frozenset({"*", "0.0.0.0", "::", "[::]"})  # noqa: S104 - to be recognised
_KUBELET, _READ_ONLY = 10250, 10255


def kubelet_port_open_to_all(host: Host) -> Iterator[HostFinding]:
    """The kubelet's port on all addresses, and no firewall."""
    sockets = _listening(host, _KUBELET)
    if sockets and unprotected_families(host):
        yield state("kubelet_port_open_to_all", host, _shown(sockets[0]), [(s.place, _shown(s)) for s in sockets])


def kubelet_read_only_port(host: Host) -> Iterator[HostFinding]:
    """The kubelet's read-only port on all addresses."""
    if sockets := _listening(host, _READ_ONLY):
        yield state("kubelet_read_only_port", host, _shown(sockets[0]), [(s.place, _shown(s)) for s in sockets])


def _listening(host: Host, port: int) -> list[Socket]:
    return [s for s in host.sockets if s.state == "LISTEN" and s.local_port == port and s.local_address in _ALL]


def _shown(socket: Socket) -> str:
    owners = ", ".join(f"{name} (pid {pid})" for name, pid in socket.owners[:3])
    return f"{socket.state} {socket.local_address}:{socket.local_port} {owners}".strip()
