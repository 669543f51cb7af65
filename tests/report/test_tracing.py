"""Claims about traces: back to the request and its step, forward to what came of it, and never across a node."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubewitness.correlate.links import edge
from kubewitness.model.document import Document
from kubewitness.model.errors import UsageError
from kubewitness.model.incident import Edge, Entity, Evidence, Step
from kubewitness.model.text import Text
from kubewitness.report.text import draw
from kubewitness.report.tracing import Trace, known_subjects, subject_of, traces
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


def test_both_languages_say_it_and_hostile_names_stay_inert() -> None:
    found = [replace(one("pid:4411@node2"), subject="pid:\x1b[31m1")]
    english, chinese = (draw(blocks(document(), found, language), 400) for language in ("en", "zh"))
    assert "Back to the intruder" in english
    assert "追溯到入侵者" in chinese
    assert "\x1b" not in english + chinese
    assert "ps.txt:7" in english


def test_what_can_be_asked_is_offered() -> None:
    assert "pid:4411@node2" in known_subjects(document())
