"""A cluster is collected page by page; what does not come is said, and no value of a Secret is in the archive."""

from __future__ import annotations

import io
import json
import re
import tarfile
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
import zstandard

from kubewitness.collect.cluster import Collected, Options, collect
from kubewitness.collect.cluster_names import rows
from kubewitness.collect.cluster_plan import PLAN
from kubewitness.kube.interface import (
    Answer,
    ApiError,
    Busy,
    Call,
    Expired,
    Forbidden,
    NotFound,
    NotLoggedIn,
    TooLarge,
    Unreachable,
    Whereabouts,
)
from kubewitness.model.collection import FORMAT_CLUSTER, Command, End, Header, Item, Omitted, Record

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
VERSION = b'{"major":"1","minor":"34","gitVersion":"v1.34.4"}'


class FakeApi:
    """A cluster of `objects` by resource; `trouble` is asked before every answer."""

    def __init__(self, objects: dict[str, list[dict[str, Any]]], **tables: str) -> None:
        self.objects, self.tables = objects, tables
        self.asked: list[str] = []
        self.trouble: Callable[[str], None] = lambda _: None
        self.versions = {(w.group, w.resource): w.versions[0] for w in PLAN}

    def whereabouts(self) -> Whereabouts:
        return Whereabouts("blue/../x", "https://192.0.2.1:6443", "c", "jane")

    def names(self, resource: str, namespace: str = "") -> Answer:
        self._ask(f"names {resource} {namespace}".strip())
        return self._answer(self.tables.get(resource, "").encode(), "names")

    def get(self, path: str) -> Answer:
        self._ask(path)
        return self._answer(self._body(path), path)

    def _ask(self, path: str) -> None:
        self.asked.append(path)
        self.trouble(path)

    def _answer(self, body: bytes, path: str) -> Answer:
        return Answer(body, Call(("kubectl", "get", f"--raw={path}"), 0))

    def _body(self, path: str) -> bytes:
        url = urlsplit(path)
        if url.path == "/version":
            return VERSION
        if url.path == "/apis":
            groups: dict[str, set[str]] = {}
            for (group, _), version in self.versions.items():
                groups.setdefault(group, set()).add(version)
            return dump(
                groups=[
                    {"name": group, "versions": [{"groupVersion": f"{group}/{v}", "version": v} for v in sorted(all_)]}
                    for group, all_ in sorted(groups.items())
                    if group
                ]
            )
        if found := re.fullmatch(r"/api/v1|/apis/([^/]+)/([^/]+)", url.path):
            has = [
                {"name": resource}
                for (group, resource), version in self.versions.items()
                if group == (found[1] or "") and version == (found[2] or "v1")
            ]
            return dump(kind="APIResourceList", resources=has)
        if url.path.startswith("/api/v1/namespaces/kube-system/configmaps/"):
            return dump(metadata={"name": url.path.rpartition("/")[2]}, data={"x.yaml": "token: hunter2\nkind: Y\n"})
        if url.path == "/api/v1/namespaces/kube-system":
            return dump(metadata={"uid": "1b1b"})
        query = parse_qs(url.query)
        resource, limit, start = (
            url.path.rpartition("/")[2],
            int(query["limit"][0]),
            int(query.get("continue", ["0"])[0]),
        )
        items = self.objects.get(resource, [])
        more = str(start + limit) if start + limit < len(items) else ""
        return dump(
            kind="XList", apiVersion="v1", metadata={"resourceVersion": "9", "continue": more},
            items=items[start : start + limit],
        )  # fmt: skip


def dump(**value: Any) -> bytes:
    return json.dumps(value).encode()


def pods(count: int) -> list[dict[str, Any]]:
    return [{"metadata": {"name": f"pod-{n}"}, "spec": {"containers": [{"image": "web:1"}]}} for n in range(count)]


def run(api: FakeApi, folder: Path, **options: Any) -> Collected:
    return collect(api, folder, Options(now=lambda: NOW, pause=lambda _: None, **options), lambda *_: None)


class Opened:
    def __init__(self, path: Path) -> None:
        data = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            self.members = {info.name.partition("/")[2]: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
            self.top = tar.getnames()[0].partition("/")[0]
        self.records = [msgspec.json.decode(line, type=Record) for line in self.members["manifest.jsonl"].splitlines()]

    def of(self, kind: type) -> list[Any]:
        return [record for record in self.records if isinstance(record, kind)]

    def list(self, name: str) -> list[dict[str, Any]]:
        items = json.loads(self.members[f"cluster/{name}.json"])["items"]
        assert isinstance(items, list)
        return items


def test_the_archive_names_cluster_version_and_time(tmp_path: Path) -> None:
    found = run(FakeApi({}), tmp_path)
    opened = Opened(found.written.path)
    assert found.written.path.name == "kubewitness-cluster-blue-..-x-20260301T120000Z.tar.zst"
    [header] = opened.of(Header)
    assert opened.records[0] == header
    assert (header.format, header.machine_id, header.started) == (FORMAT_CLUSTER, "1b1b", "2026-03-01T12:00:00Z")
    assert header.options["kubernetes"] == "v1.34.4"
    assert opened.members["cluster/version.json"] == VERSION
    assert opened.of(End)[0].complete
    assert found.missing == ()


def test_a_list_of_many_pages_becomes_one_document_with_an_object_a_line(tmp_path: Path) -> None:
    api = FakeApi({"pods": pods(1203)})
    opened = Opened(run(api, tmp_path).written.path)
    assert [one["metadata"]["name"] for one in opened.list("core/pods")] == [f"pod-{n}" for n in range(1203)]
    assert opened.members["cluster/core/pods.json"].count(b"\n") == 1205
    assert [path for path in api.asked if "/pods?" in path] == [
        "/api/v1/pods?limit=500", "/api/v1/pods?limit=500&continue=500", "/api/v1/pods?limit=500&continue=1000",
    ]  # fmt: skip
    assert json.loads(opened.members["cluster/core/pods.json"])["metadata"] == {"resourceVersion": "9"}


def test_a_list_that_expires_is_begun_anew_and_the_manifest_tells(tmp_path: Path) -> None:
    api, once = FakeApi({"pods": pods(600)}), list[str]()

    def trouble(path: str) -> None:
        if "continue=500" in path and not once:
            once.append(path)
            raise Expired("(Expired)", Call(("kubectl", path), 1, error="(Expired)"))

    api.trouble = trouble
    found = run(api, tmp_path)
    opened = Opened(found.written.path)
    assert len(opened.list("core/pods")) == 600
    assert [one.error for one in opened.of(Command) if one.exit_code] == ["(Expired)"]
    assert found.missing == ()


def test_of_a_list_that_always_expires_what_came_is_kept_and_the_rest_told(tmp_path: Path) -> None:
    api = FakeApi({"pods": pods(600)})
    api.trouble = failing(lambda path: "continue=500" in path, Expired())
    found = run(api, tmp_path)
    assert len(Opened(found.written.path).list("core/pods")) == 500
    assert "after 500 objects" in found.missing[0].reason


def failing(when: Callable[[str], bool], error: ApiError) -> Callable[[str], None]:
    def trouble(path: str) -> None:
        if when(path):
            raise error

    return trouble


def test_what_is_forbidden_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    api = FakeApi({"pods": pods(2), "nodes": pods(1)})
    api.trouble = failing(lambda path: "/pods" in path, Forbidden('pods is forbidden: User "jane"'))
    found = run(api, tmp_path)
    opened = Opened(found.written.path)
    assert [one.path for one in found.missing] == ["cluster/core/pods.json"]
    assert "jane" in found.missing[0].reason
    assert opened.of(Omitted) == list(found.missing)
    assert "cluster/core/pods.json" not in opened.members
    assert len(opened.list("core/nodes")) == 1
    assert not opened.of(End)[0].complete


def test_what_the_cluster_does_not_have_is_no_lack(tmp_path: Path) -> None:
    api = FakeApi({})
    del api.versions["admissionregistration.k8s.io", "mutatingadmissionpolicies"]
    api.trouble = failing(lambda path: "/networkpolicies" in path, NotFound())
    found = run(api, tmp_path)
    assert [one.path.rpartition("/")[2] for one in found.absent] == [
        "mutatingadmissionpolicies.json", "networkpolicies.json",
    ]  # fmt: skip
    assert found.missing == ()
    assert Opened(found.written.path).of(End)[0].complete


def test_the_version_that_is_served_is_asked_for(tmp_path: Path) -> None:
    api = FakeApi({"cronjobs": pods(1)})
    api.versions["batch", "cronjobs"] = "v1beta1"
    opened = Opened(run(api, tmp_path).written.path)
    assert "/apis/batch/v1beta1/cronjobs?limit=500" in api.asked
    assert len(opened.list("batch/cronjobs")) == 1


def test_an_extension_api_that_is_down_costs_only_itself(tmp_path: Path) -> None:
    api = FakeApi({"pods": pods(1)})
    api.versions["metrics.example.com", "x"] = "v1"
    api.trouble = failing(lambda path: "metrics.example.com" in path, Busy("(ServiceUnavailable)"))
    found = run(api, tmp_path)
    assert len(Opened(found.written.path).list("core/pods")) == 1
    assert len(found.missing) == 1
    assert found.missing[0].reason.startswith("/apis/metrics.example.com/v1: ")


def test_without_discovery_the_newest_version_is_asked_for(tmp_path: Path) -> None:
    api = FakeApi({"pods": pods(1)})
    api.trouble = failing(lambda path: path == "/apis", Forbidden())
    found = run(api, tmp_path)
    assert len(Opened(found.written.path).list("core/pods")) == 1
    assert [one.path for one in found.missing] == ["cluster/discovery.json"]


def test_a_busy_server_is_asked_again(tmp_path: Path) -> None:
    api, times = FakeApi({"pods": pods(1)}), list[str]()

    def trouble(path: str) -> None:
        if "/pods" in path and len(times) < 2:
            times.append(path)
            raise Busy

    api.trouble = trouble
    found = run(api, tmp_path)
    assert len(Opened(found.written.path).list("core/pods")) == 1
    assert found.missing == ()


def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(tmp_path: Path) -> None:
    api = FakeApi({"pods": pods(120)})
    api.trouble = failing(lambda path: "/pods?limit=500" in path, TooLarge())
    assert len(Opened(run(api, tmp_path).written.path).list("core/pods")) == 120
    assert "/api/v1/pods?limit=50&continue=50" in api.asked


def test_when_nobody_answers_any_more_what_came_is_kept(tmp_path: Path) -> None:
    api = FakeApi({"events": pods(1), "pods": pods(900)})
    state = {"down": False}

    def trouble(path: str) -> None:
        state["down"] |= "/pods?limit=500&continue" in path
        if state["down"]:
            raise Unreachable("was refused")

    api.trouble = trouble
    found = run(api, tmp_path)
    opened = Opened(found.written.path)
    assert len(opened.list("core/pods")) == 500
    assert len([path for path in api.asked if "/jobs" in path or "/cronjobs" in path]) == 2
    assert not [path for path in api.asked if "/nodes" in path]
    assert found.missing[-1].path == "cluster"
    assert not opened.of(End)[0].complete


def test_without_a_login_nothing_is_written(tmp_path: Path) -> None:
    api = FakeApi({})
    api.trouble = failing(lambda _: True, NotLoggedIn())
    with pytest.raises(NotLoggedIn):
        run(api, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_interrupted_the_archive_ends_whole_with_what_came(tmp_path: Path) -> None:
    api = FakeApi({"pods": pods(900)})

    def trouble(path: str) -> None:
        if "continue=500" in path:
            raise KeyboardInterrupt

    api.trouble = trouble
    found = run(api, tmp_path)
    opened = Opened(found.written.path)
    assert len(opened.list("core/pods")) == 500
    assert "interrupted" in found.missing[-1].reason
    assert not opened.of(End)[0].complete


@pytest.mark.parametrize("body", [b"<html>", b'{"items": 7}', b"[]", b'{"items":' + b"[" * 100_000, b'{"items":["x"]}'])
def test_an_answer_that_is_no_list_is_told(tmp_path: Path, body: bytes) -> None:
    api = FakeApi({})
    plain = api._body
    api._body = lambda path: body if "/pods" in path else plain(path)  # type: ignore[method-assign]
    found = run(api, tmp_path)
    assert [one.path for one in found.missing] == ["cluster/core/pods.json"]


def test_a_server_that_hands_out_the_same_page_for_ever_is_left(tmp_path: Path) -> None:
    api = FakeApi({})
    plain = api._body
    page = dump(kind="PodList", apiVersion="v1", metadata={"continue": "same"}, items=pods(1))
    api._body = lambda path: page if "/pods" in path else plain(path)  # type: ignore[method-assign]
    assert len(Opened(run(api, tmp_path).written.path).list("core/pods")) == 2


SECRETS = """\
kube-system   bootstrap-token-abcdef   bootstrap.kubernetes.io/token         6   5d     <none>
shop          db                       Opaque                                2   3d4h   app=shop,tier=
shop          odd                      my own type                           1   1s     <none>
"""


def test_of_secrets_there_are_names_types_and_labels_only(tmp_path: Path) -> None:
    api = FakeApi({}, secrets=SECRETS)
    opened = Opened(run(api, tmp_path).written.path)
    assert opened.list("core/secrets")[1] == {
        "metadata": {"namespace": "shop", "name": "db", "labels": {"app": "shop", "tier": ""}},
        "type": "Opaque", "keys": 2, "age": "3d4h",
    }  # fmt: skip
    assert [one["type"] for one in opened.list("core/secrets")][2] == "my own type"
    assert not [path for path in api.asked if "/secrets" in path]


def test_rows_that_are_none_are_passed_over() -> None:
    assert list(rows(b"No resources found\n\n x\n\xff\xfe a b c d e f\n", "", kind=True)) == []


def test_known_configmaps_come_whole_and_cleaned_the_others_by_name(tmp_path: Path) -> None:
    table = "kubeadm-config 1 5d <none>\nkubelet-config-1.20 1 5d <none>\nmine 3 5d a=b\n"
    opened = Opened(run(FakeApi({}, configmaps=table), tmp_path).written.path)
    found = {
        one["metadata"]["name"]: one for one in opened.list("core/configmaps") if "namespace" not in one["metadata"]
    }
    assert set(found) == {"kubeadm-config", "kubelet-config-1.20"}
    assert found["kubeadm-config"]["data"]["x.yaml"] == "token: REDACTE\nkind: Y\n"
    [other] = [one for one in opened.list("core/configmaps") if one["metadata"] == {
        "namespace": "kube-system", "name": "mine", "labels": {"a": "b"}}]  # fmt: skip
    assert "data" not in other


def test_only_the_named_namespaces_are_asked_for(tmp_path: Path) -> None:
    api = FakeApi({"pods": pods(1)}, secrets="db Opaque 1 5d <none>\n")
    opened = Opened(run(api, tmp_path, namespaces=("shop", "bank")).written.path)
    assert [path for path in api.asked if path.endswith("/pods?limit=500")] == [
        "/api/v1/namespaces/shop/pods?limit=500", "/api/v1/namespaces/bank/pods?limit=500",
    ]  # fmt: skip
    assert "/api/v1/nodes?limit=500" in api.asked
    assert len(opened.list("core/pods")) == 2
    assert [one["metadata"]["namespace"] for one in opened.list("core/secrets")] == ["shop", "bank"]


def test_values_are_taken_out_and_the_manifest_counts_them(tmp_path: Path) -> None:
    pod = pods(1)[0]
    pod["spec"]["containers"][0]["env"] = [{"name": "TOKEN", "value": "hunter2"}]
    found = run(FakeApi({"pods": [pod]}), tmp_path)
    opened = Opened(found.written.path)
    assert not [name for name, data in opened.members.items() if b"hunter2" in data]
    assert [one.redacted for one in opened.of(Item) if one.path == "cluster/core/pods.json"] == [1]
    assert found.redacted == 1


def test_a_limit_of_size_is_told_and_kept(tmp_path: Path) -> None:
    found = run(FakeApi({"pods": pods(50_000)}), tmp_path, max_size=3 * 1024 * 1024)
    opened = Opened(found.written.path)
    assert 0 < len(opened.list("core/pods")) < 50_000
    assert "limit of size" in found.missing[0].reason
    assert not opened.of(End)[0].complete


def test_memory_does_not_grow_with_the_cluster(tmp_path: Path) -> None:
    class Endless(FakeApi):
        def _body(self, path: str) -> bytes:
            if "/pods?" not in path:
                return super()._body(path)
            start = int(parse_qs(urlsplit(path).query).get("continue", ["0"])[0])
            return dump(
                kind="PodList", items=pods(500), metadata={"continue": str(start + 500) if start < 8_000 else ""}
            )

    run(FakeApi({}), tmp_path)
    tracemalloc.start()
    try:
        collect(Endless({}), tmp_path, Options(now=lambda: NOW.replace(hour=13)), lambda *_: None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * 1024 * 1024  # 8,500 pods are 40 MiB of Python objects
