"""Words that must occur in an event if a rule shall match it: most rules are put aside without being run.

A condition gives groups of literals; of each group at least one must occur in some value of the event, in lower case.
All are sought at once: a literal is filed under three of its characters, and a value is cut into all its triples; only
literals whose triple occurs are looked for. That is linear in the value, so nobody can make it slow with a clever one.

Sound by construction: a condition is left out only if it is false. Only ASCII is used, because there the lower case of
a part is a part of the lower case; and nothing across lines, so that a text of several lines may be given line by line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from kubewitness.rules.compile import as_text
from kubewitness.rules.ir import AllOf, Negate, Node, Predicate

_TRIPLE = 3
_ASCII = re.compile(r"[\x01-\x09\x0b-\x7f]+")
_REMEMBERED = 200  # characters
_MEMO_LIMIT = 1 << 16
_ESCAPED = re.compile(r"\\([*?\\])|[*?]")


class Prefilter:
    """Conditions, and which of them a text leaves possible."""

    def __init__(self, conditions: Sequence[Node]) -> None:
        groups: dict[frozenset[str], int] = {}  # each with a bit of its own
        self._free = 0  # conditions that need no group
        needs = list[tuple[int, tuple[frozenset[str], ...]]]()
        common = Counter(literal for condition in conditions for literal in _all(condition))
        for number, condition in enumerate(conditions):
            found = needed(condition, common)
            needs.append((1 << number, found))
            self._free |= 0 if found else 1 << number
            for group in found:
                groups.setdefault(group, 1 << len(groups))
        # A condition is filed under the group that says most, with the bits of all it needs.
        self._waiting: dict[int, list[tuple[int, int]]] = {}
        for bit, found in needs:
            if found:
                key = groups[max(found, key=partial(_telling, common))]
                self._waiting.setdefault(key, []).append((bit, sum(groups[group] for group in found)))
        literals: dict[str, int] = {}  # → the groups it serves
        for group, bit in groups.items():
            for literal in group:
                literals[literal] = literals.get(literal, 0) | bit
        self._short = [(one, bits) for one, bits in sorted(literals.items()) if len(one) < _TRIPLE]
        self._filed: dict[tuple[str, str, str], list[tuple[str, int]]] = {}
        shared = Counter(triple for one in literals for triple in _triples(one))
        for one, bits in sorted(literals.items()):
            if len(one) >= _TRIPLE:
                self._filed.setdefault(min(_triples(one), key=lambda t: (shared[t], t)), []).append((one, bits))
        self._keys = frozenset(self._filed)

        self._memo: dict[str, int] = {}

    def possible(self, values: Iterable[str], whole: str = "") -> int:
        """A bit for each condition that an event may meet, as far as literals tell.

        Args:
            values: All that the conditions may look at.
            whole: One of them that holds many of the others, as a command holds its words.
        """
        found = self._groups_in(whole)
        for value in values:
            known = self._memo.get(value)
            if known is None:
                known = 0 if value in whole else self._groups_in(value)
            found |= known
        mask, left = self._free, found
        while left:
            group = left & -left
            left ^= group
            for bit, required in self._waiting.get(group, ()):
                if required & found == required:
                    mask |= bit
        return mask

    def _groups_in(self, value: str) -> int:
        """The groups of which a literal occurs in a value. Short values are remembered: most are always the same."""
        text, found = value.lower(), 0
        for literal, bits in self._short:
            if literal in text:
                found |= bits
        for triple in self._keys.intersection(zip(text, text[1:], text[2:], strict=False)):
            for literal, bits in self._filed[triple]:
                if found & bits != bits and literal in text:
                    found |= bits
        if len(value) <= _REMEMBERED:
            if len(self._memo) >= _MEMO_LIMIT:
                self._memo.clear()
            self._memo[value] = found
        return found


def needed(node: Node, common: Mapping[str, int]) -> tuple[frozenset[str], ...]:
    """Groups of literals; if `node` is true, of each group one occurs in the lower case of the values.

    Args:
        node: A condition.
        common: How often each literal stands in the conditions: what many name ("EXECVE") says little.
    """
    if isinstance(node, AllOf):
        return tuple(dict.fromkeys(group for part in node.parts for group in needed(part, common)))
    group = _one_of(node, common)
    return (group,) if group else ()


def _one_of(node: Node, common: Mapping[str, int]) -> frozenset[str]:
    """Literals of which one must occur; empty: none must."""
    if isinstance(node, Predicate):
        literal = _literal(node)
        return frozenset((literal,)) if literal else frozenset()
    if isinstance(node, Negate):
        return frozenset()
    if isinstance(node, AllOf):
        return max(needed(node, common), key=partial(_telling, common), default=frozenset())
    groups = [_one_of(part, common) for part in node.parts]
    return frozenset().union(*groups) if groups and all(groups) else frozenset()


def _telling(common: Mapping[str, int], group: frozenset[str]) -> tuple[int, int, int]:
    """How much it says that one of the group occurs; the more, the greater."""
    return -max(common.get(one, 0) for one in group), min(map(len, group)), -len(group)


def _all(node: Node) -> Iterator[str]:
    """Every literal of a condition, as often as it stands there."""
    if isinstance(node, Predicate):
        yield _literal(node)
    else:
        for part in (node.part,) if isinstance(node, Negate) else node.parts:
            yield from _all(part)


def _triples(text: str) -> set[tuple[str, str, str]]:
    return set(zip(text, text[1:], text[2:], strict=False))


def _literal(part: Predicate) -> str:
    """The longest run of plain characters that a value must hold."""
    if part.op not in ("eq", "contains", "startswith", "endswith", "wildcard"):
        return ""
    wanted = as_text(part.value)
    if wanted is None:
        return ""
    # What a wildcard stands for splits the text; NUL, which is in no run, marks where.
    text = _ESCAPED.sub(lambda found: found[1] or "\0", wanted) if part.op == "wildcard" else wanted
    if not part.cased:
        text = text.lower()
    return max(_ASCII.findall(text), key=len, default="").lower()
