"""Who is at which address: the question behind every inference from "the same address"."""

from __future__ import annotations

from kubewitness.detect.profile import MANY, Profile
from kubewitness.detect.run import Scan
from kubewitness.rules.features.address import scope_of
from kubewitness.rules.features.identity import kind_of_name

_HUB = 6  # identities at one address that make it shared
_HANDS = ("kubectl", "oc/", "curl", "wget", "python-requests", "python-urllib", "httpie", "peirates", "k9s")


class Crowd:
    """Profiles by address and by identity."""

    def __init__(self, scan: Scan) -> None:
        self.at: dict[str, list[Profile]] = {}
        self.of: dict[str, list[Profile]] = {}
        for _, profile in sorted(scan.profiles.by_key.items()):
            self.at.setdefault(profile.key.address, []).append(profile)
            self.of.setdefault(profile.key.identity, []).append(profile)

    def shared(self, address: str) -> bool:
        """Proves nothing about who is behind it: many use it, or it is a machine of the cluster, or none at all."""
        if address in ("", MANY) or scope_of(address) in ("loopback", "unknown"):
            return True
        profiles = self.at.get(address, ())
        identities = {profile.key.identity for profile in profiles}
        kinds = {kind_of_name(profile.key.identity) for profile in profiles if not by_hand(profile)}
        return len(identities) >= _HUB or bool(kinds & {"node", "controlPlane"})

    def since(self, identity: str, address: str) -> str:
        """When the identity first came from there ("~" if never)."""
        return min((p.first for p in self.of.get(identity, ()) if p.key.address == address), default="~")


def by_hand(profile: Profile) -> bool:
    """A tool that people use, not a program of the cluster."""
    return profile.key.agent.lower().startswith(_HANDS)
