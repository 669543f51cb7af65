"""What the host rules say about themselves: `content/host/<name>.yml`, with the keys of a detector's description.

The logic of these rules is code, because it reads grammar, state and several tables at once; the words are data.
Title, description, level, tags, falsepositives and the block `kubewitness` (confidence, kind, runbook, the Chinese
side) are those of `rules.metadata`. A finding may be milder or graver than its file says where the evidence is weaker
or stronger.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from kubewitness.model.errors import ContentError
from kubewitness.rules.cache import remembered
from kubewitness.rules.ir import AnyOf, Rule, RuleId
from kubewitness.rules.loader import content_folder


def described(name: str) -> Rule:
    """The description of the rule `host/<name>`, as a rule whose condition no event meets.

    Raises:
        ContentError: the shipped file is wrong.
    """
    return descriptions()[name]


@cache
def descriptions() -> Mapping[str, Rule]:
    """All descriptions by name.

    Raises:
        ContentError: a shipped file is wrong.
    """
    paths = sorted((content_folder() / "host").glob("*.yml"))
    rules = remembered(paths, "descriptions of host rules", tuple[Rule, ...], lambda: tuple(map(_read, paths)), ())
    return MappingProxyType({path.stem: rule for path, rule in zip(paths, rules, strict=True)})


@cache
def mining_pools() -> frozenset[str]:
    """Registered domains of mining pools."""
    text = (content_folder() / "host" / "mining_pools.txt").read_text(encoding="utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def _read(path: Path) -> Rule:
    errors: list[ContentError] = []
    (document,) = import_module("kubewitness.rules.documents").read_documents(path)  # brings the YAML reader
    metadata = import_module("kubewitness.rules.metadata").read_metadata(document, errors)
    if errors:
        raise errors[0]
    return Rule(
        id=RuleId(f"host/{path.stem}"),
        title=metadata.title,
        description=metadata.description,
        severity=metadata.severity,
        confidence=metadata.confidence,
        kind=metadata.kind,
        techniques=metadata.techniques,
        condition=AnyOf(()),
        falsepositives=metadata.falsepositives,
        runbook=metadata.runbook,
        path=path,
        line=document.line(),
    )
