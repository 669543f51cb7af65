"""Which rules match the requests of a step.

A step is told with the rules that match any of its requests, so a rule that was found is not asked for again, and of
the thousands of like requests of a large step each is asked only what is still open. Of an event that was logged as
Kubernetes writes it, rules that need a word which its bytes do not hold need no look either, as in the first pass.
"""

from __future__ import annotations

from kubewitness.detect.reading import PLAIN
from kubewitness.detect.run import Scan
from kubewitness.incident.steps import StepDraft
from kubewitness.model.event import Event
from kubewitness.rules.compile import Matcher
from kubewitness.rules.ir import Rule


def poses(rule: str) -> bool:
    """Whether the rule of that id speaks of a disguise: a name that imitates, not just a place where few look."""
    return "_poses_as_" in rule or "_imitates_" in rule


class StepRules:
    """Asks the rules about steps of one scan."""

    def __init__(self, scan: Scan, matcher: Matcher) -> None:
        self._matcher = matcher
        # A rule that speaks only of what is new matches in old and new alike; its findings stand by themselves.
        self._asked = sum(1 << number for number, rule in enumerate(matcher.rules) if rule.first_seen is None)
        wrapped = {item.name for item in scan.items if item.format != PLAIN}
        self._plain = {item.name for item in scan.items} - wrapped

    def of(self, draft: StepDraft) -> tuple[Rule, ...]:
        """The rules that match any request of the step, by id."""
        found = 0
        for request in draft.requests:
            found |= self._matches(self._asked & ~found, request.final)
        return tuple(sorted(self._matcher.of(found), key=lambda rule: rule.id))

    def _matches(self, mask: int, event: Event) -> int:
        """Of the rules in `mask` those that match, as bits."""
        for facet in self._matcher.facets.values():
            if mask & facet.deciding:
                mask &= facet.mask(event)
        if mask and event.original and event.place.item in self._plain:
            mask = self._matcher.admit(mask, event.original)
        return self._matcher.survivors(mask, event)
