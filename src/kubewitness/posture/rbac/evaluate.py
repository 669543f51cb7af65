"""Kubernetes' RBAC authorizer, asked away from the cluster: same question, same answer, and why.

Bindings of the cluster come first, then those of the request's namespace; a binding counts if its first fitting
subject is the asker, and then each rule of the role it points to. Group system:masters is let through before any
authorizer is asked. The Node authorizer stands before RBAC for kubelets and is not known here: what RBAC does not
grant a node is "not evaluated".

The API server walks its bindings in the order of a Go map, so which of several sufficient bindings it names is chance;
here they come by name. An aggregated ClusterRole has the rules of what it selects, as its controller keeps it.

What is known to have changed to something unknown is a doubt: an answer that such an object could turn is uncertain.

Source: kubernetes/plugin/pkg/auth/authorizer/rbac, kubernetes/pkg/registry/rbac/validation/rule.go,
component-helpers/auth/rbac/v1 (matching), kubernetes/pkg/controller/clusterroleaggregation.
"""

from __future__ import annotations

import copy
from bisect import insort
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from operator import itemgetter
from typing import Literal, NamedTuple

from kubewitness.posture.rbac.nouns import (
    MASTERS,
    NODE_PREFIX,
    Attributes,
    Binding,
    Key,
    PolicyRule,
    Requirement,
    Role,
    Selector,
    Subject,
)

Decision = Literal["allow", "deny", "not_evaluated"]
_EVERY = "*"
_ASKERS = 1_000  # whose bindings are remembered


class Grant(NamedTuple):
    """Why a request is allowed."""

    binding: Binding
    subject: Subject
    role: Key
    rule: int  # index in the role's (effective) rules

    @property
    def reason(self) -> str:
        """In the API server's words: the annotation `authorization.k8s.io/reason`."""
        binding, subject = self.binding, self.subject
        name = f"{binding.name}/{binding.namespace}" if binding.namespace else binding.name
        who = subject.name
        if subject.kind == "ServiceAccount":
            who = f"{who}/{subject.namespace or binding.namespace}"
        role = f"{binding.role_kind} {_quoted(binding.role_name)}"
        return f"RBAC: allowed by {binding.key.kind} {_quoted(name)} of {role} to {subject.kind} {_quoted(who)}"


class Answer(NamedTuple):
    """The decision, the grant behind it (none: refused, or let through by system:masters), and what could turn it."""

    decision: Decision
    grant: Grant | None = None
    doubts: tuple[Key, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether RBAC lets the request through."""
        return self.decision == "allow"

    @property
    def uncertain(self) -> bool:
        """Whether something of unknown content could make it the other answer."""
        return bool(self.doubts)


class Policy:
    """Roles and bindings at one moment. Never changed; `without` makes another one.

    Attributes:
        objects: Everything that is known, by its place.
        doubts: Objects that were changed to something unknown (known or not before).
        whole: All ClusterRoles are known, so an aggregated one has exactly what it selects; else also what it had.
    """

    def __init__(
        self, objects: Iterable[Role | Binding] = (), doubts: Collection[Key] = (), *, whole: bool = True
    ) -> None:
        self.objects: Mapping[Key, Role | Binding] = {one.key: one for one in objects}
        self.doubts = frozenset(doubts)
        self.whole = whole
        self._rules: dict[Key, tuple[PolicyRule, ...]] = {}
        # By kind and name of a subject and the namespace of the binding; in the order of the keys.
        self._bound: dict[tuple[str, str, str], list[tuple[Key, Binding]]] = {}
        for key, binding in sorted(self.objects.items(), key=itemgetter(0)):
            if isinstance(binding, Binding):
                for place in _places(binding):
                    self._bound.setdefault(place, []).append((key, binding))
        self._doubtful = self._in_doubt()
        self._for: dict[tuple[str, tuple[str, ...], str], list[Binding]] = {}
        self._parts: dict[Key, list[Role]] = {}
        roles = sorted(key for key, one in self.objects.items() if isinstance(one, Role) and not one.namespace)
        self._roles = [one for key in roles if isinstance(one := self.objects[key], Role)]
        self.aggregates = any(role.selectors is not None for role in self._roles)

    def _in_doubt(self) -> dict[str, list[Binding]]:
        out: dict[str, list[Binding]] = {}
        for key in sorted(self.doubts):
            binding = self.objects.get(key)
            if isinstance(binding, Binding):
                out.setdefault(binding.namespace, []).append(binding)
        return out

    def with_bindings(self, changed: Mapping[Key, Binding | None], doubts: Collection[Key]) -> Policy:
        """The same with these bindings, without those that are None. `doubts`: all there are then.

        What does not change is shared: a log with thousands of writes has thousands of states.
        """
        made = copy.copy(self)
        objects = dict(self.objects)
        made.objects, made.doubts, made._for, made._bound = objects, frozenset(doubts), {}, dict(self._bound)
        own = set[tuple[str, str, str]]()  # lists that are not shared
        for key, binding in changed.items():
            before = objects.pop(key, None)
            if isinstance(before, Binding):
                for place in _places(before):
                    made._bound[place] = [pair for pair in made._bound[place] if pair[0] != key]
                    own.add(place)
            if binding is None:
                continue
            objects[key] = binding
            for place in _places(binding):
                if place not in own:
                    made._bound[place] = list(made._bound.get(place, ()))
                    own.add(place)
                insort(made._bound[place], (key, binding), key=itemgetter(0))
        made._doubtful = made._in_doubt()
        return made

    def without(self, keys: Collection[Key]) -> Policy:
        """The same without these objects."""
        kept = [one for key, one in self.objects.items() if key not in keys]
        return Policy(kept, self.doubts.difference(keys), whole=self.whole)

    def rules_of(self, key: Key) -> tuple[PolicyRule, ...] | None:
        """The rules a role really has; None if there is no such role."""
        role = self.objects.get(key)
        if not isinstance(role, Role):
            return None
        if role.selectors is None:
            return role.rules
        if key not in self._rules:
            union = dict.fromkeys(rule for piece in self._pieces(role) for rule in piece.rules)
            if not self.whole:
                union = dict.fromkeys((*role.rules, *union))
            self._rules[key] = tuple(union)
        return self._rules[key]

    def _pieces(self, role: Role) -> list[Role]:
        """The roles that end up in an aggregated one: what it selects, and what aggregated ones among these select."""
        if role.key not in self._parts:
            seen: dict[str, Role] = {role.name: role}
            waiting = [role]
            while waiting:
                current = waiting.pop()
                for other in self._roles:
                    if other.name not in seen and any(selects(one, other) for one in current.selectors or ()):
                        seen[other.name] = other
                        if other.selectors is not None:
                            waiting.append(other)
            self._parts[role.key] = [seen[name] for name in sorted(seen) if seen[name].selectors is None]
        return self._parts[role.key]

    def bindings_for(self, user: str, groups: Iterable[str], namespace: str) -> list[Binding]:
        """Bindings that name the asker and hold in `namespace`: the cluster's, then the namespace's, by name."""
        asker = (user, tuple(groups), namespace)
        if asker not in self._for:
            if len(self._for) >= _ASKERS:
                self._for.clear()
            self._for[asker] = self._find(*asker)
        return self._for[asker]

    def _find(self, user: str, groups: tuple[str, ...], namespace: str) -> list[Binding]:
        # A service account is bound by its user name too.
        names = [("User", user), ("ServiceAccount", user), *(("Group", one) for one in groups)]
        out = []
        for where in ("", namespace) if namespace else ("",):
            lists = [some for kind, name in names if (some := self._bound.get((kind, name, where)))]
            if len(lists) < 2:  # mostly; and in order already
                out += [binding for some in lists for _, binding in some]
                continue
            found = {key: binding for some in lists for key, binding in some}
            out += [found[key] for key in sorted(found)]
        return out

    def doubtful_bindings(self, namespace: str) -> Iterator[Binding]:
        """Bindings of unknown subjects that hold in `namespace`."""
        return chain(self._doubtful.get("", ()), self._doubtful.get(namespace, ()) if namespace else ())

    def rests_on(self, role: Key) -> Iterator[Key]:
        """The objects whose content decides the rules of a role."""
        yield role
        found = self.objects.get(role)
        if isinstance(found, Role) and found.selectors is not None:
            yield from (piece.key for piece in self._pieces(found))


def _places(binding: Binding) -> set[tuple[str, str, str]]:
    found = (_who(subject, binding.namespace) for subject in binding.subjects)
    return {(*who, binding.namespace) for who in found if who is not None}


def grants(policy: Policy, asked: Attributes) -> Iterator[Grant]:
    """Every binding that allows the request, each with its first rule that does; nothing of system:masters."""
    judged: dict[Key, int | None] = {}  # roles, by the first rule that allows it
    for binding in policy.bindings_for(asked.user, asked.groups, asked.namespace):
        role = binding.role
        if role is None:
            continue
        if role not in judged:
            rules = policy.rules_of(role) or ()
            judged[role] = next((index for index, rule in enumerate(rules) if allows(rule, asked)), None)
        rule = judged[role]
        if rule is not None:
            # The first subject that fits is the one the API server names.
            subject = next(one for one in binding.subjects if fits(one, binding.namespace, asked))
            yield Grant(binding, subject, role, rule)


def evaluate(policy: Policy, asked: Attributes) -> Answer:
    """Whether RBAC allows the request, by what, and how surely."""
    if MASTERS in asked.groups:
        return Answer("allow")
    first: Answer | None = None
    for grant in grants(policy, asked):
        doubts = () if not policy.doubts else _doubts_of(policy, grant)
        if not doubts:
            return Answer("allow", grant)
        first = first or Answer("allow", grant, doubts)
    if first is not None:
        return first
    if asked.user.startswith(NODE_PREFIX) and "system:nodes" in asked.groups:
        return Answer("not_evaluated")
    return Answer("deny", None, _could_allow(policy, asked) if policy.doubts else ())


def _doubts_of(policy: Policy, grant: Grant) -> tuple[Key, ...]:
    return tuple(key for key in (grant.binding.key, *policy.rests_on(grant.role)) if key in policy.doubts)


def _could_allow(policy: Policy, asked: Attributes) -> tuple[Key, ...]:
    """Objects of unknown content of which one may allow what nothing known does."""
    out = dict[Key, None]()
    for key in sorted(policy.doubts.difference(policy.objects)):
        binds = key.resource in {"clusterrolebindings", "rolebindings"} and key.namespace in {"", asked.namespace}
        # The labels of an unknown role are unknown too.
        if binds or (key.resource == "clusterroles" and policy.aggregates):
            out[key] = None
    for binding in policy.doubtful_bindings(asked.namespace):
        # A binding's role cannot be changed, only whom it names; so it can only grant what its role allows.
        role = binding.role
        if role is None:
            continue
        unknown = any(key in policy.doubts for key in policy.rests_on(role))
        if unknown or any(allows(rule, asked) for rule in policy.rules_of(role) or ()):
            out[binding.key] = None
    for binding in policy.bindings_for(asked.user, asked.groups, asked.namespace):
        if binding.role is not None:
            out.update(dict.fromkeys(key for key in policy.rests_on(binding.role) if key in policy.doubts))
    return tuple(out)


def fits(subject: Subject, namespace: str, asked: Attributes) -> bool:
    """Whether a subject of a binding in `namespace` is the asker."""
    if subject.kind == "User":
        return subject.name == asked.user
    if subject.kind == "Group":
        return subject.name in asked.groups
    where = subject.namespace or namespace
    return subject.kind == "ServiceAccount" and bool(where) and asked.user == _account(where, subject.name)


def allows(rule: PolicyRule, asked: Attributes) -> bool:
    """Whether one rule allows the request."""
    if _EVERY not in rule.verbs and asked.verb not in rule.verbs:
        return False
    if asked.path:
        return any(_url_fits(url, asked.path) for url in rule.urls)
    if _EVERY not in rule.groups and asked.group not in rule.groups:
        return False
    if rule.names and asked.name not in rule.names:
        return False
    wanted = (_EVERY, asked.combined, f"*/{asked.subresource}" if asked.subresource else _EVERY)
    return any(resource in wanted for resource in rule.resources)


def _url_fits(url: str, path: str) -> bool:
    return url in {_EVERY, path} or (url.endswith("*") and path.startswith(url.rstrip("*")))


def selects(selector: Selector, role: Role) -> bool:
    """Whether a label selector fits a role's labels."""
    labels = dict(role.labels)
    return all(_fulfilled(one, labels) for one in selector.requirements)


def _fulfilled(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value is not None and value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False  # an invalid selector selects nothing


def _who(subject: Subject, namespace: str) -> tuple[str, str] | None:
    """Kind and full name; None if the subject can be nobody (a service account of no namespace)."""
    if subject.kind == "ServiceAccount":
        where = subject.namespace or namespace
        return ("ServiceAccount", _account(where, subject.name)) if where else None
    return (subject.kind, subject.name)


def _account(namespace: str, name: str) -> str:
    return f"system:serviceaccount:{namespace}:{name}"


def _quoted(text: str) -> str:
    """As Go's %q for what names of Kubernetes may hold."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
