"""A table of the packet filter as `iptables -L` prints it for people, with or without -n, -v and --line-numbers.

Format: a section a chain, `Chain INPUT (policy ACCEPT 12 packets, 3456 bytes)` for a built-in one, `(2 references)`
for others; headings; a rule a line: [number] [packets bytes] target, protocol, options, [interfaces], source,
destination, and what the matches say. Rules are written back in the words of iptables-save as far as the list tells
them; without -v it does not tell interfaces, so a rule may be narrower than it looks. The list is of one table without
naming it: built-in chains tell which. Only that of the filter makes a `Firewall`, because another table alone does not
tell what is refused.
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
from kubewitness.sources.host.iptables import MAX_RULES, WARNING, family_of, table_of

_POLICY: Final = (
    r"policy (?P<policy>ACCEPT|DROP|REJECT|QUEUE|RETURN)(?: \d{1,20}[KMGTP]? packets, \d{1,20}[KMGTP]? bytes)?"
)
_CHAIN = re.compile(rf"Chain (?P<chain>\S{{1,80}}) \((?:{_POLICY}|\d{{1,9}} references)\)\s*$")
_HEADING = re.compile(
    r"(?:num\s+)?(?:pkts\s+bytes\s+)?target\s+prot\s+opt\s+(?P<detailed>in\s+out\s+)?source\s+destination"
)
_COUNTERS: Final = r"\s*(?:\d{1,9}\s+(?=\d))?\d{1,20}[KMGTP]?\s+\d{1,20}[KMGTP]?\s+"
_HEAD: Final = r"(?P<target>\S{1,80})?\s+(?P<protocol>\S{1,20})\s+(?:--|-f|!f)\s+"
_ENDS: Final = r"(?P<source>\S{1,100})\s+(?P<destination>\S{1,100})(?:\s+(?P<more>\S.*))?\s*$"
_SHORT = re.compile(rf"(?:\d{{1,9}}(?=\s))?\s*{_HEAD}{_ENDS}")
_SHORT_UNNUMBERED = re.compile(rf"{_HEAD}{_ENDS}")
_LONG = re.compile(rf"{_COUNTERS}{_HEAD}(?P<input>\S{{1,40}})\s+(?P<output>\S{{1,40}})\s+{_ENDS}")
_COMMENT = re.compile(r"/\* (.{0,300}?) \*/")
_ANY: Final = frozenset(("0.0.0.0/0", "anywhere", "::/0", "*", "any", "all", "0"))


def _looks_like(lines: list[str], name: str) -> bool:
    chains = [at for at, line in enumerate(lines) if _CHAIN.match(line)]
    return (
        bool(chains)
        and not machine_path(name)
        and any(at + 1 < len(lines) and _HEADING.match(lines[at + 1].lstrip()) for at in chains)
    )


def _read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Firewall | ParseFailure]:
    misfits, over, warned, six = Misfits(), 0, False, False
    chain, form = "", _SHORT_UNNUMBERED
    policies: list[tuple[str, str]] = []
    rules: list[tuple[str, str, Place]] = []
    first = Place(context.item, 1, 0)
    chains: dict[str, None] = {}
    for place, line in lines:
        if not chains:
            first = place
        if found := _CHAIN.match(line):
            chain = found["chain"]
            chains[chain] = None
            if found["policy"]:
                policies.append((chain, found["policy"]))
        elif heading := _HEADING.match(line.lstrip()):
            form = _LONG if heading["detailed"] else _SHORT if line.startswith("num") else _SHORT_UNNUMBERED
        elif WARNING.match(line):
            warned = True
        elif not chain or (found := form.match(line)) is None:
            if failure := misfits.add(unreadable(place, "no line of iptables -L", line.encode())):
                yield failure
        elif len(rules) < MAX_RULES:
            rules.append((chain, _rule(chain, found.groupdict()), place))
            six = six or ":" in found["source"] or ":" in found["destination"]
        else:
            over += 1
    if failure := misfits.rest():
        yield failure
    if over:
        context.note(first, f"{over} more firewall rules than are kept")
    table = table_of(name for name, _ in policies)
    if table != "filter":
        context.note(first, f"table {table} only: what is refused stands in the table filter")
    elif chains:
        yield Firewall(
            "ip6" if six else family_of(context.item), "iptables -L", first,
            tuple((table, name, policy) for name, policy in policies),
            tuple(FirewallRule(table, name, text, place) for name, text, place in rules), warned,
        )  # fmt: skip


def _rule(chain: str, parts: dict[str, str | None]) -> str:
    """The rule in the words of iptables-save."""
    words = ["-A", chain]
    for flag, name in (("-s", "source"), ("-d", "destination"), ("-i", "input"), ("-o", "output"), ("-p", "protocol")):
        value = parts.get(name) or "any"
        if value.removeprefix("!") not in _ANY:
            words += ["!", flag, value[1:]] if value.startswith("!") else [flag, value]
    more = parts["more"] or ""
    goto = "[goto]" in more
    words.append(_COMMENT.sub(lambda one: '--comment "' + one[1].replace('"', "'") + '"', more.replace("[goto]", "")))
    if parts["target"]:
        words += ["-g" if goto else "-j", parts["target"]]
    return " ".join(" ".join(filter(None, words)).split())


FORMATS: tuple[Format, ...] = (Format("iptables list", _looks_like, _read),)
