"""Tokens and certificates that an API server holds: what lasts too long, and what was issued to the wrong one."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from kubewitness.model.evidence import Place
from kubewitness.model.host import KeyFile
from kubewitness.model.posture import Result, Where
from kubewitness.posture.check import Snapshot
from kubewitness.posture.credentials.der import Certificate
from kubewitness.posture.credentials.inventory import inventory
from kubewitness.posture.usage import Approval, Usage, Used
from tests.posture.credentials.certificates import (
    JANE,
    MASTERS,
    NODE,
    REQUEST_OF_JANE,
    REQUEST_OF_MASTERS,
    REQUEST_OF_NODE,
    encoded,
)
from tests.posture.credentials.test_on_machines import HOME, embedded, machine
from tests.posture.made import results, snapshot

NOW = datetime(2026, 12, 1, tzinfo=UTC)
TOKEN = "kubernetes.io/service-account-token"
CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET = "kubernetes.io/kube-apiserver-client-kubelet"


def secret(name: str, kind: str, namespace: str = "kube-system", labels: Any = None, data: Any = None) -> Any:
    meta = {"name": name, "namespace": namespace, "labels": labels or {}}
    coded = {key: base64.b64encode(value.encode()).decode() for key, value in (data or {}).items()}
    return {"kind": "Secret", "metadata": meta, "type": kind, "data": coded}


def of(*objects: Any, version: str = "v1.34.0") -> Snapshot:
    whole = ("Secret", "CertificateSigningRequest")
    return replace(snapshot(objects, version=version, whole=whole), now=NOW)


def test_a_token_that_somebody_made_never_ends_and_one_that_is_refused_is_over() -> None:
    made = secret("ci", TOKEN, "ci")
    made["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    over = secret("old", TOKEN, "ci", {"kubernetes.io/legacy-token-invalid-since": "2026-01-01"})
    found = results("credentials/token_secret", of(made, over))
    assert [(one.status, one.subject) for one in found] == [("fail", "Secret ci/ci"), ("pass", "Secret ci/old")]
    assert "nobody" in found[0].reason.en


def command(found: list[Result]) -> str:
    """That of the only failure, which has a word for nothing."""
    [remedy] = [one.remedy for one in found if one.status == "fail"]
    assert remedy is not None
    assert not remedy.blanks
    return remedy.command


def test_remedies_name_the_object() -> None:
    made = secret("ci-x", TOKEN, "ci")
    made["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "builder"}
    told = command(results("credentials/token_secret", of(made)))
    assert "# kubectl create token builder -n ci " in told
    assert "# kubectl delete secret ci-x -n ci" in told
    token = results("credentials/bootstrap_token", of(bootstrap(description="for ever")))
    assert "kubeadm token delete abcdef\n" in command(token)
    request = results("credentials/signing_request", of(asked(REQUEST_OF_MASTERS)))
    assert "kubectl get csr a -o yaml" in command(request)


def test_of_a_token_made_lately_it_is_not_said_that_nobody_uses_it() -> None:
    made = secret("ci", TOKEN, "ci")
    for created in ("2026-11-30T00:00:00Z", ""):
        made["metadata"]["creationTimestamp"] = created
        [found] = results("credentials/token_secret", of(made), "fail")
        assert "nobody" not in found.reason.en


def test_a_token_that_is_in_use_is_told_with_its_last_use() -> None:
    used = secret("ci", TOKEN, "ci", {"kubernetes.io/legacy-token-last-used": "2026-11-30"})
    [found] = results("credentials/token_secret", of(used), "fail")
    assert "2026-11-30" in found.observed.en
    assert "nobody" not in found.reason.en


@pytest.mark.parametrize(("version", "status"), [("v1.20.2", "pass"), ("v1.34.0", "fail"), ("", "pass")])
def test_tokens_that_kubernetes_made_by_itself_are_told_only_where_it_no_longer_does(version: str, status: str) -> None:
    account = {
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": "a"},
        "secrets": [{"name": "default-token-x7abc"}],
    }
    [found] = results(
        "credentials/token_secret", of(account, secret("default-token-x7abc", TOKEN, "a"), version=version)
    )
    assert (found.status, found.subject) == (status, "Namespace a")


def bootstrap(**data: str) -> Any:
    own = {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true"}
    return secret("bootstrap-token-abcdef", "bootstrap.kubernetes.io/token", data={**own, **data} if data else None)


@pytest.mark.parametrize(
    ("one", "status"),
    [
        (bootstrap(description="for ever"), "fail"),
        (bootstrap(expiration="2026-12-02T00:00:00Z"), "pass"),
        (bootstrap(expiration="2030-12-02T00:00:00Z"), "fail"),
        (bootstrap(expiration="soon"), "not_evaluated"),
        (bootstrap(**{"usage-bootstrap-authentication": "false"}), "pass"),
        (bootstrap(), "not_evaluated"),  # an archive has its name alone
    ],
)
def test_a_bootstrap_token_has_to_end_soon(one: Any, status: str) -> None:
    assert [found.status for found in results("credentials/bootstrap_token", of(one))] == [status]


def asked(pem: str, signer: str = CLIENT, *, by: str = "jane", issued: str = "", state: str = "Approved") -> Any:
    certificate = encoded(issued) if issued else ""
    return {
        "kind": "CertificateSigningRequest",
        "apiVersion": "certificates.k8s.io/v1",
        "metadata": {"name": "a"},
        "spec": {"request": encoded(pem), "signerName": signer, "username": by, "usages": ["client auth"]},
        "status": {"conditions": [{"type": state, "reason": "KubectlApprove"}], "certificate": certificate},
    }


@pytest.mark.parametrize(
    ("one", "severity"),
    [
        (asked(REQUEST_OF_MASTERS), "critical"),
        (asked(REQUEST_OF_JANE, by="system:anonymous"), "critical"),
        (asked(REQUEST_OF_NODE), "high"),  # a node's name from another signer
        (asked(REQUEST_OF_NODE, KUBELET, by="system:node:other"), "high"),
        (asked(REQUEST_OF_NODE, KUBELET, by="system:node:n1"), None),
        (asked(REQUEST_OF_NODE, KUBELET, by="system:bootstrap:abcdef"), None),
        (asked(REQUEST_OF_JANE, by="admin"), None),
        (asked(REQUEST_OF_MASTERS, state="Denied"), None),
        (asked(REQUEST_OF_MASTERS, "example.org/mine"), None),
    ],
)
def test_a_certificate_is_told_if_it_was_issued_to_the_wrong_one(one: Any, severity: str | None) -> None:
    found = results("credentials/signing_request", of(one))
    assert [one.severity for one in found if one.status == "fail"] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("user", "by", "status"),
    [
        ("openshift-monitoring:prometheus-k8s", "openshift-monitoring:cluster-monitoring-operator", "pass"),
        ("kube-system:clusterrole-aggregation-controller", "openshift-monitoring:cluster-monitoring-operator", "fail"),
        ("openshift-monitoring:prometheus-k8s", "default:default", "fail"),
    ],
)
def test_an_operator_of_openshift_asks_for_the_accounts_it_looks_after_alone(
    user: str, by: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Certificate((("CN", f"system:serviceaccount:{user}"),))
    monkeypatch.setattr("kubewitness.posture.credentials.objects.within", lambda _: made)
    found = results("credentials/signing_request", of(asked(REQUEST_OF_JANE, by=f"system:serviceaccount:{by}")))
    assert [one.status for one in found] == [status]


def approved(who: str, last: str = "2026-11-30T10:00:00.5Z") -> Usage:
    one = Approval(who, "198.51.100.7", last, last, Where("audit.log", 9))
    return Usage("", "", approvals={"a": (one,), "b": (one,)})


def test_who_approved_a_request_by_hand_is_told_from_the_log() -> None:
    snapshot_ = replace(of(asked(REQUEST_OF_JANE)), usage=approved("eve"))
    [found] = results("credentials/signing_request", snapshot_)
    assert found.status == "pass"
    assert "approved by eve from 198.51.100.7 at 2026-11-30T10:00:00Z" in found.observed.en
    assert "由 eve（来自 198.51.100.7）批准" in found.observed.zh
    assert [one.item for one in found.where][1:] == ["audit.log"]


def test_what_a_stranger_approved_is_critical() -> None:
    snapshot_ = replace(of(asked(REQUEST_OF_JANE)), usage=approved("system:anonymous"))
    [found] = results("credentials/signing_request", snapshot_)
    assert (found.status, found.severity) == ("fail", "critical")
    assert "approved" in found.reason.en
    denied = replace(of(asked(REQUEST_OF_JANE, state="Denied")), usage=approved("system:anonymous"))
    assert [one.status for one in results("credentials/signing_request", denied)] == ["pass"]


def test_an_approval_before_the_request_was_made_is_of_another_one() -> None:
    request = asked(REQUEST_OF_JANE)
    request["metadata"]["creationTimestamp"] = "2026-11-30T10:00:01Z"
    [found] = results("credentials/signing_request", replace(of(request), usage=approved("system:anonymous")))
    assert found.status == "pass"
    assert "system:anonymous" not in found.observed.en


def test_without_the_kind_nothing_is_passed() -> None:
    for name in ("signing_request", "token_secret", "bootstrap_token"):
        [found] = results(f"credentials/{name}", snapshot(version="v1.34.0"))
        assert found.status == "not_evaluated"


def test_the_inventory_names_every_credential_and_never_holds_one() -> None:
    objects = [secret("ci", TOKEN, "ci"), bootstrap(description="x"), asked(REQUEST_OF_JANE, issued=JANE)]
    whole = replace(of(*objects), machines=snapshot(hosts=[machine({HOME: embedded(MASTERS)})]).machines)
    found = inventory(whole)
    assert [one.kind for one in found] == ["kubeconfig", "CSR", "token Secret", "bootstrap token"]
    assert [one.identity for one in found][:2] == ["kubernetes-admin", "jane"]
    assert found[0].groups == ("system:masters",)
    assert len(found[0].fingerprint) == 64
    assert {one.requests for one in found} == {-1}
    assert "0123456789abcdef" not in repr(found)


def test_files_of_tokens_that_stayed_behind_are_in_the_inventory_and_other_keys_are_not() -> None:
    names = ("/etc/kubernetes/known_tokens.csv", "/var/lib/rancher/k3s/server/node-token", "/etc/ssh/ssh_host_rsa_key")
    keys = [KeyFile(name, Place("manifest.jsonl", 3, 0)) for name in names]
    found = inventory(snapshot(hosts=[machine({}, keys=keys)]))
    assert [(one.kind, one.name, one.target) for one in found] == [
        ("token file", name, "node/n1") for name in names[:2]
    ]


def test_who_used_it_last_is_told_by_credential_and_else_by_identity() -> None:
    base = of(asked(REQUEST_OF_NODE, KUBELET, issued=NODE))
    [held] = inventory(base)
    used = Used(3, "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z", ("10.0.0.9",))
    by_name = Usage("", "", {"system:node:n1": used})
    assert [(one.last_used, one.last_from, one.requests) for one in inventory(replace(base, usage=by_name))] == [
        (used.last, "10.0.0.9", 3)
    ]
    other = Usage("", "", {"system:node:n1": used}, {"X509SHA256=00": used})
    assert [one.requests for one in inventory(replace(base, usage=other))] == [0]
    own = Usage("", "", {}, {f"X509SHA256={held.fingerprint}": used})
    assert [one.requests for one in inventory(replace(base, usage=own))] == [3]


@pytest.mark.parametrize("odd", [None, 3, "x", [], [1], {"a": 1}])
def test_odd_documents_cost_nothing_but_themselves(odd: object) -> None:
    kinds = ("Secret", "CertificateSigningRequest", "ServiceAccount")
    objects = [{"kind": kind, "metadata": {"name": "a"}, "spec": odd, "status": odd, "data": odd} for kind in kinds]
    objects[1]["apiVersion"] = "certificates.k8s.io/v1"
    whole = of(*objects, secret("ci", TOKEN))
    for name in ("signing_request", "token_secret", "bootstrap_token"):
        assert not [one for one in results(f"credentials/{name}", whole) if "itself failed" in one.reason.en]
    assert inventory(whole)
