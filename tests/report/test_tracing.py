"""Claims about traces: back to the request and its step, forward to what came of it, and never across a node."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from kubewitness.correlate.links import edge
from kubewitness.correlate.paths import way_back
from kubewitness.model.document import Document
from kubewitness.model.errors import UsageError
from kubewitness.model.incident import Accessor, Edge, Entity, Evidence, Step
from kubewitness.model.text import Text
from kubewitness.report.text import draw
from kubewitness.report.trace_subjects import known_subjects, near_subjects, subject_of
from kubewitness.report.tracing import Trace, traces
from kubewitness.report.tracing_words import blocks
from tests.report.small import INTRUSION

FIRST = INTRUSION.incidents[0].steps[0]
AUDIT_ID = "a-1"
REQUEST, WORK = Entity("request", AUDIT_ID), Entity("object", "daemonsets/kube-system/kube-controller")
POD, NODE = Entity("pod", "kube-system/kube-controller-x7"), Entity("node", "node2")
CONTAINER, MINER = Entity("container", "node2/" + "c0" * 32), Entity("process", "node2/4411")
SOCKET = Entity("socket", "node2/tcp 10.0.0.5:45112 → 203.0.113.33:3333")
STRANGER = Entity("process", "node2/99")
LINE = Evidence("", "ps.txt", 7, 0, "", summary="4411 ./.system")


def made(link: str, source: Entity, target: Entity) -> Edge:
    return edge(link, source, target, {"k": "v"}, (LINE,))


EDGES = (
    made("request_names_object", REQUEST, WORK),
    made("owner_reference", WORK, POD),
    made("node_writes_status", POD, NODE),
    made("node_process", NODE, STRANGER),
    made("runtime_container", POD, CONTAINER),
    made("cgroup_process", CONTAINER, MINER),
    made("socket_owner", MINER, SOCKET),
)


def document() -> Document:
    incident = INTRUSION.incidents[0]
    create = replace(FIRST, number=1, evidence=(Evidence(AUDIT_ID, "audit.log", 3, 0, ""),))
    mines = Step(
        2, "", "", "effect", "root@node2", "", "", Text("a miner runs", "挖矿"), Text("w", "w"),
        entities=(MINER,), evidence=(LINE,),
    )  # fmt: skip
    return replace(INTRUSION, incidents=(replace(incident, steps=(create, mines), edges=EDGES),))


def one(subject: str) -> Trace:
    (found,) = traces(document(), subject_of(subject))
    return found


def test_a_process_leads_back_to_the_request_and_its_step() -> None:
    found = one("pid:4411@node2")
    assert [hop.target for hop in found.back] == [WORK, POD, NODE, CONTAINER, MINER, SOCKET]
    assert (found.origin, found.steps) == (1, (2,))
    assert found.surest == pytest.approx(0.95)
    assert [hop.target for hop in found.forward] == [SOCKET]


def test_a_request_leads_forward_to_everything_but_what_only_shares_its_node() -> None:
    targets = [hop.target for hop in one(f"request:{AUDIT_ID}").forward]
    assert targets == [WORK, POD, NODE, CONTAINER, MINER, SOCKET]
    assert STRANGER not in targets


def test_a_node_leads_forward_to_what_ran_there_in_the_intruders_pods() -> None:
    targets = {hop.target for hop in one("node:node2").forward}
    assert {CONTAINER, MINER, SOCKET, STRANGER} <= targets
    assert not {REQUEST, WORK} & targets


@pytest.mark.parametrize(
    "subject",
    ["pid:4411", "pod:kube-controller-x7", "container:c0c0c0", "address:203.0.113.33", "step:2", "node:node2"],
)
def test_a_subject_may_be_named_as_a_person_has_it(subject: str) -> None:
    assert one(subject).incident == INTRUSION.incidents[0].id


@pytest.mark.parametrize(
    "subject",
    [
        "pid:4412@node2", "pid:4411@node1", "pod:other/kube-controller-x7", "container:c0c", "address:203.0.113.3",
        "step:9", "finding:F-9999",
    ],
)  # fmt: skip
def test_what_nearly_bears_the_name_is_not_it(subject: str) -> None:
    assert not traces(document(), subject_of(subject))


@pytest.mark.parametrize("text", ["", "4411", "pid", "pid:", "colour:red", ":x"])
def test_a_wrong_subject_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(UsageError, match="pid:4411@node2"):
        subject_of(text)


def test_an_address_of_the_intruder_is_told_by_its_steps() -> None:
    found = one(f"address:{FIRST.address}")
    assert found.origin == 1
    assert WORK in [hop.target for hop in found.forward]


def test_what_is_the_intruders_own_was_not_there_before_them() -> None:
    whole = document()
    incident = whole.incidents[0]
    step, actor = Entity("step", f"{incident.id}/1"), incident.actors[0]
    came, was = Entity("address", actor.addresses[0]), Entity("identity", actor.identities[0])
    edges = (made("address_acts", came, step), made("identity_acts", was, step), *EDGES)
    whole = replace(whole, incidents=(replace(incident, edges=edges),))
    for entity, said in (
        (came, "The intruder came from this address."),
        (was, "The intruder acted under this identity."),
    ):
        found = traces(whole, subject_of(f"{entity.kind}:{entity.name}"))
        shown = draw(blocks(whole, list(found), "en"), 400)
        assert said in shown
        assert "been there before the intruder" not in shown


def test_both_languages_say_it_and_hostile_names_stay_inert() -> None:
    found = [replace(one("pid:4411@node2"), subject="pid:\x1b[31m1")]
    english, chinese = (draw(blocks(document(), found, language), 400) for language in ("en", "zh"))
    assert "Back to the intruder" in english
    assert "追溯到入侵者" in chinese
    assert "\x1b" not in english + chinese
    assert "ps.txt:7" in english


def test_what_can_be_asked_is_offered() -> None:
    assert "pid:4411@node2" in known_subjects(document())


def test_a_finding_may_be_named_by_its_id_alone() -> None:
    assert str(subject_of("f-0003")) == "finding:F-0003"
    assert str(subject_of("detection:F-0003")) == "finding:F-0003"


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("pid:4411@node1", "pid:4411@node2"), ("4411", "pid:4411@node2"), ("node2", "node:node2"),
        ("pod:kube-controller-x8", "pod:kube-system/kube-controller-x7"), ("container:c0c", "container:c0c0c0c0c0c0"),
    ],
)  # fmt: skip
def test_near_names_are_offered(wrong: str, near: str) -> None:
    assert near in near_subjects(document(), wrong)


def test_nothing_like_it_offers_nothing() -> None:
    assert not near_subjects(document(), "pid:999999")
    assert len(near_subjects(document(), "x" * 100_000)) == 0


def test_a_folded_pod_is_found_in_its_group() -> None:
    group = Entity("pods", "kube-system/agent-*")
    incident = INTRUSION.incidents[0]
    edges = (made("request_names_object", REQUEST, WORK), made("many_pods", WORK, group))
    folded = replace(INTRUSION, incidents=(replace(incident, steps=(), edges=edges),))
    (found,) = traces(folded, subject_of("pod:kube-system/agent-x7k2p"))
    assert [hop.target for hop in found.back] == [WORK, group]


def test_a_process_of_a_node_is_not_told_to_come_of_a_pod_there() -> None:
    """The pod ran on the node, and so does the process: that is all."""
    found = one("pid:99@node2")
    assert [hop.source for hop in found.back] == [NODE]


def test_what_was_made_after_a_thing_is_no_way_to_it() -> None:
    early, late = Entity("step", "INC-1/2"), Entity("step", "INC-1/3")
    edges = (made("step_request", early, REQUEST), made("request_names_object", REQUEST, WORK),
             made("made_binding_allows", late, Entity("step", "INC-1/4")), made("owner_reference", WORK, POD),
             made("step_reads_object", late, WORK))  # fmt: skip
    times = {early: "2026-01-01T00:00:05Z", late: "2026-01-01T00:00:09Z"}
    assert way_back(POD, edges, times, "2026-01-01T00:00:06Z")[0] == early
    assert late not in way_back(POD, edges, times, "2026-01-01T00:00:06Z")


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=80))
def test_a_way_back_begins_where_nothing_leads_to_and_each_pair_on_it_is_an_edge(ends: list[tuple[int, int]]) -> None:
    nodes = [Entity("process", f"n/{number}") for number in range(45)]
    edges = tuple(made("parent_process", nodes[first], nodes[first + step]) for first, step in ends)
    way = way_back(nodes[30], edges)
    pairs = {(one.source, one.target) for one in edges}
    assert set(pairwise(way)) <= pairs
    assert not way or way[-1] == nodes[30]
    assert not way or way[0] not in {one.target for one in edges}


def test_who_else_uses_an_address_is_said_and_not_followed() -> None:
    address = FIRST.address
    stranger = Accessor("jane", address, (), 5, 0, "", "", {}, {})
    shared = replace(document(), accessors=(stranger,))
    (found,) = traces(shared, subject_of(f"address:{address}"))
    assert found.others == 1
    assert "1 further identity" in draw(blocks(shared, [found], "en"), 400)
    assert "1 个身份" in draw(blocks(shared, [found], "zh"), 400)


def test_one_direction_may_be_asked_for() -> None:
    found = [one("pod:kube-controller-x7")]
    back, forward = (draw(blocks(document(), found, "en", way), 400) for way in ("back", "forward"))
    assert "Back to the intruder" in back
    assert "What came of it" not in back
    assert "What came of it" in forward
    assert re.search(r"processes +1 +pid 4411", forward)
    assert "Back to" not in forward


def test_a_pod_comes_of_who_made_it_and_not_of_who_entered_it_later() -> None:
    incident = INTRUSION.incidents[0]
    steps = tuple(replace(FIRST, number=number, time=f"2026-01-01T00:0{number}:00Z") for number in (1, 2))
    own = [Entity("step", f"{incident.id}/{number}") for number in (1, 2)]
    asked = [Entity("request", f"r{number}") for number in (1, 2)]
    edges = (
        *(made("step_request", own[n], asked[n]) for n in (0, 1)),
        made("request_names_object", asked[0], POD), made("request_enters_pod", asked[1], POD),
        made("acts_on_made", own[0], own[1]),
    )  # fmt: skip
    timed = tuple(
        replace(one, evidence=(replace(LINE, time=steps[own.index(one.source)].time),)) if one.source in own else one
        for one in edges
    )
    known = replace(INTRUSION, incidents=(replace(incident, steps=steps, edges=timed),))
    (found,) = traces(known, subject_of(f"pod:{POD.name}"))
    assert [hop.source for hop in found.back] == [own[0], asked[0]]
    assert found.origin == 1
