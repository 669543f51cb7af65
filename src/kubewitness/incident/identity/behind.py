"""Whose a request is where many come from one address: what else than the address tells askers apart.

A balancer with source NAT, a proxy or a gateway puts its own address in place of everybody's. Then a name and a client
may be the intruder's and somebody else's at once. Two things still tell them apart:

- the address that the proxy itself passes on: X-Forwarded-For comes before the peer in `sourceIPs`, and the last of
  it is what the peer wrote. Requests of a name that came from other such addresses than those by which the name was
  betrayed are its owner's. A client that sends the header itself can only hide its own requests so;
- what everybody may ask, and balancers and monitors ask all day, is nobody's if no name, address or client tells whose.

Source: k8s.io/apimachinery/pkg/util/net (SourceIPs); audit types.go on `sourceIPs`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from kubewitness.incident.identity.crowd import IdentityCrowd, Pair
from kubewitness.incident.requests import Request
from kubewitness.rules.features.identity import kind_of_name

_EVERYBODYS: Final = ("/healthz", "/livez", "/readyz", "/version")


def is_nobodys_name(identity: str) -> bool:
    """A name that stands for nobody: anonymous, or a credential that was rejected."""
    return kind_of_name(identity) in ("anonymous", "rejected")


def passed_on(request: Request) -> str:
    """The address that the peer passed on; empty if it passed on none."""
    addresses = request.final.source_ips
    return addresses[-2] if len(addresses) > 1 else ""


class Behind:
    """What tells askers apart. `shared`: names at addresses of many; `matched`: requests that rules matched."""

    def __init__(
        self, crowd: IdentityCrowd, shared: Collection[Pair], matched: Collection[str], requests: Sequence[Request]
    ) -> None:
        self._crowd, self._shared = crowd, shared
        self._betrayed: dict[Pair, set[str]] = {}
        for request in requests:
            pair = (request.identity, request.address)
            if pair in shared and request.audit_id in matched:
                self._betrayed.setdefault(pair, set()).add(passed_on(request))

    def told(self, request: Request) -> bool | None:
        """Whether the request came from where its name was betrayed; None if the peer did not pass that on."""
        places = self._betrayed.get((request.identity, request.address), {""})
        if "" in places or not passed_on(request):
            return None
        return passed_on(request) in places

    def is_anybodys(self, request: Request) -> bool:
        """What everybody may ask, and nothing tells who asked it."""
        if (request.identity, request.address) not in self._shared or self.told(request) is not None:
            return False
        untold = is_nobodys_name(request.identity) and not self._crowd.names_clients(request.agent)
        return untold and request.path.startswith(_EVERYBODYS)
