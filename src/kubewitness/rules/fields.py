"""The field dictionary of rules: a dotted name → the values an event has for it.

Two sorts of names: raw ones are the audit event's own keys (`user.username`, `requestObject.spec.replicas`), walked as
written; derived ones (`podSpec.privileged`, `user.kind`) come from `rules.features`, one file a concept. A getter never
raises; its work is linear in the size of the event.

`facet_of` tells an engine which cheap part of a record decides a field alone, so that it can judge most events without
touching their bodies.

Source of the raw names: k8s.io/apiserver/pkg/apis/audit/v1/types.go.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Literal

from kubewitness.model.event import Event, User
from kubewitness.rules.features import (
    access_review,
    address,
    body,
    csr,
    exec_command,
    identity,
    lookalike,
    objects,
    pod_spec,
    rbac,
    request,
    webhook,
)
from kubewitness.rules.features.interface import Getter, Scalar, Values, one
from kubewitness.rules.features.untyped import MAX_VALUES, at_path, flatten

__all__ = [
    "ALIASES",
    "KNOWN",
    "RAW_ROOTS",
    "Facet",
    "Scalar",
    "Values",
    "facet_of",
    "getter",
    "is_known",
    "of_accessor",
]

Facet = Literal["request", "user", "source", "agent", "outcome", "namespace", "name", "stage", "path"]

FEATURES: tuple[ModuleType, ...] = (
    access_review,
    address,
    body,
    csr,
    exec_command,
    identity,
    lookalike,
    objects,
    pod_spec,
    rbac,
    request,
    webhook,
)
_DERIVED: dict[str, Getter] = {name: get for module in FEATURES for name, get in module.FIELDS.items()}

KNOWN: frozenset[str] = frozenset(_DERIVED)

# Names that public Sigma rules for Kubernetes audit logs use and the API server does not.
ALIASES = {"hostPath": "podSpec.hostPath", "capabilities": "podSpec.capabilities", "apiGroup": "objectRef.apiGroup"}

_OBJECT_REF = ("resource", "namespace", "name", "uid", "apiGroup", "apiVersion", "subresource")

_PLAIN: dict[str, Getter] = {
    "verb": lambda event: one(event.record.verb),
    "stage": lambda event: one(event.record.stage),
    "level": lambda event: one(event.record.level),
    "auditID": lambda event: one(event.record.auditID),
    "requestURI": lambda event: one(event.record.requestURI),
    "userAgent": lambda event: one(event.record.userAgent),
    "requestReceivedTimestamp": lambda event: one(event.record.requestReceivedTimestamp),
    "stageTimestamp": lambda event: one(event.record.stageTimestamp),
    "sourceIPs": lambda event: event.source_ips[:MAX_VALUES],
    "objectRef.resource": lambda event: one(event.resource),
    "objectRef.subresource": lambda event: one(event.subresource),
    "objectRef.namespace": lambda event: one(event.namespace),
    "objectRef.name": lambda event: one(event.name),
    "objectRef.uid": lambda event: one(event.object_ref.uid),
    "objectRef.apiGroup": lambda event: one(event.object_ref.apiGroup),
    "objectRef.apiVersion": lambda event: one(event.object_ref.apiVersion),
    # Keyword search: the whole original.
    "*": lambda event: one(event.original.decode("utf-8", "replace")),
}

_USER_PARTS: dict[str, Callable[[User], Values]] = {
    "username": lambda user: one(user.username),
    "uid": lambda user: one(user.uid),
    "groups": lambda user: user.groups[:MAX_VALUES],
}

_BODIES: dict[str, Callable[[Event], object]] = {
    "responseStatus": lambda event: event.status,
    "requestObject": lambda event: event.request_object,
    "responseObject": lambda event: event.response_object,
}

RAW_ROOTS = frozenset({name.partition(".")[0] for name in _PLAIN}) | {
    "user",
    "impersonatedUser",
    "annotations",
    *_BODIES,
}


def _absent(_: Event) -> Values:
    return ()


def getter(field: str) -> Getter:
    """The function that reads `field` from an event; one that finds nothing if the name means nothing."""
    field = ALIASES.get(field, field)
    named = _DERIVED.get(field) or _PLAIN.get(field)
    if named:
        return named
    root, _, rest = field.partition(".")
    if root in ("user", "impersonatedUser"):
        return _user_getter(root, rest)
    if root == "annotations" and rest:
        return lambda event: flatten(event.annotations[rest]) if rest in event.annotations else ()
    if root in _BODIES:
        return _body_getter(root, rest)
    return _absent


def _user_getter(root: str, rest: str) -> Getter:
    def of(event: Event) -> User | None:
        return event.user if root == "user" else event.impersonated

    part, _, key = rest.partition(".")
    if part == "extra" and key:
        # A key of `extra` holds dots and slashes itself, so all that follows is the key.
        return lambda event: flatten(user.extra[key]) if (user := of(event)) and key in user.extra else ()
    read = _USER_PARTS.get(rest)
    if read is None:
        return _absent
    return lambda event: read(user) if (user := of(event)) else ()


def _body_getter(root: str, rest: str) -> Getter:
    body = _BODIES[root]
    parts = tuple(part.removesuffix("[*]").removesuffix("[]") for part in rest.split(".")) if rest else ()

    def read(event: Event) -> Values:
        value = body(event)
        # parse_raw gives None for an absent body; a body that is the JSON word null is as good as none.
        return at_path(value, parts) if value else ()

    return read


def is_known(field: str) -> bool:
    """Whether `field` is a documented derived name or could be a raw one; false for what no event can ever have."""
    field = ALIASES.get(field, field)
    if field in KNOWN or field in _PLAIN:
        return True
    root, _, rest = field.partition(".")
    if root in _BODIES or root == "annotations":
        return bool(rest)
    return root in ("user", "impersonatedUser") and (rest in _USER_PARTS or rest.startswith("extra."))


_FACETS: dict[str, Facet] = {
    "verb": "request",
    "objectRef.apiGroup": "request",
    "objectRef.resource": "request",
    "objectRef.subresource": "request",
    "objectRef.namespace": "namespace",
    "objectRef.name": "name",
    "sourceIPs": "source",
    "userAgent": "agent",
    "agent.family": "agent",
    "stage": "stage",
    "level": "stage",
    "request.path": "path",
    "request.decision": "outcome",
    "request.succeeded": "outcome",
}
_FACETS_OF_ROOTS: dict[str, Facet] = {
    "user": "user",
    "impersonatedUser": "user",
    "source": "source",
    "responseStatus": "outcome",
    "annotations": "outcome",
}


@lru_cache(maxsize=4096)
def facet_of(field: str) -> Facet | None:
    """The cheap part of a record that decides `field` alone; None if it takes the URI, a body or several parts."""
    field = ALIASES.get(field, field)
    return _FACETS.get(field) or _FACETS_OF_ROOTS.get(field.partition(".")[0])


_ACCESSOR = frozenset({"user.username", "user.kind", "user.namespace", "user.serviceAccount", "userAgent"})


def of_accessor(field: str) -> bool:
    """Whether `field` follows from who asked, from where and with what: user name, peer address, agent."""
    return field in _ACCESSOR or (
        facet_of(field) in ("source", "agent") and field not in ("sourceIPs", "source.claimed")
    )
