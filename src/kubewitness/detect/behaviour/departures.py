"""How uses of a credential depart from the habits of its owner, one departure a thing that never occurred otherwise.

For each thing the coarsest form that never occurred is told: who never came from a public address is not said never to
have come from 203.0.113.0/24, and who never touched secrets not merely never to have listed them. `rare` says whether
nobody else of the kind did it either. Habits must be without the uses (`Habits.without`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from kubewitness.detect.behaviour.detail import Detail
from kubewitness.detect.behaviour.habits import Dimension, Habits, groups
from kubewitness.detect.behaviour.use import Use, act, family, hour, places

DAYS = 7  # of history before an hour of the day means anything

What = Literal["act", "resource", "network", "site", "scope", "family", "namespace", "hour"]


class Departure(NamedTuple):
    """Something that an identity never did otherwise."""

    what: What
    value: str
    shown: str  # the verb, the address: what it was in this case
    bits: float  # how unlikely
    rare: bool  # nor did others of its kind
    succeeded: bool = True
    sensitive: bool = False


_READS = frozenset(("get", "list", "watch"))
_ENTERED = frozenset(
    ("pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers", "nodes/proxy", "serviceaccounts/token")
)
_POWER = frozenset(
    (
        "roles", "clusterroles", "rolebindings", "clusterrolebindings", "serviceaccounts", "certificatesigningrequests",
        "certificatesigningrequests/approval", "mutatingwebhookconfigurations", "validatingwebhookconfigurations",
        "pods", "deployments", "daemonsets", "statefulsets", "replicasets", "replicationcontrollers", "jobs",
        "cronjobs", "secrets", "users", "groups", "apiservices",
    )
)  # fmt: skip


def is_sensitive(verb: str, resource: str) -> bool:
    """Gives secrets, code on a node or power over others; what an intruder is after."""
    if resource in _ENTERED:
        return True
    return resource == "secrets" if verb in _READS else resource in _POWER


def departures(identity: str, uses: Sequence[Use], habits: Habits, detail: Detail | None = None) -> list[Departure]:
    """What `identity` never did but in these uses, the most telling first."""
    found = list(_acts(identity, uses, habits))
    if identity not in habits.blurred:
        found += (*_networks(identity, uses, habits), *_families(identity, uses, habits))
    if detail is not None:
        found += _details(uses, detail)
    return sorted(found, key=lambda one: (not one.sensitive, not one.succeeded, -one.bits, one.what, one.value))


def _networks(identity: str, uses: Iterable[Use], habits: Habits) -> Iterable[Departure]:
    who, kind, _ = groups(identity)
    seen: dict[tuple[What, str], Departure] = {}
    for address in sorted({use.address for use in uses}):
        network, site, scope = places(address)
        if not network or habits.count(who, "network", network):
            continue
        if scope != "public" and habits.count(who, "site", site):
            continue  # another node, another desk
        level: Dimension = "network"
        value = network
        if not habits.count(who, "site", site):
            level, value = "site", site
        if not habits.count(who, "scope", scope):
            level, value = "scope", scope
        bits = habits.surprise(identity, "network", network)
        rare = not habits.count(kind, level, value)
        one = Departure(level, value, address, bits, rare)
        seen.setdefault((level, value), one)
    return seen.values()


def _families(identity: str, uses: Iterable[Use], habits: Habits) -> Iterable[Departure]:
    who, kind, _ = groups(identity)
    for name in sorted({family(use.agent) for use in uses} - {""}):
        if not habits.count(who, "family", name):
            bits = habits.surprise(identity, "family", name)
            yield Departure("family", name, name, bits, not habits.count(kind, "family", name))


def _acts(identity: str, uses: Iterable[Use], habits: Habits) -> Iterable[Departure]:
    who, kind, _ = groups(identity)
    succeeded: dict[tuple[str, str], bool] = {}
    for use in uses:
        if use.resource:
            key = (use.verb, use.resource)
            succeeded[key] = succeeded.get(key, False) or use.succeeded
    kinds = Counter(resource for _, resource in succeeded)
    told: dict[tuple[What, str], Departure] = {}
    for (verb, resource), well in sorted(succeeded.items(), key=lambda pair: (not pair[1], pair[0])):
        done = act(verb, resource)
        if habits.count(who, "act", done):
            continue
        coarse = kinds[resource] > 1 and not habits.count(who, "resource", resource)
        level: Dimension = "resource" if coarse else "act"
        value = resource if coarse else done
        bits = habits.surprise(identity, "act", done)
        before = told.get((level, value))
        told[level, value] = Departure(
            level,
            value,
            done,
            max(bits, before.bits if before else 0.0),
            not habits.count(kind, level, value),
            well or (before is not None and before.succeeded),
            is_sensitive(verb, resource) or (before is not None and before.sensitive),
        )
    return told.values()


def _details(uses: Iterable[Use], detail: Detail) -> Iterable[Departure]:
    spaces, hours = sorted({use.namespace for use in uses} - {""}), sorted({hour(use.time) for use in uses} - {-1})
    for name in spaces:
        if detail.namespaces and not detail.namespaces[name]:
            yield Departure("namespace", name, name, 1.0, rare=False)
    if len(detail.days) >= DAYS:
        for one in hours:
            if not any(detail.hours[(one + near) % 24] for near in (-1, 0, 1)):
                yield Departure("hour", f"{one:02}", f"{one:02}", 1.0, rare=False)
