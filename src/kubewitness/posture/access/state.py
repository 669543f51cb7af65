"""The roles and bindings of a cluster as the checks of access ask them: who is bound to what, made by whom, read where.

Where the evidence has not all ClusterRoles, the ones that Kubernetes makes stand in for those that are missing, so a
dump of bindings alone still tells what "cluster-admin" grants. A Role or RoleBinding of a manifest without a namespace
is one of `default`, as kubectl takes it.

A grant is benign by content, never by name: the binding refers to what some version of Kubernetes (or an addon that is
known) makes it refer to, names the subject that one names, and the role has no rule that one does not have. Older
versions count, for an upgrade takes nothing away.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Final, NamedTuple

from msgspec.structs import replace

from kubewitness.model.cluster import Cluster, KubeObject
from kubewitness.model.posture import Where
from kubewitness.posture.access.rights import Rights, rights_of
from kubewitness.posture.bootstrap.addons import addon_of
from kubewitness.posture.bootstrap.compare import compare
from kubewitness.posture.bootstrap.covering import uncovered
from kubewitness.posture.bootstrap.defaults import defaults
from kubewitness.posture.bootstrap.difference import Difference
from kubewitness.posture.bootstrap.known import Version, known
from kubewitness.posture.check import Snapshot
from kubewitness.posture.places import where_of
from kubewitness.posture.platforms import is_openshift
from kubewitness.posture.rbac.evaluate import Policy
from kubewitness.posture.rbac.nouns import GROUP, KINDS, RESOURCES, Binding, Key, PolicyRule, Resource, Role, Subject
from kubewitness.posture.rbac.objects import object_of

ANONYMOUS: Final = "system:anonymous"
UNAUTHENTICATED: Final = "system:unauthenticated"
AUTHENTICATED: Final = "system:authenticated"
ACCOUNTS: Final = "system:serviceaccounts"
NEEDS: Final = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
_ACCOUNT: Final = "system:serviceaccount:"
_RESOURCE: Final[dict[str, Resource]] = {kind: resource for resource, kind in KINDS.items()}


class Who(NamedTuple):
    """Somebody a binding can name. Of a service account `name` is "namespace/name"."""

    kind: str  # "User", "Group", "ServiceAccount"
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def namespace(self) -> str:
        """Of a service account, or of the group of all that are in one; else empty."""
        if self.kind == "ServiceAccount":
            return self.name.partition("/")[0]
        return self.name.removeprefix(f"{ACCOUNTS}:") if self.name.startswith(f"{ACCOUNTS}:") else ""

    @property
    def groups(self) -> tuple[Who, ...]:
        """The groups that this one is in whatever anybody says."""
        names: tuple[str, ...]
        if self.kind == "ServiceAccount":
            names = (f"{ACCOUNTS}:{self.namespace}", ACCOUNTS, AUTHENTICATED)
        elif self.name in {UNAUTHENTICATED, AUTHENTICATED}:
            names = ()
        elif self == Who("User", ANONYMOUS):
            names = (UNAUTHENTICATED,)
        elif self.namespace:
            names = (ACCOUNTS, AUTHENTICATED)
        else:
            names = (AUTHENTICATED,)
        return tuple(Who("Group", name) for name in names)


NOBODY: Final = frozenset({Who("User", ANONYMOUS), Who("Group", UNAUTHENTICATED)})


def who(subject: Subject, namespace: str) -> Who | None:
    """Whom a subject of a binding in `namespace` names; None if it can be nobody."""
    if subject.kind == "ServiceAccount":
        where = subject.namespace or namespace
        return Who("ServiceAccount", f"{where}/{subject.name}") if where and subject.name else None
    if subject.kind == "User" and subject.name.startswith(_ACCOUNT):
        where, _, name = subject.name.removeprefix(_ACCOUNT).partition(":")
        return Who("ServiceAccount", f"{where}/{name}") if where and name else None
    return Who(subject.kind, subject.name) if subject.kind in {"User", "Group"} and subject.name else None


@dataclass(frozen=True, eq=False)
class Grant:
    """One subject of one binding, made once. `role` is None if the binding can refer to nothing."""

    who: Who
    subject: Subject
    position: int
    binding: Binding
    role: Key | None

    @property
    def scope(self) -> str:
        """The namespace it holds in; empty: all of them, and what lies in none."""
        return self.binding.namespace


@dataclass
class State:
    """The access part of a cluster's state."""

    cluster: Cluster
    version: Version | None
    objects: dict[Key, Role | Binding] = field(default_factory=dict)
    sources: dict[Key, KubeObject] = field(default_factory=dict)
    unreadable: list[KubeObject] = field(default_factory=list)

    def __post_init__(self) -> None:
        for one in self.cluster.of(*_RESOURCE):
            if one.group != GROUP:
                continue
            resource = _RESOURCE[one.kind]
            namespace = (one.namespace or "default") if resource in {"roles", "rolebindings"} else ""
            key = Key(resource, namespace, one.name)
            read = object_of(one.document, key)
            if read is None:
                self.unreadable.append(one)
            else:
                self.objects[key], self.sources[key] = read, one

    @cached_property
    def whole(self) -> frozenset[Resource]:
        """Kinds of which the evidence has everything."""
        return frozenset(resource for resource in RESOURCES if self.cluster.has_all(KINDS[resource]))

    @cached_property
    def policy(self) -> Policy:
        """Roles with the rules they really have."""
        every = dict(self.objects)
        if "clusterroles" not in self.whole:
            made = defaults(self.version).objects
            every = {key: one for key, one in made.items() if key.resource == "clusterroles"} | every
        return Policy(every.values(), whole="clusterroles" in self.whole)

    @cached_property
    def grants(self) -> tuple[Grant, ...]:
        """Every subject of every binding, in order of the bindings."""
        return tuple(self._grants())

    def _grants(self) -> Iterator[Grant]:
        for key in sorted(self.objects):
            binding = self.objects[key]
            if not isinstance(binding, Binding):
                continue
            for position, subject in enumerate(binding.subjects):
                named = who(subject, binding.namespace)
                if named is not None:
                    yield Grant(named, subject, position, binding, binding.role)

    @cached_property
    def by_binding(self) -> dict[Key, list[Grant]]:
        """The same by binding."""
        out = dict[Key, list[Grant]]()
        for grant in self.grants:
            out.setdefault(grant.binding.key, []).append(grant)
        return out

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """What is not as Kubernetes makes it."""
        documents = {key: one.document for key, one in self.sources.items()}
        return tuple(compare(self.objects, self.version, documents=documents, whole=self.whole))

    @cached_property
    def _altered(self) -> frozenset[Key]:
        """Roles of Kubernetes that somebody gave more than it does, by rules, selectors or labels of others."""
        kinds = {"extra_rule", "altered_aggregation"}
        own = {one.key for one in self.differences if one.finding and one.kind in kinds}
        into = {Key("clusterroles", "", name) for one in self.differences if one.finding for name in one.into}
        return frozenset(own | into)

    def rules(self, role: Key | None) -> tuple[PolicyRule, ...]:
        """The rules of a role, those of what it aggregates; none if it is not there."""
        return (self.policy.rules_of(role) or ()) if role else ()

    def rights(self, role: Key | None) -> Rights:
        """What a role's rules come down to."""
        if role not in self._rights:
            self._rights[role] = rights_of(self.rules(role))
        return self._rights[role]

    def fellows(self, grant: Grant) -> list[Grant]:
        """The grant, and those of the same binding to others without a credential: they are taken back together."""
        if grant.who not in NOBODY:
            return [grant]
        return [
            one
            for one in self.by_binding[grant.binding.key]
            if one.who in NOBODY and not self.is_default(one) and not self.maker(one)
        ]

    def is_known(self, role: Key | None) -> bool:
        """Whether the rules of a role are known; that it is not there is known too if all are in the evidence."""
        return role is None or role in self.policy.objects or role.resource in self.whole

    def maker(self, grant: Grant) -> str:
        """Who makes exactly this grant ("Kubernetes", "kubeadm"); empty if nobody that is known."""
        key = grant.binding.key, grant.subject
        if key not in self._makers:
            self._makers[key] = self._maker(grant)
        return self._makers[key]

    _makers: dict[tuple[Key, Subject], str] = field(default_factory=dict)
    _rights: dict[Key | None, Rights] = field(default_factory=dict)

    def _maker(self, grant: Grant) -> str:
        binding, role = grant.binding, grant.role
        by = "Kubernetes" if self._is_default(binding, grant.subject) else addon_of(binding)
        return by if by and (role is None or self.role_maker(role)) else ""

    def is_default(self, grant: Grant) -> bool:
        """Whether Kubernetes binds this subject to this role; what the role gives may have been altered."""
        return self._is_default(grant.binding, grant.subject)

    @staticmethod
    def _is_default(binding: Binding, subject: Subject) -> bool:
        named = who(subject, binding.namespace)
        for objects in known().objects.values():
            made = objects.get(binding.key)
            if (
                isinstance(made, Binding)
                and (made.role_kind, made.role_name) == (binding.role_kind, binding.role_name)
                and any(who(one, made.namespace) == named for one in made.subjects)
            ):
                return True
        return False

    def role_maker(self, key: Key) -> str:
        """Who makes a role of these rules or more; empty if nobody that is known."""
        role = self.policy.objects.get(key)
        if not isinstance(role, Role):
            return ""
        if key in self.defaults:
            return "" if key in self._altered else "Kubernetes"
        return addon_of(role)

    @cached_property
    def defaults(self) -> frozenset[Key]:
        """What some version of Kubernetes makes."""
        return frozenset(key for objects in known().objects.values() for key in objects)

    def added(self, key: Key) -> tuple[PolicyRule, ...]:
        """What a role has that no version of Kubernetes gives it, in pieces."""
        having = [rule for minor in known().minors for rule in _made_by(minor).rules_of(key) or ()]
        return tuple(uncovered(self.rules(key), having))

    def where(self, key: Key, path: str = "", text: str = "") -> Where:
        """Where an object was read."""
        source = self.sources.get(key)
        if source is None:
            return Where(object=str(key))
        return replace(where_of(source, path, text), object=str(key))  # a manifest may leave out the namespace

    @cached_property
    def is_openshift(self) -> bool:
        """OpenShift judges pods by its own constraints and has roles of its own for everybody."""
        return is_openshift(self.cluster)


@cache
def _made_by(minor: int) -> Policy:
    """What a known version makes."""
    return Policy(known().objects[minor].values())


_LAST: list[tuple[weakref.ref[Snapshot], State]] = []


def state_of(snapshot: Snapshot) -> State | None:
    """The state that a snapshot tells; None if it has no cluster. Remembered while the snapshot lives."""
    if snapshot.cluster is None:
        return None
    if _LAST and _LAST[0][0]() is snapshot:
        return _LAST[0][1]
    version = None if snapshot.minor is None else Version(1, snapshot.minor)
    made = State(snapshot.cluster, version)
    _LAST[:] = [(weakref.ref(snapshot, lambda _: _LAST.clear()), made)]
    return made
