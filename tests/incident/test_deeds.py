"""What a request amounts to is told as it ended: what failed or was not there is not told as done."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from kubewitness.incident.deeds import Deed, deed_of
from kubewitness.incident.requests import Request, requests_of
from kubewitness.incident.steps import drafts
from kubewitness.model.event import AuditRecord, Event, ObjectRef
from kubewitness.model.evidence import Place

_POD: dict[str, Any] = {"namespace": "shop", "name": "web-0"}


def _deed(verb: str, resource: str, code: int, uri: str = "/", **where: str) -> Deed:
    reference = ObjectRef(resource, where.get("namespace", ""), where.get("name", ""))
    reference = msgspec.structs.replace(reference, subresource=where.get("subresource", ""))
    record = AuditRecord(
        auditID="a", stage="ResponseComplete", verb=verb, requestURI=uri, level="Metadata",
        user=Raw(b'{"username":"jane"}'), sourceIPs=Raw(b'["203.0.113.9"]'), objectRef=reference,
        responseStatus=Raw(msgspec.json.encode({"code": code})), requestReceivedTimestamp="2026-11-22T10:00:00.000000Z",
        annotations=Raw(b'{"authorization.k8s.io/decision":"allow"}'),
    )  # fmt: skip
    (request,) = requests_of([Event(record, Place("log", 1, 0), msgspec.json.encode(record))])
    return deed_of(request)


def test_a_secret_that_is_not_there_was_not_read() -> None:
    there, missing = (_deed("get", "secrets", code, namespace="shop", name="db") for code in (200, 404))
    assert there.phrase.en == "read Secret shop/db"
    assert missing.phrase.en == "looked for Secret shop/db: not there"
    assert there.fold != missing.fold


@pytest.mark.parametrize(
    ("group", "en", "zh"),
    [
        ("apps", ": may * * (everything of apps)", "：允许 * *（apps 的全部资源）"),
        ("", ": may * * (everything of core)", "：允许 * *（core 的全部资源）"),
        ("*", ": may * *", "：允许 * *"),
    ],
)
def test_everything_of_one_api_group_is_not_told_as_everything(group: str, en: str, zh: str) -> None:
    rules = [{"apiGroups": [group], "resources": ["*"], "verbs": ["*"]}]
    record = AuditRecord(
        auditID="a", stage="ResponseComplete", verb="create", requestURI="/", level="Request",
        user=Raw(b'{"username":"jane"}'), objectRef=ObjectRef("clusterroles", "", "operator"),
        responseStatus=Raw(b'{"code":201}'), requestReceivedTimestamp="2026-11-22T10:00:00.000000Z",
        requestObject=Raw(msgspec.json.encode({"kind": "ClusterRole", "rules": rules})),
    )  # fmt: skip
    (request,) = requests_of([Event(record, Place("log", 1, 0), msgspec.json.encode(record))])
    said = deed_of(request).phrase
    assert said.en == f"created ClusterRole operator{en}"
    assert said.zh.endswith(f"ClusterRole operator{zh}")


@pytest.mark.parametrize("resource", ["secrets", "pods"])
@pytest.mark.parametrize("verb", ["get", "list"])
def test_a_read_that_failed_is_told_as_tried(verb: str, resource: str) -> None:
    named = {"name": "x"} if verb == "get" else {}
    said = _deed(verb, resource, 500, namespace="shop", **named).phrase
    assert said.en.startswith(f"tried to {verb} ")
    assert said.en.endswith(": 500")
    assert said.zh.startswith("尝试读取 ")
    assert said.zh.endswith("：500")


def test_what_could_not_be_deleted_is_not_said_to_be_missing() -> None:
    assert "did not exist" in _deed("delete", "pods", 404, **_POD).phrase.en
    assert _deed("delete", "pods", 409, **_POD).phrase.en == "tried to delete Pod shop/web-0: 409"
    assert _deed("delete", "pods", 200, **_POD).phrase.en == "deleted Pod shop/web-0"


@pytest.mark.parametrize(("subresource", "done"), [("exec", "ran `id` in"), ("attach", "attached to"),
                                                   ("portforward", "forwarded a port of")])  # fmt: skip
def test_a_pod_that_was_not_reached_was_not_entered(subresource: str, done: str) -> None:
    uri = f"/api/v1/namespaces/shop/pods/web-0/{subresource}?command=id"
    reached, not_there = (_deed("create", "pods", code, uri, subresource=subresource, **_POD) for code in (101, 404))
    assert reached.phrase.en == f"{done} Pod shop/web-0"
    assert not_there.phrase.en.startswith("tried to ")
    assert not_there.phrase.en.endswith("Pod shop/web-0: 404")
    assert not_there.phrase.zh.startswith("尝试")
    assert not_there.phrase.zh.endswith("：404")


def test_to_ask_a_kubelet_what_runs_is_no_command() -> None:
    node = {"name": "node1", "subresource": "proxy"}
    listed = _deed("get", "nodes", 200, "/api/v1/nodes/node1/proxy/runningpods/", **node)
    ran = _deed("create", "nodes", 200, "/api/v1/nodes/node1/proxy/run/shop/web-0/web?cmd=id", **node)
    assert (listed.act, ran.act) == ("read", "execute")


def test_a_command_for_a_pod_that_no_kubelet_knows_says_so() -> None:
    node = {"name": "node1", "subresource": "proxy"}
    uri = "/api/v1/nodes/node1/proxy/run/shop/web/web?cmd=id"
    assert _deed("create", "nodes", 404, uri, **node).phrase.en.endswith("/run/shop/web/web (answered 404)")
    assert _deed("create", "nodes", 500, uri, **node).phrase.en.endswith("/run/shop/web/web")  # it ran and failed


def test_reads_of_what_is_not_there_fold_by_kind_and_namespace_and_name_what_was_looked_for() -> None:
    """`kubectl delete --all` looks for each object after it is gone."""

    def looked_for(number: int, namespace: str) -> Request:
        record = AuditRecord(
            auditID=f"{namespace}{number}", stage="ResponseComplete", verb="get", level="Metadata",
            objectRef=ObjectRef("events", namespace, f"event-{number}"), responseStatus=Raw(b'{"code":404}'),
            requestReceivedTimestamp=f"2026-11-22T10:00:0{number}.000000Z",
            annotations=Raw(b'{"authorization.k8s.io/decision":"allow"}'),
        )  # fmt: skip
        return requests_of([Event(record, Place("log", 1, 0), msgspec.json.encode(record))])[0]

    one, other = drafts([*(looked_for(n, "shop") for n in range(3)), looked_for(4, "bank")])
    assert one.phrase().en == (
        "looked for 3 objects that were not there: events/shop/event-0, events/shop/event-1, events/shop/event-2"
    )
    assert other.phrase().en == "looked for Event bank/event-4: not there"
