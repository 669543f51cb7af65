"""Dumps of Kubernetes objects are known and not judged; what holds audit events is never taken for one."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.collect.cluster import Options, collect
from kubewitness.evidence.opening import walk
from kubewitness.model.evidence import ParseFailure
from kubewitness.sources.host.hosts import kind_of_source
from kubewitness.sources.kube_objects import KIND, MANIFEST_KIND, KubeObjects, kind_of, read_objects
from tests.collect.test_cluster import FakeApi, pods
from tests.corpus import CORPUS, needs_corpus
from tests.sources.reading import EVENT, event, read

ROLES = {"kind": "ClusterRoleList", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {}, "items": [{}]}
KUBECTL = {
    "apiVersion": "v1",
    "items": [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}],
    "kind": "List",
}
KUBE_EVENTS = {"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": [{"metadata": {}, "reason": "Pulled"}]}
BATCH = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": [EVENT]}


@pytest.mark.parametrize("value", [ROLES, KUBECTL, KUBE_EVENTS, [ROLES, ROLES], ROLES | {"items": []}])
@pytest.mark.parametrize("indent", [None, 4])
def test_lists_of_objects_are_known_however_they_are_written(value: Any, indent: int | None) -> None:
    assert kind_of(json.dumps(value, indent=indent).encode()) == KIND


@pytest.mark.parametrize("value", [ROLES, KUBECTL, KUBE_EVENTS, [ROLES, ROLES]])
def test_as_a_record_a_list_of_objects_is_known_and_no_failure(value: Any) -> None:
    result = read(value)
    assert (result.events, result.failures, result.formats) == ([], [], {KIND: 0})


@pytest.mark.parametrize(
    "value",
    [
        {"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "x"}, "rules": []},
        {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "v1", "resources": []},
        {"major": "1", "gitVersion": "v1.34.4", "gitCommit": "x", "goVersion": "go1.24", "platform": "linux/amd64"},
    ],
)
def test_one_object_is_known_as_a_record(value: Any) -> None:
    assert read(value).failures == []


@pytest.mark.parametrize(
    "value",
    [
        BATCH,
        {"kind": "EventList", "items": [EVENT]},
        {"apiVersion": "v1", "items": [EVENT], "kind": "List"},
        {"items": [EVENT]},
        {"kind": "ShoppingList", "items": [{}]},
        {"kind": "PodList", "apiVersion": "v1", "items": 7},
        {"kind": 7, "apiVersion": "v1", "items": []},
        [EVENT],
        [BATCH],
        [1, ROLES],
        EVENT,
    ],
)
def test_batches_of_audit_events_and_other_lists_are_left_to_others(value: Any) -> None:
    assert kind_of(json.dumps(value).encode()) == ""


def test_a_batch_of_audit_events_still_gives_its_events() -> None:
    assert len(read(BATCH).events) == 1
    assert len(read({"kind": "EventList", "items": [EVENT]}).events) == 1
    assert len(read({"apiVersion": "v1", "kind": "List", "items": [EVENT, EVENT]}).events) == 2


def test_a_kube_event_given_as_a_log_is_still_told() -> None:
    value = {"kind": "Event", "apiVersion": "v1", "metadata": {"name": "x"}, "reason": "Pulled"}
    assert read(value).reasons == ["Kubernetes Event object (kubectl get events), no audit event"]


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,akindpVersitmsL1 ', max_size=200).map(str.encode))
def test_no_bytes_break_the_recognition(data: bytes) -> None:
    assert kind_of(data) in {"", KIND, MANIFEST_KIND}
    assert kind_of(b'{"kind":"PodList","apiVersion":' + data) in {"", KIND}


def taken(*paths: Path) -> KubeObjects:
    return read_objects(list(walk([str(path) for path in paths])))


def test_an_item_is_taken_as_a_whole_and_hashed(tmp_path: Path) -> None:
    (tmp_path / "rbac.json.gz").write_bytes(gzip.compress(json.dumps([ROLES, ROLES]).encode()))
    sources = list(walk([str(tmp_path)]))
    assert read_objects(sources).items == {sources[0].name: KIND}
    assert len(sources[0].sha256) == 64


@pytest.mark.parametrize("behind", [event(), b"", json.dumps([EVENT]).encode()])
def test_audit_events_behind_objects_are_found_wherever_they_are(tmp_path: Path, behind: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(json.dumps(ROLES | {"items": [{"x": "y" * 2_000_000}]}).encode() + b"\n" + behind)
    assert bool(taken(path).items) == (behind == b"")


def test_a_dump_that_is_cut_off_is_left_to_be_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(json.dumps(ROLES | {"items": [{"x": 1}] * 9000}).encode()[:-40] + b",")
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(json.dumps(KUBECTL).encode() * 3)[:-6])
    assert taken(tmp_path).items == {}


def archive(folder: Path, change: Callable[[dict[str, bytes]], None] = lambda _: None) -> Path:
    """The archive of a cluster, packed again with `change`."""
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    api = FakeApi({"pods": pods(3), "nodes": pods(1)}, secrets="shop db Opaque 1 2d <none>\n")
    path = collect(api, folder, Options(now=lambda: moment), lambda *_: None).written.path
    data = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
    change(members)
    with tarfile.open(folder / "again.tar", "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    path.unlink()
    return folder / "again.tar"


def test_every_member_of_a_clusters_archive_is_known_and_proven(tmp_path: Path) -> None:
    sources = list(walk([str(archive(tmp_path))]))
    found = read_objects(sources)
    rest = [source for source in sources if source.name not in found.items]
    assert [source.name.rpartition("/")[2] for source in rest] == ["version.json"]  # one object: known as a record
    assert sorted(set(found.items.values())) == [KIND, MANIFEST_KIND]
    assert (found.failures, found.notes) == ([], [])


def test_nothing_of_a_clusters_archive_is_taken_for_a_machines(tmp_path: Path) -> None:
    assert not [source.name for source in walk([str(archive(tmp_path))]) if kind_of_source(source)]


def _changed(members: dict[str, bytes]) -> None:
    name = next(name for name in members if name.endswith("pods.json"))
    members[name] = members[name].replace(b"pod-1", b"pod-9")


def _removed(members: dict[str, bytes]) -> None:
    del members[next(name for name in members if name.endswith("pods.json"))]


def _added(members: dict[str, bytes]) -> None:
    name = next(name for name in members if name.endswith("pods.json"))
    members[name.replace("pods", "pots")] = json.dumps(ROLES).encode()


def _hidden(members: dict[str, bytes]) -> None:
    """A member and its line of the manifest."""
    _removed(members)
    name = next(name for name in members if name.endswith("manifest.jsonl"))
    members[name] = b"".join(
        line for line in members[name].splitlines(keepends=True) if b'"path":"cluster/core/pods.json"' not in line
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_changed, "changed since it was collected"),
        (_removed, "in the manifest and not in the archive"),
        (_added, "added later"),
        (_hidden, "the manifest was changed"),
    ],
)
def test_a_clusters_archive_that_was_tampered_with_is_told(
    tmp_path: Path, change: Callable[[dict[str, bytes]], None], reason: str
) -> None:
    failures: list[ParseFailure] = taken(archive(tmp_path, change)).failures
    assert reason in " ".join(failure.reason for failure in failures)


@needs_corpus
def test_dumps_of_others_are_known_and_their_audit_logs_are_not_taken() -> None:
    assert CORPUS is not None
    dumps = taken(
        CORPUS / "vmware-tanzu__sonobuoy/pkg/discovery/testdata/healthsummary/resources",
        CORPUS / "replicatedhq__troubleshoot/pkg/analyze/files/support-bundle/cluster-resources/deployments",
    )
    assert len(dumps.items) == 7
    for other in ("liggitt__audit2rbac", "sysdiglabs__aks-audit-log", "openshift__cluster-logging-operator"):
        assert taken(CORPUS / other).items == {}
