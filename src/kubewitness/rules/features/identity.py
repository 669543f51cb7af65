"""Who asked: what kind of identity the authenticated user is, and what client it says it used.

The kind rests on what the authenticators guarantee: service account and node names carry reserved prefixes, an
anonymous request has a fixed name, a rejected credential leaves `user` empty. The control plane is an exact list
(content/components/control_plane.tsv), never a pattern such as "ends in -controller" that anybody could choose.

Source: "Authenticating" in the Kubernetes documentation; k8s.io/apiserver/pkg/authentication/user.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from kubewitness.model.event import Event
from kubewitness.rules.features.components import names
from kubewitness.rules.features.interface import FieldTable, Values, one

UserKind = Literal["anonymous", "rejected", "serviceaccount", "node", "controlPlane", "system", "human"]

_SERVICE_ACCOUNT = "system:serviceaccount:"


@lru_cache(maxsize=4096)
def kind_of_name(username: str) -> UserKind:
    """The kind of a user name."""
    if not username:
        return "rejected"
    if username == "system:anonymous":
        return "anonymous"
    account = service_account(username)
    if account:
        builtin = account[0] == "kube-system" and account[1] in names("control_plane", "controller")
        return "controlPlane" if builtin else "serviceaccount"
    if username.startswith("system:node:"):
        return "node"
    if username in names("control_plane", "user") or username.startswith(tuple(names("control_plane", "prefix"))):
        return "controlPlane"
    return "system" if username.startswith("system:") else "human"


def service_account(username: str) -> tuple[str, str] | None:
    """Namespace and name if `username` is that of a service account."""
    if not username.startswith(_SERVICE_ACCOUNT):
        return None
    namespace, separator, name = username[len(_SERVICE_ACCOUNT) :].partition(":")
    return (namespace, name) if namespace and separator and name else None


def user_kind(event: Event) -> Values:
    """Kind of the authenticated user; absent where the event has no `user` at all."""
    if not bytes(event.record.user):
        return ()
    if not event.user.username and "system:unauthenticated" in event.user.groups:
        return ("anonymous",)
    return (kind_of_name(event.user.username),)


def agent_family(event: Event) -> Values:
    """The program a client claims to be: `kubectl/v1.31.0 (linux/amd64)` is kubectl."""
    return one(event.record.userAgent[:256].partition("/")[0].strip().lower().removesuffix(".exe"))


def _namespace(event: Event) -> Values:
    account = service_account(event.user.username)
    return (account[0],) if account else ()


def _name(event: Event) -> Values:
    account = service_account(event.user.username)
    return (account[1],) if account else ()


FIELDS: FieldTable = {
    "user.kind": user_kind,
    "user.namespace": _namespace,
    "user.serviceAccount": _name,
    "agent.family": agent_family,
}
