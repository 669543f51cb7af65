"""Which known campaign an incident runs like: its steps, in order, in both worlds.

What an incident shows (steps of its chain, indicators, edges) is held against each campaign's steps. Those that were
seen must stand in the campaign's order; a time that is not known fits anywhere, and one thing seen counts for one step
only. What this evidence could not show is told as such and not held against it. A campaign is told if at least three
steps and half of the visible ones were seen, one of them distinctive: a miner in a DaemonSet is not yet RBAC Buster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Final, NamedTuple

import re2

from kubewitness.incident.campaign_templates import Pattern, SourceKind, Template, TemplateStep, templates
from kubewitness.model.event import parse_time
from kubewitness.model.host import Host
from kubewitness.model.incident import CampaignMatch, CampaignStep, Evidence, Finding, Incident, ObjectName
from kubewitness.model.judgement import Confidence

LEAST: Final = 3  # steps that must be seen
_SHARE: Final = 0.5  # of the visible ones
_SLACK: Final = 5.0  # seconds between the clocks of two logs
_CITED: Final = 3
_TEXT: Final = 4_096
_TRACES: Final = 5_000
_QUIET: Final = re2.Options()
_QUIET.log_errors = False


class Trace(NamedTuple):
    """One thing seen in an incident."""

    rules: frozenset[str]
    act: str
    objects: tuple[ObjectName, ...]
    texts: tuple[str, ...]
    identity: str
    indicators: frozenset[str]  # "rbac-buster/image"
    link: str
    first: float | None
    last: float | None
    evidence: tuple[Evidence, ...]


def visible_in(incident: Incident, hosts: Iterable[Host], audit_events: int) -> frozenset[SourceKind]:
    """The kinds of evidence at hand that could show something of the incident: the audit log, its nodes' traces."""
    kinds = set[SourceKind](("k8s_audit",) if audit_events else ())
    for host in hosts:
        if host.name not in incident.nodes:
            continue
        kinds |= {"kubelet_log"} if "kubelet log" in host.sources.values() else set()
        kinds |= {"processes"} if host.processes else set()
        kinds |= {"sockets"} if host.sockets else set()
        kinds |= {"files"} if host.listing or host.schedules else set()
        kinds |= {"host_events"} if host.events else set()
    return frozenset(kinds)


def matches(
    incident: Incident, findings: Iterable[Finding], visible: frozenset[SourceKind]
) -> tuple[CampaignMatch, ...]:
    """The campaigns that the incident runs like, the likeliest first. `findings`: of the whole document."""
    traces = list(traces_of(incident, findings))[:_TRACES]
    found = [one for template in templates() if (one := match(template, traces, visible)) is not None]
    return tuple(sorted(found, key=lambda one: (-one.seen / max(one.visible, 1), -one.seen, one.id)))


def match(template: Template, traces: Sequence[Trace], visible: frozenset[SourceKind]) -> CampaignMatch | None:
    """How much of one campaign was seen; None if too little to tell."""
    candidates = [[number for number, one in enumerate(traces) if _shows(step, one)] for step in template.steps]
    picked = _in_order(template.steps, candidates, traces)
    steps = list[CampaignStep]()
    for number, step in enumerate(template.steps):
        evidence: tuple[Evidence, ...] = ()
        if number in picked:
            state = "seen"
            evidence = traces[picked[number]].evidence[:_CITED]
        elif candidates[number]:
            state = "out_of_order"
        else:
            state = "not_seen" if visible.intersection(step.seen_in) else "not_visible"
        steps.append(CampaignStep(step.title, state, step.technique, step.distinctive, evidence))  # type: ignore[arg-type]
    seen = len(picked)
    able = sum(step.state != "not_visible" for step in steps)
    own = sum(template.steps[number].distinctive for number in picked)
    if seen < LEAST or seen < _SHARE * able or not own:
        return None
    sure = _confidence(seen, able, own)
    return CampaignMatch(
        template.id, template.name, seen, able, len(steps), tuple(steps), sure, template.active, template.sources
    )


def _confidence(seen: int, able: int, own: int) -> Confidence:
    """`own`: distinctive steps that were seen."""
    most = seen >= 0.75 * able
    if most and own >= 2 and seen >= LEAST + 1:
        return "high"
    return "medium" if most or own >= 2 else "low"


def _in_order(
    steps: Sequence[TemplateStep], candidates: Sequence[Sequence[int]], traces: Sequence[Trace]
) -> dict[int, int]:
    """Step → what shows it, so that as many steps as possible are shown in their order, each by another trace."""
    best: dict[int, tuple[float, dict[int, int]]] = {0: (float("-inf"), {})}  # steps seen → (when, what)
    for number, step in enumerate(steps):
        if step.unordered:
            continue
        for count in sorted(best, reverse=True):
            end, picked = best[count]
            used = set(picked.values())
            for one in candidates[number]:
                trace = traces[one]
                if one in used or (trace.last is not None and trace.last + _SLACK < end):
                    continue
                then = max(end, trace.first) if trace.first is not None else end
                if count + 1 not in best or then < best[count + 1][0]:
                    best[count + 1] = (then, {**picked, number: one})
    _, picked = best[max(best)]
    for number, step in enumerate(steps):
        if step.unordered:
            free = next((one for one in candidates[number] if one not in picked.values()), None)
            picked = picked if free is None else {**picked, number: free}
    return picked


def _shows(step: TemplateStep, trace: Trace) -> bool:
    return any(_holds(pattern, trace) for pattern in step.patterns)


def _holds(pattern: Pattern, trace: Trace) -> bool:
    if pattern.rule and pattern.rule not in trace.rules:
        return False
    if pattern.act and pattern.act != trace.act:
        return False
    if pattern.identity and not fnmatchcase(trace.identity, pattern.identity):
        return False
    if pattern.link and f"links/{pattern.link}" != trace.link:
        return False
    if pattern.indicator and pattern.indicator not in trace.indicators:
        return False
    if pattern.object and not any(
        fnmatchcase(f"{one.kind}/{one.namespace}/{one.name}", pattern.object) for one in trace.objects
    ):
        return False
    if not pattern.command:
        return True
    search = _compiled(pattern.command).search
    return any(search(text[:_TEXT]) for text in trace.texts)


@cache
def _compiled(expression: str) -> Any:
    return re2.compile(expression, _QUIET)


def traces_of(incident: Incident, findings: Iterable[Finding]) -> Iterator[Trace]:
    """What was seen in an incident, each thing once; values of several types in one file are as many things."""
    nothing = frozenset[str]()
    for step in incident.steps:
        texts = tuple(filter(None, (step.command, *(one.summary for one in step.evidence if not one.audit_id))))
        yield Trace(
            frozenset(step.rules),
            step.act,
            step.objects,
            texts,
            step.identity,
            nothing,
            "",
            _seconds(step.time),
            _seconds(step.last),
            step.evidence,
        )
    for one in findings:
        if one.incident == incident.id and one.rule.startswith("indicators/"):
            types = str(one.matched.get("types") or one.matched.get("type", "")).split(", ")  # several: of one file
            for number, type_ in enumerate(types):
                seen = tuple(str(one.matched.get(key, "")) for key in ("seen", "also")) if not number else ()
                yield Trace(
                    frozenset((one.rule,)),
                    "",
                    (),
                    seen,
                    one.identity,
                    frozenset((f"{one.rule.partition('/')[2]}/{type_}",)),
                    "",
                    _seconds(one.first),
                    _seconds(one.last),
                    one.evidence,
                )
    for edge in {one.link: one for one in reversed(incident.edges)}.values():
        when = _seconds(edge.evidence[0].time) if edge.evidence else None
        yield Trace(nothing, "", (), (), "", nothing, edge.link, when, None, edge.evidence)


def _seconds(text: str) -> float | None:
    when = parse_time(text) if text else None
    return when.timestamp() if when else None
