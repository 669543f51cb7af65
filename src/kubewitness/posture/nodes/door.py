"""Does the machine's packet filter let somebody from outside reach a port of the machine itself?

The connection is led through every chain that looks at what comes in (INPUT of filter and mangle, PREROUTING of raw
and mangle, nft's own base chains): it is refused if one of them refuses it, let through if none does. Rules of
Kubernetes, Docker and the pod network are passed over (`packet_filter`). Where a rule is not understood, or only half
of the rules is in the evidence, the answer is "unclear".

Source: iptables(8); nft(8) "base chains": a packet that one base chain accepts still goes through the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from kubewitness.model.host import Firewall, FirewallRule, Host
from kubewitness.posture.nodes.rule_words import Meaning, Visitor, meaning
from kubewitness.sources.host.packet_filter import FOREIGN, dumps_of, hidden_half, is_foreign, is_input

State = Literal["open", "closed", "unclear", "unseen"]
_COMPATIBLE: Final = frozenset(("filter", "mangle", "raw", "nat", "security"))  # tables iptables-nft keeps in nft
_DEPTH: Final = 16
_RULES: Final = 20_000
_HOST_ENDPOINT: Final = ("cali-fh-", "CILIUM_HOST")  # the pod network filters for the host, too
_NO_INPUT: Final = ("forward", "output", "postrouting", "prerouting")

Key = tuple[str, str]


@dataclass(frozen=True)
class Door:
    """The answer for one port and family."""

    state: State
    rules: tuple[FirewallRule, ...] = ()  # that decided it
    policies: tuple[tuple[str, str, str], ...] = ()
    dumps: tuple[Firewall, ...] = ()


def door(host: Host, port: int, family: str = "ip", outer: Iterable[str] = ()) -> Door:
    """Whether somebody from outside reaches this port over this family.

    Args:
        host: the machine.
        port: of TCP.
        family: "ip" or "ip6".
        outer: interfaces with a public address.
    """
    dumps = tuple(dumps_of(host, family))
    if not dumps:
        return Door("unseen")
    visitor = Visitor(port, outer=frozenset(outer))
    found = [one for dump in dumps for one in _bases(dump, dumps, visitor)]
    closed = [one for one in found if one.state == "closed"]
    if closed:
        return Door("closed", closed[0].rules[:3], closed[0].policies, dumps)
    rules = tuple(rule for one in found for rule in one.rules)
    if hidden_half(dumps) or any(one.state == "unclear" for one in found):
        return Door("unclear", rules[:3], (), dumps)
    policies = tuple(dict.fromkeys(policy for one in found for policy in one.policies))
    return Door("open", rules[:3], policies, dumps)


def _bases(dump: Firewall, dumps: Iterable[Firewall], visitor: Visitor) -> list[Door]:
    """The answer of every chain of the dump that looks at what comes in."""
    chains: dict[Key, list[FirewallRule]] = {}
    for rule in dump.rules[:_RULES]:
        chains.setdefault((rule.table, rule.chain), []).append(rule)
    policies = {(table, chain): policy.upper() for table, chain, policy in dump.policies}
    known = {table for one in dumps if one.source == "iptables-save" for table, _, _ in one.policies}
    out = list[Door]()
    told = {table for table, _ in policies}
    for key in dict.fromkeys((*policies, *(one for one in chains if one[1] == "INPUT" and one[0] not in told))):
        table, chain = key
        if FOREIGN.match(table) or FOREIGN.match(chain):
            continue
        if dump.source == "nft" and dump.family != "inet" and table in _COMPATIBLE & known:
            continue  # iptables-save shows the same rules, and shows them whole
        policy = policies.get(key, "ACCEPT")
        if not _looks_at_input(key):
            if not any(word in chain.lower() for word in _NO_INPUT) and policy == "DROP":
                out.append(Door("unclear"))  # a base chain whose name does not tell where it hangs
            continue
        out.append(_judged(key, policy, chains, visitor))
    if any(chain.startswith(_HOST_ENDPOINT) for _, chain in chains):
        out.append(Door("unclear"))
    return out


def _looks_at_input(key: Key) -> bool:
    table, chain = key
    return is_input(chain) or (table in {"raw", "mangle"} and chain == "PREROUTING")


def _judged(key: Key, policy: str, chains: dict[Key, list[FirewallRule]], visitor: Visitor) -> Door:
    walk = _Walk(chains, visitor)
    outcomes = walk.through(key)
    if "through" in outcomes:
        outcomes = (outcomes - {"through"}) | {"drop" if policy == "DROP" else "accept"}
    said = ((*key, policy),)
    if outcomes == {"drop"}:
        return Door("closed", tuple(walk.decided), said)
    return Door("open" if outcomes == {"accept"} else "unclear", tuple(walk.decided), said)


class _Walk:
    """The road of the connection through the chains of a table."""

    def __init__(self, chains: dict[Key, list[FirewallRule]], visitor: Visitor) -> None:
        self._chains, self._visitor = chains, visitor
        self._known: dict[Key, frozenset[str]] = {}
        self.decided: list[FirewallRule] = []

    def through(self, key: Key, depth: int = 0) -> frozenset[str]:
        """What may become of it: "accept", "drop", "through" (the chain ends)."""
        if key in self._known:
            return self._known[key]
        if depth > _DEPTH:
            return frozenset(("accept", "drop"))
        self._known[key] = frozenset(("through",))  # a loop, which the kernel refuses
        outcomes = set[str]()
        for rule in self._chains.get(key, ()):
            if is_foreign(rule):
                continue
            told = meaning(rule.text, self._visitor)
            got = self._of(told, key[0], depth)
            if told.match == "no" or not got:
                continue
            outcomes |= got - {"on"}
            if "on" not in got or got != {"on"}:
                self.decided.append(rule)
            if told.match == "yes" and "on" not in got:
                break
        else:
            outcomes.add("through")
        self._known[key] = frozenset(outcomes)
        return self._known[key]

    def _of(self, told: Meaning, table: str, depth: int) -> set[str]:
        """What a rule does; "on": the next rule is asked."""
        if told.match == "no" or told.kind == "none":
            return set()
        if told.kind == "return":
            return {"through"}
        if told.kind == "unclear":
            return {"accept", "drop", "on"}
        if told.kind in {"accept", "drop"}:
            return {told.kind}
        if FOREIGN.match(told.target):
            return set()
        got = set(self.through((table, told.target), depth + 1))
        if "through" in got and told.kind == "jump":
            got = (got - {"through"}) | {"on"}
        return got
