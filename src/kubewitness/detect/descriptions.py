"""What rules written in code say about themselves: `content/<folder>/<name>.yml`.

Title, description, level, tags, falsepositives and the block `kubewitness` (confidence, kind, runbook, the Chinese
side) are those of `rules.metadata`; `fields`, where given, are the event fields that a finding shows as its why.
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


@cache
def descriptions(folder: str) -> Mapping[str, Rule]:
    """All descriptions in `content/<folder>` by name, as rules whose condition no event meets.

    Raises:
        ContentError: a shipped file is wrong.
    """
    paths = sorted((content_folder() / folder).glob("*.yml"))
    rules = remembered(paths, f"descriptions of {folder}", tuple[Rule, ...], lambda: tuple(map(_read, paths)), ())
    return MappingProxyType({path.stem: rule for path, rule in zip(paths, rules, strict=True)})


def _read(path: Path) -> Rule:
    errors: list[ContentError] = []
    (document,) = import_module("kubewitness.rules.documents").read_documents(path)  # brings the YAML reader
    metadata = import_module("kubewitness.rules.metadata").read_metadata(document, errors)
    fields = document.value.get("fields", [])
    if errors:
        raise errors[0]
    return Rule(
        id=RuleId(f"{path.parent.name}/{path.stem}"),
        title=metadata.title,
        description=metadata.description,
        severity=metadata.severity,
        confidence=metadata.confidence,
        kind=metadata.kind,
        techniques=metadata.techniques,
        condition=AnyOf(()),
        falsepositives=metadata.falsepositives,
        runbook=metadata.runbook,
        fields=tuple(map(str, fields)) if isinstance(fields, list) else (),
        path=path,
        line=document.line(),
    )
