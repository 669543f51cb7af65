"""What of a machine's network is judged: its public addresses, its own listeners, and who reaches them.

An address counts as public where anybody may route to it. One of the machine's own interfaces is reached as it is. One
that only the API tells of (ExternalIP of a cloud) is translated on the way, past a security group that no evidence of
the machine shows: it is told, and never makes a port "open to everybody". Ranges for documentation count as public:
they stand for public ones.

Source: RFC 6890 (address blocks of special use); Node status.addresses of the Kubernetes API.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from kubewitness.model.host import Host, Socket
from kubewitness.model.posture import Where
from kubewitness.posture import reading
from kubewitness.posture.check import Machine, Snapshot
from kubewitness.posture.nodes.door import Door, door
from kubewitness.posture.nodes.telling import at_place, at_socket
from kubewitness.posture.places import where_of

_RESERVED: Final = tuple(
    map(
        ip_network,
        ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
         "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "::/128", "::1/128", "fc00::/7", "fe80::/10",
         "ff00::/8", "64:ff9b:1::/48"),
    )
)  # fmt: skip
_VIRTUAL: Final = re.compile(r"kube-ipvs\d|nodelocaldns|dummy\d")  # hold addresses of services, for kube-proxy
ALL: Final = frozenset(("*", "0.0.0.0", "::", "[::]"))  # noqa: S104 - to be recognised


@dataclass(frozen=True)
class PublicAddress:
    """A public address and where it was read."""

    address: str
    where: Where
    interface: str = ""
    own: bool = True  # False: translated on the way

    @property
    def family(self) -> str:
        """As packet filters are named."""
        return "ip6" if ":" in self.address else "ip"


@dataclass(frozen=True)
class Addresses:
    """The public addresses of a machine. `known`: its addresses are in the evidence, so none means none."""

    public: tuple[PublicAddress, ...]
    known: bool

    @property
    def own(self) -> tuple[PublicAddress, ...]:
        """Those of its own interfaces."""
        return tuple(one for one in self.public if one.own)


@lru_cache(maxsize=4096)
def is_public(address: str) -> bool:
    """Whether anybody may route to it."""
    try:
        found = ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return False
    if found.version == 6 and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return not any(_holds(network, found) for network in _RESERVED)


def _holds(network: IPv4Network | IPv6Network, address: object) -> bool:
    return address in network


def addresses_of(machine: Machine, snapshot: Snapshot) -> Addresses:
    """The public addresses, each once: of interfaces, of sockets, of the Node object."""
    found: dict[str, PublicAddress] = {}
    host = machine.host
    for one in host.addresses:
        if is_public(one.address) and not _VIRTUAL.match(one.interface):
            where = at_place(one.place, f"{one.interface} {one.address}")
            found.setdefault(one.address, PublicAddress(one.address, where, one.interface))
    for socket in own_sockets(host):
        address = socket.local_address.strip("[]").partition("%")[0]
        if is_public(address):
            found.setdefault(address, PublicAddress(address, at_socket(socket)))
    node = snapshot.cluster.get("Node", "", host.name) if snapshot.cluster else None
    for position, given in reading.nodes(node.document, "status", "addresses") if node else ():
        address, kind = reading.text(given, "address"), reading.text(given, "type")
        if node and kind in {"InternalIP", "ExternalIP"} and is_public(address):
            where = where_of(node, f"status.addresses[{position}]", f"{kind} {address}")
            found.setdefault(address, PublicAddress(address, where, own=kind == "InternalIP"))
    return Addresses(tuple(found.values()), bool(host.addresses or node))


def own_sockets(host: Host) -> Iterator[Socket]:
    """Those of the machine's own network, not of its pods'."""
    first = next((process for process in host.processes if process.pid == 1 and process.namespaces), None)
    mine = dict(first.namespaces).get("net", "") if first else ""
    for socket in host.sockets:
        if not socket.namespace or socket.namespace == mine:
            yield socket


def listening(host: Host, *ports: int) -> list[Socket]:
    """What listens over TCP on these ports, or on any, other than on loopback alone."""
    return [
        socket
        for socket in own_sockets(host)
        if socket.protocol == "tcp"
        and socket.state == "LISTEN"
        and (not ports or socket.local_port in ports)
        and not is_local(socket.local_address)
    ]


def is_local(address: str) -> bool:
    """Whether only the machine itself reaches it."""
    try:
        return ip_address(address.strip("[]").partition("%")[0]).is_loopback
    except ValueError:
        return address == "localhost"


@dataclass(frozen=True)
class Reach:
    """Whether somebody from outside reaches a port: by which address, and what the packet filter says to it."""

    address: PublicAddress | None
    door: Door


def reach(machine: Machine, found: Addresses, port: int, listens_on: str = "*") -> Reach:
    """The widest way to a port that listens on this address."""
    outer = [one.interface for one in found.own if one.interface]
    best: Reach | None = None
    for one in found.own:
        if listens_on not in ALL and listens_on.strip("[]") != one.address:
            continue
        if listens_on == "0.0.0.0" and one.family == "ip6":  # noqa: S104 - compared
            continue
        made = Reach(one, door(machine.host, port, one.family, outer))
        if best is None or _WIDTH.index(made.door.state) < _WIDTH.index(best.door.state):
            best = made
    family = "ip6" if ":" in listens_on and listens_on not in ALL else "ip"
    return best or Reach(None, door(machine.host, port, family, outer))


_WIDTH: Final = ("open", "unseen", "unclear", "closed")
