"""Claims about who asked, from where, with what, and how it ended."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.features.events import event, read

ALLOWED = {"authorization.k8s.io/decision": "allow"}
REFUSED = {"authorization.k8s.io/decision": "forbid"}


@pytest.mark.parametrize(
    ("username", "kind"),
    [
        ("", "rejected"),
        ("system:anonymous", "anonymous"),
        ("system:serviceaccount:default:default", "serviceaccount"),
        ("system:serviceaccount:kube-system:daemon-set-controller", "controlPlane"),
        ("system:serviceaccount:kube-system:generic-garbage-collector", "controlPlane"),
        # Names that only look like built-in controllers.
        ("system:serviceaccount:kube-system:evil-controller", "serviceaccount"),
        ("system:serviceaccount:dev:daemon-set-controller", "serviceaccount"),
        ("system:serviceaccount:kube-system", "system"),
        ("system:node:worker-1", "node"),
        ("system:apiserver", "controlPlane"),
        ("system:kube-controller-manager", "controlPlane"),
        ("system:kube-controller-manager2", "system"),
        ("eks:node-manager", "controlPlane"),
        ("aksService", "controlPlane"),
        ("system:bootstrap:abcdef", "system"),
        ("kubernetes-admin", "human"),
        ("kube-scheduler", "human"),
        ("alice@example.com", "human"),
    ],
)
def test_the_kind_of_an_identity(username: str, kind: str) -> None:
    assert read("user.kind", event(user={"username": username})) == (kind,)


def test_an_event_without_user_has_no_kind() -> None:
    assert read("user.kind", event(verb="get")) == ()
    assert read("user.kind", event(user={})) == ("rejected",)


def test_the_parts_of_a_service_account() -> None:
    account = event(user={"username": "system:serviceaccount:dev:builder"})
    assert read("user.namespace", account) == ("dev",)
    assert read("user.serviceAccount", account) == ("builder",)
    assert read("user.namespace", event(user={"username": "alice"})) == ()


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        ("kubectl/v1.31.0 (linux/amd64) kubernetes/9edcffc", ("kubectl",)),
        ("Go-http-client/2.0", ("go-http-client",)),
        ("python-requests/2.28.1", ("python-requests",)),
        ("kubectl.exe/v1.27.2 (windows/amd64) kubernetes/7f6f68f", ("kubectl",)),
        ("curl", ("curl",)),
        ("", ()),
    ],
)
def test_the_family_of_an_agent(agent: str, family: tuple[str, ...]) -> None:
    assert read("agent.family", event(userAgent=agent)) == family


@pytest.mark.parametrize(
    ("address", "scope"),
    [
        ("203.0.113.77", "public"),
        ("8.8.8.8", "public"),
        ("2001:db8::1", "public"),
        ("10.1.2.3", "private"),
        ("172.31.255.255", "private"),
        ("172.32.0.1", "public"),
        ("100.64.0.1", "private"),
        ("fd00::1", "private"),
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("169.254.169.254", "linkLocal"),
        ("fe80::1%eth0", "linkLocal"),
        ("0.0.0.0", "unknown"),
        ("@", "unknown"),
        ("not an address", "unknown"),
    ],
)
def test_the_scope_of_an_address(address: str, scope: str) -> None:
    assert read("source.scope", event(sourceIPs=[address])) == (scope,)


def test_only_the_last_address_is_fact() -> None:
    forwarded = event(sourceIPs=["8.8.8.8", "10.0.0.9"])
    assert read("source.ip", forwarded) == ("10.0.0.9",)
    assert read("source.claimed", forwarded) == ("8.8.8.8",)
    assert read("source.scope", forwarded) == ("private",)
    assert read("source.scope", event(verb="get")) == ()


@pytest.mark.parametrize(
    ("keys", "decision", "succeeded"),
    [
        ({"annotations": ALLOWED, "responseStatus": {"code": 200}}, ("allow",), True),
        ({"annotations": ALLOWED, "responseStatus": {"code": 404}}, ("allow",), False),
        ({"annotations": REFUSED, "responseStatus": {"code": 403}}, ("forbid",), False),
        ({"responseStatus": {"code": 401}}, ("forbid",), False),
        ({"stage": "RequestReceived"}, (), False),
    ],
)
def test_decision_and_success(keys: dict[str, Any], decision: tuple[str, ...], succeeded: bool) -> None:
    assert read("request.decision", event(**keys)) == decision
    assert read("request.succeeded", event(**keys)) == (succeeded,)


@pytest.mark.parametrize(
    ("verb", "ref", "scope"),
    [
        ("list", {"resource": "secrets"}, ("cluster",)),
        ("deletecollection", {"resource": "events"}, ("cluster",)),
        ("list", {"resource": "secrets", "namespace": "dev"}, ("namespace",)),
        ("create", {"resource": "pods", "namespace": "dev"}, ("namespace",)),
        ("create", {"resource": "clusterroles"}, ()),
        ("get", None, ()),
    ],
)
def test_the_scope_of_a_request(verb: str, ref: dict[str, str] | None, scope: tuple[str, ...]) -> None:
    assert read("request.scope", event(verb=verb, objectRef=ref)) == scope


def test_path_and_dry_run() -> None:
    dry = event(verb="create", requestURI="/api/v1/pods?dryRun=All&fieldManager=x")
    assert read("request.path", dry) == ("/api/v1/pods",)
    assert read("request.dryRun", dry) == (True,)
    assert read("request.dryRun", event(verb="delete", requestObject={"dryRun": ["All"]})) == (True,)
    assert read("request.dryRun", event(verb="create", requestURI="/api/v1/pods?x=dryRun=All")) == (False,)
