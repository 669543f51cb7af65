"""What would have stopped an intruder: bindings whose absence refuses its requests, and what else that would break.

The intruder's requests are replayed exactly. So are those of everybody whom a candidate names, as long as they are few
enough to be read again (`_READ`); of accessors beyond that the count of their profile is taken, as "at most".
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Final

from msgspec.structs import replace

from kubewitness.correlate.rbac.changes import changes_in, changes_of
from kubewitness.correlate.rbac.counterfactual import Asked, Effect, Replay, Support, broken, candidates, effect, least
from kubewitness.correlate.rbac.questions import questions_of
from kubewitness.correlate.rbac.state import History
from kubewitness.detect.collect import Collector
from kubewitness.detect.ledger import Ledger
from kubewitness.detect.profile import AccessorKey
from kubewitness.detect.run import Scan
from kubewitness.evidence.opening import Source
from kubewitness.incident.build import touched_pods
from kubewitness.incident.cause import EVERYBODY
from kubewitness.incident.requests import Request, credential_ids, issued_credential_id, requests_of
from kubewitness.incident.suspects import credentials_gained
from kubewitness.model.incident import Cut, Incident, ObjectName
from kubewitness.posture.rbac.nouns import Key, Subject
from kubewitness.posture.rbac.objects import Dump, read_dump
from kubewitness.rules.features.identity import kind_of_name, service_account

_READ: Final = 20_000  # requests of others that are read again
_SINGLES: Final = 12  # candidates that are judged: those that refuse most
_TOLD: Final = 5
_IDENTITIES: Final = 10
_DUMP: Final = 64 * 1024 * 1024
_POD: Final = "authentication.kubernetes.io/pod-name"
_RBAC: Final = b"rbac.authorization.k8s.io"


def dumps_of(sources: Iterable[Source]) -> list[Dump]:
    """RBAC objects among items that are known to hold Kubernetes objects."""
    out = list[Dump]()
    for source in sources:
        data = bytearray()
        for chunk in source.open():
            data += chunk
            if len(data) > _DUMP:
                break
        if len(data) > _DUMP or _RBAC not in data:
            continue
        try:
            found = read_dump(json.loads(data))
        except (ValueError, RecursionError):
            continue
        if found.objects or found.unreadable:
            out.append(found)
    return out


def history_of(ledger: Ledger, sources: Iterable[Source]) -> History:
    """Roles and bindings over time, as the ledger and the dumps tell."""
    return History(changes_in(ledger), dumps_of(sources))


def with_cuts(
    incidents: Sequence[Incident], gathered: Iterable[Sequence[Request]], scan: Scan, objects: Iterable[Source]
) -> list[Incident]:
    """The incidents with what would have stopped them. `gathered`: the requests of each; `objects`: dumps."""
    gathered = list(gathered)
    requests_by_id = {requests[0].audit_id: requests for requests in gathered if requests and requests[0].audit_id}
    cutter = Cutter(scan, history_of(scan.ledger, objects), [one for requests in gathered for one in requests])
    of_each = [requests_by_id.get(next(iter(incident.audit_ids), ""), ()) for incident in incidents]
    made = cutter.of_all(of_each)
    return [replace(incident, cuts=cuts) if cuts else incident for incident, cuts in zip(incidents, made, strict=True)]


class Cutter:
    """Judges incidents of one scan. `implicated`: the requests of all intruders, which are nobody's legitimate use."""

    def __init__(self, scan: Scan, history: History, implicated: Collection[Request]) -> None:
        self._scan = scan
        self._implicated = {request.key for request in implicated}
        self._by_accessor = Counter(_accessor(one) for one in implicated if not one.refused)
        self._replay = Replay(history)
        self._collector = Collector(scan)

    def cuts(self, requests: Sequence[Request]) -> tuple[Cut, ...]:
        """What would have stopped the intruder, best first: harm avoided against legitimate use broken."""
        return self.of_all([requests])[0]

    def of_all(self, groups: Sequence[Sequence[Request]]) -> list[tuple[Cut, ...]]:
        """The cuts of several intruders; what others asked is read in one go, for a compressed log is a stream."""
        judged = [self._judged(requests) for requests in groups]
        plans = [self._plan(frozenset().union(*found), asked) if found else ([], {}) for asked, found in judged]
        self._collector.of({key for read, _ in plans for key in read})
        return [
            self._ranked(asked, found, *plan) if found else ()
            for (asked, found), plan in zip(judged, plans, strict=True)
        ]

    def _judged(self, requests: Sequence[Request]) -> tuple[list[Asked], dict[frozenset[Key], Effect]]:
        """What the intruder asked, and what each candidate would have refused of it."""
        asked = [one for request in requests if (one := _asked(request)) is not None]
        supports = [self._replay.support(one) for one in asked]
        # What everybody may ask anyway says nothing of a way in.
        own = [number for number, support in enumerate(supports) if not _everybodys(support)]
        asked, supports = [asked[number] for number in own], [supports[number] for number in own]
        singles = {one: effect(one, asked, supports) for one in candidates(asked, supports, EVERYBODY)}
        kept = sorted(singles, key=lambda one: (-len(singles[one].refused), sorted(one)))[:_SINGLES]
        judged = {one: singles[one] for one in kept if singles[one].refused}
        together = least({one: singles[one] for one in kept}, asked, supports)
        if together is not None:
            judged[together[0]] = together[1]
        return asked, judged

    def _ranked(
        self, asked: Sequence[Asked], judged: Mapping[frozenset[Key], Effect], read: list[AccessorKey],
        unread: dict[AccessorKey, int],
    ) -> tuple[Cut, ...]:  # fmt: skip
        others = self._others(read)
        made = [self._cut(one, found, asked, others, unread) for one, found in judged.items()]
        made.sort(key=_rank)
        # What breaks more than it stops is no remedy; it is told, as that, only where nothing better is known.
        return tuple([cut for cut in made if cut.broken <= cut.refused][:_TOLD] or made[:1])

    def _cut(
        self, keys: frozenset[Key], found: Effect, asked: Sequence[Asked], others: Sequence[Asked],
        unread: dict[AccessorKey, int],
    ) -> Cut:  # fmt: skip
        by, unsure = broken(keys, others, self._replay)
        subjects = self._subjects(keys, asked)
        at_most = False
        for accessor, count in unread.items():
            if any(_may_be(subject, accessor.identity) for subject in subjects):
                by[accessor.identity] = by.get(accessor.identity, 0) + count
                at_most = True
        ranked = sorted(by.items(), key=lambda pair: (-pair[1], pair[0]))
        return Cut(
            objects=tuple(
                ObjectName(key.resource, key.namespace, key.name, "rbac.authorization.k8s.io") for key in sorted(keys)
            ),
            refused=len(found.refused),
            total=len(asked),
            broken=sum(by.values()),
            at_most=at_most,
            by=dict(ranked[:_IDENTITIES]),
            identities=len(by),
            uncertain=found.uncertain or unsure,
        )

    def _subjects(self, keys: Iterable[Key], asked: Sequence[Asked]) -> set[Subject]:
        """Whom the bindings named while the intruder was there; its own identities, if that is not known."""
        out = set[Subject]()
        for key in keys:
            found = [self._replay.binding(key, one.when) for one in (asked[0], asked[-1])]
            out.update(subject for binding in found if binding for subject in binding.subjects)
            if not any(found):
                out.update(Subject("User", one.who) for one in asked)
        return out

    def _plan(self, keys: frozenset[Key], asked: Sequence[Asked]) -> tuple[list[AccessorKey], dict[AccessorKey, int]]:
        """Everybody whom the bindings may name: who is read again, and who asked too much for that."""
        subjects = self._subjects(keys, asked)
        profiles = self._scan.profiles.by_key
        named = [key for key in profiles if any(_may_be(subject, key.identity) for subject in subjects)]
        left, read, unread = _READ, list[AccessorKey](), dict[AccessorKey, int]()
        for key in sorted(named, key=lambda key: (profiles[key].requests, key)):
            count = profiles[key].requests
            if count <= left and profiles[key].places is not None:  # else whole stretches of the log are read for it
                left -= count
                read.append(key)
            else:
                unread[key] = count - profiles[key].refusals - self._by_accessor[key]
        return read, {key: count for key, count in unread.items() if count > 0}

    def _others(self, read: list[AccessorKey]) -> list[Asked]:
        """What these asked, without the intruders' requests."""
        legitimate = (one for one in requests_of(self._collector.of(read)) if one.key not in self._implicated)
        return [found for request in legitimate if (found := _asked(request)) is not None]


def _accessor(request: Request) -> AccessorKey:
    return AccessorKey(request.identity, request.address, request.agent)


def _rank(cut: Cut) -> tuple[Fraction, int, int, int, tuple[ObjectName, ...]]:
    """The part of the intruder's requests it refuses, less the part that legitimate use is of all it refuses."""
    worth = Fraction(cut.refused, cut.total) - Fraction(cut.broken, cut.broken + cut.refused)
    return (-worth, -cut.refused, cut.broken, len(cut.objects), cut.objects)


def _asked(request: Request) -> Asked | None:
    """A request that was let through; None for all others."""
    event = request.final
    if event.time is None or event.decision != "allow" or not request.code or not event.user.username:
        return None
    written = [change.key for change in changes_of(event) if change.verb == "create"]
    return Asked(
        event.time, event.identity, questions_of(event), event.reason, tuple(written), _gained(request), _shown(request)
    )


def _gained(request: Request) -> tuple[str, ...]:
    """What the intruder could come with from then on."""
    if not request.succeeded and request.resource != "nodes":
        return ()
    out = [issued] if (issued := issued_credential_id(request.final)) else []
    out += [f"pod {pod.namespace}/{pod.name}" for pod in touched_pods((request,))]
    if request.resource not in {"clusterrolebindings", "rolebindings"}:  # rights are no credential
        out += [f"identity {identity}" for identity, _, _ in credentials_gained((request,))]
    return tuple(out)


def _shown(request: Request) -> tuple[str, ...]:
    out = [*credential_ids(request.final), f"identity {request.identity}"]
    pod, account = request.final.user.extra.get(_POD), service_account(request.identity)
    if isinstance(pod, list) and pod and account is not None:
        out.append(f"pod {account[0]}/{pod[0]}")
    return tuple(out)


def _everybodys(support: Support) -> bool:
    return bool(support.needs) and all(any(key.name in EVERYBODY for key in need) for need in support.needs)


def _may_be(subject: Subject, identity: str) -> bool:
    """Whether the subject may be this identity; the groups of a person are not in the profile, so any will do."""
    if subject.kind == "User":
        return subject.name == identity
    account = service_account(identity)
    if subject.kind == "ServiceAccount":
        return account is not None and account[1] == subject.name and subject.namespace in {"", account[0]}
    match subject.name:
        case "system:unauthenticated":
            return kind_of_name(identity) == "anonymous"
        case "system:authenticated":
            return kind_of_name(identity) not in {"anonymous", "rejected"}
        case "system:serviceaccounts":
            return account is not None
    if subject.name.startswith("system:serviceaccounts:"):
        return account is not None and subject.name == f"system:serviceaccounts:{account[0]}"
    return account is None and kind_of_name(identity) not in {"anonymous", "rejected"}
