"""Requests that were logged with their bodies come without them after some moment: the audit policy was weakened.

Level Metadata hides images, commands, roles and subjects; who edits the policy file on a control-plane node blinds
every rule that needs them, and leaves a log that looks whole. A policy tells users, namespaces and resources apart, so
one accessor's requests of one kind in one namespace are compared with each other. Several such series must turn,
cleanly (never back) and at the same time.

Source: "Auditing" in the Kubernetes documentation (levels; the policy is a file of the API server).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kubewitness.detect.collect import within
from kubewitness.detect.detection import Detection
from kubewitness.detect.detectors.audit_silence import LOGGER
from kubewitness.detect.detectors.interface import described
from kubewitness.detect.profile import AccessorKey, Profile
from kubewitness.detect.run import Scan
from kubewitness.model.event import Event

_BODIES = frozenset({"Request", "RequestResponse"})
_PROFILES, _GRANULES = 12, 120  # looked into, and parts of the evidence read for each
_EACH = 3  # events on either side of the turn
_SERIES = 3  # that turn together

Kind = tuple[str, str, str, str]


class _Turn(NamedTuple):
    last_with: str  # time of the last event with a body, and of the first without
    first_without: str
    event: Event


def audit_weakened(scan: Scan) -> Iterator[Detection]:
    """The moment from which bodies are missing, if there is one."""
    mixed = [(profile, kinds) for _, profile in sorted(scan.profiles.by_key.items()) if (kinds := _mixed(profile))]
    mixed.sort(key=lambda pair: (-len(pair[1]), pair[0].key))
    turns: list[_Turn] = []
    steady = 0  # series that have both levels side by side: then it is the policy's own distinction
    for profile, kinds in mixed[:_PROFILES]:
        for series in _series(scan, profile, kinds):
            turn = _turn(series)
            if turn is None:
                steady += 1
            else:
                turns.append(turn)
    if len(turns) < _SERIES or steady > len(turns):
        return
    begin, end = max(t.last_with for t in turns), min(t.first_without for t in turns)
    if begin >= end:  # they do not turn together
        return
    first = min(turns, key=lambda turn: (turn.first_without, turn.event.audit_id))
    yield Detection(
        described("audit_weakened"),
        LOGGER,
        "",
        (),
        len(turns),
        begin,
        end,
        frozenset({first.event.audit_id}),
        (),
        ((first.event.place, first.event.original),),
    )


def _mixed(profile: Profile) -> set[Kind]:
    """Kinds of writes that this accessor made at both levels."""
    levels: dict[Kind, dict[bool, int]] = {}
    for kind, n in profile.allowed.items():
        if kind.verb in ("create", "update", "patch") and (kind.level in _BODIES or kind.level == "Metadata"):
            counts = levels.setdefault((kind.verb, kind.resource, kind.subresource, kind.group), {})
            counts[kind.level in _BODIES] = counts.get(kind.level in _BODIES, 0) + n
    return {kind for kind, n in levels.items() if min(n.get(True, 0), n.get(False, 0)) >= _EACH}


def _series(scan: Scan, profile: Profile, kinds: set[Kind]) -> list[list[Event]]:
    """The accessor's requests of these kinds, each kind and namespace by itself, in time order."""

    def wanted(event: Event) -> bool:
        kind = (event.verb, event.resource, event.subresource, event.object_ref.apiGroup)
        key = AccessorKey(event.identity, event.address, event.record.userAgent)
        return kind in kinds and key == profile.key and event.stage != "RequestReceived"

    numbers = list(profile.granules)
    step = max(1, len(numbers) // _GRANULES)
    out: dict[tuple[str, ...], list[Event]] = {}
    for event in within(scan, numbers[::step], wanted):
        out.setdefault(
            (event.verb, event.resource, event.subresource, event.object_ref.apiGroup, event.namespace), []
        ).append(event)
    return [
        events for events in out.values() if len({e.record.level in _BODIES for e in events}) > 1
    ]  # one level throughout says nothing


def _turn(events: Sequence[Event]) -> _Turn | None:
    """Where the series loses its bodies for good; None if it does not, or goes back and forth."""
    bodies = [event for event in events if event.record.level in _BODIES]
    bare = [event for event in events if event.record.level not in _BODIES]
    if len(bodies) < _EACH or len(bare) < _EACH:
        return None
    last, first = bodies[-1].record.requestReceivedTimestamp, bare[0].record.requestReceivedTimestamp
    return _Turn(last, first, bare[0]) if last < first else None
