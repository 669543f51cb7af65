"""Pass 1 over bytes in a test: small rules, blocks of any size, any number of workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from kubewitness.detect.part import Part
from kubewitness.detect.run import Scan, scan
from kubewitness.detect.scan import Scanner
from kubewitness.detect.seen import Recent, Seen
from kubewitness.evidence.opening import walk
from kubewitness.model.text import Text
from kubewitness.rules.compile import Matcher
from kubewitness.rules.ir import AllOf, CorrelationRule, Node, Predicate, Rule, RuleId
from kubewitness.rules.loader import RuleSet

WORDS = Text("x", "x")


def rule(name: str, *parts: Node) -> Rule:
    condition = parts[0] if len(parts) == 1 else AllOf(parts)
    return Rule(RuleId(name), WORDS, WORDS, "medium", "high", "intrusion", (), condition)


def equals(field: str, value: str) -> Predicate:
    return Predicate(field, "eq", value)


DELETES = rule("deletes", equals("verb", "delete"))


def rule_set(*rules: Rule, correlations: Sequence[CorrelationRule] = ()) -> RuleSet:
    return RuleSet(tuple(rules) or (DELETES,), tuple(correlations))


def scan_paths(paths: Sequence[Path | str], rules: RuleSet | None = None, workers: int = 1, split: int = 1) -> Scan:
    rules = rules or rule_set()
    sources = list(walk([str(path) for path in paths]))
    return scan(sources, rules, Matcher(rules.rules), workers, lambda *_: None, split=split)


def scan_bytes(
    data: bytes,
    rules: RuleSet | None = None,
    cuts: Sequence[int] = (),
    seen: Seen | None = None,
    memory: int = 1 << 16,
) -> Part:
    """Scan lines that arrive in blocks cut at `cuts`."""
    rules = rules or rule_set()
    matcher = Matcher(rules.rules)
    scanner = Scanner(matcher, Part("log", rules), seen or Recent(), memory)
    scanner.lines(blocks(data, cuts), 0, lambda *_: None)
    part = scanner.finish()
    for mask, event in part.unanswered:
        scanner.answer(mask, event)
    return part


def blocks(data: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    start = 0
    for end in ends:
        if end > start:
            yield data[start:end]
        start = end
