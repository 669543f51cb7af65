"""Words that must occur in an event if a rule shall match it: most rules are put aside without being run.

For each condition one group of literals is chosen of which at least one must occur in the event's text (all values it
looks at, in lower case). All groups are sought at once: a literal is filed under three of its characters, and an
event's text is cut into all its triples; only literals whose triple occurs are looked for. That is linear in the text,
whatever it is, and needs no memory between events, so nobody can make it slow with a clever one.

Sound by construction: a condition is left out only if it is false. Only ASCII is used, because there the lower case of
a part is a part of the lower case.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from kubewitness.rules.compile import as_text
from kubewitness.rules.ir import AllOf, Negate, Node, Predicate

_TRIPLE = 3
_ASCII = re.compile(r"[\x01-\x7f]+")
_ESCAPED = re.compile(r"\\([*?\\])|[*?]")


class Prefilter:
    """Conditions, and which of them a text leaves possible."""

    def __init__(self, conditions: Sequence[Node]) -> None:
        self._always = 0
        literals: dict[str, int] = {}
        for number, condition in enumerate(conditions):
            group = needed(condition)
            if not group:
                self._always |= 1 << number
            for literal in group:
                literals[literal] = literals.get(literal, 0) | 1 << number
        self._short = [(one, bits) for one, bits in sorted(literals.items()) if len(one) < _TRIPLE]
        self._filed: dict[str, list[tuple[str, int]]] = {}
        common = Counter(triple for one in literals for triple in _triples(one))
        for one, bits in sorted(literals.items()):
            if len(one) >= _TRIPLE:
                self._filed.setdefault(min(_triples(one), key=lambda t: (common[t], t)), []).append((one, bits))
        self._triples = frozenset(self._filed)

    def possible(self, text: str) -> int:
        """A bit for each condition that an event with this text (in lower case) may meet."""
        mask = self._always
        for literal, bits in self._short:
            if literal in text:
                mask |= bits
        for triple in self._triples.intersection(_triples(text)):
            for literal, bits in self._filed[triple]:
                if mask & bits != bits and literal in text:
                    mask |= bits
        return mask


def needed(node: Node) -> frozenset[str]:
    """Literals of which one must occur in the lower case of the values if `node` is true; empty: none must."""
    if isinstance(node, Predicate):
        literal = _literal(node)
        return frozenset((literal,)) if literal else frozenset()
    if isinstance(node, Negate):
        return frozenset()
    groups = [needed(part) for part in node.parts]
    if isinstance(node, AllOf):
        # The group whose weakest literal is longest says most.
        return max(filter(None, groups), key=lambda group: (min(map(len, group)), -len(group)), default=frozenset())
    return frozenset().union(*groups) if groups and all(groups) else frozenset()


def _triples(text: str) -> set[str]:
    return {text[at : at + _TRIPLE] for at in range(len(text) - _TRIPLE + 1)}


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
