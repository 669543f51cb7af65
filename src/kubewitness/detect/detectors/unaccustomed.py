"""A credential that is used as its owner never used it: from elsewhere, with another program, for other things.

A stolen credential is valid, so nothing is refused and no rule need match; what gives it away is that several habits
break at once. What is usual is learnt of a baseline log, or of whoever was at work in the first part of this one. Each
address that came later is compared with its identity's habits. One broken habit is no finding: people travel, get a
new laptop, learn a tool. Two or more that are together unlikely enough (`behaviour.rarity`) are one, and what it says
is the reason in words. Rarity alone is never more than medium, and it makes nobody an intruder
(`incident.suspects` does not look at it).

An identity without a history has no habits and is not judged here. Anonymous callers are one identity: what counts of
them is only what they were let through to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from msgspec.structs import replace

from kubewitness.detect.aspects import WORKLOADS
from kubewitness.detect.behaviour.departures import Departure, departures, is_sensitive
from kubewitness.detect.behaviour.detail import MOST, Reader
from kubewitness.detect.behaviour.habits import Habits
from kubewitness.detect.behaviour.use import Use
from kubewitness.detect.behaviour.wording import sentences
from kubewitness.detect.collect import Collector
from kubewitness.detect.detection import Detection
from kubewitness.detect.detectors.interface import described
from kubewitness.detect.profile import MANY, Profile
from kubewitness.detect.run import Scan
from kubewitness.model.event import Event, parse_time
from kubewitness.model.incident import ObjectName
from kubewitness.model.judgement import Severity
from kubewitness.model.text import Text
from kubewitness.rules.features.identity import kind_of_name

RULE = "detectors/unaccustomed"
_LEARN, _AT_LEAST = 0.2, timedelta(hours=2)  # of the log, where there is no baseline
_ENOUGH = 20  # requests that make a habit
_UNLIKELY = 14.0  # bits, of all that is unusual together
_ALONE = 12.0  # bits, of an act that is unusual by itself
_JUDGED = 5_000  # addresses of identities: an intruder chooses how many there are; those that did most harm first
_MOST = 50  # findings
_CITED = 3
_OBJECTS = 20


def unaccustomed(scan: Scan) -> Iterator[Detection]:
    """Identities at addresses that broke several of their habits, the least likely first."""
    usual, later = _divided(scan)
    if not usual or not later:
        return
    habits = Habits(usual)
    judged = []
    for (identity, address), profiles in later.items():
        uses = _uses(profiles)
        if habits.requests(identity) >= _ENOUGH and any(use.resource for use in uses):
            grave = any(is_sensitive(use.verb, use.resource) for use in uses)
            judged.append((not grave, min(profile.first for profile in profiles), identity, address, uses))
    found = []
    for _, _, identity, address, uses in sorted(judged)[:_JUDGED]:
        broken = departures(identity, uses, habits)
        severity, bits = weigh(identity, broken, accustomed=scan.baseline is not None)
        if severity:
            found.append((-bits, identity, address, severity))
    collector, reader = Collector(scan), Reader([one for one in (scan, scan.baseline) if one is not None])
    for _, identity, address, severity in sorted(found)[:_MOST]:
        profiles = later[identity, address]
        yield _detection(habits, collector, reader, identity, address, severity, profiles)


def _divided(scan: Scan) -> tuple[list[Profile], dict[tuple[str, str], list[Profile]]]:
    """Who shows what is usual, and who is to be judged by it."""
    later: dict[tuple[str, str], list[Profile]] = {}
    ordered = [profile for _, profile in sorted(scan.profiles.by_key.items())]
    if scan.baseline is not None:
        usual, judged = list(scan.baseline.profiles.by_key.values()), ordered
    else:
        first, last = parse_time(scan.first), parse_time(scan.last)
        learning = max((last - first) * _LEARN, _AT_LEAST) if first and last else _AT_LEAST
        if first is None or last is None or last - first <= learning:
            return [], {}
        learned = (first + learning).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        usual = [profile for profile in ordered if profile.first <= learned]
        judged = [profile for profile in ordered if profile.first > learned]
    for profile in judged:
        if MANY not in profile.key and kind_of_name(profile.key.identity) != "rejected":
            later.setdefault(profile.key[:2], []).append(profile)
    return usual, later


def _uses(profiles: Sequence[Profile]) -> list[Use]:
    """What they were let through to; one that was refused everything has broken into nothing."""
    through = [(profile.key, sorted(profile.asked(refused=False))) for profile in profiles]
    return [Use(*key, verb, resource) for key, asked in through for verb, resource in asked]


def weigh(identity: str, broken: Sequence[Departure], *, accustomed: bool = False) -> tuple[Severity | None, float]:
    """How much it says that these habits are broken; None: too little. With its bits.

    Args:
        identity: whose habits.
        broken: the departures.
        accustomed: whether a known address with a known client may be told as well, for what it did alone.
    """
    places = [one for one in broken if one.what in ("network", "site", "scope")]
    clients = [one for one in broken if one.what == "family"]
    acts = [one for one in broken if one.what in ("act", "resource")]
    grave = [one for one in acts if one.sensitive and one.succeeded]
    bits = sum(max((one.bits for one in some), default=0.0) for some in (places, clients, grave or acts))
    kind = kind_of_name(identity)
    if kind == "anonymous":
        return ("low" if places and acts and bits >= _UNLIKELY else None), bits
    program = kind in ("serviceaccount", "node", "controlPlane", "system")
    if not places and not (program and clients):
        # An operator deploys what it never did before; that it never read a secret or entered a pod is another matter.
        deeds = [one for one in grave if one.value.rpartition(" ")[2] not in WORKLOADS]
        alone = accustomed and kind == "serviceaccount" and any(one.rare and one.bits >= _ALONE for one in deeds)
        return ("low" if alone else None), bits  # a person's machine has many programs, a person many tasks
    if bits < _UNLIKELY or not ((places and clients) or acts):
        return None, bits
    foreign = any(one.what == "scope" or one.rare for one in places)
    return ("medium" if foreign and grave and (clients or not program) and len(acts) > 1 else "low"), bits


def _detection(  # noqa: PLR0917
    habits: Habits,
    collector: Collector,
    reader: Reader,
    identity: str,
    address: str,
    severity: Severity,
    profiles: Sequence[Profile],
) -> Detection:
    keys = sorted(profile.key for profile in profiles)
    readable = [p.key for p in profiles if sum((*p.allowed.values(), *p.refused.values())) <= MOST]
    ended = (event for event in collector.of(readable) if event.stage not in ("RequestReceived", "ResponseStarted"))
    events = sorted(ended, key=lambda event: (event.record.requestReceivedTimestamp, event.audit_id))
    uses = [*_uses(profiles), *(_use(event) for event in events if event.decision != "forbid")]
    detail = reader.of(identity, {event.request for event in events}) if len(readable) == len(keys) else None
    broken = departures(identity, uses, habits, detail)
    reasons = sentences(identity, broken, habits.requests(identity), habits.peers(identity))
    new = {one.value for one in broken if one.what in ("act", "resource") and (one.sensitive or not _grave(broken))}
    telling = [event for event in events if {_use(event).act, _use(event).resource} & new] or events
    firsts: dict[str, Event] = {}
    for event in telling:
        firsts.setdefault(_use(event).act, event)
    cited = list(firsts.values())[:_CITED]
    return Detection(
        replace(described("unaccustomed"), severity=severity),
        identity,
        address,
        tuple(keys),
        sum(profile.requests for profile in profiles),
        min(profile.first for profile in profiles),
        max(profile.last for profile in profiles),
        frozenset(event.audit_id for event in cited if event.audit_id),
        tuple(dict.fromkeys(_object(event) for event in telling if event.resource))[:_OBJECTS],
        tuple((event.place, event.original) for event in cited),
        # Clauses among others in a report.
        reasons=tuple(Text(one.en.removesuffix("."), one.zh.removesuffix("。")) for one in reasons),
    )


def _grave(broken: Sequence[Departure]) -> bool:
    return any(one.sensitive for one in broken)


def _resource(event: Event) -> str:
    return f"{event.resource}/{event.subresource}" if event.subresource else event.resource


def _use(event: Event) -> Use:
    record = event.record
    return Use(
        event.identity, event.address, record.userAgent, event.verb, _resource(event), event.namespace,
        record.requestReceivedTimestamp, event.succeeded,
    )  # fmt: skip


def _object(event: Event) -> ObjectName:
    return ObjectName(_resource(event), event.namespace, event.name, event.object_ref.apiGroup)
