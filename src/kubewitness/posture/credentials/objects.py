"""Credentials that an API server holds: certificate requests, tokens of service accounts in Secrets, bootstrap tokens.

Of Secrets a collected archive has names and types alone; a dump by kubectl has their values, of which only what is no
secret is looked at: the end of a bootstrap token, its description, whom a token is of.

Source: certificates.k8s.io/v1; "Managing Service Accounts" (legacy tokens, KEP-2799); "Authenticating with Bootstrap
Tokens" of the Kubernetes documentation.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from msgspec import Struct

from kubewitness.model.cluster import Cluster, KubeObject
from kubewitness.model.event import parse_time
from kubewitness.model.posture import Where
from kubewitness.posture.credentials.der import Certificate, within
from kubewitness.posture.places import where_of
from kubewitness.posture.reading import mapping, node, nodes, text, texts

CLIENT: Final = "kubernetes.io/kube-apiserver-client"
KUBELET: Final = "kubernetes.io/kube-apiserver-client-kubelet"
LEGACY: Final = "kubernetes.io/legacy-unknown"
CLIENT_SIGNERS: Final = frozenset({CLIENT, KUBELET, LEGACY, ""})  # empty: before 1.18 there was but one
_TOKEN: Final = "kubernetes.io/service-account-token"  # noqa: S105 (a type)
_BOOTSTRAP: Final = "bootstrap.kubernetes.io/token"
_OWNER: Final = "kubernetes.io/service-account.name"
_LAST_USED: Final = "kubernetes.io/legacy-token-last-used"
_INVALID: Final = "kubernetes.io/legacy-token-invalid-since"
_MADE: Final = re.compile(r"(.{1,240})-token-[a-z0-9]{5}")
_BOOTSTRAP_NAME: Final = re.compile(r"bootstrap-token-[a-z0-9]{6}")


class SigningRequest(Struct, frozen=True):
    """A CertificateSigningRequest."""

    source: KubeObject
    where: Where
    signer: str
    requester: str
    requester_groups: tuple[str, ...]
    asked: Certificate | None  # what the request says; None: it cannot be read
    issued: Certificate | None
    state: str  # "Approved", "Denied", "Failed", "" (pending)
    reason: str  # the approver's word: "KubectlApprove", "AutoApproved"
    usages: tuple[str, ...]

    @property
    def makes_client(self) -> bool:
        """Whether what it asks for is a credential of this cluster."""
        return self.signer in CLIENT_SIGNERS and (not self.usages or "client auth" in self.usages)


def signing_requests(cluster: Cluster) -> Iterator[SigningRequest]:
    """All there are, by name."""
    for one in sorted(cluster.of("CertificateSigningRequest"), key=lambda one: one.name):
        if one.group != "certificates.k8s.io":
            continue
        spec, status = node(one.document, "spec"), node(one.document, "status")
        said = [(text(condition, "type"), text(condition, "reason")) for _, condition in nodes(status, "conditions")]
        state = next((wanted for wanted in ("Denied", "Failed", "Approved") if wanted in dict(said)), "")
        encoded = text(status, "certificate")
        yield SigningRequest(
            one, where_of(one, "spec"), text(spec, "signerName"), text(spec, "username"), texts(spec, "groups"),
            within(text(spec, "request")), within(encoded) if encoded else None, state, dict(said).get(state, "")[:200],
            texts(spec, "usages"),
        )  # fmt: skip


class TokenSecret(Struct, frozen=True):
    """A Secret with a token of a service account, which ends with the Secret alone."""

    source: KubeObject
    where: Where
    account: str  # its name; empty if the evidence does not tell
    created: str
    last_used: str  # "2026-01-31"; empty: not labelled
    invalid_since: str
    made_by_itself: bool  # by the controller, as until 1.23


def token_secrets(cluster: Cluster) -> Iterator[TokenSecret]:
    """All there are, by namespace and name."""
    named = {
        (account.namespace, text(secret, "name")): account.name
        for account in cluster.of("ServiceAccount")
        for _, secret in nodes(account.document, "secrets")
    }
    for one in sorted(cluster.of("Secret"), key=lambda one: (one.namespace, one.name)):
        if text(one.document, "type") != _TOKEN:
            continue
        labels = mapping(one.document, "metadata", "labels")
        made = _MADE.fullmatch(one.name)
        said = mapping(one.document, "metadata", "annotations").get(_OWNER)  # an archive has Secrets without them
        owner = said or named.get((one.namespace, one.name)) or (made[1] if made else "")
        yield TokenSecret(
            one, where_of(one, "type", _TOKEN), owner,
            text(one.document, "metadata", "creationTimestamp"), labels.get(_LAST_USED, ""), labels.get(_INVALID, ""),
            made is not None and (one.namespace, one.name) in named,
        )  # fmt: skip


class BootstrapToken(Struct, frozen=True):
    """A token with which machines join."""

    source: KubeObject
    where: Where
    expires: datetime | None
    has_values: bool  # False: only its name is in the evidence, so that it has no end cannot be told
    groups: tuple[str, ...] = ()
    description: str = ""
    signs_in: bool = True  # usage-bootstrap-authentication


def bootstrap_tokens(cluster: Cluster) -> Iterator[BootstrapToken]:
    """All there are, by name."""
    for one in sorted(cluster.of("Secret"), key=lambda one: one.name):
        typed = text(one.document, "type")
        if one.namespace != "kube-system" or not (
            typed == _BOOTSTRAP or (not typed and _BOOTSTRAP_NAME.fullmatch(one.name))
        ):
            continue
        data = {key: _plain(value) for key, value in mapping(one.document, "data").items() if key != "token-secret"}
        data |= {k: v for k, v in mapping(one.document, "stringData").items() if k != "token-secret"}
        readable = bool(re.fullmatch(r"[a-z0-9]{6}", data.get("token-id", "")))
        end = data.get("expiration", "")
        groups = tuple(part.strip() for part in data.get("auth-extra-groups", "").split(",") if part.strip())
        yield BootstrapToken(
            one, where_of(one, "data.expiration" if end else "data", end[:40]), parse_time(end) if end else None,
            readable and (not end or parse_time(end) is not None), groups, data.get("description", "")[:200],
            data.get("usage-bootstrap-authentication") == "true" if readable else True,
        )  # fmt: skip


def _plain(encoded: str) -> str:
    try:
        return base64.b64decode(encoded[:4096], validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
