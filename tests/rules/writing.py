"""Rule files written for a test, and what loading them gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from kubewitness.rules.ir import Node, Rule
from kubewitness.rules.loader import RuleSet, load_rules
from tests.content.rows import make_event
from tests.rules.naive import matches

LOGSOURCE = {"product": "kubernetes", "service": "audit"}


def rule_text(detection: dict[str, Any], **more: Any) -> str:
    document = {"title": "A rule", "logsource": LOGSOURCE, "detection": detection, **more}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def load_texts(folder: Path, **texts: str) -> RuleSet:
    """Load rule files with these names (`a__b` is `a/b.yml`) and texts."""
    for name, text in texts.items():
        path = folder / (name.replace("__", "/") + ".yml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return load_rules([folder])


def load_one(folder: Path, detection: dict[str, Any], **more: Any) -> Rule:
    loaded = load_texts(folder, rule=rule_text(detection, **more))
    assert [str(error) for error in loaded.errors] == []
    assert len(loaded.rules) == 1
    return loaded.rules[0]


def condition_of(folder: Path, item: Any) -> Node:
    """The condition of a rule with one detection."""
    return load_one(folder, {"selection": item, "condition": "selection"}).condition


def error_of(folder: Path, detection: dict[str, Any], **more: Any) -> str:
    """The single complaint about a rule, as `file:line: message`."""
    loaded = load_texts(folder, rule=rule_text(detection, **more))
    assert loaded.rules == ()
    assert len(loaded.errors) == 1, [str(error) for error in loaded.errors]
    return str(loaded.errors[0]).removeprefix(f"{folder}/")


def does_match(folder: Path, item: Any, **event: Any) -> bool:
    return matches(condition_of(folder, item), make_event(event))
