"""What is known of the defaults of each version: `content/bootstrap/rbac.json`, made by `range.bootstrap_rbac`.

A row is one thing an object says (a rule, a subject, what it refers to, what it selects, an aggregation label), with
the first and last known version that has it. Versions that are not known lie between two that are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Final, Literal, NamedTuple

import msgspec
from msgspec import Struct

from kubewitness.posture.rbac.nouns import (
    Binding,
    Key,
    PolicyRule,
    Requirement,
    Resource,
    Role,
    Selector,
    Subject,
)
from kubewitness.rules.loader import content_folder

LABEL: Final = "kubernetes.io/bootstrapping"
LABEL_VALUE: Final = "rbac-defaults"
_RESOURCES: Final[dict[str, Resource]] = {
    "Role": "roles",
    "ClusterRole": "clusterroles",
    "RoleBinding": "rolebindings",
    "ClusterRoleBinding": "clusterrolebindings",
}
# "1.28", "v1.28.3", "v1.28.3+k3s1", "v1.20.4-aliyun.1", "1.21+" (as managed clusters say)
_VERSION: Final = re.compile(r"v?(\d{1,2})\.(\d{1,3})(?:[.+-][\w.+-]{0,60}|\+)?", re.ASCII)


class Version(NamedTuple):
    """A version of Kubernetes, as far as its defaults depend on it."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


def version_of(text: str) -> Version | None:
    """The version that a text such as v1.28.3+k3s1 names; None if it names none."""
    found = _VERSION.fullmatch(text.strip())
    return Version(int(found[1]), int(found[2])) if found else None


class Source(Struct, frozen=True, rename={"told": "from"}):
    """A known version and where its objects come from. `exact`: those of a release, not of a version before it."""

    minor: int
    told: str
    exact: bool


class Rule(Struct, frozen=True):
    """A rule as manifests write it."""

    verbs: tuple[str, ...] = ()
    apiGroups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resourceNames: tuple[str, ...] = ()
    nonResourceURLs: tuple[str, ...] = ()


class RoleRef(Struct, frozen=True):
    """What a binding refers to."""

    kind: str
    name: str


class _Row(Struct, frozen=True):
    kind: str
    name: str
    since: int
    until: int
    part: Literal["object", "label", "selector", "rule", "subject", "roleRef"]
    namespace: str = ""
    gated: bool = False
    label: dict[str, str] | None = None
    selector: dict[str, str] | None = None
    rule: Rule | None = None
    subject: Subject | None = None
    roleRef: RoleRef | None = None

    @property
    def key(self) -> Key:
        return key_of(self.kind, self.namespace, self.name)


class _File(Struct, frozen=True):
    versions: tuple[Source, ...]
    rows: tuple[_Row, ...]


class Known(Struct, frozen=True):
    """The objects of every known version, by minor, and what feature gates add to the newest one's."""

    sources: tuple[Source, ...]
    objects: dict[int, dict[Key, Role | Binding]]
    gated: dict[Key, tuple[PolicyRule, ...]]

    @property
    def minors(self) -> tuple[int, ...]:
        """Known versions, oldest first."""
        return tuple(source.minor for source in self.sources)

    def accepted(self, version: Version | None) -> tuple[int, ...]:
        """Known versions of which an object of this version may be one: itself, or else the nearest two.

        Of an unknown version, all from 1.14 on.
        """
        if version is None:
            return tuple(minor for minor in self.minors if minor >= _OLDEST) or self.minors
        for source in self.sources:
            if source.exact and source.minor == version.minor:
                return (source.minor,)
        below = [source.minor for source in self.sources if source.minor < version.minor]
        above = [source.minor for source in self.sources if source.minor > version.minor]
        same = [source.minor for source in self.sources if source.minor == version.minor]
        return (*below[-1:], *same, *above[:1])


_OLDEST: Final = 14
# What versions after the newest known one add to roles of Kubernetes' own, by group and resource or by path; read from
# code between 1.36 and 1.37.
LATER: Final = frozenset(
    {
        ("certificates.k8s.io", "clustertrustbundles"),
        ("certificates.k8s.io", "podcertificaterequests"),
        ("coordination.k8s.io", "evictionrequests"),
        ("events.k8s.io", "events"),
        ("resource.k8s.io", "resourceclaims/binding"),
        ("scheduling.k8s.io", "podgroups"),
        ("scheduling.k8s.io", "workloads"),
        ("", "/flagz"),
        ("", "/statusz"),
    }
)


@cache
def known() -> Known:
    """What the package's content tells; read once."""
    data = (content_folder() / "bootstrap" / "rbac.json").read_bytes()
    file = msgspec.json.decode(data, type=_File)
    rows = dict[Key, list[_Row]]()
    gated = dict[Key, list[PolicyRule]]()
    for row in file.rows:
        if not row.gated:
            rows.setdefault(row.key, []).append(row)
        elif row.rule:
            gated.setdefault(row.key, []).append(rule_of(row.rule))
    objects = {
        source.minor: {
            key: made for key, some in rows.items() if (made := _object(key, _standing(some, source.minor))) is not None
        }
        for source in file.versions
    }
    return Known(file.versions, objects, {key: tuple(some) for key, some in gated.items()})


def _standing(rows: list[_Row], minor: int) -> list[_Row]:
    return [row for row in rows if row.since <= minor <= row.until]


def _object(key: Key, rows: list[_Row]) -> Role | Binding | None:
    if not any(row.part == "object" for row in rows):
        return None
    if key.resource in {"rolebindings", "clusterrolebindings"}:
        subjects = tuple(row.subject for row in rows if row.subject)
        reference = next(row.roleRef for row in rows if row.roleRef)
        return Binding(key.namespace, key.name, reference.kind, reference.name, subjects)
    labels = {LABEL: LABEL_VALUE}
    for row in rows:
        labels |= row.label or {}
    selectors = tuple(
        Selector(tuple(Requirement(name, "In", (value,)) for name, value in sorted(row.selector.items())))
        for row in rows
        if row.selector
    )
    rules = tuple(rule_of(row.rule) for row in rows if row.rule)
    return Role(key.namespace, key.name, rules, tuple(sorted(labels.items())), selectors or None)


def key_of(kind: str, namespace: str, name: str) -> Key:
    """The place of an object of the content."""
    return Key(_RESOURCES[kind], namespace, name)


def rule_of(wire: Rule, named: Callable[[str], str] = str) -> PolicyRule:
    """The rule, with its resource names as `named` makes them."""
    names = tuple(named(name) for name in wire.resourceNames)
    return PolicyRule(wire.verbs, wire.apiGroups, wire.resources, names, wire.nonResourceURLs)
