"""The fast engine: rules compiled to closures, and masks that refute most rules without running them.

For each *facet* of an event (its request line, its user, its source, its agent, its outcome, ...; see `rules.fields`)
the matcher asks, once per distinct value: which rules can this value, whatever the rest of the event says, NOT make
false? The answer is a bit mask, one bit a rule, remembered under the value. An event's masks are ANDed; only the
rules whose bit survives are run in full. Refutation is Kleene logic (a field outside the facet is "unknown"), so a
bit is cleared only if the rule is false for every completion of the event: sound by construction, whatever the rules
are.

The memory of masks is bounded, because whoever writes user agents and addresses chooses their number.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, get_args

import re2

from kubewitness.model.event import Event
from kubewitness.rules.fields import Facet, Values, facet_of, getter
from kubewitness.rules.ir import AllOf, Negate, Node, Predicate, Rule, walk_fields

# What is known of a node: bit 0 "may be true", bit 1 "may be false".
TRUE, FALSE, UNKNOWN = 1, 2, 3

Test = Callable[[Event], bool]
# What a facet's values leave open. They are read once for all rules, by field.
Possibility = Callable[[dict[str, Values]], int]
Reader = Callable[[str], Callable[[Any], Values]]  # field → the function that reads it

_MEMO_LIMIT = 1 << 16


def as_text(value: Any) -> str | None:
    """A JSON scalar as Sigma compares it; None for null, which equals no text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def wildcard_pattern(value: str) -> str:
    r"""The regular expression of a Sigma wildcard value: `*` any run, `?` one character, `\*` `\?` `\\` literal."""
    out, i = [], 0
    while i < len(value):
        char = value[i]
        if char == "\\" and i + 1 < len(value) and value[i + 1] in "*?\\":
            out.append(re.escape(value[i + 1]))
            i += 1
        else:
            out.append({"*": ".*", "?": "."}.get(char) or re.escape(char))
        i += 1
    return "(?s)^(?:" + "".join(out) + ")$"


def _number(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


_QUIET = re2.Options()
_QUIET.log_errors = False  # a bad pattern is told by its exception, not by the C++ library on standard error


def _value_test(predicate: Predicate) -> Callable[[Any], bool]:
    """The test of one value for one predicate (all operators but exists, null, fieldeq)."""
    op, cased = predicate.op, predicate.cased
    if op in ("lt", "lte", "gt", "gte"):
        limit = _number(predicate.value)
        assert limit is not None
        compare: dict[str, Callable[[float], bool]] = {
            "lt": lambda n: n < limit,
            "lte": lambda n: n <= limit,
            "gt": lambda n: n > limit,
            "gte": lambda n: n >= limit,
        }
        check = compare[op]
        return lambda v: (n := _number(v)) is not None and check(n)
    wanted = as_text(predicate.value)
    assert wanted is not None
    if op == "cidr":
        network = ipaddress.ip_network(wanted, strict=False)

        def in_network(value: Any) -> bool:
            try:
                return ipaddress.ip_address(str(value)) in network
            except ValueError:
                return False

        return in_network
    if op in ("re", "wildcard"):
        if op == "wildcard" and not cased:
            search_lower = re2.compile(wildcard_pattern(wanted.lower()), _QUIET).search
            return lambda v: (t := as_text(v)) is not None and search_lower(t.lower()) is not None
        search = re2.compile(wanted if op == "re" else wildcard_pattern(wanted), _QUIET).search
        return lambda v: (t := as_text(v)) is not None and search(t) is not None
    if not cased:
        wanted = wanted.lower()
    text_tests: dict[str, Callable[[str], bool]] = {
        "eq": lambda t: t == wanted,
        "contains": lambda t: wanted in t,
        "startswith": lambda t: t.startswith(wanted),
        "endswith": lambda t: t.endswith(wanted),
    }
    test = text_tests[op]
    if cased:
        return lambda v: (t := as_text(v)) is not None and test(t)
    return lambda v: (t := as_text(v)) is not None and test(t.lower())


def _predicate(predicate: Predicate, reader: Reader) -> Callable[[Any], bool]:
    read = reader(predicate.field)
    if predicate.op == "exists":
        wanted = bool(predicate.value)
        return lambda e: bool(read(e)) is wanted
    if predicate.op == "null":
        return lambda e: not (values := read(e)) or None in values
    if predicate.op == "fieldeq":
        other = reader(str(predicate.value))
        fold: Callable[[str], str] = str if predicate.cased else str.lower

        def same(event: Any) -> bool:
            theirs = {fold(t) for v in other(event) if (t := as_text(v)) is not None}
            return any(fold(t) in theirs for v in read(event) if (t := as_text(v)) is not None)

        return same
    test = _value_test(predicate)

    def any_value(event: Any) -> bool:
        values = read(event)
        return test(values[0]) if len(values) == 1 else any(map(test, values))

    return any_value


def _plain_equals(part: Node) -> str | None:
    """The field, if the part is a case-insensitive equality: many of those over one field become one set lookup."""
    return part.field if isinstance(part, Predicate) and part.op == "eq" and not part.cased else None


def _membership(field: str, parts: Sequence[Predicate], reader: Reader) -> Callable[[Any], bool]:
    read = reader(field)
    wanted = frozenset(text.lower() for part in parts if (text := as_text(part.value)) is not None)

    def any_in(event: Any) -> bool:
        for value in read(event):  # noqa: SIM110
            if (text := as_text(value)) is not None and text.lower() in wanted:
                return True
        return False

    return any_in


def _alternatives(parts: Sequence[Node], reader: Reader) -> list[Callable[[Any], bool]]:
    """Tests of a disjunction; equalities over one field merged."""
    merged: dict[str, list[Predicate]] = {}
    rest: list[Node] = []
    for part in parts:
        field = _plain_equals(part)
        if field is not None and isinstance(part, Predicate):
            merged.setdefault(field, []).append(part)
        else:
            rest.append(part)
    tests = [_membership(field, group, reader) for field, group in merged.items()]
    return tests + [compile_node(part, reader) for part in rest]


def compile_node(node: Node, reader: Reader = getter) -> Callable[[Any], bool]:
    """A closure that evaluates `node` exactly as `rules.ir` defines it, on what `reader` reads from."""
    if isinstance(node, Predicate):
        return _predicate(node, reader)
    if isinstance(node, Negate):
        inner = compile_node(node.part, reader)
        return lambda e: not inner(e)
    if isinstance(node, AllOf):
        tests = tuple(compile_node(part, reader) for part in node.parts)
        return tests[0] if len(tests) == 1 else _every(tests)
    alternatives = tuple(_alternatives(node.parts, reader))
    return alternatives[0] if len(alternatives) == 1 else _some(alternatives)


# Loops: a generator for `all` costs as much as two tests.
def _every(tests: Sequence[Callable[[Any], bool]]) -> Callable[[Any], bool]:
    def every(event: Any) -> bool:
        for test in tests:  # noqa: SIM110
            if not test(event):
                return False
        return True

    return every


def _some(tests: Sequence[Callable[[Any], bool]]) -> Callable[[Any], bool]:
    def some(event: Any) -> bool:
        for test in tests:  # noqa: SIM110
            if test(event):
                return True
        return False

    return some


_OPEN = Predicate("?", "exists", value=True)  # stands for what a facet does not know


def project(node: Node, facet: Facet) -> Node | None:
    """`node` with everything that `facet` does not know replaced by one mark; None if it knows nothing of it.

    Many rules look alike to one facet ("a human who succeeded"), so what is worked out for one serves all of them.
    """
    return _project(node, facet)[0]


def _project(node: Node, facet: Facet) -> tuple[Node | None, bool]:
    """The projection, and whether it is the whole node."""
    if isinstance(node, Predicate):
        known = facet_of(node.field) == facet and (node.op != "fieldeq" or facet_of(str(node.value)) == facet)
        return (node, True) if known else (None, False)
    if isinstance(node, Negate):
        inner, whole = _project(node.part, facet)
        return (node, True) if whole else (None if inner is None else Negate(inner), False)
    parts = [_project(part, facet) for part in node.parts]
    if all(whole for _, whole in parts):
        return node, True
    left = tuple(part for part, _ in parts if part is not None)
    if not left:
        return None, False
    return type(node)((*left, _OPEN) if len(left) < len(parts) else left), False


def compile_possibility(node: Node, facet: Facet) -> Possibility | None:
    """What `node` can still be when only `facet`'s fields are known. None: always unknown."""
    if node == _OPEN:
        return None
    if all(facet_of(field) == facet for field in walk_fields(node)):
        test = compile_node(node, itemgetter)
        return lambda values: TRUE if test(values) else FALSE
    if isinstance(node, Predicate):
        return None
    if isinstance(node, Negate):
        inner = compile_possibility(node.part, facet)
        if inner is None:
            return None
        swap = (0, FALSE, TRUE, UNKNOWN)
        return lambda values: swap[inner(values)]
    parts = [compile_possibility(part, facet) for part in node.parts]
    known = tuple(part for part in parts if part is not None)
    if not known:
        return None
    all_known = len(known) == len(parts)
    # AND is decided by one false part, OR by one true part; otherwise an unknown part leaves it open.
    deciding, other = (FALSE, TRUE) if isinstance(node, AllOf) else (TRUE, FALSE)

    def combine(values: dict[str, Values]) -> int:
        open_ = not all_known
        for part in known:
            may = part(values)
            if may == deciding:
                return deciding
            open_ = open_ or may == UNKNOWN
        return UNKNOWN if open_ else other

    return combine


class FacetMasks:
    """The masks of one facet, remembered by the values its rules look at."""

    def __init__(self, rules: Sequence[Rule], facet: Facet, memo: int = _MEMO_LIMIT) -> None:
        self._limit = memo
        self.always = (1 << len(rules)) - 1
        alike: dict[Node, int] = {}  # what rules look like to this facet → their bits
        for number, rule in enumerate(rules):
            projected = project(rule.condition, facet)
            if projected is not None:
                alike[projected] = alike.get(projected, 0) | 1 << number
        self._checks = [
            (bits, check) for node, bits in alike.items() if (check := compile_possibility(node, facet)) is not None
        ]
        self.deciding = 0  # bits of the rules that this facet can refute at all
        for bits, _ in self._checks:
            self.deciding |= bits
        fields = sorted({field for node in alike for field in walk_fields(node) if facet_of(field) == facet})
        self._getters = tuple((field, getter(field)) for field in fields)
        self._memo: dict[tuple[tuple[str | None, ...], ...], int] = {}

    def mask(self, event: Event) -> int:
        """Bits of the rules that this facet of `event` does not refute."""
        values = {field: read(event) for field, read in self._getters}
        # As text: True and 1 are one key to a dict but two values to a rule.
        key = tuple(tuple(map(as_text, found)) for found in values.values())
        mask = self._memo.get(key)
        if mask is None:
            mask = self.always
            for bits, check in self._checks:
                if check(values) == FALSE:
                    mask &= ~bits
            if len(self._memo) >= self._limit:
                self._memo.clear()
            self._memo[key] = mask
        return mask


# Derived fields whose values stand in the body as they are written, if only in another case.
_VERBATIM = ("requestObject.", "responseObject.", "sar.user", "secret.type", "service.type", "csr.signerName")
# Derived fields that have no value, or never the value true, unless this word stands in the body as a key or a pointer.
_KEYS = {
    "podSpec.privileged": b"privileged",
    "podSpec.hostPID": b"hostpid",
    "podSpec.hostIPC": b"hostipc",
    "podSpec.hostNetwork": b"hostnetwork",
    "podSpec.shareProcessNamespace": b"shareprocessnamespace",
    "podSpec.tolerateAll": b"tolerations",
    "podSpec.hostPath": b"hostpath",
    "podSpec.capabilities": b"capabilities",
    "podSpec.serviceAccountName": b"serviceaccount",
    "podSpec.hostPorts": b"hostport",
    "rbac.subjects": b"subjects",
    "rbac.roleName": b"roleref",
}
_PLAIN_RUN = re.compile(r"[A-Za-z0-9_:.-]{4,}")  # no JSON encoder escapes these


def required_literals(node: Node) -> tuple[frozenset[bytes], ...]:
    """Conditions on an event's bytes without which `node` is false: of each set, one must occur (in lower case)."""
    if isinstance(node, AllOf):
        return tuple(group for part in node.parts for group in required_literals(part))
    group = _one_of(node)
    return (group,) if group else ()


def _one_of(node: Node) -> frozenset[bytes]:
    """Literals of which one must occur if `node` is true; empty if nothing must."""
    if isinstance(node, Predicate):
        literal = _literal(node)
        return frozenset((literal,)) if literal else frozenset()
    if isinstance(node, Negate):
        return frozenset()
    groups = [_one_of(part) for part in node.parts]
    if isinstance(node, AllOf):
        return next(filter(None, groups), frozenset())
    return frozenset().union(*groups) if groups and all(groups) else frozenset()


def _literal(part: Predicate) -> bytes:
    if part.op in ("exists", "null", "fieldeq"):
        return b""
    if part.field in _KEYS:
        # "false" is the value of a pod spec that does not mention the field.
        return b"" if as_text(part.value) in (None, "false") else _KEYS[part.field]
    if part.op not in ("eq", "contains", "startswith", "endswith"):
        return b""
    if not part.field.startswith(_VERBATIM) or not isinstance(part.value, str):
        return b""
    return max(_PLAIN_RUN.findall(part.value), key=len, default="").lower().encode()


def residual(node: Node) -> Node:
    """What is left to ask of an event that no facet refutes.

    A top-level conjunct that one facet decides alone was true, or that facet's mask would have refuted the rule. (Paths
    are not asked of every event, so they stay.)
    """
    if not isinstance(node, AllOf):
        return node if _open(node) else AllOf(())
    return AllOf(tuple(rest for part in node.parts if (rest := residual(part)) != AllOf(())))


def _open(node: Node) -> bool:
    facets = {facet_of(field) for field in walk_fields(node)}
    return len(facets) != 1 or None in facets or "path" in facets


class Matcher:
    """All rules of a run, compiled. `match` is the plain way in; the scanner uses the parts directly."""

    def __init__(self, rules: Sequence[Rule], memo: int = _MEMO_LIMIT) -> None:
        self.rules = tuple(rules)
        self._tests = tuple(compile_node(residual(rule.condition)) for rule in self.rules)
        self.facets: dict[Facet, FacetMasks] = {facet: FacetMasks(self.rules, facet, memo) for facet in get_args(Facet)}
        self._literals: dict[frozenset[bytes], int] = {}  # literals of which one must occur → the rules that say so
        for number, rule in enumerate(self.rules):
            for group in required_literals(rule.condition):
                self._literals[group] = self._literals.get(group, 0) | 1 << number
        self.literal = 0
        for bits in self._literals.values():
            self.literal |= bits  # rules that need a literal

    def admit(self, mask: int, line: bytes) -> int:
        """`mask` without the rules that need a literal which the event's bytes do not hold: no decoding needed."""
        if b"\\u00" in line:
            return mask  # escapes that no encoder needs: look properly
        lower = line.lower()
        for group, bits in self._literals.items():
            if mask & bits:
                for literal in group:
                    if literal in lower:
                        break
                else:
                    mask &= ~bits
        return mask

    def survivors(self, mask: int, event: Event) -> int:
        """Of the rules in `mask`, which no facet of `event` refutes, the bits of those that really match."""
        matched = 0
        while mask:
            bit = mask & -mask
            mask ^= bit
            if self._tests[bit.bit_length() - 1](event):
                matched |= bit
        return matched

    def match(self, event: Event) -> tuple[Rule, ...]:
        """The rules that match `event`, in their order."""
        mask = (1 << len(self.rules)) - 1
        for facet in self.facets.values():
            mask &= facet.mask(event)
        return self.of(self.survivors(mask, event))

    def of(self, mask: int) -> tuple[Rule, ...]:
        """The rules whose bits are set."""
        found = []
        while mask:
            bit = mask & -mask
            mask ^= bit
            found.append(self.rules[bit.bit_length() - 1])
        return tuple(found)
