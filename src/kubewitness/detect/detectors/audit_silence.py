"""A log that stops for a while although it never rests: removed lines, a stopped API server, a lost file.

What happened then cannot be known, and that is the point of removing lines. It is a finding only where the log is
dense: where requests come every second or two, a quarter of an hour without one is no pause of the cluster.
"""

from __future__ import annotations

from collections.abc import Iterator

from kubewitness.detect.collect import within
from kubewitness.detect.detection import Detection
from kubewitness.detect.detectors.interface import described
from kubewitness.detect.gaps import silences, usual_distance
from kubewitness.detect.run import Scan
from kubewitness.model.event import Event

_LONG = 900.0  # seconds
_DENSE = 2.0  # seconds from one event to the next
LOGGER = "kube-apiserver"  # whom such a finding is about


def audit_silence(scan: Scan) -> Iterator[Detection]:
    """Silences of a dense log."""
    if usual_distance(scan) > _DENSE:
        return
    for silence in silences(scan):
        if silence.seconds <= _LONG:
            continue
        after = _event_at(scan, silence.last)
        yield Detection(
            described("audit_silence" if silence.inside else "audit_silence_between_files"),
            LOGGER,
            "",
            (),
            0,
            silence.first,
            silence.last,
            frozenset({after.audit_id} if after else ()),
            (),
            ((after.place, after.original),) if after else (),
        )


def _event_at(scan: Scan, time: str) -> Event | None:
    """The event with which the log goes on."""
    numbers = [n for n, (_, granule) in enumerate(scan.granules) if granule.first <= time <= granule.last]
    found: list[Event] = []

    def wanted(event: Event) -> bool:
        if not found and event.record.requestReceivedTimestamp == time:
            found.append(event)
        return False

    within(scan, numbers[:4], wanted)
    return found[0] if found else None
