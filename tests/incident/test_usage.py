"""Who used which identity and credential, as an audit log tells it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kubewitness.evidence.opening import walk
from kubewitness.incident.assess import Options, assess
from kubewitness.incident.usage import audit_logs, read_usage
from tests.posture.credentials.certificates import JANE, encoded

CREDENTIAL = "authentication.kubernetes.io/credential-id"
PRINT = "X509SHA256=" + "ab" * 32


def event(
    number: int, user: str, address: str, credential: str = "", stage: str = "ResponseComplete"
) -> dict[str, Any]:
    extra = {"extra": {CREDENTIAL: [credential]}} if credential else {}
    time = f"2026-11-22T10:00:{number:02}.000000Z"
    return {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": f"id-{number // 2}",
        "stage": stage, "requestURI": "/api/v1/pods", "verb": "list", "user": {"username": user, **extra},
        "sourceIPs": [address], "userAgent": "kubectl", "objectRef": {"resource": "pods", "apiVersion": "v1"},
        "requestReceivedTimestamp": time, "stageTimestamp": time, "responseStatus": {"code": 200},
    }  # fmt: skip


def written(path: Path, *events: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(one) + "\n" for one in events))
    return str(path)


def test_requests_are_counted_once_with_the_latest_address_last(tmp_path: Path) -> None:
    log = written(
        tmp_path / "audit.log",
        event(0, "jane", "10.0.0.9", PRINT, "RequestReceived"),
        event(2, "jane", "10.0.0.9", PRINT),
        event(4, "jane", "10.0.0.1", PRINT),
        event(6, "bob", "10.0.0.2"),
    )
    usage, _ = read_usage(audit_logs(walk([log])))
    jane, bob = usage.identities["jane"], usage.identities["bob"]
    assert (jane.requests, jane.addresses, jane.last) == (2, ("10.0.0.9", "10.0.0.1"), "2026-11-22T10:00:04.000000Z")
    assert bob.requests == 1
    assert {name: used.requests for name, used in usage.credentials.items()} == {PRINT: 2}
    assert (usage.first[:19], usage.last[:19]) == ("2026-11-22T10:00:00", "2026-11-22T10:00:06")


def approval(number: int, user: str, name: str, code: int = 200) -> dict[str, Any]:
    reference = {"resource": "certificatesigningrequests", "subresource": "approval", "name": name,
                 "apiGroup": "certificates.k8s.io", "apiVersion": "v1"}  # fmt: skip
    return event(number, user, "198.51.100.7") | {
        "verb": "update", "objectRef": reference, "responseStatus": {"code": code},
        "requestURI": f"/apis/certificates.k8s.io/v1/certificatesigningrequests/{name}/approval",
    }  # fmt: skip


def test_who_approved_certificates_by_hand_is_known_by_name(tmp_path: Path) -> None:
    log = written(
        tmp_path / "audit.log",
        approval(0, "jane", "a"),
        approval(2, "bob", "a"),
        approval(4, "bob", "refused", 403),
        approval(6, "system:serviceaccount:kube-system:certificate-controller", "kubelet"),
        event(8, "jane", "10.0.0.9"),
    )
    usage, _ = read_usage(audit_logs(walk([log])))
    assert [(name, [one.who for one in some]) for name, some in usage.approvals.items()] == [("a", ["jane", "bob"])]
    first = usage.approvals["a"][0]
    assert (first.address, first.last[:19], first.where.line) == ("198.51.100.7", "2026-11-22T10:00:00", 1)
    assert usage.identities["jane"].requests == 2


def test_other_logs_are_no_audit_logs(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text('{"level": "info", "msg": "listening", "user": "jane"}\n')
    assert audit_logs(walk([str(tmp_path)])) == []


def test_a_check_tells_who_used_a_certificate_last(tmp_path: Path) -> None:
    request = {
        "kind": "CertificateSigningRequest",
        "apiVersion": "certificates.k8s.io/v1",
        "metadata": {"name": "jane"},
        "spec": {"signerName": "kubernetes.io/kube-apiserver-client", "username": "admin"},
        "status": {"conditions": [{"type": "Approved"}], "certificate": encoded(JANE)},
    }
    (tmp_path / "csr.json").write_text(json.dumps(request))
    written(tmp_path / "audit.log", event(2, "jane", "10.0.0.9"))
    report = assess([str(tmp_path)], Options(now=datetime(2026, 12, 1, tzinfo=UTC)))
    [found] = report.credentials
    assert (found.identity, found.requests, found.last_from) == ("jane", 1, "10.0.0.9")
    [read] = [item for item in report.items if item.name.endswith("audit.log")]
    assert (read.events, read.sha256 != "") == (1, True)
    assert not [note for note in report.notes if note.place.item == read.name]
