"""Roles, bindings and questions in one line each."""

from __future__ import annotations

from kubewitness.posture.rbac.nouns import Attributes, Binding, PolicyRule, Role, Selector, Subject


def rule(
    verbs: str, resources: str = "", *, groups: tuple[str, ...] = ("",), names: str = "", urls: str = ""
) -> PolicyRule:
    """A rule of words in one string."""
    return PolicyRule(
        tuple(verbs.split()),
        groups if resources else (),
        tuple(resources.split()),
        tuple(names.split()),
        tuple(urls.split()),
    )


def role(
    name: str, *rules: PolicyRule, labels: dict[str, str] | None = None, selectors: tuple[Selector, ...] | None = None
) -> Role:
    """A Role "namespace/name" or a ClusterRole "name"."""
    namespace, _, short = name.rpartition("/")
    return Role(namespace, short, rules, tuple(sorted((labels or {}).items())), selectors)


def binding(name: str, role_ref: str, *subjects: str) -> Binding:
    """A binding "namespace/name" or "name" to "ClusterRole x"; subjects like "User eve", "ServiceAccount ns/name"."""
    namespace, _, short = name.rpartition("/")
    kind, _, role_name = role_ref.partition(" ")
    made = []
    for one in subjects:
        subject_kind, _, who = one.partition(" ")
        where, _, who = who.rpartition("/") if subject_kind == "ServiceAccount" else ("", "", who)
        made.append(Subject(subject_kind, who, where))
    return Binding(namespace, short, kind, role_name, tuple(made))


def ask(verb: str, what: str, *, user: str = "eve", groups: tuple[str, ...] = (), **more: str) -> Attributes:
    """A question: a URL, or "resource/subresource"."""
    if what.startswith("/"):
        return Attributes(user, groups, verb, path=what)
    resource, _, subresource = what.partition("/")
    return Attributes(user, groups, verb, resource=resource, subresource=subresource, **more)
