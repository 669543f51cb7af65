"""What one rule file gives, before its names are connected to other files.

Apart from the reading itself, so that what an earlier run kept (`rules.cache`) can be used without loading a parser.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from kubewitness.model.errors import ContentError
from kubewitness.rules.ir import CorrelationRule, Node, Rule


class ParsedRule(msgspec.Struct, frozen=True):
    """A rule with what is needed to connect it to other documents."""

    rule: Rule
    names: tuple[str, ...]
    kind_given: bool
    category: str


class ParsedCorrelation(msgspec.Struct, frozen=True):
    """A correlation whose `rules` and aliases still name rules as the file wrote them."""

    correlation: CorrelationRule
    names: tuple[str, ...]
    generate: bool  # its base rules are findings of their own as well


class ParsedFilter(msgspec.Struct, frozen=True):
    """A Sigma filter: `condition` must hold as well, for the rules it names."""

    condition: Node
    rules: tuple[str, ...] | None  # None: any
    category: str
    path: Path
    line: int
    log_source: str = ""  # as in Rule


class ParsedFile(msgspec.Struct, frozen=True):
    """Everything of one rule file."""

    rules: tuple[ParsedRule, ...] = ()
    correlations: tuple[ParsedCorrelation, ...] = ()
    filters: tuple[ParsedFilter, ...] = ()
    errors: tuple[ContentError, ...] = ()
    skipped: tuple[tuple[str, tuple[str, ...]], ...] = ()  # reason, names of the skipped rule
