"""Who is at which address: the question behind every inference from "the same address"."""

from __future__ import annotations

from kubewitness.detect.agents import agents_of, by_hand, is_part
from kubewitness.detect.profile import MANY, Profile
from kubewitness.detect.run import Scan
from kubewitness.rules.features.address import scope_of

_HUB = 6  # identities at one address that make it shared


class Crowd:
    """Profiles by address and by identity."""

    def __init__(self, scan: Scan) -> None:
        self.at: dict[str, list[Profile]] = {}
        self.of: dict[str, list[Profile]] = {}
        self._told = agents_of(scan) != "alike"
        for _, profile in sorted(scan.profiles.by_key.items()):
            self.at.setdefault(profile.key.address, []).append(profile)
            self.of.setdefault(profile.key.identity, []).append(profile)

    def shared(self, address: str) -> bool:
        """Proves nothing about who is behind it: many use it, or it is a machine of the cluster, or none at all."""
        if address in ("", MANY) or scope_of(address) in ("loopback", "unknown"):
            return True
        profiles = self.at.get(address, ())
        identities = {profile.key.identity for profile in profiles}
        return len(identities) >= _HUB or any(map(self.is_part, profiles))

    def is_part(self, profile: Profile) -> bool:
        """One of the cluster's own parts at work: its name without a person's tool, as far as the log tells clients."""
        return is_part(profile.key.identity) and not (self._told and by_hand(profile))

    def since(self, identity: str, address: str) -> str:
        """When the identity first came from there ("~" if never)."""
        return min((p.first for p in self.of.get(identity, ()) if p.key.address == address), default="~")
