"""What the cluster did on the intruder's behalf: static pods of manifests that a command wrote."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from kubewitness.model.incident import Entity
from tests.incident.conftest import Investigate
from tests.incident.identity.test_attribution import INTRUDER, only
from tests.incident.logs import DOOR, KUBELET, Log

BY: dict[str, Any] = {"by": "system:anonymous", "address": INTRUDER, "agent": "curl/8.5.0", "reason": DOOR}
WRITES = "cat > /host/etc/kubernetes/manifests/proxy.yaml"


@pytest.mark.parametrize(
    ("command", "pod", "at", "code", "told"),
    [
        (WRITES, "proxy-node-a", "13:06", 101, True),
        ("cp /tmp/p.json /host/etc/kubernetes/manifests/proxy.json", "proxy-node-a", "13:06", 101, True),
        (WRITES, "proxy-node-b", "13:06", 101, False),
        (WRITES, "proxy2-node-a", "13:06", 101, False),
        (WRITES, "proxy-node-a", "13:04", 101, False),
        (WRITES, "proxy-node-a", "14:30", 101, False),
        (WRITES, "proxy-node-a", "13:06", 403, False),
        ("cat /host/etc/kubernetes/manifests/proxy.yaml", "proxy-node-a", "13:06", 101, False),
        ("cat > /host/etc/kubernetes/manifests.old/proxy.yaml", "proxy-node-a", "13:06", 101, False),
    ],
    ids=["written", "copied", "of another node", "of another name", "before", "long after", "refused", "only read",
         "another folder"],
)  # fmt: skip
def test_a_static_pod_is_told_below_the_command_that_wrote_its_manifest(
    judged: Investigate, command: str, pod: str, at: str, code: int, *, told: bool
) -> None:
    log = Log()
    log.quiet_day()
    log.request("list", "secrets", at="13:00", **BY)
    query = "?" + "&".join(f"command={quote(word, safe='')}" for word in ("sh", "-c", command))
    written = log.request("get", "pods", at="13:05", namespace="default", name="debugger", subresource="exec",
                          code=code, query=query, **BY)  # fmt: skip
    mirror = log.request("create", "pods", at=at, by="system:node:node-a", address="10.0.0.11", agent=KUBELET,
                         namespace="kube-system", name=pod)  # fmt: skip
    incident = only(judged(log))
    assert mirror not in incident.audit_ids
    edges = [(one.source, one.target) for one in incident.edges if one.link == "links/manifest_written"]
    assert edges == ([(Entity("request", written), Entity("pod", f"kube-system/{pod}"))] if told else [])
    effects = [text.en for step in incident.steps for text in step.effects]
    assert ("1 pod started on 1 node (node-a)" in effects) is told
