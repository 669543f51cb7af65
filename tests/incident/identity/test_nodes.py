"""A kubelet's credential that was taken from its machine, beside the near miss that is the node's own."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubewitness.incident.identity.nodes import nodes_gained
from kubewitness.incident.requests import requests_of
from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.evidence import Place
from tests.incident.conftest import Investigate
from tests.incident.identity.test_attribution import INTRUDER, only
from tests.incident.logs import DOOR, KUBECTL, KUBELET, Log

ELSEWHERE = "192.0.2.200"
BY: dict[str, Any] = {"by": "system:anonymous", "address": INTRUDER, "agent": "curl/8.5.0", "reason": DOOR}
KEY = "?command=cat&command=%2Fhost%2Fvar%2Flib%2Fkubelet%2Fpki%2Fkubelet.key"


@pytest.fixture
def log() -> Log:
    log = Log()
    log.quiet_day()
    return log


def comes(log: Log) -> str:
    return log.request("list", "secrets", at="13:00", **BY)


def makes(log: Log, at: str = "13:05", *, node: str = "node-a", path: str = "/", privileged: bool = False) -> str:
    volumes = [{"name": "host", "hostPath": {"path": path}}]
    container = {"name": "main", "image": "busybox", "securityContext": {"privileged": privileged}}
    spec = {"nodeName": node, "containers": [container], "volumes": volumes}
    body = {"kind": "Pod", "metadata": {"name": "debugger", "namespace": "default"}, "spec": spec}
    return log.request("create", "pods", at=at, namespace="default", name="debugger", body=body, **BY)


def runs(log: Log, query: str = KEY, at: str = "13:06", code: int = 101) -> str:
    return log.request("create", "pods", at=at, namespace="default", name="debugger", subresource="exec", code=code,
                       query=query, **BY)  # fmt: skip


def acts(log: Log, node: str = "node-a", at: str = "13:20", address: str = ELSEWHERE, agent: str = KUBECTL) -> str:
    return log.request("get", "secrets", at=at, by=f"system:node:{node}", address=address, agent=agent,
                       namespace="shop", name="database", groups=("system:nodes", "system:authenticated"))  # fmt: skip


def test_a_kubelets_credential_read_in_a_pod_and_used_elsewhere_is_one_intruder(log: Log, judged: Investigate) -> None:
    own = [comes(log), makes(log), runs(log), acts(log)]
    incident = only(judged(log))
    assert set(incident.audit_ids) == set(own)
    said = " ".join(sentence.en for sentence in incident.actors[0].why)
    assert "system:node:node-a from 192.0.2.200, by hand: the intruder had read the kubelet's credential in pod" in said
    assert [one.inferred for one in incident.edges if one.link == "links/node_credential_taken"] == [False]


@pytest.mark.parametrize("how", [{"path": "/var/lib/kubelet"}, {"path": "/data", "privileged": True}])
def test_a_pod_that_had_the_machine_may_have_been_where_the_credential_was_read(
    log: Log, judged: Investigate, how: dict[str, Any]
) -> None:
    """`kubectl exec -it … sh` shows nothing of what is typed then."""
    own = [comes(log), makes(log, **how), acts(log)]
    incident = only(judged(log))
    assert set(incident.audit_ids) == set(own)
    assert [one.inferred for one in incident.edges if one.link == "links/node_credential_taken"] == [True]


@pytest.mark.parametrize(
    ("made", "used"),
    [
        ({}, {"node": "node-b"}),
        ({}, {"at": "12:30"}),
        ({"path": "/var/log"}, {}),
        ({"path": "/data"}, {}),
    ],
    ids=["another node's", "used before", "a pod with the node's logs", "a pod with a folder of data"],
)
def test_the_credential_of_a_machine_that_was_not_in_reach_is_somebody_elses(
    log: Log, judged: Investigate, made: dict[str, Any], used: dict[str, Any]
) -> None:
    own = [comes(log), makes(log, **made)]
    other = acts(log, **used)
    found = [set(incident.audit_ids) for incident in judged(log).incidents]
    assert set(own) in found
    assert not any(other in ids for ids in found if own[0] in ids)


@pytest.mark.parametrize(
    ("node", "address", "agent"),
    [("node-a", "10.0.0.11", KUBELET), ("node-z", "10.0.0.99", KUBELET), ("node-a", "10.0.7.7", "node-agent/2.1")],
    ids=["the kubelet where it is", "a kubelet that came later", "a program of another machine"],
)
def test_what_kubelets_and_programs_do_as_a_node_is_no_intruders(
    log: Log, judged: Investigate, node: str, address: str, agent: str
) -> None:
    own = [comes(log), makes(log, node=""), runs(log)]
    honest = acts(log, node, address=address, agent=agent)
    found = set(only(judged(log)).audit_ids)
    assert found == set(own)
    assert honest not in found


@pytest.mark.parametrize(
    ("query", "code", "read"),
    [
        (KEY, 101, True),
        ("?command=base64&command=-w0&command=%2Fhost%2Fetc%2Fkubernetes%2Fkubelet.conf", 101, True),
        ("?command=tar&command=cz&command=%2Fvar%2Flib%2Fkubelet%2Fpki", 101, True),
        ("?command=sh&command=-c&command=cd+%2Fhost%3B+cat+var%2Flib%2Fkubelet%2Fpki%2Fkubelet.key", 101, True),
        ("?command=ls&command=-l&command=%2Fhost%2Fvar%2Flib%2Fkubelet%2Fpki", 101, False),
        ("?command=cat&command=%2Fhost%2Fvar%2Flib%2Fkubelet%2Fconfig.yaml", 101, False),
        ("?command=cat&command=%2Fhost%2Fvar%2Flib%2Fkubelet%2Fpki%2Fkubelet.crt", 101, False),
        (KEY, 403, False),
    ],
    ids=["key", "kubeconfig", "folder", "from within", "only listed", "settings", "no key", "refused"],
)
def test_which_commands_read_the_credential(log: Log, query: str, code: int, *, read: bool) -> None:
    wanted = {makes(log, path="/data"), runs(log, query, code=code)}
    events = [
        Event(msgspec.json.decode(line, type=AuditRecord), Place("log", number, 0), line)
        for number, line in enumerate(log.lines(), 1)
    ]
    found = nodes_gained([one for one in requests_of(events) if one.audit_id in wanted])
    assert [(one.node, one.pod) for one in found] == ([("node-a", "default/debugger")] if read else [])
