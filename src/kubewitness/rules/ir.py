"""The typed intermediate form of a detection rule: what every engine (fast, naive) evaluates.

Meaning, fixed once for all engines:

* A field has zero or more values. A list value counts as its elements (any-element); an absent field has none.
* A predicate is true if ANY value satisfies it; an absent field satisfies nothing except `exists: false` and `null`.
* NOT is plain negation of that: an absent field makes `not (x == 1)` true.
* Strings compare case-insensitively unless `cased`; numbers and booleans compare with their JSON text as Sigma does
  ("200" equals 200, "true" equals true).

Source: Sigma specification 2.x (modifiers, null, exists); pySigma's AST is translated to this in `rules.sigma`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NewType

import msgspec

from kubewitness.model.judgement import Confidence, Kind, Severity
from kubewitness.model.text import Text

RuleId = NewType("RuleId", str)  # path of the file below its content folder without suffix; linted

RECORD = "*"  # the field of keyword searches: the whole original record

Op = Literal[
    "eq",
    "contains",
    "startswith",
    "endswith",
    "wildcard",
    "re",
    "cidr",
    "exists",
    "null",
    "lt",
    "lte",
    "gt",
    "gte",
    "fieldeq",
]


class Predicate(msgspec.Struct, frozen=True, tag="predicate"):
    """`field op value`. `value` is text for string operators, a bool for exists, another field's name for fieldeq."""

    field: str  # dotted field name; "*" is the whole original record (Sigma keyword search)
    op: Op
    value: str | int | float | bool | None
    cased: bool = False


class AllOf(msgspec.Struct, frozen=True, tag="all"):
    """True if every part is (true if empty)."""

    parts: tuple[Node, ...]


class AnyOf(msgspec.Struct, frozen=True, tag="any"):
    """True if some part is (false if empty)."""

    parts: tuple[Node, ...]


class Negate(msgspec.Struct, frozen=True, tag="not"):
    """True if the part is not."""

    part: Node


Node = Predicate | AllOf | AnyOf | Negate


class FirstSeen(msgspec.Struct, frozen=True):
    """The rule speaks only of what is new: a combination of values that did not occur before.

    The log's first part (`learn` of its time, at least `at_least` seconds) shows what is usual. A combination of the
    values of `fields` is new if its first occurrence lies after that part. Occurrences are the events of the rule's
    `condition`, or with `requests` all requests of the log (then `fields` are about the accessor: name, kind, address,
    agent).
    """

    fields: tuple[str, ...]
    known: tuple[
        str, ...
    ] = ()  # those of `fields` whose values must not be new: the account is old, its network is new
    requests: bool = False
    learn: float = 0.2
    at_least: float = 0.0
    settled: int = 0  # speak only if `known` had at most so many combinations while learning (0: any number)
    only: Node | None = None  # of the occurrences, those that are findings; None: all


class Rule(msgspec.Struct, frozen=True):
    """A detection rule over single events."""

    id: RuleId
    title: Text
    description: Text
    severity: Severity
    confidence: Confidence
    kind: Kind
    techniques: tuple[str, ...]  # ATT&CK ids, "T1098.006"
    condition: Node
    falsepositives: tuple[Text, ...] = ()
    runbook: Text = Text("", "")
    fields: tuple[str, ...] = ()  # fields the condition reads
    path: Path = Path()
    line: int = 0
    first_seen: FirstSeen | None = None  # then a match alone is no finding
    log_source: str = ""  # of `rules.host_sources`; empty: the audit log of Kubernetes


CorrelationType = Literal["event_count", "value_count", "temporal", "temporal_ordered"]


class CorrelationRule(msgspec.Struct, frozen=True):
    """A Sigma correlation: many matches of base rules that together mean something."""

    id: RuleId
    title: Text
    description: Text
    severity: Severity
    confidence: Confidence
    kind: Kind
    techniques: tuple[str, ...]
    type: CorrelationType
    rules: tuple[RuleId, ...]  # base rules, in order for temporal_ordered
    group_by: tuple[str, ...]  # field names; a match lacking one of them takes no part
    timespan: float  # seconds
    threshold: int = 1  # gte
    value_field: str = ""  # value_count: the field whose distinct values count
    aliases: dict[str, dict[str, str]] = {}  # alias → {rule id: field}
    falsepositives: tuple[Text, ...] = ()
    runbook: Text = Text("", "")
    path: Path = Path()
    line: int = 0


def walk_fields(node: Node) -> set[str]:
    """All field names a condition reads."""
    if isinstance(node, Predicate):
        return {node.field, str(node.value)} if node.op == "fieldeq" else {node.field}
    if isinstance(node, Negate):
        return walk_fields(node.part)
    return set().union(*(walk_fields(part) for part in node.parts)) if node.parts else set()
