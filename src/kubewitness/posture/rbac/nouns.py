"""The nouns of RBAC as the authorizer sees them: rules, roles, bindings, subjects, and the request that is judged.

A namespace "" makes a role a ClusterRole and a binding a ClusterRoleBinding. Everything is frozen and hashable, so a
state of the cluster is a set of values and two states can be compared.

Source: rbac/v1 types.go; k8s.io/apiserver/pkg/authorization/authorizer (Attributes).
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from msgspec import Struct

Resource = Literal["roles", "clusterroles", "rolebindings", "clusterrolebindings"]

RESOURCES: Final[tuple[Resource, ...]] = ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
GROUP: Final = "rbac.authorization.k8s.io"
MASTERS: Final = "system:masters"
NODE_PREFIX: Final = "system:node:"
AUTHENTICATION: Final = "authentication.k8s.io"


class Key(NamedTuple):
    """An RBAC object by its place in the API."""

    resource: Resource
    namespace: str
    name: str

    @property
    def kind(self) -> str:
        """As a manifest and the authorizer call it."""
        return KINDS[self.resource]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


KINDS: Final[dict[Resource, str]] = {
    "roles": "Role",
    "clusterroles": "ClusterRole",
    "rolebindings": "RoleBinding",
    "clusterrolebindings": "ClusterRoleBinding",
}


class PolicyRule(Struct, frozen=True):
    """One rule of a role: the cross product of its lists."""

    verbs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # empty: every name
    urls: tuple[str, ...] = ()


class Requirement(Struct, frozen=True):
    """One matchExpression of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class Selector(Struct, frozen=True):
    """A label selector; matchLabels are requirements with operator In and one value. Without any it selects all."""

    requirements: tuple[Requirement, ...] = ()


class Role(Struct, frozen=True):
    """A Role or ClusterRole. `selectors` is None unless it has an aggregationRule; then a controller fills `rules`."""

    namespace: str
    name: str
    rules: tuple[PolicyRule, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    selectors: tuple[Selector, ...] | None = None

    @property
    def key(self) -> Key:
        """Its place in the API."""
        return Key("roles" if self.namespace else "clusterroles", self.namespace, self.name)


class Subject(Struct, frozen=True):
    """Whom a binding grants to."""

    kind: str
    name: str
    namespace: str = ""  # of a ServiceAccount; may be left out in a RoleBinding


class Binding(Struct, frozen=True):
    """A RoleBinding or ClusterRoleBinding."""

    namespace: str
    name: str
    role_kind: str
    role_name: str
    subjects: tuple[Subject, ...] = ()

    @property
    def key(self) -> Key:
        """Its place in the API."""
        return Key("rolebindings" if self.namespace else "clusterrolebindings", self.namespace, self.name)

    @property
    def role(self) -> Key | None:
        """The role it points to; None if the reference can never be resolved (a Role from a ClusterRoleBinding)."""
        if self.role_kind == "ClusterRole":
            return Key("clusterroles", "", self.role_name)
        return Key("roles", self.namespace, self.role_name) if self.role_kind == "Role" and self.namespace else None


class Attributes(NamedTuple):
    """What the authorizer is asked. Only a request outside the resources has a `path`."""

    user: str
    groups: tuple[str, ...]
    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    namespace: str = ""
    path: str = ""

    @property
    def combined(self) -> str:
        """The resource with its subresource, as rules write it."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Disguise(NamedTuple):
    """Whom a request acts as (Impersonate-User and its companions)."""

    user: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, str], ...] = ()


def impersonations(asker: str, groups: tuple[str, ...], disguise: Disguise) -> tuple[Attributes, ...]:
    """What `asker` must be allowed before the API server lets it act as somebody else: all of these.

    An extra's key is a subresource of userextras, its value the name. (Kubernetes 1.35 has further, narrower verbs.)
    """
    user, uid = disguise.user, disguise.uid
    prefix, _, rest = user.partition("system:serviceaccount:")
    namespace, found, name = rest.partition(":")
    asked = Attributes(asker, groups, "impersonate")
    out = []
    if not prefix and found and namespace and name:
        out.append(asked._replace(resource="serviceaccounts", namespace=namespace, name=name))
    else:
        out.append(asked._replace(resource="users", name=user))
    out += [asked._replace(resource="groups", name=one) for one in disguise.groups]
    out += [asked._replace(group=AUTHENTICATION, resource="uids", name=uid)] if uid else []
    out += [
        asked._replace(group=AUTHENTICATION, resource="userextras", subresource=key, name=value)
        for key, value in disguise.extra
    ]
    return tuple(out)
