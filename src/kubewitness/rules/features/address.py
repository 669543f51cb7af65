"""Where a request came from.

Only the last of `sourceIPs` is fact (the peer of the connection); the earlier ones come from headers a client can set.
The networks are listed here because Python's `is_private` counts documentation ranges and others as private.

Source: RFC 1918, 4193, 6598 (shared address space), 3927, 4291; audit types.go on `sourceIPs`.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal

from kubewitness.model.event import Event
from kubewitness.rules.features.interface import FieldTable, Values, one
from kubewitness.rules.features.untyped import MAX_VALUES

Scope = Literal["public", "private", "loopback", "linkLocal", "unknown"]


def _networks(*texts: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)


_SCOPES: tuple[tuple[Scope, tuple[IPv4Network | IPv6Network, ...]], ...] = (
    ("private", _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")),
    ("loopback", _networks("127.0.0.0/8", "::1/128")),
    ("linkLocal", _networks("169.254.0.0/16", "fe80::/10")),
    # No host sends from these: this network, multicast, reserved.
    ("unknown", _networks("0.0.0.0/8", "224.0.0.0/3", "::/128", "ff00::/8")),
)


@lru_cache(maxsize=4096)
def scope_of(address: str) -> Scope:
    """Which part of the address space `address` lies in; "unknown" if it is no address a host can have."""
    parsed = _parse(address)
    if parsed is None:
        return "unknown"
    for scope, networks in _SCOPES:
        if any(parsed.version == network.version and parsed in network for network in networks):
            return scope
    return "public"


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address[:64].strip().partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        return parsed.ipv4_mapped
    return parsed


def source_scope(event: Event) -> Values:
    """Scope of the peer; absent where no address is recorded."""
    return (scope_of(event.address),) if event.address else ()


@lru_cache(maxsize=4096)
def network_of(address: str, *, wide: bool = False) -> str:
    """The network of `address`: its /24 (IPv6: /48), what one provider or office shares; `wide`: its /16 (/32).

    Empty if it is no address.
    """
    parsed = _parse(address)
    if parsed is None:
        return ""
    bits = (16 if wide else 24) if isinstance(parsed, IPv4Address) else (32 if wide else 48)
    return str(ip_network((parsed, bits), strict=False))


FIELDS: FieldTable = {
    "source.ip": lambda event: one(event.address),
    "source.network": lambda event: one(network_of(event.address)),
    # A cluster gives every node's pods a network of their own: its pods together have one site.
    "source.site": lambda event: one(network_of(event.address, wide=True)),
    "source.claimed": lambda event: event.source_ips[:-1][:MAX_VALUES],
    "source.scope": source_scope,
}
