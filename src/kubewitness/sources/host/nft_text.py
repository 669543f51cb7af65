"""The ruleset of nftables as text (`nft list ruleset`; format: nft(8)).

`table inet filter {`, in it `chain INPUT {` with `type filter hook input priority 0; policy accept;` for a base chain,
then a rule a line; sets, maps and the like are passed over by their braces, also where they go over several lines.
`nft -j` says the same without doubt and is preferred where both are there, as both make a `Firewall` called "nft" of
each family. A script for `nft -f` has the same form: what flushes, includes or defines is one, and says nothing about
what the kernel does now.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import Firewall, FirewallRule
from kubewitness.sources.host.context import Context, Misfits
from kubewitness.sources.host.folders import machine_path
from kubewitness.sources.host.interface import Format
from kubewitness.sources.host.iptables import MAX_RULES

_MAX_TEXT: Final = 4096
_TABLE = re.compile(r"table (?:(ip|ip6|inet|arp|bridge|netdev) )?([^\s{}]{1,128}) \{\s*(?:#.*)?$")
_CHAIN = re.compile(r"\s+chain ([^\s{}]{1,128}) \{\s*(?:#.*)?$")
_BASE = re.compile(r"\s+type \w{1,16} hook (\w{1,16})\b[^;]{0,200};(?:\s*policy (accept|drop);)?")
_SCRIPT = re.compile(r"#!|\s*(?:flush|include|define|redefine|undefine|add|delete|insert|create)\s")
_QUOTED = re.compile(r'"[^"]{0,4000}"')
_COUNTER = re.compile(r"\bcounter packets \d{1,20} bytes \d{1,20}")


def _looks_like(lines: list[str], name: str) -> bool:
    first = next((line for line in lines if not line.startswith("# ")), "")
    return _TABLE.match(first) is not None and not machine_path(name) and not any(map(_SCRIPT.match, lines))


def _read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Firewall | ParseFailure]:
    ruleset = _Ruleset()
    misfits = Misfits()
    for place, line in lines:
        if not ruleset.take(place, line) and (
            failure := misfits.add(unreadable(place, "no line of nft list ruleset", line.encode()))
        ):
            yield failure
    if failure := misfits.rest():
        yield failure
    if ruleset.over:
        context.note(Place(context.item, 0, 0), f"{ruleset.over} more firewall rules than are kept")
    for family, table, place in ruleset.dormant[:20]:
        context.note(place, f"table {family} {table[:80]} is dormant: it does nothing")
    if ruleset.is_open:
        context.note(Place(context.item, 0, 0), "the ruleset ends within a table: it was cut off")
    yield from ruleset.firewalls()


class _Ruleset:
    """What was read so far, and where in it the next line stands."""

    def __init__(self) -> None:
        self._families: dict[str, tuple[Place, list[tuple[str, str, str]], list[FirewallRule]]] = {}
        self._family, self._table, self._chain = "", "", ""
        self._depth = 0  # of braces inside what is passed over
        self._rules, self.over = 0, 0
        self.dormant: list[tuple[str, str, Place]] = []

    @property
    def is_open(self) -> bool:
        """A table was not closed."""
        return bool(self._table)

    def take(self, place: Place, line: str) -> bool:
        """Whether the line belongs to a ruleset."""
        bare = _QUOTED.sub('""', line).partition("#")[0].strip()
        if self._depth:
            self._depth = max(0, self._depth + bare.count("{") - bare.count("}"))
        elif not bare:
            return True
        elif not self._table:
            return self._opens_table(place, line)
        elif bare == "}":
            if self._chain:
                self._chain = ""
            else:
                self._table = ""
        elif not self._chain:
            self._in_table(place, line, bare)
        elif base := _BASE.match(line):
            policy = (base[2] or "accept").upper()
            self._families[self._family][1].append((self._table, self._chain, policy))
        else:
            self._rule(place, line)
        return True

    def _opens_table(self, place: Place, line: str) -> bool:
        found = _TABLE.match(line)
        if found is None:
            return False
        self._family, self._table = found[1] or "ip", found[2]
        self._families.setdefault(self._family, (place, [], []))
        return True

    def _in_table(self, place: Place, line: str, bare: str) -> None:
        if found := _CHAIN.match(line):
            self._chain = found[1]
            return
        if bare.startswith("flags") and "dormant" in bare:
            self.dormant.append((self._family, self._table, place))
        self._depth = max(0, bare.count("{") - bare.count("}"))

    def _rule(self, place: Place, line: str) -> None:
        if self._rules >= MAX_RULES:
            self.over += 1
            return
        self._rules += 1
        text = _COUNTER.sub("counter", line.strip()[:_MAX_TEXT])
        self._families[self._family][2].append(FirewallRule(self._table, self._chain, text, place))

    def firewalls(self) -> Iterator[Firewall]:
        """One of each family, without what dormant tables say."""
        asleep = {(family, table) for family, table, _ in self.dormant}
        for family, (place, policies, rules) in self._families.items():
            yield Firewall(
                family, "nft", place, tuple(policy for policy in policies if (family, policy[0]) not in asleep),
                tuple(rule for rule in rules if (family, rule.table) not in asleep),
            )  # fmt: skip


FORMATS: tuple[Format, ...] = (Format("nft text", _looks_like, _read),)
