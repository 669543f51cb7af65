"""Reads what a detector says about itself (`content/detectors/<name>.yml`)."""

from __future__ import annotations

from pathlib import Path

from kubewitness.model.errors import ContentError
from kubewitness.rules.documents import read_documents
from kubewitness.rules.ir import AnyOf, Rule, RuleId
from kubewitness.rules.metadata import read_metadata


def describe(path: Path) -> Rule:
    """The description as a rule whose condition no event meets.

    Raises:
        ContentError: the shipped file is wrong.
    """
    errors: list[ContentError] = []
    (document,) = read_documents(path)
    metadata = read_metadata(document, errors)
    fields = document.value.get("fields", [])
    if errors:
        raise errors[0]
    return Rule(
        id=RuleId(f"detectors/{path.stem}"),
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
