"""Which rules say the same: what one set of rules grants and another does not.

Rules are broken into what one verb may do to one resource, as the API server does when it looks whether a default role
still has all of its rules. It adds what is missing piece by piece, so an upgraded cluster's roles are written
otherwise than a new one's and grant the same.

Source: component-helpers/auth/rbac/validation/policy_comparator.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from kubewitness.posture.rbac.nouns import PolicyRule

_PIECES: Final = 5_000  # of one set of rules; a default role has some hundred
_COMPARISONS: Final = 300_000  # beyond, only what is literally the same is looked for


def pieces(rules: Iterable[PolicyRule]) -> list[PolicyRule]:
    """The rules in pieces of one verb on one resource, name or path. A rule of too many stays as it is."""
    out = list[PolicyRule]()
    for rule in rules:
        size = len(rule.verbs) * (len(rule.groups) * len(rule.resources) * max(1, len(rule.names)) + len(rule.urls))
        if len(out) + size > _PIECES:
            out.append(rule)
            continue
        named: list[tuple[str, ...]] = [(name,) for name in rule.names] or [()]
        for verb in rule.verbs:
            out += [
                PolicyRule((verb,), (group,), (resource,), names)
                for group in rule.groups
                for resource in rule.resources
                for names in named
            ]
            out += [PolicyRule((verb,), urls=(url,)) for url in rule.urls]
    return list(dict.fromkeys(out))


def uncovered(wanted: Sequence[PolicyRule], having: Sequence[PolicyRule]) -> list[PolicyRule]:
    """The pieces of `wanted` that no rule of `having` grants."""
    same, exact = set(having), set(pieces(having))
    left = [piece for piece in pieces(rule for rule in wanted if rule not in same) if piece not in exact]
    if len(left) * len(having) > _COMPARISONS:
        return left
    return [piece for piece in left if not any(covers(one, piece) for one in having)]


def covers(rule: PolicyRule, piece: PolicyRule) -> bool:
    """Whether a rule grants all that a piece grants."""
    return (
        _all(piece.verbs, rule.verbs)
        and _all(piece.groups, rule.groups)
        and all(_resource(rule, resource) for resource in piece.resources)
        and all(any(_url(owner, url) for owner in rule.urls) for url in piece.urls)
        and (not rule.names or (bool(piece.names) and all(name in rule.names for name in piece.names)))
    )


def _all(wanted: tuple[str, ...], having: tuple[str, ...]) -> bool:
    return "*" in having or all(one in having for one in wanted)


def _resource(rule: PolicyRule, resource: str) -> bool:
    _, slash, subresource = resource.partition("/")
    return "*" in rule.resources or resource in rule.resources or (bool(slash) and f"*/{subresource}" in rule.resources)


def _url(owner: str, url: str) -> bool:
    return owner == url or (owner.endswith("*") and url.startswith(owner.rstrip("*")))


def joined(parts: Iterable[PolicyRule]) -> list[PolicyRule]:
    """Pieces put together again for reading: the verbs of one thing, then the things of the same verbs."""
    verbs = dict[PolicyRule, list[str]]()
    for piece in parts:
        thing = PolicyRule((), piece.groups, piece.resources, piece.names, piece.urls)
        verbs.setdefault(thing, []).extend(piece.verbs)
    alike = dict[tuple[tuple[str, ...], ...], list[PolicyRule]]()
    for thing, some in verbs.items():
        alike.setdefault((tuple(sorted(set(some))), thing.groups, thing.names), []).append(thing)
    return [
        PolicyRule(
            asked,
            groups,
            tuple(dict.fromkeys(resource for one in things for resource in one.resources)),
            names,
            tuple(dict.fromkeys(url for one in things for url in one.urls)),
        )
        for (asked, groups, names), things in alike.items()
    ]


def line(rule: PolicyRule) -> str:
    """A rule in one line."""
    things = rule.urls or tuple(
        f"{resource}.{group}" if group else resource for group in rule.groups for resource in rule.resources
    )
    named = f" [{', '.join(rule.names)}]" if rule.names else ""
    return f"{', '.join(rule.verbs)}: {', '.join(things)}{named}"
