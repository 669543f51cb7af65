"""Who used which credential when, as an audit log tells: given to the checks, gathered elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from kubewitness.model.posture import Where


class Used(Struct, frozen=True):
    """The use of one identity or credential."""

    requests: int
    first: str
    last: str
    addresses: tuple[str, ...] = ()  # of the last ones, at most ten


class Approval(Struct, frozen=True):
    """Somebody approved signing requests of one name, by hand."""

    who: str
    address: str
    first: str
    last: str
    where: Where


@dataclass(frozen=True)
class Usage:
    """What the log tells. `first` and `last` are its own bounds: what is not in it may have been used before."""

    first: str
    last: str
    identities: Mapping[str, Used] = field(default_factory=dict)
    credentials: Mapping[str, Used] = field(default_factory=dict)  # credential-id: "X509SHA256=…", "JTI=…"
    approvals: Mapping[str, tuple[Approval, ...]] = field(default_factory=dict)  # by the signing request's name
