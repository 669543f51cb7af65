"""Detections: what pass 1's matches and correlations amount to, one for each rule and accessor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec

from kubewitness.detect.agents import agents_of, is_part, rests_on_agent
from kubewitness.detect.novelty import New
from kubewitness.detect.profile import AccessorKey
from kubewitness.detect.run import Scan
from kubewitness.model.evidence import Place
from kubewitness.model.incident import ObjectName
from kubewitness.model.text import Text
from kubewitness.rules.ir import CorrelationRule, Rule

_OBJECTS = 50


class Detection(msgspec.Struct, frozen=True):
    """All matches of one rule by one identity from one address."""

    rule: Rule | CorrelationRule
    identity: str
    address: str
    accessors: tuple[AccessorKey, ...]  # with their agents
    count: int  # requests
    first: str
    last: str
    audit_ids: frozenset[str]
    objects: tuple[ObjectName, ...]
    places: tuple[tuple[Place, bytes], ...]  # first few, with their original bytes where already at hand
    ids: tuple[str, ...] = ()  # audit ids of `places`, where the originals are not at hand
    reasons: tuple[Text, ...] = ()  # in words, where a detector looks at more than fields


def detections(scan: Scan, rules: Iterable[Rule]) -> list[Detection]:
    """Every detection of pass 1, by time, then rule.

    Where the names of clients are not the clients' own (`agents_of`), no rule that asks for them judges the cluster's
    own parts.
    """
    ordered = tuple(rules)
    found = _by_rule(scan, ordered)
    for fired in scan.fired:
        by_pair: dict[tuple[str, str], list[int]] = {}
        for number, member in enumerate(fired.members):
            by_pair.setdefault((member.accessor.identity, member.accessor.address), []).append(number)
        for (identity, address), numbers in by_pair.items():
            members = [fired.members[n] for n in numbers]
            found.append(
                Detection(
                    fired.rule,
                    identity,
                    address,
                    tuple(sorted({m.accessor for m in members})),
                    max(len({m.request for m in members}), fired.total if len(by_pair) == 1 else 0),
                    _text(members[0].time),
                    _text(members[-1].time),
                    frozenset(m.audit_id for m in members if m.audit_id),
                    (),
                    tuple((m.place, b"") for m in members[:5]),
                    tuple(m.audit_id for m in members[:5]),
                )
            )
    found.extend(_novel(scan.new))
    if agents_of(scan) == "alike":
        found = [one for one in found if not (rests_on_agent(one.rule) and is_part(one.identity))]
    return sorted(found, key=in_order)


def in_order(detection: Detection) -> tuple[str, str, str, str]:
    """Sort key: when it began, then by rule and accessor."""
    return (detection.first, detection.rule.id, detection.identity, detection.address)


def _novel(found: Iterable[New]) -> Iterator[Detection]:
    """What is new, one detection for each rule and accessor."""
    groups: dict[tuple[str, str, str], list[New]] = {}
    for new in found:
        groups.setdefault((new.rule.id, *new.first.accessor[:2]), []).append(new)
    for (_, identity, address), group in groups.items():
        events = list(dict.fromkeys(new.first for new in group))
        objects = dict.fromkeys(ObjectName(e.resource, e.namespace, e.name, e.group) for e in events if e.resource)
        yield Detection(
            group[0].rule,
            identity,
            address,
            tuple(sorted({e.accessor for e in events})),
            max(sum(new.requests for new in group), len(events)) if len(group) == 1 else len(events),
            events[0].time,
            events[-1].time,
            frozenset(e.audit_id for e in events),
            tuple(objects)[:_OBJECTS],
            tuple((e.place, e.original) for e in events[:5]),
            tuple(e.audit_id for e in events[:5]),
        )


def _by_rule(scan: Scan, rules: tuple[Rule, ...]) -> list[Detection]:
    out: list[Detection] = []
    merged: dict[tuple[int, str, str], _Merge] = {}
    # In the order of the evidence, whoever read it.
    for key, group in sorted(scan.matches.items(), key=lambda pair: (pair[1].samples[0][0], pair[0])):
        resource = key.request.resource + (f"/{key.request.subresource}" if key.request.subresource else "")
        names = [ObjectName(resource, key.namespace, name, key.request.group) for name in group.names or [""]]
        mask = key.rules
        while mask:
            bit = mask & -mask
            mask ^= bit
            slot = (bit.bit_length() - 1, key.accessor.identity, key.accessor.address)
            merge = merged.setdefault(slot, _Merge())
            merge.accessors.add(key.accessor)
            merge.requests |= group.requests.keys()
            merge.more += group.count - len(group.requests)
            merge.objects.update(dict.fromkeys(names))
            merge.places.extend(group.samples)
            merge.first, merge.last = min(merge.first, group.first), max(merge.last, group.last)
    for (number, identity, address), merge in merged.items():
        out.append(
            Detection(
                rules[number],
                identity,
                address,
                tuple(sorted(merge.accessors)),
                len(merge.requests) + merge.more,  # a request may match at two of its stages
                merge.first,
                merge.last,
                frozenset(audit_id for audit_id, _ in merge.requests),
                tuple(merge.objects)[:_OBJECTS] if any(o.kind for o in merge.objects) else (),
                tuple(sorted(merge.places)[:5]),
            )
        )
    return out


class _Merge:
    def __init__(self) -> None:
        self.accessors: set[AccessorKey] = set()
        self.requests: set[tuple[str, str]] = set()
        self.more = 0  # requests whose id was not kept, or that have none
        self.objects: dict[ObjectName, None] = {}
        self.places: list[tuple[Place, bytes]] = []
        self.first, self.last = "~", ""


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
