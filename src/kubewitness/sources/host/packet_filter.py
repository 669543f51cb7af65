"""Which rules of a packet filter are the machine's own, and whether they refuse anything.

What Kubernetes, container networks and Docker write for themselves serves pods and services and protects no host, so
chains and tables of theirs do not count. A host is protected in a family (IPv4, IPv6) if the policy of its INPUT
chain is DROP, or if a rule that INPUT leads to refuses something. Rules that only accept, under a policy that
accepts, protect nothing.

Source: iptables(8), nft(8); prefixes of chains: kube-proxy, CNI plugins, Docker, Calico, Cilium, Flannel, Weave,
libvirt.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from kubewitness.model.host import Firewall, FirewallRule, Host

FOREIGN: Final = re.compile(
    r"(?:KUBE-|kube-|CNI-|CNI_|cni-|DOCKER|docker|cali-|calico|CILIUM_|cilium|OLD_CILIUM_|FLANNEL|flannel|WEAVE|LIBVIRT_|f2b-|fail2ban"
    r"|ts-|ANTREA|KUBE_|NETAVARK|netavark|nm-shared|podman|portmap|istio|ISTIO)"
)
JUMP: Final = re.compile(r"(?:^|\s)(?:-j|--jump|-g|--goto|jump|goto)\s+([\w.-]{1,64})")
REFUSES: Final = re.compile(
    r"(?:^|\s)(?:(?:-j|--jump)\s+(?:DROP|REJECT|TARPIT|STEAL)|drop|reject|xt target (?:DROP|REJECT))(?:\s|$)"
)
# Refuses only what no service waits for, or one address that was banned: protects no port.
_NARROW: Final = re.compile(
    r"state INVALID|ct state invalid|(?<!! )-s \S|saddr (?!!)\S|-d 127\.|daddr 127\.|-i lo\b|tcp-flags", re.IGNORECASE
)
QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.){0,400}"')
# Files that load rules at boot.
SAVED: Final = re.compile(
    r"/etc/(?:iptables/rules\.v[46]|sysconfig/ip6?tables|nftables\.conf|sysconfig/nftables\.conf)"
)
FAMILIES: Final = (("ip", "IPv4"), ("ip6", "IPv6"))


def unprotected_families(host: Host) -> tuple[str, ...]:
    """Of "ip" and "ip6", those for which dumps exist and none protects the host."""
    return tuple(
        family
        for family, _ in FAMILIES
        if (dumps := dumps_of(host, family)) and not hidden_half(dumps) and not is_safe(dumps)
    )


def dumps_of(host: Host, family: str) -> list[Firewall]:
    """The dumps that tell of this family."""
    return [dump for dump in host.firewalls if dump.family in (family, "inet")]


def rules_of(dumps: Sequence[Firewall]) -> list[FirewallRule]:
    """Each rule once: collectors dump the same tables in several words, by iptables-save, iptables -L and nft.

    Only dumps of the best kind count. Those of iptables-save are of two back ends with rules of their own, so what
    one has beyond the other is added; lists of `-L` show one table with and without names, numbers and interfaces.
    """
    best = next((s for s in ("iptables-save", "iptables -L") if any(d.source == s and d.rules for d in dumps)), "nft")
    out = list[FirewallRule]()
    for family in dict.fromkeys(dump.family for dump in dumps):
        same = [dump for dump in dumps if dump.family == family and dump.source == best]
        if best == "iptables -L":
            same = sorted(same, key=lambda dump: -len(dump.rules))[:1]
        known = Counter[tuple[str, str, str]]()
        for dump in same:
            here = Counter[tuple[str, str, str]]()
            for rule in dump.rules:
                key = (rule.table, rule.chain, rule.text)
                here[key] += 1
                if here[key] > known[key]:
                    out.append(rule)
            known |= here
    return out


def hidden_half(dumps: Sequence[Firewall]) -> bool:
    """One of the dumps warns of the other back end's tables, and nobody dumped those."""
    return any(dump.other_backend for dump in dumps) and not any(
        dump.rules and not dump.other_backend and dump.source == "iptables-save" for dump in dumps
    )


def is_safe(dumps: Sequence[Firewall]) -> bool:
    """Whether any of them refuses something."""
    return any(_protects(dump) for dump in dumps)


def _protects(dump: Firewall) -> bool:
    for table, chain, policy in dump.policies:
        if policy.upper() == "DROP" and is_input(chain) and not FOREIGN.match(table):
            return True
    chains = dict[tuple[str, str], list[FirewallRule]]()
    for rule in dump.rules:
        chains.setdefault((rule.table, rule.chain), []).append(rule)
    roads = [key for key in chains if is_input(key[1]) and not FOREIGN.match(key[0])]
    roads += [key for key in chains if key[0] in ("raw", "mangle") and key[1] == "PREROUTING"]
    roads += [(table, chain) for table, chain, _ in dump.policies if is_input(chain) and not FOREIGN.match(table)]
    seen = set(roads)
    while roads:
        table, chain = roads.pop()
        for rule in chains.get((table, chain), ()):
            if is_foreign(rule):
                continue
            text = QUOTED.sub(" ", rule.text)
            if REFUSES.search(text) and not _NARROW.search(text):
                return True
            for target in JUMP.findall(text):
                if (table, target) not in seen and (table, target) in chains:
                    seen.add((table, target))
                    roads.append((table, target))
    return False


def is_input(chain: str) -> bool:
    """The chain of what comes in to the host itself: "INPUT", in nft any chain so named ("filter_INPUT")."""
    return "input" in chain.lower() and not FOREIGN.match(chain)


def is_foreign(rule: FirewallRule) -> bool:
    """Written by Kubernetes, Docker or the pod network, or only leading to their chains."""
    if FOREIGN.match(rule.chain) or FOREIGN.match(rule.table):
        return True
    targets = JUMP.findall(QUOTED.sub(" ", rule.text))
    return bool(targets) and all(FOREIGN.match(target) for target in targets)
