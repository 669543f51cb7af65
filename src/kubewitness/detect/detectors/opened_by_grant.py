"""Refused → granted → allowed: a request that was turned away until somebody wrote a binding.

That is how rights are normally given, so by itself it is worth a line. It betrays an intruder when the one who profits
wrote the binding: itself, anonymously, or under another name at the same address.

The profiles tell which identities were both refused and allowed the same kind of request, the ledger which bindings
name them. Only then are those few requests read again, for their order: the last answer before the binding was a
refusal, and the first permission after it rests on that binding (the authorizer's reason names it).

Source: "Using RBAC Authorization" (subjects, built-in groups) in the Kubernetes documentation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from kubewitness.detect.collect import within
from kubewitness.detect.detection import Detection
from kubewitness.detect.detectors.crowd import Crowd
from kubewitness.detect.detectors.interface import described, event_of
from kubewitness.detect.ledger import Entry
from kubewitness.detect.profile import AccessorKey, Profile, RequestKind
from kubewitness.detect.run import Scan
from kubewitness.model.event import Event, parse_time
from kubewitness.model.incident import ObjectName
from kubewitness.rules.features.address import scope_of
from kubewitness.rules.features.identity import kind_of_name, service_account
from kubewitness.rules.features.rbac import Subject, subjects_of
from kubewitness.rules.ir import Rule

_IDENTITIES = 50  # looked into, those with the most refusals
_EACH = 2_000  # requests of one kind and outcome
_AT_HOME = timedelta(minutes=30)  # an administrator who was at that address before anything was refused
_INSTALLED = timedelta(minutes=10)  # a program that starts while its rights are still being installed
_GROUP = "rbac.authorization.k8s.io"

Kind = tuple[str, str, str, str]  # verb, resource, subresource, API group


class Grant(NamedTuple):
    """A binding that began to name somebody."""

    entry: Entry
    resource: str
    namespace: str  # empty: in the whole cluster
    name: str
    subjects: tuple[Subject, ...]


class _Opened(NamedTuple):
    """Requests of one kind that a grant opened."""

    grant: Grant
    refused: tuple[Event, ...]
    allowed: tuple[Event, ...]


def opened_by_grant(scan: Scan) -> Iterator[Detection]:
    """Bindings that opened what had been refused."""
    crowd = Crowd(scan)
    waiting = {identity: kinds for identity, profiles in crowd.of.items() if (kinds := _both(profiles))}
    if not waiting:
        return
    grants = grants_of(scan)
    concerned: list[tuple[int, str, list[Grant]]] = []
    for identity in waiting:
        naming = [grant for grant in grants if any(covers(subject, identity) for subject in grant.subjects)]
        if naming and kind_of_name(identity) not in ("node", "controlPlane"):
            concerned.append((-sum(p.refusals for p in crowd.of[identity]), identity, naming))
    for _, identity, naming in sorted(concerned, key=lambda one: one[:2])[:_IDENTITIES]:
        requests = _requests(scan, crowd.of[identity], waiting[identity])
        found: dict[Grant, list[_Opened]] = {}
        for events in requests.values():
            for opened in _transitions(events, naming):
                found.setdefault(opened.grant, []).append(opened)
        for grant, several in sorted(found.items(), key=lambda pair: pair[0].entry):
            rule = _judged(grant, identity, several, crowd)
            if rule is not None:
                yield _detection(rule, identity, grant, several)


def covers(subject: Subject, identity: str, groups: Collection[str] | None = None) -> bool:
    """Whether a binding's subject means this identity, whose groups are given if they are known.

    Who is in the built-in groups follows from the name; anybody may be in another one as long as nothing is known.
    """
    kind, account = kind_of_name(identity), service_account(identity)
    if subject.kind == "User":
        return subject.name == identity
    if subject.kind == "ServiceAccount":
        return account == (subject.namespace, subject.name)
    if subject.name == "system:authenticated":
        return kind not in ("anonymous", "rejected")
    if subject.name == "system:unauthenticated":
        return kind == "anonymous"
    if subject.name.startswith("system:serviceaccounts"):
        return account is not None and subject.name in (
            "system:serviceaccounts",
            f"system:serviceaccounts:{account[0]}",
        )
    return subject.name in groups if groups is not None else kind in ("human", "serviceaccount")


def _both(profiles: Sequence[Profile]) -> set[Kind]:
    """Kinds of requests for resources that were refused and allowed."""
    refused = {_kind(kind) for profile in profiles for kind in profile.refused if kind.resource}
    return {_kind(kind) for profile in profiles for kind in profile.allowed} & refused if refused else set()


def _kind(kind: RequestKind) -> Kind:
    return (kind.verb, kind.resource, kind.subresource, kind.group)


def grants_of(scan: Scan) -> list[Grant]:
    """Bindings that began to name a subject, in time order."""
    out: list[Grant] = []
    for resource in ("clusterrolebindings", "rolebindings"):
        for (namespace, name), entries in scan.ledger.of_kind(resource).items():
            named: set[Subject] = set()
            for entry in entries:
                if entry.verb.startswith("delete"):
                    named.clear()
                    continue
                event = event_of(entry)
                subjects = tuple(s for s in subjects_of(event) if s not in named) if event else ()
                named.update(subjects)
                if subjects and kind_of_name(entry.identity) not in ("controlPlane", "node"):
                    out.append(Grant(entry, resource, namespace, name, subjects))
    return sorted(out, key=lambda grant: grant.entry)


def _requests(scan: Scan, profiles: Sequence[Profile], kinds: set[Kind]) -> dict[tuple[Kind, str], list[Event]]:
    """An identity's requests of these kinds, by kind and namespace, in time order."""
    identity = profiles[0].key.identity
    kept: Counter[tuple[Kind, str, bool]] = Counter()

    def wanted(event: Event) -> bool:
        kind = (event.verb, event.resource, event.subresource, event.object_ref.apiGroup)
        if kind not in kinds or event.identity != identity or not event.code:
            return False
        slot = (kind, event.namespace, event.decision == "forbid")
        kept[slot] += 1
        return kept[slot] <= _EACH

    numbers = {
        number
        for profile in profiles
        if any(_kind(kind) in kinds for table in (profile.refused, profile.allowed) for kind in table)
        for number in profile.granules
    }
    out: dict[tuple[Kind, str], list[Event]] = {}
    for event in within(scan, numbers, wanted):
        kind = (event.verb, event.resource, event.subresource, event.object_ref.apiGroup)
        out.setdefault((kind, event.namespace), []).append(event)
    return out


def _transitions(events: Sequence[Event], grants: Sequence[Grant]) -> Iterator[_Opened]:
    """Where the answers to one kind of request turn from refused to allowed, and a grant lies between."""
    first_allowed = 0
    while first_allowed < len(events):
        start = first_allowed
        refused = []
        while first_allowed < len(events) and events[first_allowed].decision == "forbid":
            refused.append(events[first_allowed])
            first_allowed += 1
        allowed = []
        while first_allowed < len(events) and events[first_allowed].decision != "forbid":
            allowed.append(events[first_allowed])
            first_allowed += 1
        if first_allowed == start:
            return
        if not refused or not allowed:
            continue
        begin, end = refused[0].record.requestReceivedTimestamp, allowed[0].record.requestReceivedTimestamp
        between = [g for g in grants if begin < g.entry.time < end and _reaches(g, allowed[0])]
        if between:
            grant = between[-1]
            before = tuple(e for e in refused if e.record.requestReceivedTimestamp < grant.entry.time)
            yield _Opened(grant, before, tuple(allowed))


def _reaches(grant: Grant, event: Event) -> bool:
    """Whether the permission can rest on the grant: subject, namespace, the authorizer's reason if that is logged."""
    if grant.namespace and grant.namespace != event.namespace:
        return False
    if not any(covers(subject, event.identity, event.user.groups) for subject in grant.subjects):
        return False
    return not event.reason or f'"{grant.name}"' in event.reason or f'"{grant.name}/' in event.reason


def _judged(grant: Grant, identity: str, opened: Sequence[_Opened], crowd: Crowd) -> Rule | None:
    """Whose interest the grant was in. None: a program was installed and started before its rights were there."""
    entry = grant.entry
    addresses = {event.address for one in opened for event in (*one.refused, *one.allowed)}
    refused_since = min(event.record.requestReceivedTimestamp for one in opened for event in one.refused)
    profits = kind_of_name(entry.identity) == "anonymous"
    near = entry.identity == identity or (entry.address in addresses and not crowd.shared(entry.address))
    if not profits and near:
        # Somebody with the right to do so who helps himself, at his own desk, is an administrator and no intruder: one
        # who was there long before, or a person of the own network who does it for a person (the break-glass account).
        there, refused = parse_time(crowd.since(entry.identity, entry.address)), parse_time(refused_since)
        at_home = there is not None and refused is not None and refused - there > _AT_HOME
        inside = scope_of(entry.address) == "private" and kind_of_name(identity) == "human"
        profits = not ((at_home or inside) and kind_of_name(entry.identity) == "human")
    if profits:
        return described("granted_own_request")
    since = min(profile.first for profile in crowd.of[identity])
    started, granted = parse_time(since), parse_time(entry.time)
    if service_account(identity) and started and granted and granted - started < _INSTALLED:
        return None
    return described("granted_after_refusal")


def _detection(rule: Rule, identity: str, grant: Grant, opened: Sequence[_Opened]) -> Detection:
    order = sorted(opened, key=lambda one: one.allowed[0].record.requestReceivedTimestamp)
    refused, allowed = order[0].refused[-1], order[0].allowed[0]
    address = allowed.address
    mine = [e for one in order for e in (*one.refused[-5:], *one.allowed[:50]) if e.address == address]
    entry = grant.entry
    return Detection(
        rule,
        identity,
        address,
        tuple(sorted({AccessorKey(identity, address, event.record.userAgent) for event in mine})),
        sum(len({event.audit_id for event in one.allowed}) for one in order),
        refused.record.requestReceivedTimestamp,
        allowed.record.requestReceivedTimestamp,
        frozenset({event.audit_id for event in mine}),
        (
            ObjectName(grant.resource, grant.namespace, grant.name, _GROUP),
            *dict.fromkeys(ObjectName(e.resource, e.namespace, e.name, e.object_ref.apiGroup) for e in (allowed,)),
        ),
        ((refused.place, refused.original), (entry.place, entry.original), (allowed.place, allowed.original)),
    )
