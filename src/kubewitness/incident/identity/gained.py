"""What an intruder's requests gave it: credentials it made, minted, read or armed, and pods it made or entered.

A pod holds the token of its service account: whoever makes or enters one has it, and the token says which pod it is
of. The Secret of a token (type kubernetes.io/service-account-token) names its account in an annotation; where bodies
are not logged, its name does (`ACCOUNT-token-xxxxx`).

Source: "Managing Service Accounts" and "Certificate Signing Requests" in the Kubernetes documentation; names of pods:
k8s.io/apiserver/pkg/storage/names (generateName) and k8s.io/apimachinery/pkg/util/rand (its alphabet).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

from kubewitness.incident.requests import Request, issued_credential_id
from kubewitness.rules.features.csr import signing_requests
from kubewitness.rules.features.identity import kind_of_name
from kubewitness.rules.features.rbac import grant_of
from kubewitness.rules.features.untyped import mapping, mappings

How = Literal["created", "minted", "certificate", "rights", "secret"]
_BINDINGS: Final = frozenset(("clusterrolebindings", "rolebindings"))
_WRITES: Final = frozenset(("create", "update", "patch"))
_TYPE: Final = "kubernetes.io/service-account-token"
_OWNER: Final = "kubernetes.io/service-account.name"
_KUBELET: Final = re.compile(r"/proxy/(?:run|exec|attach)/([^/]{1,253})/([^/]{1,253})")
_RANDOM: Final = "[bcdfghjklmnpqrstvwxz2456789]"
_SUFFIXES: Final = {  # what controllers add to a workload's name
    "deployments": re.compile(rf"-{_RANDOM}{{1,10}}-{_RANDOM}{{5}}"),
    "replicasets": re.compile(rf"-{_RANDOM}{{5}}"),
    "replicationcontrollers": re.compile(rf"-{_RANDOM}{{5}}"),
    "daemonsets": re.compile(rf"-{_RANDOM}{{5}}"),
    "jobs": re.compile(rf"(?:-[0-9]{{1,6}})?-{_RANDOM}{{5}}"),
    "cronjobs": re.compile(rf"-[0-9]{{1,10}}(?:-[0-9]{{1,6}})?-{_RANDOM}{{5}}"),
    "statefulsets": re.compile(r"-[0-9]{1,6}"),
    "pods": re.compile(""),
}


class Gained(NamedTuple):
    """A credential, or the rights of one, from a request on."""

    identity: str
    since: str
    how: How
    en: str  # "the intruder had …"
    zh: str
    token: str = ""  # its id, where the log tells


class PodGained(NamedTuple):
    """A pod made (through a workload, if `kind` is none of pods) or entered."""

    kind: str
    namespace: str
    name: str
    since: str
    made: bool

    def is_pod(self, name: str) -> bool:
        """Whether a pod of that name is it, or one of the workload's."""
        if not name.startswith(self.name):
            return False
        return _SUFFIXES[self.kind].fullmatch(name, len(self.name)) is not None


def gained(requests: Sequence[Request]) -> list[Gained]:
    """All credentials gained, in the order of the requests."""
    return [one for request in requests if request.succeeded for one in _of(request) if _is_credential(one)]


def _is_credential(one: Gained) -> bool:
    """A name that a credential stands for. Parts of the cluster are armed by Kubernetes; a certificate may take one."""
    kind = kind_of_name(one.identity)
    if kind in ("anonymous", "rejected"):
        return False
    return one.how == "certificate" or kind not in ("node", "controlPlane")


def _of(request: Request) -> Iterator[Gained]:
    time, verb, resource = request.time, request.verb, request.resource
    account = _account(request.namespace, request.name)
    if resource == "serviceaccounts" and verb == "create":
        if request.subresource == "token":
            issued = issued_credential_id(request.final)
            yield Gained(account, time, "minted", "minted a token for it", "为其签发了令牌", issued)
        elif not request.subresource:
            yield Gained(account, time, "created", "created it", "创建了它")
    elif resource == "certificatesigningrequests" and verb == "create" and not request.subresource:
        for signing in signing_requests(request.final):
            said = "asked for a certificate in its name", "以其名义申请了证书"
            yield Gained(signing.subject.common_name, time, "certificate", *said)
    elif resource in _BINDINGS and verb in _WRITES:
        for subject in grant_of(request.final).subjects:
            said = f"given it rights ({request.name})", f"授予其权限（{request.name}）"
            if subject.kind == "User":
                yield Gained(subject.name, time, "rights", *said)
            elif subject.kind == "ServiceAccount":
                yield Gained(_account(subject.namespace, subject.name), time, "rights", *said)
    elif resource == "secrets" and not request.subresource:
        yield from _token_secrets(request)


def _token_secrets(request: Request) -> Iterator[Gained]:
    """Accounts whose token Secret was read, or asked for by making one."""
    body = mapping(request.final.response_object or request.final.request_object)
    found = [body, *mappings(body.get("items"))] if request.verb in ("get", "list", "create") else []
    named = False
    for secret in found:
        meta = mapping(secret.get("metadata"))
        owner, name = mapping(meta.get("annotations")).get(_OWNER), meta.get("name")
        if secret.get("type") == _TYPE and isinstance(owner, str) and owner:
            namespace = meta.get("namespace")
            home = namespace if isinstance(namespace, str) and namespace else request.namespace
            named = True
            yield _secret(request, _account(home, owner), name if isinstance(name, str) else "")
    if request.verb == "get" and not named and "-token-" in request.name:
        owner = request.name.rpartition("-token-")[0]
        yield _secret(request, _account(request.namespace, owner), request.name)


def _secret(request: Request, identity: str, name: str) -> Gained:
    if request.verb == "create":
        said = f"had a token Secret made for it ({name})", f"为其创建了令牌 Secret（{name}）"
    else:
        said = f"read its token secret {name}", f"读取了其令牌 Secret {name}"
    return Gained(identity, request.time, "secret", *said)


def _account(namespace: str, name: str) -> str:
    return f"system:serviceaccount:{namespace}:{name}"


def pods_gained(requests: Sequence[Request]) -> list[PodGained]:
    """Pods whose token the intruder has: those it made, itself or by a workload, and those it ran commands in."""
    out = dict[PodGained, None]()
    for request in requests:
        if request.resource in _SUFFIXES and request.verb == "create" and not request.subresource:
            if request.succeeded and request.name:
                out[PodGained(request.resource, request.namespace, request.name, request.time, made=True)] = None
        elif request.resource == "pods" and request.subresource in ("exec", "attach"):
            if request.succeeded:
                out[PodGained("pods", request.namespace, request.name, request.time, made=False)] = None
        elif (
            request.resource == "nodes"
            and request.subresource == "proxy"
            and not request.refused
            and (named := _KUBELET.search(request.path)) is not None
        ):
            out[PodGained("pods", named[1], named[2], request.time, made=False)] = None
    return list(out)


def impersonated(requests: Sequence[Request]) -> list[tuple[str, str]]:
    """Who spoke in whose name, each pair once."""
    found: dict[tuple[str, str], Any] = {}
    for request in requests:
        if (other := request.final.impersonated) is not None and not request.refused:
            found[request.identity, other.username] = None
    return list(found)
