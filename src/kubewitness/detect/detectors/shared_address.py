"""One address, several identities that one person should not have: anonymous and a service account, or two of those.

A pod has one service account, and its program one client. Who works by hand from an address under several accounts
collected tokens. Addresses that many share, and machines of the cluster, prove nothing and are left out; so are
accounts whose times there lie far apart (a pod's address is given to the next pod).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from kubewitness.detect.agents import by_hand
from kubewitness.detect.collect import within
from kubewitness.detect.detection import Detection
from kubewitness.detect.detectors.crowd import Crowd
from kubewitness.detect.detectors.interface import described
from kubewitness.detect.gaps import seconds_between
from kubewitness.detect.profile import AccessorKey, Profile
from kubewitness.detect.run import Scan
from kubewitness.model.event import Event
from kubewitness.rules.features.identity import kind_of_name
from kubewitness.rules.ir import Rule

_NEAR = 1800.0  # seconds between the times of two identities
_CITED = 3  # requests of each identity


def shared_address(scan: Scan) -> Iterator[Detection]:
    """Addresses from which somebody works under several identities."""
    crowd = Crowd(scan)
    for address, profiles in sorted(crowd.at.items()):
        hands = [p for p in profiles if by_hand(p) and kind_of_name(p.key.identity) == "serviceaccount" and p.allowed]
        if not hands or crowd.shared(address):
            continue
        anonymous = [p for p in profiles if kind_of_name(p.key.identity) == "anonymous" and _asked_for_resources(p)]
        if near := [(a, h) for a in anonymous for h in hands if _near(a, h)]:
            together = list({p.key: p for pair in near for p in pair}.values())
            yield _detection(scan, described("anonymous_and_service_account"), address, together)
        elif several := [(a, b) for a, b in combinations(hands, 2) if a.key.identity != b.key.identity and _near(a, b)]:
            together = list({p.key: p for pair in several for p in pair}.values())
            yield _detection(scan, described("several_service_accounts"), address, together)


def _asked_for_resources(profile: Profile) -> bool:
    """More than the health checks and versions that everybody may read."""
    return any(kind.resource for table in (profile.allowed, profile.refused) for kind in table)


def _near(one: Profile, other: Profile) -> bool:
    first, second = sorted((one, other), key=lambda profile: profile.first)
    return second.first <= first.last or seconds_between(first.last, second.first) <= _NEAR


def _detection(scan: Scan, rule: Rule, address: str, profiles: Sequence[Profile]) -> Detection:
    cited: dict[str, list[Event]] = {}
    keys = {profile.key for profile in profiles}

    def wanted(event: Event) -> bool:
        key = AccessorKey(event.identity, event.address, event.record.userAgent)
        mine = cited.setdefault(event.identity, []) if key in keys else None
        if mine is None or len(mine) >= _CITED or event.stage == "RequestReceived" or not event.resource:
            return False
        mine.append(event)
        return True

    within(scan, (number for profile in profiles for number in profile.granules[:4]), wanted)
    events = [event for identity in sorted(cited) for event in cited[identity]]
    firsts = [found[0] for _, found in sorted(cited.items()) if found]
    named = sorted({key.identity for key in keys}, key=lambda name: (kind_of_name(name) == "anonymous", name))
    return Detection(
        rule,
        named[0],
        address,
        tuple(sorted(keys)),
        sum(profile.requests for profile in profiles),
        min(profile.first for profile in profiles),
        max(profile.last for profile in profiles),
        frozenset(event.audit_id for event in events),
        (),
        tuple((event.place, event.original) for event in firsts[:5]),
    )
