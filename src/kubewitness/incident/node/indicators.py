"""Indicators on machines: findings in the incident whose evidence they are.

They are no steps of a chain by themselves, and never make an incident: what was done with them is told by the rules.
The exact hash of a known program is the exception, it stands among the findings that betray an intruder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kubewitness.detect.indicators import on_hosts
from kubewitness.detect.indicators.index import Index
from kubewitness.incident.node.links import tie_of
from kubewitness.incident.node.view import NodeView
from kubewitness.model.incident import Incident
from kubewitness.sources.host.hosts import HostEvidence


def on_machines(views: Sequence[NodeView], machines: HostEvidence, index: Index, now: str = "") -> tuple[NodeView, ...]:
    """The views with the indicators on each machine: what betrays an intruder by itself among its findings."""
    out = list[NodeView]()
    for view in views:
        sources = [source for host, source in machines.executables if host is view.host]
        seen = on_hosts.findings(view.host, index, sources, now)
        sure = [one for one in seen if one.kind == "intrusion"]
        atoms = tuple(one for one in seen if one.kind != "intrusion")
        out.append(view._replace(findings=(*view.findings, *sure), atoms=atoms))
    return tuple(out)


def homes(views: Sequence[NodeView], incidents: Sequence[Incident], told: Mapping[int, str]) -> dict[int, str]:
    """The incident that each indicator on a machine belongs to. `told`: those of the findings (see `with_nodes`)."""
    out = dict[int, str]()
    for view in views:
        of_process, of_container, of_line = dict[int, str](), dict[str, str](), dict[tuple[str, int], str]()
        here = dict.fromkeys(told[id(one)] for one in view.findings if id(one) in told)
        for one in view.findings:
            if (name := told.get(id(one))) is None:
                continue
            if one.process is not None:
                of_process.setdefault(one.process.pid, name)
            for container in one.containers:
                of_container.setdefault(container, name)
            for place, _ in one.places:
                of_line.setdefault((place.item, place.line), name)
        for atom in view.atoms:
            known = [of_line.get((place.item, place.line), "") for place, _ in atom.places]
            known += [of_container.get(container, "") for container in atom.containers]
            known += [of_process.get(atom.process.pid, "")] if atom.process else []
            known += [one.id for one in incidents if one.audit_ids and tie_of(one, view.lineage, atom)]
            known += here if len(here) == 1 and not atom.container else []
            if home := next(filter(None, known), ""):
                out[id(atom)] = home
    return out
