"""Which networks are the cluster's own, as far as the log shows: where its nodes, controllers and pods ask from.

Nodes are where kubelets and controllers ask from. A pod's token carries the pod's name (since Kubernetes 1.22 for bound
tokens), so where such tokens are used by a program is where pods are: their whole site, since every node has a network
of pods out of one. A public network proves that only with two accounts in it (the address that a cluster's pods are
translated to); with one it is just as well where somebody took the token to. Whatever cannot be told apart counts as
the cluster's own.

Source: KEP-1205 (bound service account tokens); "Cluster Networking" in the Kubernetes documentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubewitness.detect.agents import by_hand
from kubewitness.detect.detectors.crowd import Crowd
from kubewitness.detect.profile import MANY, AccessorKey, Profile
from kubewitness.model.event import Event
from kubewitness.rules.features.address import network_of, scope_of
from kubewitness.rules.features.identity import kind_of_name

POD = "authentication.kubernetes.io/pod-name"
CREDENTIAL = "authentication.kubernetes.io/credential-id"
_SHARED = 2  # accounts whose programs come from one network: it is where pods are, or what they are translated to


def place_of(address: str) -> str:
    """What counts as one place: a private site (a cluster's pods move within theirs), a public network."""
    return network_of(address, wide=scope_of(address) == "private") or address


class Ground:
    """The cluster's own networks."""

    def __init__(self, crowd: Crowd) -> None:
        self._machines: set[str] = set()
        self._persons: dict[str, str] = {}  # public network or private site → since when people are there
        accounts: dict[str, set[str]] = {}
        for address, profiles in crowd.at.items():
            for profile in profiles:
                kind, since = kind_of_name(profile.key.identity), profile.first
                if crowd.is_part(profile):
                    self._machines.add(network_of(address))
                elif kind == "serviceaccount" and not by_hand(profile):
                    accounts.setdefault(place_of(address), set()).add(profile.key.identity)
                elif kind == "human":
                    place = place_of(address)
                    self._persons[place] = min(since, self._persons.get(place, "~"))
        self._programs = accounts  # place → accounts whose programs are there
        self._pods: dict[str, set[str]] = {}  # place → accounts whose pods are there

    def learn(self, profiles: Mapping[AccessorKey, Profile], events: Iterable[Event]) -> None:
        """Learn where pods are from events of accounts."""
        for event in events:
            key = AccessorKey(event.identity, event.address, event.record.userAgent)
            profile = profiles.get(key)
            if profile is not None and not by_hand(profile) and values(event, POD):
                self._pods.setdefault(place_of(event.address), set()).add(event.identity)

    @property
    def pods_known(self) -> bool:
        """Whether the log shows where pods are at all."""
        return any(scope_of(place.partition("/")[0]) == "private" for place in self._pods)

    def is_machine(self, address: str) -> bool:
        """The network of nodes or of the control plane, or no address of a network."""
        if address in ("", MANY) or scope_of(address) in ("loopback", "linkLocal", "unknown"):
            return True
        return network_of(address) in self._machines

    def is_own(self, address: str, identity: str) -> bool:
        """Of nodes or of pods. What `identity` itself does in a place proves nothing about that place."""
        if self.is_machine(address):
            return True
        place = place_of(address)
        programs = self._programs.get(place, set())
        if scope_of(address) == "private":
            # Older tokens do not name their pod: then where another account's program is, pods may be.
            return bool((self._pods.get(place, set()) if self._pods else programs) - {identity})
        return len(programs) >= _SHARED

    def has_people(self, address: str, before: str) -> bool:
        """Whether people worked in that place before then: an office, a VPN."""
        return self._persons.get(place_of(address), "~") <= before


def values(event: Event, extra: str) -> tuple[str, ...]:
    """The texts of one of `user.extra`."""
    found = event.user.extra.get(extra)
    return tuple(value for value in found[:8] if isinstance(value, str)) if isinstance(found, list) else ()
