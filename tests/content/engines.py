"""The seam between test rows and engines: which engine says whether a rule speaks."""

from __future__ import annotations

from collections.abc import Sequence

from kubewitness.detect.correlations import Correlator
from kubewitness.model.event import Event
from kubewitness.rules.ir import CorrelationRule, Rule
from kubewitness.rules.loader import RuleSet
from tests.rules.naive import matches


def run_rule(rule: Rule, event: Event) -> bool:
    return matches(rule.condition, event)


def run_correlation(correlation: CorrelationRule, rules: RuleSet, events: Sequence[Event]) -> bool:
    correlator = Correlator([correlation])
    base = [rule for rule in rules.rules if rule.id in correlation.rules]
    for event in events:
        for rule in base:
            if run_rule(rule, event):
                correlator.add(rule.id, event)
    return bool(correlator.fired())
