"""How much the rules of a role are worth to somebody who should have none of them.

Four grades. *Takes over*: rights with which one gains others (`rights`). *Changes*: any other write, or
Secrets by name. *Reads*: what the API server keeps for everybody, without Secrets. *Harmless*: asking how the server
is or who oneself is, reading objects by name, and whatever only concerns resources of others' API groups.

Rights that lead nowhere alone (writing bindings without `bind`, changing roles without `escalate`) are changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from itertools import islice
from typing import Final, NamedTuple

from kubewitness.model.text import Text
from kubewitness.posture.access.rights import Rights, rights_of
from kubewitness.posture.access.state import State
from kubewitness.posture.access.words import RIGHTS, listed
from kubewitness.posture.bootstrap.covering import joined, line
from kubewitness.posture.rbac.nouns import GROUP, Key, PolicyRule

# Rights that are enough by themselves, worst first.
STRONG: Final = (
    "everything", "escalate_clusterroles", "escalate_roles", "bind_clusterroles", "impersonate_users",
    "impersonate_groups", "impersonate_accounts", "nodes_proxy", "create_tokens", "read_secrets", "create_pods",
    "exec", "exec_by_get", "change_pods", "approve_for_signers", "sign_for_signers", "write_mutating", "create_volumes",
)  # fmt: skip
_READ: Final = frozenset({"get", "list", "watch"})
_ABOUT_ONESELF: Final = frozenset(
    ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews", "localsubjectaccessreviews",
     "subjectaccessreviews", "tokenreviews")
)  # fmt: skip
_OWN: Final = frozenset(
    ("", "apps", "batch", "autoscaling", "policy", "networking.k8s.io", "extensions", "storage.k8s.io", GROUP,
     "admissionregistration.k8s.io", "certificates.k8s.io", "apiregistration.k8s.io", "apiextensions.k8s.io",
     "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "scheduling.k8s.io", "node.k8s.io", "resource.k8s.io",
     "flowcontrol.apiserver.k8s.io")
)  # fmt: skip
# Read by everybody in ordinary clusters: nothing in them is anybody's secret.
_PUBLIC: Final = frozenset(
    ("namespaces", "storageclasses", "priorityclasses", "runtimeclasses", "csidrivers", "apiservices")
)
_HEALTH: Final = (
    "/healthz",
    "/livez",
    "/readyz",
    "/version",
    "/api",
    "/apis",
    "/openapi",
    "/swagger",
    "/.well-known",
    "/openid",
)
_CONNECTING: Final = ("/proxy", "/portforward")  # a get is enough to talk to what runs there
_EVERY: Final = "*"
_RULES: Final = 50  # told at most
_LINE: Final = 100


class Grade(IntEnum):
    """What the rules are worth."""

    NOTHING = 0
    HARMLESS = 1
    READS = 2
    CHANGES = 3
    TAKES_OVER = 4


class Worth(NamedTuple):
    """What a role is worth, and in words."""

    grade: Grade
    what: Text


class Worths:
    """What the roles of a state are worth, each judged once."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._known = dict[Key | None, Worth]()

    def of(self, role: Key | None) -> Worth:
        """Of one role."""
        if role not in self._known:
            rules = self._state.rules(role)
            self._known[role] = Worth(grade_of(rules), told(rules))
        return self._known[role]


def grade_of(rules: Iterable[PolicyRule]) -> Grade:
    """The worst of the rules."""
    rules = tuple(rules)
    if strong(rights_of(rules)):
        return Grade.TAKES_OVER
    return max((_grade(rule) for rule in rules), default=Grade.NOTHING)


def strong(rights: Rights) -> list[str]:
    """Rights that are enough by themselves, those of which every object is meant; impersonation of anybody at all."""
    return [
        name
        for name in STRONG
        if name in rights
        and (rights[name] is None or name.startswith(("impersonate", "nodes", "approve", "sign", "bind")))
    ]


def _grade(rule: PolicyRule) -> Grade:
    verbs = set(rule.verbs)
    if not verbs:
        return Grade.NOTHING
    if rule.urls:
        if all(url.rstrip("/*").startswith(_HEALTH) for url in rule.urls) and verbs <= _READ | {"head"}:
            return Grade.HARMLESS
        return Grade.READS if verbs <= _READ | {"head"} else Grade.CHANGES
    groups = set(rule.groups)
    resources = {one for one in rule.resources if one not in _ABOUT_ONESELF}
    if not resources or not groups or (_EVERY not in groups and not groups & _OWN):
        return Grade.HARMLESS
    if verbs == {"use"} and groups <= {"policy", "extensions"}:
        return Grade.HARMLESS  # of a pod security policy, as managed clusters gave everybody until 1.24
    if verbs <= _READ and not any(one.endswith(_CONNECTING) for one in resources):
        if rule.names and not _secret(groups, resources):
            return Grade.HARMLESS
        if _secret(groups, resources):
            return Grade.CHANGES
        return Grade.HARMLESS if resources <= _PUBLIC else Grade.READS
    return Grade.CHANGES


def _secret(groups: set[str], resources: set[str]) -> bool:
    return bool({"", _EVERY} & groups and {"secrets", _EVERY} & resources)


def told(rules: Iterable[PolicyRule]) -> Text:
    """What rules allow, shortly: the rights one gains others with, or else the rules themselves."""
    rules = tuple(rules)
    if not rules:
        return Text("no rules", "无规则")
    names = strong(rights_of(rules))
    if names:
        return listed([RIGHTS[name] for name in names])
    lines = [line(rule) for rule in joined(_short(rule) for rule in rules[:_RULES])]
    cut = [one if len(one) <= _LINE else f"{one[:_LINE].rpartition(',')[0] or one[:_LINE]}, …" for one in lines]
    return listed([Text(one, one) for one in cut], 3, clauses=True)


def _short(rule: PolicyRule) -> PolicyRule:
    """A rule with the first few of everything: its cross product may be enormous."""
    return PolicyRule(
        _few(rule.verbs, 12), _few(rule.groups, 6), _few(rule.resources, 12), _few(rule.names, 6), _few(rule.urls, 12)
    )


def _few(words: tuple[str, ...], most: int) -> tuple[str, ...]:
    some = tuple(islice(dict.fromkeys(words), most + 1))
    return some if len(some) <= most else (*some[:most], "…")
