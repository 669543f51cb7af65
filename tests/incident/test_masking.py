"""Claims about masking: values of Secrets and tokens never reach a report, whatever the shape; the rest does."""

from __future__ import annotations

import json

import pytest

from kubewitness.incident.masking import mask

_SECRET = {"kind": "Secret", "metadata": {"name": "db"}, "data": {"password": "aHVudGVyMg=="}}
_REFERENCE = {"resource": "secrets", "namespace": "shop", "name": "db"}


@pytest.mark.parametrize(
    "event",
    [
        {"objectRef": _REFERENCE, "responseObject": _SECRET},
        {"objectRef": _REFERENCE, "responseObject": {"kind": "SecretList", "items": [{"data": {"p": "aHVudGVyMg=="}}]}},
        {"objectRef": _REFERENCE, "requestObject": {"stringData": {"p": "aHVudGVyMg=="}}},
        {"objectRef": _REFERENCE, "requestObject": [{"op": "add", "path": "/data/p", "value": "aHVudGVyMg=="}]},
        {"objectRef": json.dumps(_REFERENCE), "responseObject": json.dumps(_SECRET)},
        {"protoPayload": {"response": {"@type": "core.k8s.io/v1.Secret", "data": {"password": "aHVudGVyMg=="}}}},
        {"responseObject": {"kind": "TokenRequest", "status": {"token": "aHVudGVyMg==", "expirationTimestamp": "x"}}},
        {
            "objectRef": _REFERENCE,
            "requestObject": {
                "metadata": {
                    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": '{"data":"aHVudGVyMg=="}'}
                }
            },
        },
    ],
)
def test_a_secret_value_never_reaches_a_report(event: dict[str, object]) -> None:
    """Eight shapes of the same leak."""
    about = '"secrets"' in json.dumps(event)
    text, masked = mask(json.dumps(event).encode(), about)
    assert masked
    assert "aHVudGVyMg==" not in text
    assert "masked" in text


def test_what_is_no_secret_stays_to_the_letter() -> None:
    """A ConfigMap, a volume that mounts a Secret, and a broken line are shown as found."""
    for original in (
        b'{"objectRef":{"resource":"configmaps"}, "requestObject":{"kind":"ConfigMap","data":{"a":"b"}}}',
        b'{"requestObject":{"spec":{"volumes":[{"secret":{"secretName":"db"}}]}}}',
        b'{"objectRef":{"resource":"secrets"',
    ):
        assert mask(original) == (original.decode(), False)


def test_deep_nesting_is_survived() -> None:
    """A hostile body ten thousand levels deep is no crash."""
    original = b'{"secret":' + b"[" * 10_000 + b"]" * 10_000 + b"}"
    assert mask(original, about_secrets=True)[1] is False
