"""Which kubelet settings would have turned away the commands that came straight to it, and whose requests with them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from kubewitness.correlate.lineage import Lineage
from kubewitness.correlate.rbac.state import History
from kubewitness.incident.cuts.kubelet import kubelet_cuts
from kubewitness.incident.node.view import NodeView
from kubewitness.model.evidence import Place
from kubewitness.model.host import LogLine
from kubewitness.model.incident import Cut, Incident, Step
from kubewitness.model.text import Text
from kubewitness.posture.kubelet import effective
from kubewitness.posture.rbac.nouns import RESOURCES, Binding, Role
from kubewitness.posture.rbac.objects import Dump
from tests.correlate.rbac.made_up import binding, role, rule
from tests.posture.machine import host

WHEN = datetime(2026, 3, 2, 13, tzinfo=UTC)
NOTHING = Text("", "")
OPEN = "--anonymous-auth=true --authorization-mode=AlwaysAllow"


def history(*objects: Role | Binding) -> History:
    documents = dict.fromkeys(one.key for one in objects)
    return History([], [Dump({one.key: one for one in objects}, documents, set(), set(RESOURCES))])


def step(number: int, rule_: str, who: str, requests: int = 1) -> Step:
    return Step(
        number, "2026-03-02T13:00:00.000000Z", "", "execute", who, "", "", NOTHING, NOTHING, requests=requests,
        rules=(rule_,),
    )  # fmt: skip


def incident(*steps: Step, audit_ids: tuple[str, ...] = ()) -> Incident:
    return Incident(
        "INC-1", "critical", "high", NOTHING, (), "2026-03-02T13:00:00.000000Z", "2026-03-02T14:00:00.000000Z", (),
        None, (), steps, audit_ids=audit_ids,
    )  # fmt: skip


COMMANDS = incident(
    step(1, "host/kubelet_exec_fan_out", "kubelet of node1", 20),
    step(2, "host/exec_download", "kubelet of node1", 3),
    step(3, "host/exec_download", "kubelet of node2", 5),
    step(4, "host/miner_process", "root@node1"),
)


def view(flags: str, *requests: dict[str, str]) -> NodeView:
    machine = host({}, f"/usr/bin/kubelet {flags}")
    machine.name = "node1"
    place = Place("kubelet.log", 1, 0, 10)
    machine.logs += [LogLine("kubelet", "", "info", "HTTP", fields, place) for fields in requests]
    return NodeView(machine, (), (), effective(machine), Lineage(machine))


def cuts(flags: str, *requests: dict[str, str], told: Incident = COMMANDS, state: History | None = None) -> list[Cut]:
    return list(kubelet_cuts(told, [view(flags, *requests)], state or history()))


def settings(found: list[Cut]) -> list[str]:
    return [part.what for cut in found for part in cut.parts]


ANONYMOUS, WEBHOOK = "authentication.anonymous.enabled=false", "authorization.mode=Webhook"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (OPEN, [ANONYMOUS, WEBHOOK]),
        ("--kubeconfig=/k", [ANONYMOUS, WEBHOOK]),
        ("--anonymous-auth=true --authorization-mode=Webhook", [ANONYMOUS]),
        ("--anonymous-auth=false --authorization-mode=AlwaysAllow", [WEBHOOK]),
        ("--anonymous-auth=false --authorization-mode=Webhook", []),
    ],
)
def test_what_is_wrong_is_set_right(flags: str, expected: list[str]) -> None:
    found = cuts(flags)
    assert settings(found) == expected
    judged = [(cut.of, cut.refused, cut.total, cut.uncertain) for cut in found]
    assert judged == [("commands", 23, 23, True)] * len(expected)


def test_the_authorizer_refuses_nothing_that_a_binding_grants_to_everybody() -> None:
    open_to_all = (role("p", rule("create", "nodes/proxy")), binding("b", "ClusterRole p", "User system:anonymous"))
    assert settings(cuts(OPEN, state=history(*open_to_all))) == [ANONYMOUS]
    other = (role("p", rule("create", "nodes/proxy")), binding("b", "ClusterRole p", "User jane"))
    assert settings(cuts(OPEN, state=history(*other))) == [ANONYMOUS, WEBHOOK]


def test_without_logged_requests_nothing_is_known_of_others() -> None:
    assert [(cut.broken, cut.unknown, cut.at_most) for cut in cuts(OPEN)] == [(0, True, False)] * 2


def test_logged_requests_of_others_are_the_most_that_breaks() -> None:
    found = cuts(
        OPEN,
        {"URI": "/metrics", "srcIP": "10.0.0.9:41234", "resp": "200"},
        {"URI": "/pods", "srcIP": "[fd00::9]:41234", "resp": "200"},
        {"URI": "/metrics", "srcIP": "10.0.0.9:41235", "resp": "200"},
        {"URI": "/pods", "srcIP": "10.0.0.8:1", "resp": "401"},
        {"URI": "/exec/shop/web/main?command=id", "srcIP": "203.0.113.7:1", "resp": "101"},
        {"srcIP": "10.0.0.9:41235"},
    )
    assert len(found) == 2
    for cut in found:
        assert cut.by == {"10.0.0.9": 2, "[fd00::9]": 1}
        assert (cut.broken, cut.identities, cut.unknown, cut.at_most) == (3, 2, False, True)


def test_commands_that_came_through_the_api_server_or_were_not_seen_are_not_judged() -> None:
    assert not cuts(OPEN, told=replace(COMMANDS, audit_ids=("a",)))
    assert not cuts(OPEN, told=incident(step(1, "host/miner_process", "root@node1")))
    assert not cuts(OPEN, told=incident(step(1, "host/exec_download", "kubelet of node2")))
