"""An audit policy as the API server reads it: the first rule that fits decides, and what fits none is not recorded.

Source: k8s.io/apiserver/pkg/apis/audit/v1 and pkg/audit/policy (checker).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import Struct

from kubewitness.model.posture import Where
from kubewitness.posture import reading
from kubewitness.posture.yaml_text import Document

LEVELS: Final = ("None", "Metadata", "Request", "RequestResponse")
_GROUP: Final = "audit.k8s.io/"
_MOST: Final = 5_000  # rules


class Asked(NamedTuple):
    """A request as the policy sees it."""

    user: str
    groups: tuple[str, ...]
    verb: str
    group: str = ""
    resource: str = ""  # with its subresource: "pods/exec"
    namespace: str = ""
    name: str = ""
    path: str = ""  # of a request for no resource


class _Resources(Struct, frozen=True):
    group: str
    resources: tuple[str, ...]
    names: tuple[str, ...]


class Rule(Struct, frozen=True):
    """A rule of the policy. An empty list says nothing about its subject."""

    level: str
    where: Where
    number: int  # from 1
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[_Resources, ...] = ()
    namespaces: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    omitted: frozenset[str] = frozenset()  # stages

    def fits(self, asked: Asked) -> bool:
        """Whether it decides this request, if no rule before it does."""
        if self.users and asked.user not in self.users:
            return False
        if self.groups and not set(self.groups) & set(asked.groups):
            return False
        if self.verbs and asked.verb not in self.verbs:
            return False
        if self.namespaces or self.resources:
            return self._fits_resource(asked)
        if self.paths:
            return bool(asked.path) and any(_path_fits(one, asked.path) for one in self.paths)
        return True

    def _fits_resource(self, asked: Asked) -> bool:
        if not asked.resource or (self.namespaces and asked.namespace not in self.namespaces):
            return False
        if not self.resources:
            return True
        plain, _, sub = asked.resource.partition("/")
        # "pods/*" is pods as well as all below them, whatever the documentation says; "pods" is pods alone.
        wanted = {asked.resource, "*", f"{plain}/*", *((f"*/{sub}",) if sub else ())}
        for one in self.resources:
            if one.group != asked.group:
                continue
            if not one.resources:
                return True
            if (not one.names or asked.name in one.names) and wanted & set(one.resources):
                return True
        return False


class Policy(Struct, frozen=True):
    """A policy."""

    rules: tuple[Rule, ...]
    where: Where
    omitted: frozenset[str] = frozenset()

    def decide(self, asked: Asked) -> Rule:
        """The rule that decides; one of level None and number 0 if none fits."""
        return next((rule for rule in self.rules if rule.fits(asked)), Rule("None", self.where, 0))


def policy_of(document: Document) -> Policy | None:
    """The policy in a file; None if the API server would not take it."""
    value = document.value
    if reading.text(value, "kind") != "Policy" or not reading.text(value, "apiVersion").startswith(_GROUP):
        return None
    rules = []
    for number, rule in reading.nodes(value, "rules"):
        level = reading.text(rule, "level")
        if level not in LEVELS or number >= _MOST:
            return None
        resources = tuple(
            _Resources(reading.text(one, "group"), reading.texts(one, "resources"), reading.texts(one, "resourceNames"))
            for _, one in reading.nodes(rule, "resources")
        )
        at = document.at("rules", number)
        rules.append(
            Rule(
                level,
                Where(at.item, at.line, at.object, at.path, f"level: {level}"),
                number + 1,
                reading.texts(rule, "users"),
                reading.texts(rule, "userGroups"),
                reading.texts(rule, "verbs"),
                resources,
                reading.texts(rule, "namespaces"),
                reading.texts(rule, "nonResourceURLs"),
                frozenset(reading.texts(rule, "omitStages")),
            )
        )
    if not rules:
        return None  # "policy must have rules"
    return Policy(tuple(rules), document.where, frozenset(reading.texts(value, "omitStages")))


def _path_fits(said: str, path: str) -> bool:
    return said in {"*", path} or (said.endswith("*") and path.startswith(said.rstrip("*")))
