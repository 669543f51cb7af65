"""The pod inside whatever makes pods, and nothing inside what does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kubewitness.posture.pod_security import evaluate, pod_of
from tests.corpus import CORPUS, needs_corpus
from tests.posture.pod_security.made_up import changed, failed

_BAD = changed(("spec.hostPID", True))


@pytest.mark.parametrize(
    ("kind", "version", "prefix"),
    [
        ("Pod", "v1", ""),
        ("PodTemplate", "v1", "template."),
        ("ReplicationController", "v1", "spec.template."),
        ("ReplicaSet", "apps/v1", "spec.template."),
        ("Deployment", "apps/v1", "spec.template."),
        ("Deployment", "extensions/v1beta1", "spec.template."),
        ("StatefulSet", "apps/v1beta2", "spec.template."),
        ("DaemonSet", "apps/v1", "spec.template."),
        ("Job", "batch/v1", "spec.template."),
        ("CronJob", "batch/v1beta1", "spec.jobTemplate.spec.template."),
    ],
)
def test_each_kind_has_its_pod_where_its_api_puts_it(kind: str, version: str, prefix: str) -> None:
    inner: Any = _BAD
    for key in reversed(prefix.split(".")[:-1]):
        inner = {key: inner}
    for document in ({**inner, "kind": kind, "apiVersion": version}, {**inner, "kind": kind}):
        found = pod_of(document)
        assert found
        assert found[1] == prefix
        assert [found[1] + path for one in evaluate(found[0], "baseline") for path in one.paths] == [
            f"{prefix}spec.hostPID"
        ]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"kind": "Service", "spec": {"template": _BAD}},
        {"kind": "Job", "apiVersion": "batch.volcano.sh/v1alpha1", "spec": {"template": _BAD}},
        {"kind": "Pod", "apiVersion": "metrics.k8s.io/v1", **_BAD},
        {"kind": "Deployment", "apiVersion": "apps/v1", "spec": {}},
        {"kind": "Deployment", "apiVersion": "apps/v1", "spec": {"template": [_BAD]}},
        {"kind": "CronJob", "apiVersion": "batch/v1", "spec": {"template": _BAD}},
        {"kind": ["Pod"], **_BAD},
    ],
)
def test_everything_else_has_none(document: dict[str, Any]) -> None:
    assert pod_of(document) is None


@needs_corpus
def test_the_pods_of_a_real_cluster_get_what_their_trade_asks_for() -> None:
    """A kind cluster of 1.20: the control plane and the network need the node, DNS does not."""
    assert CORPUS
    folder = CORPUS / "vmware-tanzu__sonobuoy/pkg/discovery/testdata/healthsummary/resources/ns/kube-system"
    pods = json.loads((folder / "core_v1_pods.json").read_text())
    by_name = {one["metadata"]["name"]: failed(one, "baseline", (1, 33)) for one in pods["items"]}
    node = {"hostNamespaces", "hostPathVolumes"}
    for name, checks in by_name.items():
        if name.startswith("coredns"):
            assert checks == set()
        elif name.startswith("kube-proxy"):
            assert checks == {*node, "privileged"}
        elif name.startswith("kindnet"):
            assert checks == {*node, "capabilities_baseline"}
        else:
            assert checks == node
    assert len(by_name) > 10
