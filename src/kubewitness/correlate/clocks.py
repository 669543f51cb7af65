"""How far a node's clock is from the API server's, from pairs of times that cannot have been the other way round.

What happens later cannot have happened earlier, so each pair bounds the difference from one side; no delay is assumed.

* A kubelet names each Kube Event that it sends after its own clock (`<object>.<nanoseconds in hexadecimal>`), and the
  API server logs when it arrives: the node's clock is ahead by at least the difference.
* The scheduler binds a pod before the node's runtime makes its sandbox: the node's clock is ahead by at most the
  difference.

Names are in the log at every level, so no bodies are needed. The outermost tenth of the pairs is left aside: whoever
holds a kubelet's credential can send Events with any name. If the bounds contradict each other the clock was set in
between, and nothing is moved.

Source: client-go `tools/record` (names of Kube Events); the control flow of kube-scheduler and kubelet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from kubewitness.correlate.lineage import Lineage
from kubewitness.detect.collect import Needle, search
from kubewitness.detect.run import Scan
from kubewitness.model.event import Event, parse_time
from kubewitness.model.incident import ClockSkew

CERTAIN: Final = 1.0  # seconds; a smaller difference is not worth moving times for
_FAR: Final = timedelta(days=2)  # a name that is farther off is no time
_AROUND: Final = timedelta(minutes=30)  # of the incident: clocks drift, and logs are long
_PODS: Final = 200
_STAMP = re.compile(r"\.([0-9a-f]{14,16})$")


def compare(scan: Scan, lineages: Iterable[Lineage], first: str, last: str) -> dict[str, ClockSkew]:
    """The skew of each node, by name, as the evidence around `first` to `last` tells it (RFC 3339 UTC)."""
    out = dict[str, ClockSkew]()
    for lineage in lineages:
        began = _sandboxes(lineage)
        events = _events(scan, lineage.host.name, began, _moved(first, -_AROUND), _moved(last, _AROUND))
        out[lineage.host.name] = skew_of(lineage.host.name, events, began)
    return out


def skew_of(node: str, events: Iterable[Event], began: Mapping[tuple[str, str], datetime]) -> ClockSkew:
    """The bounds that some events of the audit log give.

    Args:
        node: its name.
        events: bindings of its pods, and Kube Events that its kubelet made.
        began: when the node's clock says that each pod's sandbox was made, by namespace and name.
    """
    lows, highs = list[float](), list[float]()
    for event in events:
        at = parse_time(event.record.requestReceivedTimestamp)
        if at is None:
            continue
        if event.subresource == "binding":
            sandbox = began.get((event.namespace, event.name))
            if sandbox is not None and abs(sandbox - at) < _FAR:
                highs.append((sandbox - at).total_seconds())
        elif (named := _time_in_name(event.name)) and abs(named - at) < _FAR:
            lows.append((named - at).total_seconds())
    low = round(sorted(lows, reverse=True)[len(lows) // 10], 3) if lows else None
    high = round(sorted(highs)[len(highs) // 10], 3) if highs else None
    return ClockSkew(node, low, high, len(lows) + len(highs), round(_correction(low, high), 3))


def moved_by(time: str, seconds: float) -> str:
    """A time as the API server's clock would have said it; what is no full time stays as it is."""
    when = parse_time(time) if seconds else None
    if when is None:
        return time
    return (when - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _correction(low: float | None, high: float | None) -> float:
    if low is not None and high is not None:
        if low > high + CERTAIN or (low <= CERTAIN and high >= -CERTAIN):
            return 0.0
        return (low + high) / 2
    if low is not None and low > CERTAIN:
        return low
    return high if high is not None and high < -CERTAIN else 0.0


def _sandboxes(lineage: Lineage) -> dict[tuple[str, str], datetime]:
    """When each pod's first sandbox was asked for; a name that two pods bore is left out."""
    times = dict[tuple[str, str], datetime]()
    twice = set[tuple[str, str]]()
    for name, link, seat in lineage.pods.values():
        key = (name.namespace, name.name)
        when = parse_time(seat.time) if link == "runtime_sandbox" else None
        if key in times:
            twice.add(key)
        elif when is not None and len(times) < _PODS:
            times[key] = when
    return {key: when for key, when in times.items() if key not in twice}


def _events(scan: Scan, node: str, began: Mapping[tuple[str, str], datetime], first: str, last: str) -> list[Event]:
    kubelet = f"system:node:{node}"

    def wanted(event: Event) -> bool:
        if event.subresource == "binding":
            return event.succeeded and (event.namespace, event.name) in began
        return event.resource == "events" and event.verb == "create" and event.identity == kubelet

    needles = [Needle(kubelet, "", first, last)]
    needles += [Needle(name, namespace, "", "~") for namespace, name in began]
    return search(scan, needles, wanted)


def _time_in_name(name: str) -> datetime | None:
    found = _STAMP.search(name)
    if not found:
        return None
    microseconds = int(found[1], 16) // 1000
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError:
        return None


def _moved(time: str, by: timedelta) -> str:
    when = parse_time(time)
    return (when + by).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if when else ""
