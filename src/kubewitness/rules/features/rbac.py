"""What a request would grant: the permissions of a role, the subjects and the role of a binding.

A rule grants the cross product of its verbs and resources, so each rule is multiplied out by itself, never with its
neighbours. Wildcards stay as they are written. In a patch one side of a rule may be missing; it reads "?".

Source: rbac/v1 types.go; OpenShift's authorization.openshift.io bindings add userNames and groupNames.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any, Literal, NamedTuple

from kubewitness.model.event import Event
from kubewitness.rules.features.body import documents, is_patch
from kubewitness.rules.features.identity import service_account
from kubewitness.rules.features.interface import FieldTable, Values, distinct, once, one
from kubewitness.rules.features.untyped import MAX_TEXT, MAX_VALUES, items, mapping, mappings, text, texts

_MAX_PERMISSIONS = 2_000
# Multiplied out first, so that a role stuffed with invented names cannot push them over the cap.
_VERBS = frozenset(
    {
        "*", "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "escalate", "bind",
        "impersonate", "approve", "sign", "use", "proxy",
    }
)  # fmt: skip
_RESOURCES = frozenset(
    {
        "*", "*/*", "secrets", "configmaps", "serviceaccounts", "serviceaccounts/token", "pods", "pods/*", "pods/exec",
        "pods/attach", "pods/portforward", "pods/ephemeralcontainers", "nodes", "nodes/*", "nodes/proxy", "deployments",
        "daemonsets", "statefulsets", "replicasets", "jobs", "cronjobs", "roles", "clusterroles", "rolebindings",
        "clusterrolebindings", "users", "groups", "uids", "certificatesigningrequests",
        "certificatesigningrequests/approval", "signers", "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations", "persistentvolumes", "namespaces",
    }
)  # fmt: skip
_UNKNOWN = ("?",)
_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
_ROLES = frozenset({"roles", "clusterroles"})
_BINDINGS = frozenset({"rolebindings", "clusterrolebindings"})
_KINDS = {"Role": "roles", "ClusterRole": "clusterroles"} | {
    "RoleBinding": "rolebindings",
    "ClusterRoleBinding": "clusterrolebindings",
}

SubjectKind = Literal["User", "Group", "ServiceAccount"]


class Subject(NamedTuple):
    """Who a binding grants to."""

    kind: SubjectKind
    namespace: str  # of a service account, else empty
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.namespace}/{self.name}" if self.namespace else f"{self.kind}:{self.name}"


class Permission(NamedTuple):
    """One verb on one resource ("pods/exec"). `named`: only on objects listed by name."""

    verb: str
    resource: str
    named: bool


class Grant(NamedTuple):
    """The RBAC content of a request body. All empty if it has none."""

    role_kind: str = ""
    role_name: str = ""
    subjects: tuple[Subject, ...] = ()
    permissions: tuple[Permission, ...] = ()
    urls: tuple[str, ...] = ()
    aggregates: tuple[str, ...] = ()
    wildcard_groups: tuple[str, ...] = ()  # API groups in which one rule allows every verb on every resource


_NO_GRANT = Grant()


@once
def grant_of(event: Event) -> Grant:
    """The RBAC content of the request body."""
    if event.subresource:
        return _NO_GRANT
    found = [(_resource(document, event), document) for document in documents(event)]
    roles = [document for resource, document in found if resource in _ROLES]
    bindings = [document for resource, document in found if resource in _BINDINGS]
    if not roles and not bindings:
        return _NO_GRANT
    references = [mapping(document.get("roleRef")) for document in bindings]
    rules = [rule for document in roles for rule in mappings(document.get("rules"))]
    labels = [mapping(mapping(document.get("metadata")).get("labels")) for document in roles]
    return Grant(
        role_kind=next((text(reference.get("kind")) for reference in references if reference.get("kind")), ""),
        role_name=next((text(reference.get("name")) for reference in references if reference.get("name")), ""),
        subjects=_distinct_subjects(s for document in bindings for s in _subjects(document, event.namespace)),
        permissions=_all_permissions(rules, is_patch(event)),
        urls=distinct([url for rule in rules for url in texts(rule.get("nonResourceURLs"))])[:MAX_VALUES],
        aggregates=distinct(
            [f"{key}={text(value)}" for entry in labels for key, value in entry.items() if key.startswith(_AGGREGATE)]
        )[:MAX_VALUES],
        wildcard_groups=distinct([group for rule in rules for group in _wildcard_groups(rule)])[:MAX_VALUES],
    )


def subjects_of(event: Event) -> tuple[Subject, ...]:
    """The subjects a binding in the body names."""
    return grant_of(event).subjects


def permissions_of(event: Event) -> tuple[Permission, ...]:
    """What the role in the body allows."""
    return grant_of(event).permissions


def _resource(document: dict[str, Any], event: Event) -> str:
    """What kind of object a document is: the URL decides, its own kind only where there is no objectRef."""
    return event.resource or _KINDS.get(text(document.get("kind")), "")


def _distinct_subjects(subjects: Iterator[Subject]) -> tuple[Subject, ...]:
    return tuple(dict.fromkeys(islice(subjects, MAX_VALUES)))


def _subjects(document: dict[str, Any], namespace: str) -> Iterator[Subject]:
    for raw in mappings(document.get("subjects")):
        kind, name = text(raw.get("kind")), text(raw.get("name"))
        if kind == "ServiceAccount":
            yield Subject("ServiceAccount", text(raw.get("namespace")) or namespace, name)
        elif kind == "User":
            yield from _user(name)
        elif kind == "Group":
            yield Subject("Group", "", name)
    for name in texts(document.get("userNames")):
        yield from _user(name)
    for name in texts(document.get("groupNames")):
        yield Subject("Group", "", name)


def _user(name: str) -> Iterator[Subject]:
    """A service account may be bound under its user name as well: that is the same grant."""
    yield Subject("User", "", name)
    account = service_account(name)
    if account:
        yield Subject("ServiceAccount", *account)


def _all_permissions(rules: list[dict[str, Any]], partial: bool) -> tuple[Permission, ...]:
    known: dict[Permission, None] = {}
    for rule in rules:
        verbs, resources, named = _sides(rule, partial)
        known.update(dict.fromkeys(_product(_VERBS.intersection(verbs), _RESOURCES.intersection(resources), named)))
    every = (permission for rule in rules for permission in _product(*_sides(rule, partial)))
    kept = dict.fromkeys(sorted(known)) | dict.fromkeys(islice(every, _MAX_PERMISSIONS))
    return tuple(islice(kept, _MAX_PERMISSIONS))


def _sides(rule: dict[str, Any], partial: bool) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Verbs and resources of a rule and whether it is limited to named objects."""
    verbs, resources = texts(rule.get("verbs")), texts(rule.get("resources"))
    if partial and not texts(rule.get("nonResourceURLs")) and (verbs or resources):
        verbs, resources = verbs or _UNKNOWN, resources or _UNKNOWN
    return verbs, resources, bool(texts(rule.get("resourceNames")))


def _wildcard_groups(rule: dict[str, Any]) -> tuple[str, ...]:
    """The API groups of a rule that allows everything in them; the group without a name reads "core"."""
    unlimited = not texts(rule.get("resourceNames"))
    if unlimited and "*" in texts(rule.get("verbs")) and "*" in texts(rule.get("resources")):
        groups = (group for group in items(rule.get("apiGroups")) if isinstance(group, str))
        return tuple(group[:MAX_TEXT] or "core" for group in groups)
    return ()


def _product(verbs: Iterable[str], resources: Collection[str], named: bool) -> Iterator[Permission]:
    return (Permission(verb, resource, named) for verb in verbs for resource in resources)


def _pairs(event: Event, named_too: bool) -> Values:
    found = (f"{p.verb} {p.resource}" for p in permissions_of(event) if named_too or not p.named)
    return tuple(dict.fromkeys(found))


def _grants_author(event: Event) -> Values:
    """Whether a binding names whoever wrote it; a group of theirs is many people. Absent for what names nobody."""
    subjects = subjects_of(event)
    return (not set(_user(event.user.username)).isdisjoint(subjects),) if subjects else ()


FIELDS: FieldTable = {
    "rbac.roleKind": lambda event: one(grant_of(event).role_kind),
    "rbac.roleName": lambda event: one(grant_of(event).role_name),
    "rbac.subjects": lambda event: tuple(str(subject) for subject in subjects_of(event)),
    "rbac.subjectNamespaces": lambda event: distinct([subject.namespace for subject in subjects_of(event)]),
    "rbac.permissions": lambda event: _pairs(event, named_too=True),
    # Those that are not limited to objects listed in resourceNames.
    "rbac.unnamedPermissions": lambda event: _pairs(event, named_too=False),
    # "* *" does not say of which API group; an operator has it of its own.
    "rbac.wildcardGroups": lambda event: grant_of(event).wildcard_groups,
    "rbac.nonResourceURLs": lambda event: grant_of(event).urls,
    "rbac.grantsAuthor": _grants_author,
    "rbac.aggregates": lambda event: grant_of(event).aggregates,
}
