"""What the rules of sensors on the machine said: Falco, Tracee.

It is the sensor's word: their rules speak of many things that are nobody's fault, so none of it alone is more than
activity, and only what the sensor itself calls grave is a finding for each rule and container. The rest is told as
context in one finding, with the number of each. Rules of the sensor about its own audit of Kubernetes (`source:
k8s_audit`) repeat what the audit log tells better; they are told in the same way, by their own name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from kubewitness.detect.host.addresses import nature_of
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.stating import state
from kubewitness.model.host import Host, HostEvent
from kubewitness.model.judgement import Severity
from kubewitness.model.text import Text

_GRAVE: dict[str, Severity] = {
    "emergency": "medium", "alert": "medium", "critical": "medium", "high": "medium", "error": "low",
}  # fmt: skip
_MAX_GROUPS = 100


def sensor_alert(host: Host) -> Iterator[HostFinding]:
    """The alerts of sensors: the grave ones by rule and container, the others together."""
    grave = dict[tuple[str, str, str], list[HostEvent]]()
    others = list[HostEvent]()
    for event in host.events:
        if event.category != "alert":
            continue
        key = (_GRAVE.get(event.severity.lower(), ""), _rule(event), event.container)
        if not key[0]:
            others.append(event)
        elif key in grave or len(grave) < _MAX_GROUPS:
            grave.setdefault(key, []).append(event)
        else:
            grave[next(reversed(grave))].append(event)  # the last group counts all the rest
    for (severity, rule, _), events in grave.items():
        chosen: Severity = "medium" if severity == "medium" else "low"
        subject = f"{events[0].source}: {rule}: {events[0].message}"
        yield _stated(host, events, subject, [_said(events, rule, sum(one.count for one in events))], chosen)
    if others:
        counts = Counter[str]()
        for event in others:
            counts[_rule(event)] += event.count
        reasons = [_said([one for one in others if _rule(one) == rule], rule, n) for rule, n in counts.most_common(15)]
        yield _stated(host, others, "; ".join(rule for rule, _ in counts.most_common(15)), reasons, None)


def _stated(
    host: Host, events: Sequence[HostEvent], subject: str, reasons: Sequence[Text], severity: Severity | None
) -> HostFinding:
    times = sorted(time for event in events for time in (event.time, event.last) if time)
    outside = (one.address for one in events if one.address and nature_of(one.address) not in ("loopback", "cluster"))
    return state(
        "sensor_alert",
        host,
        subject,
        [(event.place, event.message or event.command) for event in events[:8]],
        count=sum(event.count for event in events),
        first=times[0] if times else "",
        last=times[-1] if times else "",
        severity=severity or "informational",
        confidence="medium" if severity else "low",
        kind="activity" if severity else "context",
        reasons=reasons,
        containers=(_whole(event.container, host) for event in events),
        addresses=outside if severity else (),
        commands=(event.command for event in events if event.command) if severity else (),
    )


def _whole(container: str, host: Host) -> str:
    """The full id, where the machine's processes know the container that a sensor cut to its first characters."""
    if not 12 <= len(container) < 64:
        return container
    full = {process.container for process in host.processes if process.container.startswith(container)}
    return full.pop() if len(full) == 1 else container


def _rule(event: HostEvent) -> str:
    return event.rule or event.message[:120] or "?"


def _said(events: Sequence[HostEvent], rule: str, count: int) -> Text:
    level = events[0].severity or "?"
    where = next((event.pod for event in events if event.pod), "")
    pod, zh = (f", pod {where[:200]}", f"，pod {where[:200]}") if where else ("", "")
    name = rule[:200]
    return Text(
        f"{events[0].source} says {level}, {count} times: {name}{pod}",
        f"{events[0].source} 报告 {level} 级，共 {count} 次：{name}{zh}",
    )
