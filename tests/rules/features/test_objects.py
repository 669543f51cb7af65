"""Claims about objects of one kind: secrets, config maps, services, webhooks, access reviews, and names of all."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.rules.features.body import documents, patch_paths
from tests.corpus import CORPUS, needs_corpus
from tests.rules.features.events import event, first_event, read, request

FALCO = "falcosecurity__falco/test/trace_files/k8s_audit"


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({"objectRef": {"name": "a"}, "requestObject": {"metadata": {"name": "b"}}}, ("a",)),
        ({"requestObject": {"metadata": {"name": "b"}}, "responseObject": {"metadata": {"name": "c"}}}, ("b",)),
        ({"requestObject": {"metadata": {"generateName": "web-"}}}, ("web-*",)),
        ({"responseObject": {"metadata": {"name": "c"}}}, ("c",)),
        ({"requestObject": [{"op": "add"}]}, ()),
    ],
)
def test_the_name_of_an_object_comes_from_the_surest_place(keys: dict[str, Any], name: tuple[str, ...]) -> None:
    assert read("object.name", event(**keys)) == name


def test_labels_annotations_and_mirror_pods() -> None:
    metadata = {"labels": {"app": "x", "bad": 1}, "annotations": {"kubernetes.io/config.mirror": "h"}}
    pod = request("pods", {"metadata": metadata})
    assert read("object.labels", pod) == ("app=x",)
    assert read("object.annotations", pod) == ("kubernetes.io/config.mirror=h",)
    assert read("object.mirror", pod) == (True,)
    assert read("object.mirror", request("pods", {"metadata": {}})) == (False,)
    assert read("object.mirror", event(verb="get", objectRef={"resource": "pods"})) == ()


def test_the_paths_of_both_sorts_of_patches() -> None:
    operations = [{"op": "add", "path": "/metadata/labels/a~1b", "value": 1}, {"op": "remove", "path": "/spec/x"}]
    patch = request("pods", operations, "patch")
    assert patch_paths(patch) == ("/metadata/labels/a~1b", "/spec/x")
    assert read("patch.removed", patch) == ("/spec/x",)
    merge = request("pods", {"metadata": {"labels": {"a/b": "c"}}, "spec": {"containers": [{"name": "n"}]}}, "patch")
    assert patch_paths(merge) == ("/metadata/labels/a~1b", "/spec/containers")
    assert patch_paths(request("pods", {"metadata": {"name": "a"}}, "create")) == ()


def test_a_json_patch_is_laid_out_as_the_object_it_describes() -> None:
    operations = [
        {"op": "add", "path": "/data/0", "value": "zero"},
        {"op": "replace", "path": "/spec/list/1/a", "value": 1},
        {"op": "add", "path": "/spec/list/1/b", "value": 2},
        {"op": "add", "path": "/spec/list/-", "value": 3},
        {"op": "add", "path": "/spec/list/-", "value": 4},
        {"op": "move", "from": "/a", "path": "/b"},
        {"op": "add", "path": "no pointer", "value": 5},
    ]
    assert documents(request("configmaps", operations, "patch")) == (
        {"data": {"0": "zero"}, "spec": {"list": [{"a": 1, "b": 2}, 3, 4]}},
    )


def test_secrets_and_config_maps() -> None:
    assert read("secret.type", request("secrets", {"type": "Opaque"})) == ("Opaque",)
    made = request("configmaps", {"data": {"a": "password=1", "b": "x"}, "binaryData": {"c": "AA=="}})
    assert read("configmap.keys", made) == ("a", "b", "c")
    assert read("configmap.values", made) == ("password=1", "x", "AA==")
    assert read("configmap.values", request("secrets", {"data": {"a": "b"}})) == ()


def test_services_ingresses_and_volumes() -> None:
    service = request("services", {"spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}, {}]}})
    assert read("service.type", service) == ("NodePort",)
    assert read("service.ports", service) == (80,)
    assert read("service.nodePorts", service) == (30080,)
    assert read("ingress.tls", request("ingresses", {"spec": {"tls": [{"hosts": ["a"]}]}})) == (True,)
    assert read("ingress.tls", request("ingresses", {"spec": {"rules": []}})) == (False,)
    assert read("ingress.tls", request("ingresses", {"spec": {"rules": []}}, "patch")) == ()
    assert read("volume.hostPath", request("persistentvolumes", {"spec": {"hostPath": {"path": "/"}}})) == ("/",)


def test_webhooks() -> None:
    hook = {
        "clientConfig": {"url": "https://evil/", "service": {"namespace": "a", "name": "b"}},
        "failurePolicy": "Ignore",
        "rules": [{"operations": ["CREATE", "UPDATE"], "resources": ["pods"]}],
    }
    made = request("mutatingwebhookconfigurations", {"webhooks": [hook]})
    assert read("webhook.urls", made) == ("https://evil/",)
    assert read("webhook.services", made) == ("a/b",)
    assert read("webhook.failurePolicy", made) == ("Ignore",)
    assert read("webhook.resources", made) == ("CREATE pods", "UPDATE pods")
    patch = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]
    assert read("webhook.failurePolicy", request("validatingwebhookconfigurations", patch, "patch")) == ("Ignore",)
    assert read("webhook.urls", request("widgets", {"webhooks": [hook]})) == ()


def test_access_reviews() -> None:
    spec = {
        "user": "system:anonymous",
        "groups": ["system:unauthenticated"],
        "resourceAttributes": {"verb": "create", "resource": "nodes", "subresource": "proxy", "name": "n1"},
    }
    review = request("subjectaccessreviews", {"spec": spec})
    assert read("sar.user", review) == ("system:anonymous",)
    assert read("sar.groups", review) == ("system:unauthenticated",)
    assert read("sar.verb", review) == ("create",)
    assert read("sar.resource", review) == ("nodes/proxy",)
    url = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}}
    assert read("sar.path", request("selfsubjectaccessreviews", url)) == ("/metrics",)
    assert read("sar.user", request("selfsubjectaccessreviews", url)) == ()


@needs_corpus
@pytest.mark.parametrize(
    ("trace", "field", "expected"),
    [
        # Logged at level Metadata: what the secret is cannot be known.
        ("create_service_account_token_secret", "secret.type", ()),
        ("create_configmap_no_sensitive_values", "object.name", ("my-config",)),
        ("create_configmap_sensitive_values", "object.name", ("my-config",)),
    ],
)
def test_real_objects(trace: str, field: str, expected: tuple[str, ...]) -> None:
    assert CORPUS is not None
    assert read(field, first_event(CORPUS / FALCO / f"{trace}.json")) == expected


@needs_corpus
def test_a_real_config_map_shows_its_values() -> None:
    assert CORPUS is not None
    real = first_event(CORPUS / FALCO / "create_configmap_sensitive_values.json")
    assert any("access_key" in str(value) for value in read("configmap.values", real)), read("configmap.values", real)
