"""Evidence of the wrong shape costs no check and no time."""

from __future__ import annotations

import time
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubewitness.model.posture import Where
from kubewitness.posture.catalogue import catalogue
from kubewitness.posture.check import run
from kubewitness.posture.control_plane.checks import CHECKS
from kubewitness.posture.control_plane.flags import Word, flags_of, program_of
from kubewitness.posture.yaml_text import read
from tests.posture.control_plane.plane import api, file, machine, pod, process
from tests.posture.made import snapshot

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("metadata", "spec", "status")


def broken(results: Any) -> list[str]:
    """Results of checks that failed themselves."""
    return [one.reason.en for one in results if "itself failed" in one.reason.en]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(KEYS), ANY, ANY, ANY)
def test_objects_of_any_shape_break_no_check(key: str, value: Any, command: Any, data: Any) -> None:
    one, two = api(), pod("etcd", {}, "3.5")
    one["spec"] = {**one["spec"], "containers": [{**one["spec"]["containers"][0], "command": command, "args": value}]}
    two["spec"] = {**two["spec"], "volumes": data, "containers": [{"name": "etcd", "env": value, "command": command}]}
    map_ = {"kind": "ConfigMap", "metadata": {"name": "kube-proxy", "namespace": "kube-system"}, "data": data}
    binding = {"kind": "ClusterRoleBinding", "metadata": {"name": "x"}, "subjects": value, "roleRef": data}
    third = {**api(), key: value}
    third["metadata"] = {"name": "kube-apiserver-x", "namespace": "kube-system", "ownerReferences": value}
    of = snapshot([one, two, map_, binding, third], whole=("ClusterRoleBinding",))
    assert broken(run(CHECKS, catalogue(), of)) == []


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.lists(st.text(max_size=20), max_size=8))
def test_files_and_command_lines_of_any_content_break_no_check(text: str, words: list[str]) -> None:
    path = "/etc/kubernetes/audit-policy.yaml"
    server = process(["kube-apiserver", f"--audit-policy-file={path}", f"--authorization-config={path}", *words])
    manifest = file("/etc/kubernetes/manifests/x.yaml", text)
    unit = file("/etc/systemd/system/etcd.service", "[Service]\nExecStart=/usr/bin/etcd " + text)
    k3s = file("/etc/rancher/k3s/config.yaml", text)
    host = machine(manifest, unit, k3s, file(path, text), processes=(server, process(["k3s", "server", *words], 9)))
    assert broken(run(CHECKS, catalogue(), snapshot(hosts=[host]))) == []


def test_huge_and_deep_documents_are_refused_quickly() -> None:
    began = time.monotonic()
    assert read("[" * 100_000, Where()) is None
    assert read("a: &a [1]\nb: [*a, *a]\n", Where()) is None
    assert read("a: 1\n" * 150_000, Where()) is None
    words = [Word("--x=" + "$(A)" * 20_000, Where()), *[Word("--authorization-mode=a", Where())] * 3_000]
    assert len(flags_of(words, {"A": "b"})) == 2
    assert program_of([Word("sh", Where()), Word("-c", Where()), Word("'" * 200_000, Where())], wrapped=True) is None
    assert time.monotonic() - began < 5


def test_fifty_thousand_pods_are_read_past_once() -> None:
    other = {"kind": "Pod", "metadata": {"name": "p", "namespace": "shop"}, "spec": {}}
    of = snapshot([*[other] * 50_000, api()])
    began = time.process_time()
    run(CHECKS, catalogue(), of)
    assert time.process_time() - began < 2
