"""A person gives a program's account rights, then works by hand under that account's name, at the very same desk.

Whoever sets up an account tries it; that is one request or two. But the account was at work elsewhere before, as a
program's, the new right was written into a binding by the person, and what is read with it goes into the audit log
under the program's name. Each of these acts is allowed and ordinary: together they are worth asking the person. Where
it is the contents of several Secrets, a trial does not explain it.

The ledger tells who armed which account, the profiles who was where. Only then are that person's and the account's
requests at that desk read again, for the token that was asked for and for what was done: that counts if the reason
the authorizer gave, where it is logged, names the binding.

Source: "Using RBAC Authorization" and "Managing Service Accounts" in the Kubernetes documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from kubewitness.detect.agents import by_hand
from kubewitness.detect.collect import Collector, sampled
from kubewitness.detect.detection import Detection
from kubewitness.detect.detectors.crowd import Crowd
from kubewitness.detect.detectors.interface import described
from kubewitness.detect.detectors.opened_by_grant import Grant, grants_of
from kubewitness.detect.profile import AccessorKey, Profile
from kubewitness.detect.run import Scan
from kubewitness.model.event import Event
from kubewitness.model.incident import ObjectName
from kubewitness.rules.features.identity import kind_of_name
from kubewitness.rules.features.rbac import Subject

_PAIRS: Final = 50  # grants and accounts looked into
_CITED: Final = 50
_SAMPLED: Final = 40  # of what a program asked before
_SEVERAL: Final = 3  # Secrets whose contents nobody reads for a trial
_GROUP: Final = "rbac.authorization.k8s.io"
_MINTED: Final = ("create", "serviceaccounts", "token")


class _Acts(NamedTuple):
    minted: Sequence[Event]
    used: Sequence[Event]


def borrowed_account(scan: Scan) -> Iterator[Detection]:
    """Accounts armed by a person and worked by hand at that person's address."""
    crowd = Crowd(scan)
    minters, desks = _minters(crowd), _desks(crowd)
    if not {address for _, address in minters} & {address for address, _ in desks}:
        return  # bindings are read only if somebody may have borrowed
    told, looked_into = set[tuple[str, str]](), 0
    for grant in grants_of(scan):
        entry = grant.entry
        if (entry.identity, entry.address) not in minters:
            continue
        for subject in grant.subjects:
            account = f"system:serviceaccount:{subject.namespace}:{subject.name}"
            desk = desks.get((entry.address, account))
            if subject.kind != "ServiceAccount" or desk is None or (account, entry.address) in told:
                continue
            program = [p for p in crowd.of[account] if _is_at_work(p, grant)]
            if not program or looked_into >= _PAIRS:
                continue
            looked_into += 1
            if _had_it_before(scan, program, grant):
                continue
            person = [p for p in crowd.of[entry.identity] if p.key.address == entry.address]
            keys = [profile.key for profile in (*person, *desk)]
            acts = _acts(Collector(scan).of(keys), grant, subject)
            if acts.minted and acts.used:
                told.add((account, entry.address))
                yield _detection(keys, grant, acts)


def _minters(crowd: Crowd) -> set[tuple[str, str]]:
    """People who asked for tokens of accounts, and where; an address that many share ties nobody to anything."""
    return {
        (identity, profile.key.address)
        for identity, profiles in crowd.of.items()
        if kind_of_name(identity) == "human"
        for profile in profiles
        if any((kind.verb, kind.resource, kind.subresource) == _MINTED for kind in profile.allowed)
        and not crowd.shared(profile.key.address)
    }


def _desks(crowd: Crowd) -> dict[tuple[str, str], list[Profile]]:
    """Service accounts worked by hand, by address and account."""
    out: dict[tuple[str, str], list[Profile]] = {}
    for account, profiles in crowd.of.items():
        if kind_of_name(account) == "serviceaccount":
            for profile in filter(by_hand, profiles):
                out.setdefault((profile.key.address, account), []).append(profile)
    return out


def _is_at_work(profile: Profile, grant: Grant) -> bool:
    """Whether this is a program that ran elsewhere before the grant."""
    entry = grant.entry
    return profile.key.address != entry.address and profile.first < entry.time and not by_hand(profile)


def _had_it_before(scan: Scan, program: Sequence[Profile], grant: Grant) -> bool:
    """Whether the program used the binding before: written again as a whole (`kubectl apply`), it armed nobody."""
    spans = {profile.key: (profile.first, grant.entry.time) for profile in program[:_PAIRS]}
    before = (e for e in sampled(scan, spans, _SAMPLED) if e.record.requestReceivedTimestamp < grant.entry.time)
    return any(_rests_on(grant, event) and event.reason for event in before)


def _rests_on(grant: Grant, event: Event) -> bool:
    """Whether the permission can be the grant's: its namespace, and the authorizer's reason if that is logged."""
    if grant.namespace and grant.namespace != event.namespace:
        return False
    return not event.reason or f'"{grant.name}"' in event.reason or f'"{grant.name}/' in event.reason


def _acts(events: Sequence[Event], grant: Grant, subject: Subject) -> _Acts:
    """Who asked for the account's token, and what was done with the new right under its name."""
    account = f"system:serviceaccount:{subject.namespace}:{subject.name}"
    minted, used = list[Event](), list[Event]()
    for event in events:
        if not event.resource or not event.code or event.decision == "forbid":
            continue
        if event.identity == account:
            late = event.record.requestReceivedTimestamp > grant.entry.time
            if late and _rests_on(grant, event):
                used.append(event)
        elif _asked_for(event) == (*_MINTED, subject.namespace, subject.name):
            minted.append(event)
    end = used[-1].record.requestReceivedTimestamp if used else ""
    return _Acts([one for one in minted if one.record.requestReceivedTimestamp < end], used)


def _asked_for(event: Event) -> tuple[str, ...]:
    return (event.verb, event.resource, event.subresource, event.namespace, event.name)


def _detection(keys: Sequence[AccessorKey], grant: Grant, acts: _Acts) -> Detection:
    entry, used = grant.entry, acts.used
    secrets = {(e.namespace, e.name) for e in used if e.resource == "secrets" and e.verb == "get" and e.code == 200}
    cited = [*acts.minted[-1:], *used[:_CITED]]
    named = [ObjectName(e.resource, e.namespace, e.name, e.object_ref.apiGroup) for e in used[:_CITED]]
    return Detection(
        described("borrowed_account_reads_secrets" if len(secrets) >= _SEVERAL else "borrowed_account"),
        entry.identity,
        entry.address,
        tuple(sorted(keys)),
        len({event.audit_id for event in used}),
        entry.time,
        used[-1].record.requestReceivedTimestamp,
        frozenset({entry.audit_id, *(event.audit_id for event in cited)}),
        (ObjectName(grant.resource, grant.namespace, grant.name, _GROUP), *dict.fromkeys(named)),
        ((entry.place, entry.original), *((event.place, event.original) for event in cited[:4])),
    )
