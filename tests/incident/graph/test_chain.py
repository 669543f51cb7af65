"""Claims about the chain as a graph, over everything recorded: no cycle, in time, cited, whole, and nobody glued on."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kubewitness.correlate.links import links
from kubewitness.correlate.paths import passes
from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.document import Document
from kubewitness.model.event import parse_time
from kubewitness.model.incident import Edge, Entity, Incident
from kubewitness.report.trace_subjects import Subject
from kubewitness.report.tracing import traces
from kubewitness.rules.loader import shipped_rules
from range.script import load

RECORDED = Path(__file__).parents[3] / "scenarios" / "recorded"
NAMES = sorted(
    path.parent.name for path in RECORDED.glob("*/labels.json") if not path.parent.name.endswith(("_twin", "day_ugly"))
)
ATTACKS = [name for name in NAMES if load(RECORDED / name).kind == "attack"]
ACTS = ("step", "request")
ROOTS = ("identity", "address", "setting")
each = pytest.mark.parametrize("name", ATTACKS)


@functools.cache
def recorded(name: str) -> Document:
    """What is found in a recording; each attack has an incident, so that no claim about its incidents is empty."""
    options = Options(now=datetime(2026, 11, 23, tzinfo=UTC), keep_original=0)
    found = investigate([str(RECORDED / name / "evidence")], rules=shipped_rules(), options=options)
    assert found.coverage.events
    assert bool(found.incidents) is (name in ATTACKS)
    return found


def test_there_are_recordings_to_make_claims_about() -> None:
    assert len(ATTACKS) >= 14


def reached(start: Iterable[Entity], edges: Iterable[Edge]) -> set[Entity]:
    """Everything forward of `start`, as a trace goes: a node is an end."""
    after = dict[Entity, list[Entity]]()
    for one in edges:
        after.setdefault(one.source, []).append(one.target)
    seen, pending = set(start), list(start)
    while pending:
        for target in after.get(pending.pop(), ()):
            if target not in seen:
                seen.add(target)
                if target.kind != "node":
                    pending.append(target)
    return seen


def of(incident: Incident, number: int) -> Entity:
    return Entity("step", f"{incident.id}/{number}")


@each
def test_no_edge_closes_a_cycle(name: str) -> None:
    for incident in recorded(name).incidents:
        incoming = dict[Entity, int]()
        for one in incident.edges:
            incoming[one.target] = incoming.get(one.target, 0) + 1
        ready = [e for e in {one.source for one in incident.edges} if e not in incoming]
        passed = 0
        while ready:
            entity = ready.pop()
            for one in incident.edges:
                if one.source == entity:
                    passed += 1
                    incoming[one.target] -= 1
                    if not incoming[one.target]:
                        ready.append(one.target)
        assert passed == len(incident.edges)


@each
def test_an_act_is_not_before_the_act_that_it_came_of(name: str) -> None:
    document, compared = recorded(name), 0
    for incident in document.incidents:
        times = {of(incident, step.number): step.time for step in incident.steps}
        times |= {one.target: one.evidence[0].time for one in incident.edges if one.link == "links/step_request"}
        for one in incident.edges:
            before, after = parse_time(times.get(one.source, "")), parse_time(times.get(one.target, ""))
            if before and after:
                compared += 1
                assert (after - before).total_seconds() >= 0, one
    of_nodes = not any(incident.audit_ids for incident in document.incidents)  # whose steps come of no other step
    assert bool(compared) is not of_nodes


@each
def test_no_way_back_goes_over_a_later_act(name: str) -> None:
    """Within what clocks may differ: a process of a node is not told to come of a request made after it."""
    document = recorded(name)
    for incident in document.incidents:
        times = {str(step.number): parse_time(step.time) for step in incident.steps}
        for step in incident.steps:
            (found,) = [t for t in traces(document, Subject("step", str(step.number))) if t.incident == incident.id]
            own = times[str(step.number)]
            assert found.back
            for hop in found.back:
                other = times.get(hop.source.name.rpartition("/")[2]) if hop.source.kind == "step" else None
                assert not (own and other) or (other - own).total_seconds() <= 1.0, hop


@each
def test_every_edge_names_its_link_its_keys_and_its_evidence(name: str) -> None:
    document = recorded(name)
    items = {item.name for item in document.coverage.items}
    for incident in document.incidents:
        assert incident.edges
        for one in incident.edges:
            assert one.link.removeprefix("links/") in links()
            assert one.keys
            assert one.evidence, one.link
            assert {cited.item for cited in one.evidence} <= items
            assert 0 < one.confidence <= 1
            assert one.inferred == (one.confidence < 0.9)
            assert "{" not in one.why.en + one.why.zh


@each
def test_every_step_is_reached_from_what_let_the_intruder_in_or_whence_they_came(name: str) -> None:
    for incident in recorded(name).incidents:
        targets = {one.target for one in incident.edges}
        begin = {
            e for one in incident.edges for e in (one.source,) if e not in targets and e.kind in (*ROOTS, "object")
        }
        found = reached(begin, incident.edges)
        assert not [step.number for step in incident.steps if of(incident, step.number) not in found]


@each
def test_every_request_and_thing_of_an_edge_belongs_to_a_step_or_leads_to_one(name: str) -> None:
    for incident in recorded(name).incidents:
        stood_for = {one.target for one in incident.edges if one.link == "links/step_request"}
        asked = {one.source for one in incident.edges if one.source.kind == "request"}
        allowed = {one.source for one in incident.edges if one.link == "links/access_review"}
        assert asked <= stood_for | allowed


def test_nobody_is_reached_through_what_others_use_too() -> None:
    """Two intruders on one cluster, over all edges of both: neither's acts lead to the other's."""
    first, second = recorded("two_intruders").incidents
    edges = (*first.edges, *second.edges)
    ends = [{e for one in incident.edges for e in (one.source, one.target)} for incident in (first, second)]
    shared = ends[0] & ends[1]
    assert shared, "they meet on a node or read the same Secrets"
    for own, other, incident in ((ends[0], ends[1], first), (ends[1], ends[0], second)):
        start = {of(incident, step.number) for step in incident.steps}
        assert not (reached(start, edges) - shared) & (other - own)


@each
def test_hubs_of_the_cluster_make_nothing(name: str) -> None:
    """A kubelet, the scheduler or the API server is no source of any edge of an intruder's chain, nor is a node."""
    for incident in recorded(name).incidents:
        theirs = {name for actor in incident.actors for name in actor.identities}
        assert {one.source.name for one in incident.edges if one.source.kind == "identity"} <= theirs
        through = [one for one in incident.edges if one.target.kind == "node" and one.source.kind != "pods"]
        assert all(not passes(one) for one in through if one.source.kind == "pod")


@pytest.mark.parametrize(
    ("name", "link", "source", "target"),
    [
        ("anonymous_cluster_admin", "token_id", "minted a token", "created DaemonSet"),
        ("anonymous_cluster_admin", "made_binding_allows", "created ClusterRoleBinding", "created DaemonSet"),
        ("csr_client_certificate", "certificate_asked", "CertificateSigningRequest", "read Secret payroll"),
        ("nodes_proxy", "pod_token_used", "kubelet of node1", "read all Secrets"),
        ("pod_token_theft", "acts_on_made", "created Pod", "deleted Pod"),
        ("leaked_kubeconfig", "token_id", "minted a token", "Secrets"),
    ],
)
def test_what_was_gained_is_joined_to_its_use(name: str, link: str, source: str, target: str) -> None:
    found = []
    for incident in recorded(name).incidents:
        said = {of(incident, step.number): step.description.en for step in incident.steps}
        found += [
            one
            for one in incident.edges
            if one.link == f"links/{link}" and source in said[one.source] and target in said[one.target]
        ]
    assert found
    assert all(len(one.evidence) == 2 for one in found), "the gain and the use"


@pytest.mark.parametrize(
    ("name", "begin", "end"),
    [
        ("anonymous_cluster_admin", "cluster-system-anonymous", "node1/2065"),
        ("two_intruders", "anonymous-quick-fix", "node1/2794"),
        ("malicious_webhook", "ci-deployer-admin", "node1/3063"),
        ("kubelet_config_commented_out", "authentication.anonymous.enabled", "node1/5364"),
    ],
)
def test_a_process_leads_back_to_what_let_its_maker_in(name: str, begin: str, end: str) -> None:
    node, _, pid = end.partition("/")
    (found,) = traces(recorded(name), Subject("pid", f"{pid}@{node}"))
    assert begin in found.back[0].source.name
    assert any(hop.target == Entity("process", end) for hop in found.back)
    assert found.first == 1
