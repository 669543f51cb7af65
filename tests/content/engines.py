"""The seam between test rows and engines: which engine says whether a rule speaks."""

from __future__ import annotations

from collections.abc import Sequence

from kubewitness.detect.correlations import Correlator
from kubewitness.detect.novelty import Novelty
from kubewitness.detect.profile import AccessorKey, Profiles
from kubewitness.model.event import Event
from kubewitness.rules.ir import CorrelationRule, Rule
from kubewitness.rules.loader import RuleSet
from tests.rules.naive import matches


def run_rule(rule: Rule, event: Event) -> bool:
    return matches(rule.condition, event)


def run_first_seen(rule: Rule, events: Sequence[Event]) -> bool:
    """A rule with `first_seen`: the events are the whole log, matched or not."""
    novelty, profiles = Novelty([rule]), Profiles()
    times = [event.record.requestReceivedTimestamp for event in events]
    for event, time in zip(events, times, strict=True):
        accessor = AccessorKey(event.identity, event.address, event.record.userAgent)
        profile = profiles.of(accessor)
        profile.first, profile.last = min(profile.first, time), max(profile.last, time)
        if run_rule(rule, event):
            novelty.add(rule, event, accessor)
    return bool(novelty.judge(min(times), max(times), profiles))


def run_correlation(correlation: CorrelationRule, rules: RuleSet, events: Sequence[Event]) -> bool:
    correlator = Correlator([correlation])
    base = [rule for rule in rules.rules if rule.id in correlation.rules]
    for event in events:
        for rule in base:
            if run_rule(rule, event):
                correlator.add(rule.id, event)
    return bool(correlator.fired())
