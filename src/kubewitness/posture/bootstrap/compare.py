"""Compares a cluster's own roles and bindings with what its version makes.

What an API server does at its start decides what means something: it adds missing rules and subjects, makes a binding
anew that points elsewhere, and never takes away what is too much, nor touches what is annotated autoupdate=false. So
an addition stays for ever; and what an older version made stays too, which is no alteration. An object of a version
that lies between two known ones may be as either.

The rules of an aggregated role (admin, edit, view) belong to a controller: what counts is which roles it selects.
Roles of others may be selected too; that is how addons give rights over their own resources. What they give beyond
that, rights with which one gains others, is told.

Source: kubernetes/pkg/registry/rbac/rest/storage_rbac.go, component-helpers/auth/rbac/reconciliation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from kubewitness.posture.bootstrap.addons import addon_of
from kubewitness.posture.bootstrap.covering import covers, joined, line, pieces, uncovered
from kubewitness.posture.bootstrap.difference import Difference, Explained, Kind
from kubewitness.posture.bootstrap.escalating import escalates
from kubewitness.posture.bootstrap.known import LABEL, LABEL_VALUE, LATER, Known, Version, known
from kubewitness.posture.rbac.evaluate import Policy, selects
from kubewitness.posture.rbac.nouns import RESOURCES, Binding, Key, PolicyRule, Resource, Role, Selector, Subject

_AUTOUPDATE: Final = "rbac.authorization.kubernetes.io/autoupdate"
_T = TypeVar("_T", Role, Binding)


def compare(
    objects: Mapping[Key, Role | Binding],
    version: Version | None,
    *,
    documents: Mapping[Key, object] | None = None,
    whole: Collection[Resource] = RESOURCES,
) -> Iterator[Difference]:
    """What differs from the defaults of a version, by object.

    Args:
        objects: Roles and bindings of a cluster.
        version: The API server's; None if nothing tells it, then every version's are accepted.
        documents: The same as JSON, for annotations and for labels of bindings.
        whole: Kinds of which `objects` has everything: only of these anything can be missing.
    """
    comparison = _Comparison(objects, known(), version, "clusterroles" in whole)
    documents = documents or {}
    for key in sorted({*objects, *comparison.required}):
        actual = objects.get(key)
        if actual is None:
            if key.resource in whole and comparison.begun:
                yield Difference("missing_object", key, (str(key),), (), *comparison.beyond)
            continue
        document = documents.get(key)
        if comparison.versions(key):
            yield from comparison.of(actual)
            if _field(document, "annotations", _AUTOUPDATE) == "false":
                yield Difference("protected", key, ("true",), ("false",))
        elif _labelled(actual, document) and not addon_of(actual):
            yield Difference("foreign_label", key, (), (f"{LABEL}={LABEL_VALUE}",), *comparison.beyond)
        yield from comparison.injected(actual)


class _Origin(NamedTuple):
    """Whom something comes from that this version does not make."""

    explained: Explained
    minor: int


_NOBODY: Final = _Origin("", 0)


class _Target(NamedTuple):
    """An aggregated role as Kubernetes makes it: the rules it then has, and the roles of Kubernetes it selects."""

    key: Key
    selectors: tuple[Selector, ...]
    rules: tuple[PolicyRule, ...]
    own: frozenset[Key]


class _Comparison:
    """A cluster's objects beside what is known."""

    def __init__(
        self, objects: Mapping[Key, Role | Binding], every: Known, version: Version | None, all_roles: bool
    ) -> None:
        self._every = every
        self._all_roles = all_roles
        self._version = version
        self._accepted = every.accepted(version)
        accepted = [every.objects[minor] for minor in self._accepted]
        self.required = set[Key].intersection(*(set(one) for one in accepted))
        # Without RBAC among its authorizers an API server makes none of them.
        self.begun = any(key in objects for key in self.required)
        self._policy = Policy(objects.values())
        self._targets = list(dict.fromkeys(self._selecting(accepted)))

    @property
    def beyond(self) -> _Origin:
        """What nobody knows of a version newer than every known one may be its own doing."""
        minor = self._version.minor if self._version else 0
        return _Origin("newer", minor) if minor > self._every.minors[-1] else _NOBODY

    def versions(self, key: Key) -> list[int]:
        """Known versions that have the object."""
        return [minor for minor in self._every.minors if key in self._every.objects[minor]]

    def of(self, actual: Role | Binding) -> Iterator[Difference]:
        """What differs in an object that some version makes."""
        ever = self.versions(actual.key)
        mine = [minor for minor in ever if minor in self._accepted]
        if not mine:
            yield Difference("other_version", actual.key, (), (str(actual.key),), *self._origin(ever))
        # What no longer is one of Kubernetes' own may be as it ever was.
        found = self._role(actual, mine or ever) if isinstance(actual, Role) else self._binding(actual, mine or ever)
        yield from (one for one in found if mine or not one.kind.startswith("missing"))

    def _made(self, key: Key, like: type[_T], minors: Iterable[int]) -> list[tuple[int, _T]]:
        found = [(minor, self._every.objects[minor].get(key)) for minor in minors]
        return [(minor, one) for minor, one in found if isinstance(one, like)]

    def _role(self, actual: Role, mine: Sequence[int]) -> Iterator[Difference]:
        key = actual.key
        ever, now = self._made(key, Role, self._every.minors), self._made(key, Role, mine)
        wanted = {one.selectors for _, one in now}
        if not any(_same(actual.selectors, one) for one in wanted):
            # An upgrade adds selectors that are missing, so having none is left from no version.
            before = tuple(sorted({said for one in wanted for said in _said(one)}))
            yield Difference("altered_aggregation", key, before, tuple(_said(actual.selectors)))
        if actual.selectors is None:
            having = [rule for _, one in now for rule in one.rules]
        elif self._all_roles:
            having = [rule for target in self._targets if target.key == key for rule in target.rules]
            having += self._policy.rules_of(key) or ()
        else:
            having = list(actual.rules)  # of roles that the evidence has not
        yield from self._rules("extra_rule", key, uncovered(actual.rules, having), ever)
        if actual.selectors is None and now and all(one.selectors is None for _, one in now):
            yield from self._missing(actual, now)

    def _missing(self, actual: Role, now: Sequence[tuple[int, Role]]) -> Iterator[Difference]:
        wanted = pieces(now[0][1].rules)
        for _, other in now[1:]:
            wanted = [piece for piece in wanted if any(covers(rule, piece) for rule in other.rules)]
        lacking = uncovered(wanted, actual.rules)
        if lacking:
            yield Difference("missing_rule", actual.key, _lines(lacking), (), *self.beyond)

    def _rules(
        self, kind: Kind, key: Key, extra: Sequence[PolicyRule], ever: Sequence[tuple[int, Role]]
    ) -> Iterator[Difference]:
        by_origin = dict[_Origin, list[PolicyRule]]()
        strange = set(uncovered(extra, [rule for _, one in ever for rule in one.rules]))
        for piece in extra:
            made = () if piece in strange else ever
            origin = self._origin([minor for minor, one in made if any(covers(rule, piece) for rule in one.rules)])
            if origin == _NOBODY and any(covers(rule, piece) for rule in self._every.gated.get(key, ())):
                origin = _Origin("gated", 0)
            if origin == _NOBODY and _later(piece):
                origin = self.beyond
            by_origin.setdefault(origin, []).append(piece)
        for origin, some in sorted(by_origin.items()):
            yield Difference(kind, key, (), _lines(some), *origin)

    def _binding(self, actual: Binding, mine: Sequence[int]) -> Iterator[Difference]:
        key = actual.key
        ever, now = self._made(key, Binding, self._every.minors), self._made(key, Binding, mine)
        targets = {(one.role_kind, one.role_name) for _, one in now}
        if (actual.role_kind, actual.role_name) not in targets:
            before = tuple(f"{kind} {name}" for kind, name in sorted(targets))
            yield Difference("swapped_role", key, before, (f"{actual.role_kind} {actual.role_name}",))
        having = {_full(subject, actual) for subject in actual.subjects}
        allowed = {_full(subject, one) for _, one in now for subject in one.subjects}
        by_origin = dict[_Origin, list[Subject]]()
        for subject in sorted(having - allowed, key=_who):
            minors = [minor for minor, one in ever if subject in {_full(each, one) for each in one.subjects}]
            by_origin.setdefault(self._origin(minors), []).append(subject)
        for origin, some in sorted(by_origin.items()):
            yield Difference("extra_subject", key, (), tuple(_who(one) for one in some), *origin)
        sets = [{_full(subject, one) for subject in one.subjects} for _, one in now]
        if lacking := (set[Subject].intersection(*sets) if sets else set()) - having:
            lines = tuple(sorted(_who(one) for one in lacking))
            yield Difference("missing_subject", key, lines, (), *self.beyond)

    def _origin(self, minors: Sequence[int]) -> _Origin:
        """Whom it comes from that only these known versions have."""
        first, last = self._accepted[0], self._accepted[-1]
        if older := [minor for minor in minors if minor < first]:
            # It was gone in the next known one, and may have stood until the one before that.
            return _Origin("older", next(one for one in self._every.minors if one > older[-1]) - 1)
        if newer := [minor for minor in minors if minor > last]:
            return _Origin("newer", newer[0])
        return _NOBODY

    def injected(self, actual: Role | Binding) -> Iterator[Difference]:
        """What a role that Kubernetes does not select gives to Kubernetes' own by its labels."""
        if not isinstance(actual, Role) or actual.namespace or not actual.labels:
            return
        into, gained = dict[str, None](), dict[PolicyRule, None]()
        selecting = [one for one in self._targets if any(selects(each, actual) for each in one.selectors)]
        foreign = [one for one in selecting if one.key != actual.key and actual.key not in one.own]
        given = pieces(self._policy.rules_of(actual.key) or ()) if foreign else []
        risky = [piece for piece in given if escalates(piece)]
        for target in foreign if risky else ():
            more = uncovered(risky, target.rules)
            into |= dict.fromkeys([target.key.name] if more else ())
            gained |= dict.fromkeys(more)
        if gained:
            yield Difference("injected_rule", actual.key, (), _lines(gained), into=tuple(into))

    @staticmethod
    def _selecting(accepted: Iterable[Mapping[Key, Role | Binding]]) -> Iterator[_Target]:
        for objects in accepted:
            policy = Policy(objects.values())
            roles = [one for one in objects.values() if isinstance(one, Role)]
            for role in roles:
                if role.selectors:
                    own = {one.key for one in roles if any(selects(each, one) for each in role.selectors)}
                    yield _Target(role.key, role.selectors, policy.rules_of(role.key) or (), frozenset(own))


def _later(piece: PolicyRule) -> bool:
    """Whether versions newer than every known one give this, as far as was seen."""
    things = {(group, resource) for group in piece.groups for resource in piece.resources}
    return {*things, *(("", url) for url in piece.urls)} <= LATER


def _same(one: Sequence[Selector] | None, other: Sequence[Selector] | None) -> bool:
    return (None if one is None else set(one)) == (None if other is None else set(other))


def _said(selectors: Sequence[Selector] | None) -> list[str]:
    return sorted(
        ", ".join(f"{each.key} {each.operator} {' '.join(each.values)}".strip() for each in one.requirements) or "*"
        for one in selectors or ()
    )


def _full(subject: Subject, binding: Binding) -> Subject:
    """With the namespace that counts: only a service account has one."""
    if subject.kind != "ServiceAccount":
        return Subject(subject.kind, subject.name)
    return Subject(subject.kind, subject.name, subject.namespace or binding.namespace)


def _who(subject: Subject) -> str:
    name = f"{subject.namespace}/{subject.name}" if subject.namespace else subject.name
    return f"{subject.kind} {name}"


def _lines(some: Iterable[PolicyRule]) -> tuple[str, ...]:
    return tuple(line(rule) for rule in joined(some))


def _field(document: object, part: str, name: str) -> object:
    meta = document.get("metadata") if isinstance(document, dict) else None
    found = meta.get(part) if isinstance(meta, dict) else None
    return found.get(name) if isinstance(found, dict) else None


def _labelled(actual: Role | Binding, document: object) -> bool:
    mine = dict(actual.labels).get(LABEL) if isinstance(actual, Role) else None
    return LABEL_VALUE in (mine, _field(document, "labels", LABEL))
