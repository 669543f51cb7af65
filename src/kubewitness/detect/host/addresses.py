"""What kind of address a command talks to. Ranges for documentation count as public: they stand for public ones."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Literal

Nature = Literal["loopback", "private", "metadata", "cluster", "public address", "name"]

_LOOPBACK = tuple(map(ip_network, ("127.0.0.0/8", "::1/128", "0.0.0.0/32")))
_PRIVATE = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"))
)
_CARRIER = ip_network("100.64.0.0/10")
_METADATA = frozenset({"169.254.169.254", "100.100.100.200", "fd00:ec2::254", "metadata.google.internal"})
_CLUSTER_ENDS = (".svc", ".local", ".internal", ".cluster", ".localdomain", ".lan")


@lru_cache(maxsize=4096)
def nature_of(host: str) -> Nature:
    """The nature of a host in a URL."""
    if host in _METADATA:
        return "metadata"
    try:
        address = ip_address(host)
    except ValueError:
        if host == "localhost" or "$" in host or not host:
            return "loopback"
        return "cluster" if "." not in host or host.rstrip(".").endswith(_CLUSTER_ENDS) else "name"
    if any(address in network for network in _LOOPBACK):
        return "loopback"
    return "private" if any(address in network for network in (*_PRIVATE, _CARRIER)) else "public address"
