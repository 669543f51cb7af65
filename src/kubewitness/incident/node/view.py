"""A machine with what was found on it, in the API server's time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from kubewitness.correlate.clocks import moved_by
from kubewitness.correlate.lineage import Lineage
from kubewitness.detect.host.finding import HostFinding
from kubewitness.model.host import Host
from kubewitness.model.incident import ClockSkew
from kubewitness.posture.exposure import Exposure
from kubewitness.posture.kubelet import KubeletConfiguration


class NodeView(NamedTuple):
    """A machine with what was found on it."""

    host: Host
    findings: tuple[HostFinding, ...]
    exposures: tuple[Exposure, ...]
    settings: KubeletConfiguration | None
    lineage: Lineage
    atoms: tuple[HostFinding, ...] = ()  # indicators seen: told as findings, no steps by themselves
    ahead: float = 0.0  # seconds by which its times were moved to be the API server's


def told_once(
    findings: Sequence[HostFinding], exposures: Sequence[Exposure]
) -> tuple[tuple[HostFinding, ...], tuple[Exposure, ...]]:
    """Both without the findings of a rule that saw what an exposure of the same name tells, with its reason.

    What only the finding had seen of it becomes evidence of the exposure.
    """
    kept, told = list(findings), list[Exposure]()
    for exposure in exposures:
        places = {place for place, _ in exposure.places}
        same = [
            finding
            for finding in kept
            if finding.rule == f"host/{exposure.id}" and any(place in places for place, _ in finding.places)
        ]
        more = [(place, text) for finding in same for place, text in finding.places if place not in places]
        kept = [finding for finding in kept if finding not in same]
        told.append(replace(exposure, places=(*exposure.places, *more)) if more else exposure)
    return tuple(kept), tuple(told)


def by_one_clock(views: Sequence[NodeView], clocks: Mapping[str, ClockSkew]) -> tuple[NodeView, ...]:
    """The views with the times of their findings as the API server's clock would have said them."""
    out = list[NodeView]()
    for view in views:
        clock = clocks.get(view.host.name)
        seconds = clock.moved if clock else 0.0
        findings, atoms = (
            tuple(
                replace(f, first=moved_by(f.first, seconds), last=moved_by(f.last, seconds)) if seconds else f
                for f in some
            )
            for some in (view.findings, view.atoms)
        )
        out.append(view._replace(findings=findings, atoms=atoms, ahead=seconds))
    return tuple(out)
