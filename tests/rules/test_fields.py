"""Claims about the field dictionary: raw paths, list semantics, facets, and that no event makes a getter raise."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.evidence import Place
from kubewitness.rules.features.untyped import MAX_TEXT, MAX_VALUES
from kubewitness.rules.fields import KNOWN, facet_of, getter, is_known
from tests.corpus import CORPUS, needs_corpus
from tests.rules.features.events import event, from_line, read, request

RAW = (
    "verb", "stage", "level", "requestURI", "userAgent", "user.username", "user.uid", "user.groups", "user.extra.a.b/c",
    "impersonatedUser.username", "impersonatedUser.groups", "sourceIPs", "objectRef.resource", "objectRef.namespace",
    "objectRef.name", "objectRef.uid", "objectRef.apiGroup", "objectRef.apiVersion", "objectRef.subresource",
    "responseStatus.code", "responseStatus.reason", "annotations.authorization.k8s.io/decision", "requestObject",
    "requestObject.spec.containers.image", "requestObject.0.path", "responseObject.items.metadata.name", "*",
)  # fmt: skip
FALCO = "falcosecurity__falco/test/trace_files/k8s_audit"


def test_lists_of_a_body_are_walked_to_any_element() -> None:
    pod = request("pods", {"spec": {"containers": [{"image": "a"}, {"name": "x"}, {"image": "b"}]}})
    assert read("requestObject.spec.containers.image", pod) == ("a", "b")
    assert read("requestObject.spec.containers[*].image", pod) == ("a", "b")
    assert read("requestObject.spec.containers.2.image", pod) == ("b",)


def test_a_key_that_holds_dots_is_found() -> None:
    annotations = {"kubernetes.io/config.mirror": "abc", "kubernetes": {"io/config": "other"}}
    pod = request("pods", {"metadata": {"annotations": annotations}})
    assert read("requestObject.metadata.annotations.kubernetes.io/config.mirror", pod) == ("abc",)
    extra = event(user={"username": "a", "extra": {"authentication.kubernetes.io/pod-name": ["p1", "p2"]}})
    assert read("user.extra.authentication.kubernetes.io/pod-name", extra) == ("p1", "p2")
    allowed = event(annotations={"authorization.k8s.io/decision": "allow"})
    assert read("annotations.authorization.k8s.io/decision", allowed) == ("allow",)


def test_absent_null_empty_and_object_are_told_apart() -> None:
    body = request("pods", {"spec": {"a": None, "b": {}, "c": [], "d": "", "e": {"f": 1}}})
    assert read("requestObject.spec.missing", body) == ()
    assert read("requestObject.spec.a", body) == (None,)
    assert read("requestObject.spec.b", body) == ("{}",)
    assert read("requestObject.spec.c", body) == ()
    assert read("requestObject.spec.d", body) == ("",)
    assert read("requestObject.spec.e", body) == ('{"f":1}',)


def test_a_body_that_is_a_json_patch_is_walked_like_any_list() -> None:
    patch = request("pods", [{"op": "add", "path": "/a", "value": 1}, {"op": "remove", "path": "/b"}], verb="patch")
    assert read("requestObject.path", patch) == ("/a", "/b")


def test_empty_parts_of_the_object_reference_count_as_absent() -> None:
    listing = event(verb="list", objectRef={"resource": "secrets", "namespace": "", "name": ""})
    assert read("objectRef.namespace", listing) == read("objectRef.name", listing) == ()
    assert read("objectRef.resource", listing) == ("secrets",)
    assert read("objectRef.resource", event(verb="get")) == ()


def test_public_sigma_names_read_the_same_as_ours() -> None:
    body = {"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/etc"}}], "containers": []}}
    assert read("hostPath", request("pods", body)) == ("/etc",)
    assert facet_of("apiGroup") == facet_of("objectRef.apiGroup") == "request"
    assert is_known("capabilities")


def test_a_misspelt_name_is_unknown_and_reads_as_absent() -> None:
    for name in ("podSpec.privilegd", "user.name", "objectRef.kind", "verbs", "source", "annotations", ""):
        assert not is_known(name), name
        assert read(name, request("pods", {"spec": {"containers": [{}]}})) == ()
    assert all(is_known(name) for name in (*KNOWN, *RAW) if name != "requestObject")


@pytest.mark.parametrize(
    ("field", "facet"),
    [
        ("verb", "request"),
        ("objectRef.subresource", "request"),
        ("user.groups", "user"),
        ("user.kind", "user"),
        ("impersonatedUser.username", "user"),
        ("source.scope", "source"),
        ("agent.family", "agent"),
        ("request.succeeded", "outcome"),
        ("annotations.authorization.k8s.io/reason", "outcome"),
        ("objectRef.namespace", "namespace"),
        ("objectRef.name", "name"),
        ("level", "stage"),
        ("request.scope", None),
        ("request.dryRun", None),
        ("request.path", "path"),
        ("object.name", None),
        ("podSpec.privileged", None),
        ("requestObject.spec", None),
        ("*", None),
    ],
)
def test_a_facet_is_named_only_where_one_part_of_the_record_decides(field: str, facet: str | None) -> None:
    assert facet_of(field) == facet


_PARTS_OF_FACETS = {
    "request": ("verb", "objectRef"),
    "user": ("user", "impersonatedUser"),
    "source": ("sourceIPs",),
    "agent": ("userAgent",),
    "outcome": ("responseStatus", "annotations"),
    "namespace": ("objectRef",),
    "name": ("objectRef",),
    "stage": ("stage", "level"),
    "path": ("requestURI",),
}


@pytest.mark.parametrize("field", sorted({*KNOWN, *RAW}))
def test_a_faceted_field_reads_nothing_outside_its_facet(field: str) -> None:
    facet = facet_of(field)
    whole: dict[str, Any] = {
        "verb": "get", "stage": "ResponseComplete", "level": "Request", "requestURI": "/api/v1/pods?dryRun=All",
        "user": {"username": "system:serviceaccount:a:b", "groups": ["g"], "uid": "u", "extra": {"a.b/c": ["x"]}},
        "impersonatedUser": {"username": "i"}, "sourceIPs": ["1.2.3.4", "10.0.0.1"], "userAgent": "kubectl/v1",
        "objectRef": {"resource": "pods", "namespace": "n", "name": "m", "subresource": "s", "apiGroup": "g"},
        "responseStatus": {"code": 403, "reason": "Forbidden"},
        "annotations": {"authorization.k8s.io/decision": "forbid"},
    }  # fmt: skip
    if facet is None:
        return
    only = {key: value for key, value in whole.items() if key in _PARTS_OF_FACETS[facet]}
    assert read(field, event(**only)) == read(field, event(**whole))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
KEYS = (
    "spec", "template", "jobTemplate", "metadata", "containers", "initContainers", "ephemeralContainers", "volumes",
    "securityContext", "capabilities", "add", "env", "command", "hostPath", "path", "items", "kind", "rules", "verbs",
    "resources", "subjects", "roleRef", "data", "labels", "annotations", "webhooks", "clientConfig", "service", "op",
    "value", "request", "usages", "ports", "hostPort", "resourceAttributes", "status", "conditions", "image", "name",
)  # fmt: skip
SHAPED = st.recursive(
    JSON
    | st.sampled_from(("add", "List", "Pod", "/spec/containers/-", "/spec/0/0", "LS0t", "CertificateSigningRequest")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=40,
)
RESOURCES = (
    "", "pods", "deployments", "cronjobs", "podtemplates", "clusterroles", "rolebindings", "secrets", "configmaps",
    "services", "ingresses", "persistentvolumes", "certificatesigningrequests", "subjectaccessreviews",
    "mutatingwebhookconfigurations",
)  # fmt: skip
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "verb": st.sampled_from(("get", "create", "patch", "delete", "")),
        "requestURI": st.text(max_size=30) | st.just("/api/v1/nodes/n/proxy/run/a/b/c?cmd=%zz&command&=x"),
        "user": JSON,
        "impersonatedUser": JSON,
        "sourceIPs": JSON,
        "userAgent": st.text(max_size=20),
        "responseStatus": JSON,
        "annotations": JSON,
        "objectRef": st.fixed_dictionaries(
            {"resource": st.sampled_from(RESOURCES)},
            optional={"name": st.text(max_size=12), "subresource": st.sampled_from(("", "exec", "approval", "status"))},
        ),
        "requestObject": SHAPED,
        "responseObject": JSON,
    },
)


@settings(max_examples=60, deadline=None)
@given(RECORDS)
def test_no_event_makes_a_getter_raise_or_give_anything_but_scalars(record: dict[str, Any]) -> None:
    hostile = event(**record)
    for field in (*KNOWN, *RAW, "hostPath"):
        values = read(field, hostile)
        assert isinstance(values, tuple), field
        assert all(value is None or isinstance(value, str | int | float) for value in values), field


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 5_000 + b"]" * 5_000,
        b'{"spec":' * 800 + b"1" + b"}" * 800,
        b'{"spec":{"containers":[' + b",".join([b'{"image":"i","command":["a"]}'] * 100_000) + b"]}}",
        b'{"spec":{"containers":[{"image":"' + b"x" * 1_000_000 + b'"}]}}',
        b'{"metadata":{"labels":{' + b",".join(b'"k%d":"v"' % n for n in range(50_000)) + b"}}}",
        b"[" + b",".join([b'{"op":"add","path":"/spec/containers/0/a","value":1}'] * 50_000) + b"]",
        b'{"rules":[{"verbs":["' + b'","'.join(b"v%d" % n for n in range(9_000)) + b'"],"resources":["'
        + b'","'.join(b"r%d" % n for n in range(9_000)) + b'"]}]}',
    ],
    ids=["deep list", "deep object", "many containers", "long text", "many labels", "many operations", "big product"],
)  # fmt: skip
@pytest.mark.parametrize("resource", ["pods", "clusterroles"])
def test_a_hostile_body_costs_bounded_work_and_gives_bounded_values(body: bytes, resource: str) -> None:
    line = b'{"verb":"create","objectRef":{"resource":"%s"},"requestObject":%s}' % (resource.encode(), body)
    try:
        hostile = from_line(line)
    except (msgspec.DecodeError, RecursionError):  # the reader of the source counts it as a failure
        hostile = Event(AuditRecord(verb="create", requestObject=msgspec.Raw(body)), Place("test", 1, 0))
    for field in (*KNOWN, "requestObject.spec.containers.image", "requestObject.spec.spec.spec"):
        values = read(field, hostile)
        assert len(values) <= MAX_VALUES, field
        assert all(len(value) <= MAX_TEXT for value in values if isinstance(value, str) and field in KNOWN), field


@needs_corpus
def test_real_events_read_without_surprise() -> None:
    assert CORPUS is not None
    seen = 0
    for path in sorted((CORPUS / FALCO).glob("*.json")):
        for line in path.read_bytes().splitlines():
            try:
                real = from_line(line)
            except msgspec.DecodeError:
                continue
            if not real.verb:  # one trace is no audit event at all
                continue
            seen += 1
            assert read("user.kind", real), path
            assert read("request.decision", real) in (("allow",), ("forbid",)), path
            for field in KNOWN:
                getter(field)(real)
    assert seen > 40
