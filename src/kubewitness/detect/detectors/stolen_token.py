"""A service account's token in a place where it cannot be by itself: outside the pods and nodes, or in two places.

A pod's token comes from where the pod is. Three marks tell one that was copied, strongest first:

- one token (its credential id) is used in two places in the same time;
- a token that is bound to a pod is used outside the networks of pods and nodes;
- without those annotations (Kubernetes before 1.22 and 1.30): the account's program is at work in the cluster, and at
  that time somebody uses the account by hand from elsewhere.

What speaks against it is heard first. A place that the account has used since the log began is where it belongs (a
pipeline outside the cluster). An address that many share, or a public network of several accounts' programs, is an
address translation, behind which every place looks like one. An account that came from two places outside before
roams by nature (hosted pipelines). The same program over IPv4 and IPv6 is one pod.

Profiles choose whom to look at; only a few events of those are read again.

Source: KEP-1205 (bound tokens), KEP-4193 (credential ids).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from kubewitness.detect.agents import by_hand
from kubewitness.detect.collect import sampled
from kubewitness.detect.detection import Detection
from kubewitness.detect.detectors.crowd import Crowd
from kubewitness.detect.detectors.interface import described
from kubewitness.detect.detectors.networks import CREDENTIAL, POD, Ground, place_of, values
from kubewitness.detect.profile import AccessorKey, Profile
from kubewitness.detect.run import Scan
from kubewitness.model.event import Event, parse_time
from kubewitness.rules.features.address import scope_of
from kubewitness.rules.features.identity import kind_of_name
from kubewitness.rules.ir import Rule

_LEARN: Final = 5  # the first fifth of the log shows what is usual
_ROAMS: Final = 2  # places outside, used before
_ACCOUNTS: Final = 100  # looked into
_LEARNT: Final = 300  # accessors whose events show where pods are
_EACH: Final = 40  # events read of an accessor
_CITED: Final = 50
_AROUND: Final = timedelta(minutes=30)  # a token is renewed about every hour: what it was at home then


class _Suspicion(NamedTuple):
    """An account used in a foreign place, and the places where it was before."""

    identity: str
    foreign: tuple[Profile, ...]
    home: tuple[Profile, ...]  # where it was until shortly before, or still is
    settled: str  # until then the log shows what is usual


class _Marks(NamedTuple):
    """What the events of some accessors tell of their credential."""

    events: tuple[Event, ...]
    tokens: frozenset[str]
    pods: frozenset[str]


def stolen_token(scan: Scan) -> Iterator[Detection]:
    """Accounts whose token was taken somewhere else."""
    crowd = Crowd(scan)
    ground = Ground(crowd)
    suspicions = [one for identity in sorted(crowd.of) for one in _suspicions(scan, crowd, ground, identity)]
    suspicions = suspicions[:_ACCOUNTS]
    if not suspicions:
        return
    profiles = scan.profiles.by_key
    accounts = [key for key in sorted(profiles) if kind_of_name(key.identity) == "serviceaccount"]
    spans = {key: (profiles[key].first, profiles[key].first) for key in accounts[:_LEARNT]}
    for one in suspicions:
        first, last = _around(one.foreign)
        spans |= {profile.key: (first, last) for profile in (*one.foreign, *one.home)}
    read = sampled(scan, spans, _EACH)
    by_key: dict[AccessorKey, list[Event]] = {}
    for event in read:
        by_key.setdefault(AccessorKey(event.identity, event.address, event.record.userAgent), []).append(event)
    ground.learn(profiles, read)
    for one in suspicions:
        if (rule := _judged(one, ground, by_key)) is not None:
            yield from _detections(one, rule, by_key)


def _suspicions(scan: Scan, crowd: Crowd, ground: Ground, identity: str) -> Iterator[_Suspicion]:
    """By profiles alone: places of an account that are new, not the cluster's machines and not shared."""
    start, end = parse_time(scan.first), parse_time(scan.last)
    if kind_of_name(identity) != "serviceaccount" or start is None or end is None:
        return
    settled = (start + (end - start) / _LEARN).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    places: dict[str, list[Profile]] = {}
    for profile in crowd.of[identity]:
        places.setdefault(place_of(profile.key.address), []).append(profile)
    order = sorted(places, key=lambda place: (min(p.first for p in places[place]), place))
    for number, place in enumerate(order):
        foreign = [p for p in places[place] if not crowd.shared(p.key.address) and not ground.is_machine(p.key.address)]
        if not foreign or min(p.first for p in foreign) <= settled:
            continue
        since, _ = _around(foreign)
        earlier = [p for other in order[:number] for p in places[other]]
        outside = {place_of(p.key.address) for p in earlier if scope_of(p.key.address) == "public"}
        if len(outside) < _ROAMS:
            yield _Suspicion(identity, tuple(foreign), tuple(p for p in earlier if p.last >= since), settled)


def _judged(one: _Suspicion, ground: Ground, by_key: Mapping[AccessorKey, Sequence[Event]]) -> Rule | None:
    there, here = _marks(one.foreign, by_key), _marks(one.home, by_key)
    address = one.foreign[0].key.address
    if not there.events or ground.is_own(address, one.identity) or _same_program_other_protocol(one):
        return None
    since = min(profile.first for profile in one.foreign)
    abroad = scope_of(address) == "public" and not ground.has_people(address, one.settled)
    by_person = any(map(by_hand, one.foreign))
    other_program = bool(one.home) and not {p.key.agent for p in one.foreign} <= {p.key.agent for p in one.home}
    staying = [p for p in one.home if p.last >= since]
    inside = any(ground.is_own(p.key.address, one.identity) for p in staying) or bool(here.pods)
    left_house = staying and (inside or any(scope_of(p.key.address) == "private" for p in staying))
    if there.tokens & here.tokens and (other_program or (left_house and abroad)):
        return described("token_in_two_places" if abroad else "token_taken_to_desk")
    if there.pods & here.pods and staying and other_program and not abroad:
        return described("token_taken_to_desk")
    if there.pods and abroad and (ground.pods_known or inside) and (by_person or other_program):
        return described("pod_token_outside_cluster")
    # Within the company a pod or a token of its own may well be there: without any annotation it stays a doubt.
    doubtful = abroad or not (there.pods or there.tokens or ground.has_people(address, one.settled))
    at_work = any(not by_hand(p) for p in staying)
    if doubtful and at_work and by_person and other_program:
        return described("service_account_in_two_places")
    return None


def _same_program_other_protocol(one: _Suspicion) -> bool:
    """One pod with an IPv4 and an IPv6 address."""
    versions = [{":" in p.key.address for p in profiles} for profiles in (one.foreign, one.home)]
    same = {p.key.agent for p in one.foreign} <= {p.key.agent for p in one.home}
    return same and versions[0] != versions[1]


def _marks(profiles: Sequence[Profile], by_key: Mapping[AccessorKey, Sequence[Event]]) -> _Marks:
    events = tuple(event for profile in profiles for event in by_key.get(profile.key, ()))
    tokens = frozenset(token for event in events for token in values(event, CREDENTIAL))
    pods = frozenset(pod for event in events for pod in values(event, POD))
    return _Marks(events, tokens, pods)


def _around(profiles: Sequence[Profile]) -> tuple[str, str]:
    first, last = min(p.first for p in profiles), max(p.last for p in profiles)
    begin, end = parse_time(first), parse_time(last)
    if begin is None or end is None:
        return first, last
    try:
        begin, end = begin - _AROUND, end + _AROUND
    except OverflowError:
        return first, last
    return begin.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), end.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _detections(one: _Suspicion, rule: Rule, by_key: Mapping[AccessorKey, Sequence[Event]]) -> Iterator[Detection]:
    """One for each foreign address; cites its first events and one from home, with the same token if there is one."""
    away = _marks(one.foreign, by_key)
    home = _marks(one.home, by_key).events
    same = [event for event in home if away.tokens.intersection(values(event, CREDENTIAL))]
    for address in sorted({profile.key.address for profile in one.foreign}):
        mine = [profile for profile in one.foreign if profile.key.address == address]
        events = _marks(mine, by_key).events
        if not events:
            continue
        cited = (*events[:3], *(same or home)[:1])
        yield Detection(
            rule,
            one.identity,
            address,
            tuple(sorted(profile.key for profile in mine)),
            sum(profile.requests for profile in mine),
            min(profile.first for profile in mine),
            max(profile.last for profile in mine),
            frozenset(event.audit_id for event in events[:_CITED] if event.audit_id),
            (),
            tuple((event.place, event.original) for event in cited),
        )
