"""One use of a credential: who, from where, with what, asked for what, when.

Addresses are grouped because nobody keeps one: a use has a *network* (/24, IPv6: /48), a *site* (/16, /32) and a
*scope*, from fine to coarse. Pods move between nodes and people between desks, so within private addresses a new
network of a known site is no news. A client's *family* is the first product of its agent: what it says it is, which
anybody can write as they like, so a familiar family proves nothing and a new one is worth a word.
"""

from __future__ import annotations

from typing import NamedTuple

from kubewitness.detect.profile import MANY, AccessorKey
from kubewitness.rules.features.address import network_of, scope_of

_LONGEST = 60


class Use(NamedTuple):
    """One request, or several alike. Empty: not known, or not looked at."""

    identity: str
    address: str
    agent: str
    verb: str
    resource: str  # with its subresource; empty: a path outside the API's resources
    namespace: str = ""
    time: str = ""  # RFC 3339
    succeeded: bool = True
    counted: bool = True  # is among the counts of its accessor's profile

    @property
    def accessor(self) -> AccessorKey:
        """Whose it is."""
        return AccessorKey(self.identity, self.address, self.agent)

    @property
    def act(self) -> str:
        """What was asked: "list secrets"; empty for a path."""
        return act(self.verb, self.resource)


def act(verb: str, resource: str) -> str:
    """One word for what was asked."""
    return f"{verb[:_LONGEST]} {resource[: 2 * _LONGEST]}" if resource else ""


def family(agent: str) -> str:
    """The program a client claims to be: "kubectl/v1.31.0 (linux/amd64)" is kubectl. Empty if it does not say."""
    if agent == MANY:
        return ""
    return agent[:256].partition("/")[0].strip().lower().removesuffix(".exe")[:_LONGEST]


def places(address: str) -> tuple[str, str, str]:
    """Network, site and scope of an address; all empty where it cannot be told. A machine's own are one network."""
    scope = scope_of(address) if address and address != MANY else "unknown"
    if scope == "unknown":
        return "", "", ""
    if scope == "loopback":
        return scope, scope, scope
    return network_of(address), network_of(address, wide=True), scope


def hour(time: str) -> int:
    """Hour of the day, UTC; -1 if it cannot be told."""
    return int(time[11:13]) if time[10:11] == "T" and time[11:13].isascii() and time[11:13].isdigit() else -1
