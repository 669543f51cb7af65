"""The ruleset of nftables as JSON (`nft -j list ruleset`; format: libnftables-json(5)).

One document, mostly on one line: `{"nftables": [{"metainfo": …}, {"table": …}, {"chain": …}, {"rule": …}]}`. Every
family makes a `Firewall`; a ruleset without tables is one of family "inet" without anything, because that is what the
kernel said. Rules are written back in the words of nft as far as they are common, else as their JSON. The place of a
rule is the document with its number in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import Firewall, FirewallRule
from kubewitness.sources.host.context import Context

MAX_DOCUMENT: Final = 16 * 1024 * 1024
_MAX_TEXT: Final = 4096
_VERDICTS: Final = frozenset(("accept", "drop", "continue", "return"))


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Firewall | ParseFailure]:
    """The firewall of each family."""
    pieces, first, size = [], None, 0
    for place, line in lines:
        first = first or place
        size += len(line) + 1
        if size <= MAX_DOCUMENT:
            pieces.append(line)
    if first is None:
        context.note(Place(context.item, 0, 0), "empty: the command failed")
        return
    whole = Place(first.item, first.line, first.offset, size - 1)
    try:
        entries = msgspec.json.decode("\n".join(pieces).encode(), type=dict[str, list[dict[str, Any]]])["nftables"]
        firewalls = list(_firewalls(entries, whole))  # inside: rules may nest as deep as the decoder lets them
    except (msgspec.DecodeError, KeyError, RecursionError, UnicodeError):
        reason = "longer than 16 MiB" if size > MAX_DOCUMENT else "no ruleset of nft as JSON"
        yield unreadable(whole, reason, pieces[0][:256].encode() if pieces else b"")
        return
    yield from firewalls


def _firewalls(entries: list[dict[str, Any]], whole: Place) -> Iterator[Firewall]:
    families: dict[str, tuple[list[tuple[str, str, str]], list[FirewallRule]]] = {}
    for number, entry in enumerate(entries):
        for kind, fields in entry.items():
            if kind not in {"table", "chain", "rule"} or not isinstance(fields, dict):
                continue
            policies, rules = families.setdefault(str(fields.get("family", "ip")), ([], []))
            table = str(fields.get("table", ""))
            if kind == "chain" and "hook" in fields:
                policies.append((table, str(fields.get("name", "")), str(fields.get("policy", "accept")).upper()))
            elif kind == "rule":
                place = msgspec.structs.replace(whole, element=number)
                rules.append(FirewallRule(table, str(fields.get("chain", "")), _rule(fields.get("expr")), place))
    for family, (policies, rules) in families.items():
        yield Firewall(family, "nft", whole, tuple(policies), tuple(rules))
    if not families:
        yield Firewall("inet", "nft", whole)


def _rule(expressions: object) -> str:
    if not isinstance(expressions, list):
        return ""
    return " ".join(filter(None, map(_expression, expressions)))[:_MAX_TEXT]


def _expression(expression: object) -> str:
    if not isinstance(expression, dict) or len(expression) != 1:
        return _json(expression)
    [(name, value)] = expression.items()
    if name in _VERDICTS or value is None:
        return str(name)
    if name == "match" and isinstance(value, dict):
        operator = value.get("op", "==")
        words = (
            _operand(value.get("left")),
            "" if operator in {"==", "in"} else str(operator),
            _operand(value.get("right")),
        )
        return " ".join(filter(None, words))
    if name in {"jump", "goto"} and isinstance(value, dict):
        return f"{name} {value.get('target', '')}"
    if name == "counter":
        return "counter"
    if name in {"reject", "log"} or (name == "masquerade" and not value):  # with what, and in what words: no matter
        return str(name)
    if name == "xt" and isinstance(value, dict):  # an iptables extension: JSON tells no more than its name
        return f"xt {value.get('type', '')} {value.get('name', '')}"
    return _json(expression)


def _operand(value: object) -> str:
    if isinstance(value, dict) and len(value) == 1:
        [(name, inner)] = value.items()
        if isinstance(inner, dict):
            if name == "payload" and {"protocol", "field"} <= inner.keys():
                return f"{inner['protocol']} {inner['field']}"
            if name == "prefix" and {"addr", "len"} <= inner.keys():
                return f"{inner['addr']}/{inner['len']}"
            if name in {"meta", "ct"} and "key" in inner:
                return f"{name} {inner['key']}"
        if name == "set" and isinstance(inner, list):
            return "{ " + ", ".join(map(_operand, inner[:100])) + " }"
    return value if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()[:_MAX_TEXT]
