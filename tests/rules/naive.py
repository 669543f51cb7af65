"""The readable engine: `rules.ir` word for word, without any haste. The fast one is proven equal to it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import re2

from kubewitness.model.event import Event
from kubewitness.rules.compile import Reader
from kubewitness.rules.fields import Scalar, getter
from kubewitness.rules.ir import AllOf, AnyOf, Negate, Node, Predicate, Rule


def matches(node: Node, event: Any, read: Reader = getter) -> bool:
    """Whether an audit event, or whatever `read` reads from, meets a condition."""
    if isinstance(node, AllOf):
        return all(matches(part, event, read) for part in node.parts)
    if isinstance(node, AnyOf):
        return any(matches(part, event, read) for part in node.parts)
    if isinstance(node, Negate):
        return not matches(node.part, event, read)
    return holds(node, read(node.field)(event), event, read)


def matching(rules: Sequence[Rule], event: Event) -> list[Rule]:
    return [rule for rule in rules if matches(rule.condition, event)]


def holds(predicate: Predicate, values: Sequence[Scalar], event: Any, read: Reader = getter) -> bool:
    match predicate.op:
        case "exists":
            return (len(values) > 0) == predicate.value
        case "null":
            return len(values) == 0 or None in values
        case "fieldeq":
            others = read(str(predicate.value))(event)
            return any(equal(one, other, predicate.cased) for one, other in product(values, others))
        case _:
            return any(satisfies(value, predicate) for value in values)


def satisfies(value: Scalar, predicate: Predicate) -> bool:
    """One value, one operator."""
    if value is None:
        return False
    wanted, cased = predicate.value, predicate.cased
    match predicate.op:
        case "eq":
            return equal(value, wanted, cased)
        case "lt":
            return compare(value, wanted, lambda a, b: a < b)
        case "lte":
            return compare(value, wanted, lambda a, b: a <= b)
        case "gt":
            return compare(value, wanted, lambda a, b: a > b)
        case "gte":
            return compare(value, wanted, lambda a, b: a >= b)
        case "cidr":
            return in_network(text(value), text(wanted))
        case "re":
            return re2.search(text(wanted), text(value)) is not None
    haystack, needle = fold(text(value), cased), fold(text(wanted), cased)
    match predicate.op:
        case "contains":
            return needle in haystack
        case "startswith":
            return haystack.startswith(needle)
        case "endswith":
            return haystack.endswith(needle)
        case "wildcard":
            return glob(needle, haystack)
    raise AssertionError(predicate.op)


def text(value: Scalar) -> str:
    """JSON text of a scalar (strings without their quotes)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def fold(value: str, cased: bool) -> str:
    return value if cased else value.lower()


def equal(one: Scalar, other: Scalar, cased: bool) -> bool:
    return one is not None and other is not None and fold(text(one), cased) == fold(text(other), cased)


def compare(value: Scalar, limit: Scalar, holds: Callable[[float, float], bool]) -> bool:
    assert isinstance(limit, int | float)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return False
    return value is not None and not isinstance(value, bool) and holds(value, limit)


def in_network(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network)
    except ValueError:
        return False


def glob(pattern: str, value: str) -> bool:
    r"""`*` any run, `?` one character, a backslash before one of `*?\` makes it plain."""
    reachable = {0}  # positions in `value` that what we read of `pattern` can end at
    i = 0
    while i < len(pattern):
        char = pattern[i]
        if char == "*":
            reachable = set(range(min(reachable), len(value) + 1)) if reachable else set()
        elif char == "?":
            reachable = {at + 1 for at in reachable if at < len(value)}
        else:
            if char == "\\" and pattern[i + 1 : i + 2] in ("*", "?", "\\"):
                i += 1
                char = pattern[i]
            reachable = {at + 1 for at in reachable if value[at : at + 1] == char}
        i += 1
    return len(value) in reachable
