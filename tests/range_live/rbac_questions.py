"""Random roles and bindings that use everything RBAC has, and random questions near what they grant."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

from kubewitness.posture.rbac.nouns import Attributes

_GROUP: Final = "rbac.authorization.k8s.io"
NAMESPACES: Final = ("shop", "apps")
_USERS: Final = ("eve", "jane", "system:anonymous", "system:serviceaccount:shop:web", "system:serviceaccount:apps:web")
_KNOWN: Final = (
    "system:kube-scheduler", "system:kube-controller-manager", "system:kube-proxy",
    "system:serviceaccount:kube-system:job-controller", "system:serviceaccount:kube-system:namespace-controller",
    "system:serviceaccount:kube-system:clusterrole-aggregation-controller",
)  # fmt: skip
_GROUPS: Final = (
    "staff", "eve", "system:authenticated", "system:unauthenticated", "system:serviceaccounts",
    "system:serviceaccounts:shop", "system:monitoring",
)  # fmt: skip
_VERBS: Final = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "impersonate", "*")
_APIS: Final = ("", "apps", "batch", "authentication.k8s.io", _GROUP, "example.com", "*")
_RESOURCES: Final = (
    "pods", "secrets", "configmaps", "deployments", "users", "groups", "serviceaccounts", "userextras", "uids", "*",
    "widgets",
)  # fmt: skip
_SUBRESOURCES: Final = ("", "", "", "log", "exec", "scale", "status", "scopes", "token", "*")
_NAMES: Final = ("a", "b", "web", "a.b", "a:b")
_URLS: Final = ("/metrics", "/metrics/x", "/healthz", "/api", "/api/v1", "/apis/apps", "/version", "/logs/", "/", "*")
_RULE_URLS: Final = (*_URLS, "/metrics/*", "/api*", "/logs**", "/a*")
_LABELS: Final = ("alpha", "beta", "gamma")


def objects(chance: random.Random, count: int) -> list[dict[str, Any]]:
    """About three times `count` objects."""
    out: list[dict[str, Any]] = [{"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": n}} for n in NAMESPACES]
    for number in range(count):
        labels = {f"range/{one}": chance.choice(("1", "2")) for one in _LABELS if chance.random() < 0.3}
        meta = {"name": f"range:{number}", "labels": labels}
        if number % 6 == 5:
            out.append(_object("ClusterRole", meta, aggregationRule={"clusterRoleSelectors": _selectors(chance)}))
        else:
            out.append(_object("ClusterRole", meta, rules=_rules(chance, urls=True)))
        where = {"name": f"range:{number}", "namespace": chance.choice(NAMESPACES)}
        out.append(_object("Role", where, rules=_rules(chance, urls=False)))
        reference = {"kind": "ClusterRole", "name": f"range:{chance.randrange(count + 2)}"}
        if number % 3 == 0:
            out.append(_binding("ClusterRoleBinding", {"name": f"range:{number}"}, reference, chance))
        else:
            reference["kind"] = chance.choice(("ClusterRole", "Role"))
            out.append(_binding("RoleBinding", where, reference, chance))
    return out


def questions(chance: random.Random, dump: list[dict[str, Any]], count: int) -> Iterator[Attributes]:
    """Half of them out of the air, half next to a rule and a subject of `dump`."""
    roles = [one for one in dump if one["kind"] in {"ClusterRole", "Role"} and one.get("rules")]
    bindings = [one for one in dump if one["kind"].endswith("Binding") and one.get("subjects")]
    by_name = {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one for one in roles}
    for _ in range(count):
        binding = chance.choice(bindings)
        namespace = binding["metadata"].get("namespace", "")
        reference = binding["roleRef"]
        bound = by_name.get((reference["kind"], namespace if reference["kind"] == "Role" else "", reference["name"]))
        if chance.random() < 0.5 or bound is None:
            yield _asker(chance, _out_of_the_air(chance))
            continue
        asked = _near(chance, chance.choice(bound["rules"]))
        where = namespace or asked.namespace
        asked = asked._replace(namespace=where if chance.random() < 0.9 else chance.choice(NAMESPACES))
        if asked.path:
            asked = asked._replace(namespace="")
        subject = chance.choice(binding["subjects"])
        yield _as(chance, asked, subject)


def review(asked: Attributes) -> dict[str, Any]:
    """The SubjectAccessReview of a question."""
    spec: dict[str, Any] = {"user": asked.user, "groups": list(asked.groups)}
    if asked.path:
        spec["nonResourceAttributes"] = {"path": asked.path, "verb": asked.verb}
    else:
        spec["resourceAttributes"] = {
            "namespace": asked.namespace, "verb": asked.verb, "group": asked.group, "resource": asked.resource,
            "subresource": asked.subresource, "name": asked.name,
        }  # fmt: skip
    return {"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": spec}


def _object(kind: str, meta: dict[str, Any], **body: Any) -> dict[str, Any]:
    return {"kind": kind, "apiVersion": f"{_GROUP}/v1", "metadata": meta, **body}


def _binding(kind: str, meta: dict[str, Any], reference: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    subjects = [_subject(chance) for _ in range(chance.randrange(4))]
    return _object(kind, meta, roleRef={"apiGroup": _GROUP, **reference}, subjects=subjects)


def _subject(chance: random.Random) -> dict[str, Any]:
    kind = chance.choice(("User", "Group", "ServiceAccount"))
    if kind == "ServiceAccount":
        return {"kind": kind, "name": "web", "namespace": chance.choice((*NAMESPACES, "other"))}
    return {"kind": kind, "apiGroup": _GROUP, "name": chance.choice(_USERS if kind == "User" else _GROUPS)}


def _rules(chance: random.Random, *, urls: bool) -> list[dict[str, Any]]:
    out = list[dict[str, Any]]()
    for _ in range(chance.randrange(4)):
        verbs = _some(chance, _VERBS)
        if urls and chance.random() < 0.3:
            out.append({"verbs": verbs, "nonResourceURLs": _some(chance, _RULE_URLS)})
            continue
        resources = [
            f"{one}/{below}" if (below := chance.choice(_SUBRESOURCES)) else one for one in _some(chance, _RESOURCES)
        ]
        rule = {"verbs": verbs, "apiGroups": _some(chance, _APIS), "resources": resources}
        if chance.random() < 0.3:
            rule["resourceNames"] = _some(chance, _NAMES)
        out.append(rule)
    return out


def _selectors(chance: random.Random) -> list[dict[str, Any]]:
    out = list[dict[str, Any]]()
    for _ in range(chance.choice((1, 1, 2))):
        label = f"range/{chance.choice(_LABELS)}"
        match chance.randrange(4):
            case 0:
                out.append({"matchLabels": {label: "1"}})
            case 1:
                out.append({"matchExpressions": [{"key": label, "operator": "In", "values": ["1", "3"]}]})
            case 2:
                exists = {"key": label, "operator": "Exists"}
                other = {"key": "range/alpha", "operator": "NotIn", "values": ["2"]}
                out.append({"matchExpressions": [exists, other]})
            case _:
                absent = {"key": "kubernetes.io/bootstrapping", "operator": "DoesNotExist"}
                out.append({"matchLabels": {label: "2"}, "matchExpressions": [absent]})
    return out


def _some(chance: random.Random, pool: tuple[str, ...]) -> list[str]:
    return sorted(set(chance.choices(pool, k=chance.choice((1, 1, 2, 3)))))


def _out_of_the_air(chance: random.Random) -> Attributes:
    verb = chance.choice(_VERBS)
    if chance.random() < 0.2:
        return Attributes("", (), verb, path=chance.choice(_URLS))
    return Attributes(
        "", (), verb, chance.choice(_APIS), chance.choice(_RESOURCES), chance.choice(_SUBRESOURCES),
        chance.choice(("", *_NAMES)), chance.choice(("", *NAMESPACES)),
    )  # fmt: skip


def _near(chance: random.Random, rule: dict[str, Any]) -> Attributes:
    """A request that the rule allows, often with one thing changed."""
    air = _out_of_the_air(chance)
    verb = chance.choice(rule["verbs"])
    verb = air.verb if verb == "*" or chance.random() < 0.15 else verb
    if urls := rule.get("nonResourceURLs"):
        path = chance.choice(urls)
        path = path.rstrip("*") + chance.choice(("", "x", "/x")) if path.endswith("*") else path
        return Attributes("", (), verb, path=path or "/any")
    group, combined = chance.choice(rule["apiGroups"]), chance.choice(rule["resources"])
    resource, _, below = combined.partition("/")
    if resource == "*" and chance.random() < 0.8:
        resource = air.resource
    if chance.random() < 0.15:
        below = air.subresource
    names = rule.get("resourceNames") or ("", "a")
    name = air.name if chance.random() < 0.15 else chance.choice(names)
    group = air.group if group == "*" or chance.random() < 0.1 else group
    return Attributes("", (), verb, group, resource, below, name, air.namespace)


def _asker(chance: random.Random, asked: Attributes) -> Attributes:
    user = chance.choice((*_USERS, *_KNOWN, "system:node:n1"))
    groups = tuple(sorted(set(chance.choices(_GROUPS, k=chance.randrange(3)))))
    if user.startswith("system:node:"):
        groups = (*groups, "system:nodes")
    return asked._replace(user=user, groups=groups)


def _as(chance: random.Random, asked: Attributes, subject: dict[str, Any]) -> Attributes:
    other = _asker(chance, asked)
    if chance.random() < 0.1:
        return other
    name = subject["name"]
    match subject["kind"]:
        case "User":
            return asked._replace(user=name, groups=other.groups if chance.random() < 0.3 else ())
        case "Group":
            return other._replace(groups=tuple(sorted({*other.groups, name} - {"system:masters"})))
        case _:
            return asked._replace(user=f"system:serviceaccount:{subject['namespace']}:{name}", groups=())
