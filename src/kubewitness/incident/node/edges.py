"""The edges of the chain on a node: from what a finding is about up to its pod, and to the act that it came of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from kubewitness.correlate.lineage import Seat, cite
from kubewitness.correlate.links import PROVEN, edge
from kubewitness.detect.host.finding import HostFinding
from kubewitness.incident.node.links import Tie
from kubewitness.incident.node.story import COMMANDS
from kubewitness.incident.node.view import NodeView
from kubewitness.model.incident import Edge, Entity, Evidence

MOST: Final = 20  # entities of one step or finding
_STRAIGHT: Final = ("command_names_file", "command_names_file_elsewhere", "same_address", "exec_command")


def entities_of(view: NodeView, finding: HostFinding, path: str = "") -> tuple[Entity, ...]:
    """What a finding is about, as entities of the chain."""
    if finding.process is not None:
        return (view.lineage.process(finding.process.pid),)
    if finding.containers:
        return tuple(view.lineage.container(name) for name in finding.containers[:MOST])
    if path:
        return (Entity("file", f"{view.host.name}:{path}"),)
    return (Entity("node", view.host.name),)


def edges_of(
    view: NodeView, tie: Tie | None, group: Sequence[HostFinding], hashes: Mapping[str, str]
) -> Iterator[Edge]:
    """What joins the findings to their node and pods, and what `tie` joins them to."""
    node = Entity("node", view.host.name)
    evidence: tuple[Evidence, ...]
    for finding in group:
        if finding.process is not None:
            yield from view.lineage.edges_of_process(finding.process, hashes)
        by_kubelet = finding.rule in COMMANDS and finding.places
        for name in finding.containers[:MOST] if finding.process is None else ():
            yield from view.lineage.edges_of_container(name, hashes)
            if by_kubelet:
                evidence = (cite(Seat(*finding.places[0], finding.first), hashes),)
                yield edge("kubelet_exec_error", node, view.lineage.container(name), {"container id": name}, evidence)
        if tie is None or tie.source is None or not tie.link:
            continue
        evidence = tuple(cite(Seat(*seat, finding.first), hashes) for seat in finding.places[:1])
        if tie.link in _STRAIGHT:
            for target in entities_of(view, finding, tie.path):
                yield _tied(tie, target, evidence)
        elif tie.link == "run_of_the_node":
            yield _tied(tie, node, evidence)


def _tied(tie: Tie, target: Entity, evidence: tuple[Evidence, ...]) -> Edge:
    assert tie.source is not None
    keys = {str(tie.source.kind): tie.source.name, str(target.kind): target.name}
    return Edge(
        f"links/{tie.link}", tie.source, target, keys, tie.confidence, tie.why, tie.confidence < PROVEN, evidence
    )


def once(edges: Iterable[Edge]) -> Iterator[Edge]:
    """Each edge once, by link and ends."""
    yield from {(one.link, one.source, one.target): one for one in edges}.values()
