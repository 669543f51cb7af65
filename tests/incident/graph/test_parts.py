"""Claims about the parts of the graph: many pods fold, cycles open, and what differs in its key is not joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.correlate.links import edge
from kubewitness.incident.cascade import entity_of
from kubewitness.incident.graph.acts import Act
from kubewitness.incident.graph.order import in_order
from kubewitness.incident.graph.pods import MANY, folded, written
from kubewitness.incident.requests import Request
from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.evidence import Place
from kubewitness.model.incident import Edge, Entity, Evidence, Incident
from tests.incident.conftest import Investigate
from tests.incident.logs import DOOR, Log, account, allowed_by, binding
from tests.report.sample_incident import incident as sample

LINE = Evidence("", "audit.log", 1, 0, "")
INTRUDER = "203.0.113.77"
ROBOT = account("kube-system", "robot")
ISSUED = "authentication.kubernetes.io/issued-credential-id"
USED = "authentication.kubernetes.io/credential-id"
POD = "authentication.kubernetes.io/pod-name"


def tie(source: int, target: int, confidence: float = 1.0) -> Edge:
    above, below = Entity("process", f"n/{source}"), Entity("process", f"n/{target}")
    return edge("parent_process", above, below, {"k": "v"}, (LINE,), confidence=confidence)


def test_the_weakest_edge_of_a_cycle_goes_and_no_other() -> None:
    weak = tie(2, 3, 0.5)
    edges = (tie(0, 1), tie(1, 2), weak, tie(3, 1), tie(3, 4, 0.2), tie(5, 5))
    assert in_order(edges) == (edges[0], edges[1], edges[3], edges[4])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from((0.5, 0.9, 1.0))), max_size=60))
def test_whatever_the_evidence_says_no_cycle_is_left_and_without_one_nothing_goes(
    ends: list[tuple[int, int, float]],
) -> None:
    edges = tuple(tie(*one) for one in ends)
    left = in_order(edges)
    assert in_order(left) == left
    forward = tuple(one for one in edges if int(one.source.name[2:]) < int(one.target.name[2:]))
    assert in_order(forward) == forward


def daemonset(pods: int) -> list[Edge]:
    made, work = [], Entity("object", "daemonsets/kube-system/agent")
    for number in range(pods):
        pod, node = Entity("pod", f"kube-system/agent-{number}"), Entity("node", f"n{number % 3}")
        made.append(edge("owner_reference", work, pod, {"k": "v"}, (LINE,)))
        made.append(edge("node_writes_status", pod, node, {"k": "v"}, (LINE,)))
    return made


def test_thousands_of_pods_are_one_entity_with_a_count() -> None:
    kept = Entity("pod", "kube-system/agent-7")
    few = folded(daemonset(3_000), {kept})
    (group,) = [one for one in few if one.target.kind == "pods"]
    assert group.keys["count"] == "2999"
    assert {one.target for one in few if one.target.kind == "pod"} == {kept}
    assert sum(int(one.keys["count"]) for one in few if one.source.kind == "pods") == 2_999
    assert len(few) < 10
    assert all(one.evidence for one in few)


def test_few_pods_stay_themselves() -> None:
    edges = daemonset(MANY)
    assert folded(edges, ()) == tuple(edges)


def taken(
    log: Log, *, since: str = "13:01", name: str = "robot", token: str = "", used: str = "", pod: str = ""
) -> None:
    """An anonymous caller reads all Secrets, mints a token, and a service account reads what it may."""
    by: dict[str, Any] = {"by": "system:anonymous", "address": INTRUDER, "agent": "curl/8.5.0", "reason": DOOR}
    log.request("list", "secrets", at="13:00", **by)
    if token:
        by["annotations"] = {
            "authorization.k8s.io/decision": "allow",
            "authorization.k8s.io/reason": DOOR,
            ISSUED: token,
        }
    log.request("create", "serviceaccounts", at=since, namespace="kube-system", name=name, subresource="token", **by)
    extra = {**({USED: [used]} if used else {}), **({POD: [pod]} if pod else {})}
    log.request("list", "nodes", at="13:05", by=ROBOT, address=INTRUDER, agent="curl/8.5.0", extra=extra or None)


def links_between(incident: Incident, names: Sequence[str]) -> list[str]:
    found = [one.link.removeprefix("links/") for one in incident.edges if one.source.kind == one.target.kind == "step"]
    return [one for one in found if one in names]


GAINS = ("token_id", "token_minted", "pod_token_used", "certificate_asked", "token_secret_read")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, ["token_minted"]),
        ({"token": "JTI=1", "used": "JTI=1"}, ["token_id"]),
        ({"token": "JTI=1"}, ["token_minted"]),  # the use does not tell its id
        ({"token": "JTI=1", "used": "JTI=2"}, []),  # another token of the same account
        ({"since": "13:09"}, []),  # minted after the use
        ({"name": "robot2"}, []),  # of another account
        ({"name": "robot2", "pod": "shop-0"}, []),  # issued to a pod that nobody entered
    ],
)
def test_a_credential_is_joined_to_its_use_by_its_key_alone(
    judged: Investigate, told: dict[str, str], expected: list[str]
) -> None:
    log = Log()
    log.quiet_day()
    taken(log, **told)
    (incident,) = judged(log).incidents
    assert links_between(incident, GAINS) == expected


@pytest.mark.parametrize(("bound", "joined"), [("robot-admin", True), ("robot-admin2", False)])
def test_a_binding_that_was_made_is_joined_to_what_it_allowed_by_its_name(
    judged: Investigate, bound: str, joined: bool
) -> None:
    log = Log()
    log.quiet_day()
    by: dict[str, Any] = {"by": "system:anonymous", "address": INTRUDER, "agent": "curl/8.5.0", "reason": DOOR}
    log.request("list", "secrets", at="13:00", **by)
    body = binding("robot-admin", "cluster-admin", "ServiceAccount kube-system/robot")
    log.request("create", "clusterrolebindings", at="13:01", name="robot-admin", body=body, **by)
    reason = allowed_by(bound, "ClusterRole cluster-admin", "ServiceAccount robot/kube-system")
    log.request("list", "nodes", at="13:05", by=ROBOT, address=INTRUDER, agent="curl/8.5.0", reason=reason)
    (incident,) = judged(log).incidents
    assert bool(links_between(incident, ("made_binding_allows",))) == joined


def test_what_was_there_before_the_intruder_is_deleted_by_a_step_and_what_they_made_is_acted_on(
    judged: Investigate,
) -> None:
    log = Log()
    log.quiet_day()
    by: dict[str, Any] = {
        "by": "system:anonymous",
        "address": INTRUDER,
        "agent": "curl/8.5.0",
        "reason": DOOR,
        "namespace": "shop",
    }
    log.request("list", "secrets", at="13:00", **by)
    log.request("create", "configmaps", at="13:01", name="own", body={"data": {}}, **by)
    log.request("delete", "configmaps", at="13:02", name="own", **by)
    log.request("delete", "deployments", at="13:03", name="web", **by)
    (incident,) = judged(log).incidents
    gone = [one.target.name for one in incident.edges if one.link == "links/step_deletes_object"]
    assert gone == ["deployments/shop/web"]
    acted = [one.keys["object"] for one in incident.edges if one.link == "links/acts_on_made"]
    assert acted == ["configmaps/shop/own"]


def created(number: int, resource: str) -> Request:
    event = {
        "auditID": f"a{number}", "verb": "create", "stage": "ResponseComplete", "requestURI": f"/x/{number}",
        "requestReceivedTimestamp": f"2026-01-01T00:00:{number % 60:02}.000000Z", "responseStatus": {"code": 201},
        "objectRef": {"resource": resource, "namespace": "shop", "name": f"n{number}"}, "user": {"username": "eve"},
    }  # fmt: skip
    return Request([Event(msgspec.json.decode(msgspec.json.encode(event), type=AuditRecord), Place("log", number, 0))])


@pytest.mark.parametrize(("resource", "name"), [("pods", "shop/*"), ("configmaps", "configmaps/shop/*")])
@pytest.mark.parametrize(("count", "folds"), [(MANY, False), (MANY + 2, True)])
def test_what_a_step_writes_in_great_number_is_one_entity(resource: str, name: str, count: int, folds: bool) -> None:
    requests = [created(number, resource) for number in range(count)]
    act = Act(sample().steps[0], Entity("step", "INC/1"), requests)
    edges = [
        edge("request_names_object", Entity("request", one.audit_id), entity_of(one.object), {"k": "v"}, (LINE,))
        for one in requests
    ]
    kept = edges[0].target
    few = written(edges, [act], {kept}, {})
    groups = [one for one in few if one.link == "links/step_writes_many"]
    assert bool(groups) == folds
    assert len(few) == (2 if folds else count)
    if folds:
        assert (groups[0].source, groups[0].target.name) == (act.entity, name)
        assert groups[0].keys["count"] == str(count - 1)
        assert kept in {one.target for one in few}, "something else is known of it"
