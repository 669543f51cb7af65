"""Who was where, since when: what every inference about an identity rests on, from the profiles alone.

*Established* is who was there well before things turned bad, or from the log's beginning. A *hub* is an address that
proves nothing about who is behind it: many share it, or a machine of the cluster itself is there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta

from kubewitness.detect.agents import agents_of, is_part
from kubewitness.detect.detectors.networks import place_of
from kubewitness.detect.profile import Profile
from kubewitness.detect.run import Scan
from kubewitness.model.event import parse_time
from kubewitness.rules.features.address import scope_of
from kubewitness.rules.features.identity import kind_of_name, service_account

_HUB = 6  # identities at one address that make it shared
_ACCUSTOMED = timedelta(minutes=30)
_HANDS = ("kubectl", "curl", "wget", "python", "go-http-client", "peirates", "helm", "k9s")

Pair = tuple[str, str]  # identity, address


class IdentityCrowd:
    """Views over all profiles of one scan."""

    def __init__(self, scan: Scan) -> None:
        self.scan = scan
        self._told = agents_of(scan) != "alike"
        self._by_pair: dict[Pair, list[Profile]] = {}
        self._at: dict[str, set[str]] = {}
        self._of: dict[str, list[str]] = {}
        for key, profile in scan.profiles.by_key.items():
            self._by_pair.setdefault((key.identity, key.address), []).append(profile)
            self._at.setdefault(key.address, set()).add(key.identity)
        for identity, address in sorted(self._by_pair):
            self._of.setdefault(identity, []).append(address)
        self._accounts: dict[str, list[str]] = {}  # by namespace
        self.nodes = [identity for identity in self._of if kind_of_name(identity) == "node"]  # names of kubelets
        for identity in self._of:
            if (account := service_account(identity)) is not None:
                self._accounts.setdefault(account[0], []).append(identity)
        start, end = parse_time(scan.first), parse_time(scan.last)
        self._start = start
        self._span = end - start if start and end else timedelta(0)

    def at(self, address: str) -> list[str]:
        """Identities at an address, sorted."""
        return sorted(self._at.get(address, ()))

    def pairs_of(self, identity: str) -> list[Pair]:
        """Where an identity was, sorted by address."""
        return [(identity, address) for address in self._of.get(identity, ())]

    def profiles(self, pair: Pair) -> list[Profile]:
        """The profiles of one identity at one address, one for each agent."""
        return self._by_pair.get(pair, [])

    def accounts_in(self, namespace: str) -> list[str]:
        """Service accounts of a namespace that asked for anything, sorted."""
        return self._accounts.get(namespace, [])

    def since(self, pair: Pair) -> str:
        """When it first came from there ("~" if never)."""
        return min((profile.first for profile in self.profiles(pair)), default="~")

    def is_hub(self, address: str) -> bool:
        """Shared by many identities, or a machine of the cluster itself: proves nothing about who is behind it."""
        identities = self._at.get(address, set())
        return not address or len(identities) >= _HUB or any(self._is_part(name, address) for name in identities)

    def _is_part(self, identity: str, address: str) -> bool:
        """A part of the cluster at work there: its name with another client than a person's hands."""
        hands = (profile.key.agent.lower().startswith(_HANDS) for profile in self.profiles((identity, address)))
        return is_part(identity) and not (self._told and all(hands))

    def established(self, first: str, bad_since: str) -> bool:
        """Was there well before things turned bad, or from the log's beginning."""
        then, bad = parse_time(first), parse_time(bad_since)
        if not (then and bad and self._start):
            return False
        if bad - then > max(_ACCUSTOMED, self._span / 20):
            return True
        return then - self._start < self._span / 10 and bad - then > _ACCUSTOMED / 3

    @staticmethod
    def at_work(first: str, bad_since: str) -> bool:
        """Was there for some time before things turned bad: enough at an address of many, where owners are as well."""
        then, bad = parse_time(first), parse_time(bad_since)
        return bool(then and bad and bad - then > _ACCUSTOMED / 3)

    def usual(self, identity: str, before: str) -> set[str]:
        """Addresses at which the identity was established before that time."""
        return {pair[1] for pair in self.pairs_of(identity) if self.established(self.since(pair), before)}

    def is_new(self, pair: Pair) -> bool:
        """Came late, from a network its identity never used: the mark of a credential in other hands.

        People change desks and VPN addresses within their networks every day, so for a person the network must be new
        and public; a service account's token worked by hand is out of place wherever it comes from.
        """
        identity, address = pair
        if service_account(identity):
            return self.by_hand(pair)
        first = parse_time(self.since(pair))
        if first is None or self._start is None or first - self._start <= max(timedelta(minutes=5), self._span / 50):
            return False
        return scope_of(address) == "public" and not self.is_familiar(pair)

    def is_familiar(self, pair: Pair) -> bool:
        """Whether anybody was established nearby (an IPv4 /16, an IPv6 /48) before it came from there: an office."""
        address, since = pair[1], self.since(pair)
        network = address.rpartition(".")[0].rpartition(".")[0] or address[:9]
        return any(
            other[1] != address and other[1].startswith(network) and self.established(self.since(other), since)
            for other in self._by_pair
        )

    def by_hand(self, pair: Pair) -> bool:
        """Whether a person's tool is used there; of the cluster's own parts only if the log tells clients apart."""
        told = self._told or not is_part(pair[0])
        return told and any(profile.key.agent.lower().startswith(_HANDS) for profile in self.profiles(pair))

    def names_clients(self, agent: str) -> bool:
        """Whether that name of a client tells it from others."""
        return bool(agent) and self._told

    def is_own_program(self, profile: Profile, bad_since: str) -> bool:
        """Whether a service account's own program is at work: no person's tool, and there before things turned bad.

        At a public address a token may have been taken to, and whatever is used there with it may be the thief's.
        """
        identity, agent = profile.key.identity, profile.key.agent
        by_hand = not agent or agent.lower().startswith(_HANDS)
        inside = scope_of(profile.key.address) != "public"
        return service_account(identity) is not None and inside and not by_hand and profile.first < bad_since

    def agents(self, pair: Pair) -> set[str]:
        """The agents of one identity at one address."""
        return {profile.key.agent for profile in self.profiles(pair)}

    def one_hand(self, pair: Pair, pairs: Iterable[Pair], bad_since: str) -> bool:
        """Whether the address that `pair` and some of `pairs` have in common may stand for one hand behind it.

        A public one may. Behind a private one there may be any number of machines: a person's credential is tied to
        others there by a client that both used, or if it is out of place there, having had its place elsewhere.
        """
        if scope_of(pair[1]) == "public":
            return True
        here = [other for other in pairs if other[1] == pair[1] and other != pair]
        return not here or any(self._tied(pair, other, bad_since) for other in here)

    def _tied(self, one: Pair, other: Pair, bad_since: str) -> bool:
        people = [pair for pair in (one, other) if kind_of_name(pair[0]) == "human"]
        if not people or (self.agents(one) & self.agents(other)) - {""}:
            return True
        return any(self.usual(identity, bad_since) - {address} for identity, address in people)

    def all_of(self, address: str, pairs: Collection[Pair]) -> bool:
        """Whether nobody but `pairs` was ever at an address."""
        return all((identity, address) in pairs for identity in self._at.get(address, ()))

    def strangers(self, address: str, known: set[str], bad_since: str) -> bool:
        """Whether others than `known` were established at an address: a translated one, which proves no identity."""
        return any(
            identity and identity not in known and self.established(self.since((identity, address)), bad_since)
            for identity in self._at.get(address, ())
        )


def places(addresses: set[str]) -> set[str]:
    """The networks of addresses (`place_of`)."""
    return {place_of(address) for address in addresses}
