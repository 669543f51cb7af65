"""What would have stopped an intruder: what could be taken away so that its requests are refused, and what else breaks.

Taken away are bindings, alone and together; of a binding only the subject that the intruder was, or of its role only
the rights it used, where that does less harm; the credential it came with; and the API server's leave to come without
any. The intruder's requests are replayed exactly. So are those of everybody whom a candidate concerns, as long as they
are few enough to be read again (`_READ`); of accessors beyond that the count of their profile is taken, as "at most".

What nodes and pod specs would have stopped is judged in `cut_kubelet` and `cut_pods`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from kubewitness.correlate.rbac.changes import changes_of
from kubewitness.correlate.rbac.counterfactual import (
    Asked,
    Effect,
    Part,
    Replay,
    Support,
    Use,
    Way,
    broken,
    candidates,
    effect,
    least,
    without_needless,
)
from kubewitness.correlate.rbac.questions import questions_of
from kubewitness.correlate.rbac.state import History
from kubewitness.detect.collect import Collector
from kubewitness.detect.profile import AccessorKey
from kubewitness.detect.run import Scan
from kubewitness.evidence.opening import Source
from kubewitness.incident.build import touched_pods
from kubewitness.incident.cause import EVERYBODY
from kubewitness.incident.cuts.dumps import history_of
from kubewitness.incident.cuts.parts import (
    ANONYMOUS,
    NOBODY,
    SHIPPED,
    best_of_family,
    credentials,
    let_through,
    may_be,
    named,
    narrower_cuts,
    subjects_of,
)
from kubewitness.incident.cuts.pods import made, makers, pod_cuts, standing
from kubewitness.incident.cuts.settings import anonymous_cuts
from kubewitness.incident.identity.suspects import credentials_gained
from kubewitness.incident.requests import Request, credential_ids, issued_credential_id, requests_of
from kubewitness.model.incident import Cut, CutPart, Incident, RootCause
from kubewitness.posture.rbac.nouns import Key
from kubewitness.rules.features.identity import service_account

if TYPE_CHECKING:
    from kubewitness.incident.node.view import NodeView

_READ: Final = 20_000  # requests of others that are read again
_SINGLES: Final = 12  # bindings that are judged: those without which most is refused
_TOLD: Final = 5
_IDENTITIES: Final = 10
_POD: Final = "authentication.kubernetes.io/pod-name"
_ANYBODY: Final = frozenset({NOBODY})


def with_cuts(
    incidents: Sequence[Incident],
    gathered: Iterable[Sequence[Request]],
    scan: Scan,
    objects: Iterable[Source],
    views: Sequence[NodeView] = (),
) -> list[Incident]:
    """The incidents with what would have stopped them.

    Args:
        incidents: all of them.
        gathered: the requests of each that has any.
        scan: pass 1.
        objects: dumps.
        views: the machines.
    """
    gathered = list(gathered)
    requests_by_id = {requests[0].audit_id: requests for requests in gathered if requests and requests[0].audit_id}
    objects = list(objects)
    history = history_of(scan.ledger, objects)
    cutter = Cutter(scan, history, [one for requests in gathered for one in requests], objects)
    of_each = [
        (requests_by_id.get(next(iter(incident.audit_ids), ""), ()), incident.root_causes) for incident in incidents
    ]
    found = cutter.of_all(of_each)
    if views:
        from kubewitness.incident.cuts.kubelet import kubelet_cuts  # noqa: PLC0415 -- most evidence is an audit log

        found = [
            (*cuts, *kubelet_cuts(incident, views, history)) for incident, cuts in zip(incidents, found, strict=True)
        ]
    return [replace(incident, cuts=cuts) if cuts else incident for incident, cuts in zip(incidents, found, strict=True)]


class Plan(NamedTuple):
    """Others whom a candidate concerns: who is read again, and who asked too much for that."""

    read: list[AccessorKey]
    unread: list[AccessorKey]


class Harm(NamedTuple):
    """Legitimate requests that a cut breaks, by identity."""

    by: Mapping[str, int]
    at_most: bool
    uncertain: bool

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by.values())


@dataclass
class Case:
    """An intruder before the judge.

    Attributes:
        asked: What it was let through with, less what everybody may ask.
        supports: On what each of these rested.
        bindings: Candidates that are one binding, each with less than that, to which it could be cut.
        sets: All other candidates.
        plan: Who else is concerned.
    """

    asked: list[Asked]
    supports: list[Support]
    bindings: dict[frozenset[Part], list[frozenset[Part]]] = field(default_factory=dict)
    sets: list[frozenset[Part]] = field(default_factory=list)
    plan: Plan = field(default_factory=lambda: Plan([], []))
    _effects: dict[frozenset[Part], Effect] = field(default_factory=dict)

    def effect(self, cut: frozenset[Part]) -> Effect:
        """What a cut refuses of the intruder's."""
        if cut not in self._effects:
            self._effects[cut] = effect(cut, self.asked, self.supports)
        return self._effects[cut]

    def refused(self, cut: frozenset[Part]) -> int:
        """How many requests that is."""
        return len(self.effect(cut).refused)

    def without(self, cut: frozenset[Part], order: Iterable[Part]) -> frozenset[Part]:
        """The cut without what is needless in it, tried in `order`."""
        return without_needless(cut, order, self.asked, self.supports)


class Cutter:
    """Judges incidents of one scan.

    `implicated` are the requests of all intruders, which are nobody's legitimate use; `objects` dumps of the cluster.
    """

    def __init__(
        self, scan: Scan, history: History, implicated: Collection[Request], objects: Sequence[Source] = ()
    ) -> None:
        self._scan = scan
        self._implicated = {request.key for request in implicated}
        self._theirs = dict[AccessorKey, Counter[tuple[str, str]]]()
        for one in implicated:
            if not one.refused:
                asked = (one.verb, one.object.kind)
                self._theirs.setdefault(_accessor(one), Counter())[asked] += 1
        self._replay = Replay(history)
        self._objects = objects
        self._collector = Collector(scan)
        self._used = dict[AccessorKey, list[Asked]]()

    def cuts(self, requests: Sequence[Request], causes: Sequence[RootCause] = ()) -> tuple[Cut, ...]:
        """What would have stopped the intruder, best first: harm avoided against legitimate use broken."""
        return self.of_all([(requests, causes)])[0]

    def of_all(self, groups: Sequence[tuple[Sequence[Request], Sequence[RootCause]]]) -> list[tuple[Cut, ...]]:
        """The cuts of several intruders; what others asked is read in one go, for a compressed log is a stream."""
        cases = [self._case(*group) for group in groups]
        for case in cases:
            if case.bindings or case.sets:
                case.plan = self._plan(case)
        pods = [made(requests) for requests, _ in groups]
        who, whole = makers(self._scan) if any(pods) else ([], True)
        self._collector.of({*who, *(key for case in cases for key in case.plan.read)})
        told = [self._told(case) if case.bindings or case.sets else () for case in cases]
        if not any(pods):
            return told
        others = requests_of(self._collector.of(who))
        dumped = standing(self._objects)
        by_level = [list(pod_cuts(one, others, self._implicated, dumped, whole=whole)) for one in pods]
        return [(*cuts, *sorted(more, key=_rank)) for cuts, more in zip(told, by_level, strict=True)]

    def _case(self, requests: Sequence[Request], causes: Sequence[RootCause]) -> Case:
        """What the intruder asked, and what each candidate would have refused of it."""
        asked = [one for request in requests if (one := _asked(request)) is not None]
        supports = [self._replay.support(one) for one in asked]
        # What everybody may ask anyway says nothing of a way in.
        own = [number for number, support in enumerate(supports) if not _everybodys(support)]
        case = Case([asked[number] for number in own], [supports[number] for number in own])
        if not own:
            return case
        singles = {one: case.effect(one) for one in candidates(case.asked, case.supports, EVERYBODY)}
        kept = sorted(singles, key=lambda one: (-len(singles[one].refused), sorted(one)))[:_SINGLES]
        for single in kept:
            if singles[single].refused:
                case.bindings[single] = narrower_cuts(next(iter(single)), case.asked, case.supports, self._replay)
        together = least({one: singles[one] for one in kept}, case.asked, case.supports)
        case.sets = [*([together[0]] if together else ()), *credentials(causes, case.asked)]
        if any(one.who == ANONYMOUS for one in case.asked):
            case.sets.append(_ANYBODY)
        return case

    def _plan(self, case: Case) -> Plan:
        """Everybody whom a candidate may concern: who is read again, and who asked too much for that."""
        every = (*case.bindings, *chain.from_iterable(case.bindings.values()), *case.sets)
        parts = frozenset[Part]().union(*every)
        subjects = subjects_of(parts, case.asked, self._replay)
        profiles = self._scan.profiles.by_key
        concerned = [key for key in profiles if any(may_be(subject, key.identity) for subject in subjects)]
        left, plan = _READ, Plan([], [])
        for key in sorted(concerned, key=lambda key: (profiles[key].requests, key)):
            count = profiles[key].requests
            if count <= left and profiles[key].places is not None:  # else whole stretches of the log are read for it
                left -= count
                plan.read.append(key)
            else:
                plan.unread.append(key)
        return plan

    def _told(self, case: Case) -> tuple[Cut, ...]:
        others = self._others(case.plan.read)
        use = Use.of(others, self._replay)
        harms = dict[frozenset[Part], Harm]()

        def harm(cut: frozenset[Part]) -> Harm:
            if cut not in harms:
                harms[cut] = self._harm(cut, case, use)
            return harms[cut]

        judged = [_cut(one, case, harm(one)) for one in _chosen(case, harm) if one != _ANYBODY and case.refused(one)]
        judged.sort(key=lambda cut: (_shipped(cut), _rank(cut)))
        # What breaks more than it stops is no remedy; it is told, as that, only where nothing better is known.
        told = [cut for cut in judged if _remedy(cut)][:_TOLD] or judged[:1]
        if _ANYBODY in case.sets:
            seen = [one for one in others if one.who == ANONYMOUS]
            unseen = {
                key.agent: self._uncounted(key, _ANYBODY) for key in case.plan.unread if key.identity == ANONYMOUS
            }
            told += sorted(anonymous_cuts(case.refused(_ANYBODY), len(case.asked), seen, unseen), key=_rank)
        return tuple(told)

    def _harm(self, cut: frozenset[Part], case: Case, use: Use) -> Harm:
        by, uncertain = broken(cut, use)
        subjects = subjects_of(cut, case.asked, self._replay)
        at_most = False
        for key in case.plan.unread:
            count = self._uncounted(key, cut)
            if count and any(may_be(subject, key.identity) for subject in subjects):
                by[key.identity] = by.get(key.identity, 0) + count
                at_most = True
        return Harm(by, at_most, uncertain)

    def _uncounted(self, key: AccessorKey, cut: frozenset[Part]) -> int:
        """What an accessor that is not read again asked, less what is an intruder's."""
        return let_through(self._scan.profiles.by_key[key], self._theirs.get(key, Counter()), cut)

    def _others(self, read: Iterable[AccessorKey]) -> list[Asked]:
        """What these asked, without the intruders' requests."""
        for key in read:
            if key not in self._used:
                requests = requests_of(self._collector.of([key]))
                legitimate = (one for one in requests if one.key not in self._implicated)
                self._used[key] = [found for one in legitimate if (found := _asked(one, gains=False)) is not None]
        return [asked for key in read for asked in self._used[key]]


def _chosen(case: Case, harm: Callable[[frozenset[Part]], Harm]) -> list[frozenset[Part]]:
    """The candidates worth telling."""
    out, instead = list[frozenset[Part]](), dict[frozenset[Part], frozenset[Part]]()
    for whole, narrower in case.bindings.items():
        family = [one for less in narrower for one in _reduced(less, case, harm)]
        measured = {one: (case.refused(one), harm(one).total) for one in (whole, *family)}
        kept = best_of_family(whole, measured, family)
        out += kept
        if whole not in kept:
            instead[whole] = next(one for one in kept if measured[one][0] >= measured[whole][0])
    for cut in case.sets:
        # Of several bindings less than the whole of each, if that does as well.
        less = frozenset(part for one in cut for part in instead.get(frozenset({one}), {one}))
        as_well = case.refused(less) == case.refused(cut) and harm(less).total <= harm(cut).total
        out.append(less if as_well else cut)
    return list(dict.fromkeys(out))


def _reduced(
    less: frozenset[Part], case: Case, harm: Callable[[frozenset[Part]], Harm]
) -> Iterator[frozenset[Part]]:  # fmt: skip
    """Rights that refuse as much with fewer of them, and those among them that nobody else used."""
    if any(part.kind != "right" for part in less):
        yield less
        return
    harms = {part: harm(frozenset({part})).total for part in less}
    yield case.without(less, sorted(less, key=lambda part: (-harms[part], part)))
    free = frozenset(part for part in less if not harms[part])
    if free and free != less:
        yield case.without(free, sorted(free))


def _cut(parts: frozenset[Part], case: Case, harm: Harm) -> Cut:
    told = named(parts, case.asked)
    ranked = sorted(harm.by.items(), key=lambda pair: (-pair[1], pair[0]))
    return Cut(
        objects=tuple(dict.fromkeys(part.object for part in told if part.kind != "credential")),
        refused=case.refused(parts),
        total=len(case.asked),
        broken=harm.total,
        at_most=harm.at_most,
        by=dict(ranked[:_IDENTITIES]),
        identities=len(harm.by),
        uncertain=case.effect(parts).uncertain or harm.uncertain,
        parts=told,
    )


def _rank(cut: Cut) -> tuple[Fraction, int, int, int, tuple[CutPart, ...]]:
    return (-_worth(cut), -cut.refused, cut.broken, len(cut.parts), cut.parts)


def _worth(cut: Cut) -> Fraction:
    """The part of the intruder's requests it refuses, less the part that legitimate use is of all it refuses."""
    return Fraction(cut.refused, cut.total or 1) - Fraction(cut.broken, cut.broken + cut.refused or 1)


def _remedy(cut: Cut) -> bool:
    if all(part.kind == "credential" for part in cut.parts):
        return True  # its owner gets another
    return not _shipped(cut) and cut.broken <= cut.refused and _worth(cut) > 0


def _shipped(cut: Cut) -> bool:
    return any(name.name.startswith(SHIPPED) for name in cut.objects)


def _accessor(request: Request) -> AccessorKey:
    return AccessorKey(request.identity, request.address, request.agent)


def _asked(request: Request, *, gains: bool = True) -> Asked | None:
    """A request that was let through; None for all others. `gains`: with what it made and gave."""
    event = request.final
    if event.time is None or event.decision != "allow" or not request.code or not event.user.username:
        return None
    asked = Asked(event.time, event.identity, questions_of(event), event.reason, shown=_shown(request))
    if not gains:
        return asked
    written = tuple(change.key for change in changes_of(event) if change.verb == "create")
    return asked._replace(made=written, gave=_gained(request))


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
    return bool(support.needs) and all(any(_is_everybodys(way) for way in need) for need in support.needs)


def _is_everybodys(way: Way) -> bool:
    return any(part.kind == "binding" and isinstance(part.key, Key) and part.key.name in EVERYBODY for part in way)
