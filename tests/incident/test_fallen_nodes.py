"""What is advised for a machine whose kubelet's credential was read."""

from __future__ import annotations

import pytest

from kubewitness.incident.fallen_nodes import rebuild
from kubewitness.incident.identity.nodes import NodeGained
from kubewitness.incident.requests import Request, requests_of
from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.evidence import Place


def request() -> Request:
    return requests_of([Event(AuditRecord(auditID="a", verb="get"), Place("log", 1, 0), b"{}")])[0]


@pytest.mark.parametrize(
    ("node", "nodes", "title", "command"),
    [
        ("worker-1", ("worker-1", "worker-2"), "Build worker-1 anew", "kubectl drain worker-1 "),
        ("", ("worker-2",), "Build worker-2 anew", "kubectl drain worker-2 "),
        ("", ("worker-1", "worker-2"), "Build the node anew", "kubectl get pods -A -o wide  # find"),
    ],
    ids=["named by the log", "the only one on which the intruder was", "not known"],
)
def test_a_machine_whose_credential_was_read_is_built_anew(
    node: str, nodes: tuple[str, ...], title: str, command: str
) -> None:
    (action,) = rebuild([NodeGained(node, request(), "default/debugger", read=True)], nodes)
    assert action.title.en.startswith(title)
    assert command in action.command
    assert not action.safe


def test_where_nothing_was_seen_to_be_read_no_machine_is_to_go() -> None:
    assert rebuild([NodeGained("worker-1", request(), "default/debugger", read=False)], ("worker-1",)) == []


@pytest.mark.parametrize("name", ["w; rm -rf /", "-o=x", "w\x1b[2J"])
def test_a_node_with_a_hostile_name_stands_in_no_command(name: str) -> None:
    (action,) = rebuild([NodeGained(name, request(), "default/debugger", read=True)], ())
    assert name not in action.command
    assert "\x1b" not in action.title.en
