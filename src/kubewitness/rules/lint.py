"""What a rule of the shipped pack must have beyond being readable: named checks, each complaint with path and line.

Rules of others are not linted; they load as they are (`rules.loader` reports what cannot be used). A check is a
function from a rule and its document to complaints; to add one, write it and put it into `_CHECKS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

import msgspec

from kubewitness.model.errors import ContentError
from kubewitness.rules.attack import techniques
from kubewitness.rules.documents import Document, read_documents
from kubewitness.rules.fields import facet_of
from kubewitness.rules.ir import AllOf, AnyOf, CorrelationRule, Node, Predicate, Rule
from kubewitness.rules.loader import RuleSet

_CHINESE = re.compile(r"[\u3001-\u303f\u4e00-\u9fff\uff01-\uff5e]")  # characters or marks
_HALF_WIDTH = re.compile(r"[\u4e00-\u9fff][,;:!?]|[\u4e00-\u9fff]\.(?:\s|$)")
_NAME = re.compile(r"[a-z0-9_]+(?:/[a-z0-9_]+)*")

# Facets that refute most events. Stage and success do not: nearly every event has them.
_CHEAP = frozenset({"request", "user", "source", "agent", "outcome", "namespace", "name"})
_SUCCESS = frozenset({("request.succeeded", "true"), ("request.decision", "allow"), ("responsestatus.code", "200")})


class Issue(msgspec.Struct, frozen=True, order=True):
    """One complaint about a rule."""

    path: Path
    line: int
    check: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.check}: {self.message}"


AnyRule = Rule | CorrelationRule
Complain = Callable[..., Issue]  # message, then the keys whose line is meant
Check = Callable[[AnyRule, Document, Complain], Iterator[Issue]]


def lint(rules: RuleSet) -> tuple[Issue, ...]:
    """All complaints about the rules of a set, in order of path and line; errors of loading are among them."""
    issues = [Issue(error.path or Path(), error.line or 0, "load", error.message) for error in rules.errors]
    everything: tuple[AnyRule, ...] = (*rules.rules, *rules.host_rules, *rules.correlations)
    for rule in everything:
        issues.extend(lint_rule(rule))
    return tuple(sorted(issues))


def lint_rule(rule: AnyRule) -> Iterator[Issue]:
    """Complaints about one rule."""
    documents = read_documents(rule.path)
    if len(documents) != 1:
        yield Issue(rule.path, rule.line, "one rule a file", f"the file has {len(documents)} documents")
        return
    document = documents[0]
    for check, function in _CHECKS.items():
        yield from function(rule, document, partial(_issue, check, document))


def _issue(check: str, document: Document, message: str, *keys: str | int) -> Issue:
    return Issue(document.path, document.line(*keys), check, message)


def _find(document: Document, *keys: str) -> object:
    value: object = document.value
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _name_is_path(rule: AnyRule, document: Document, complain: Complain) -> Iterator[Issue]:
    name = _find(document, "name")
    if name != rule.id:
        yield complain(f"the name must be the path, {rule.id!r}, and is {name!r}", "name")
    if not _NAME.fullmatch(rule.id):
        yield complain("folders and files are named with a-z, 0-9 and _", "name")


def _techniques(rule: AnyRule, _: Document, complain: Complain) -> Iterator[Issue]:
    if not rule.techniques and rule.kind != "context":
        yield complain("tags name no ATT&CK technique", "tags")
    for technique in rule.techniques:
        if technique not in techniques():
            yield complain(f"ATT&CK has no technique {technique}", "tags")


def _judgement(_: AnyRule, document: Document, complain: Complain) -> Iterator[Issue]:
    for keys in (("level",), ("kubewitness", "confidence"), ("kubewitness", "kind")):
        if not _find(document, *keys):
            yield complain(f"{keys[-1]} is not given", *keys)


def _guidance(rule: AnyRule, _: Document, complain: Complain) -> Iterator[Issue]:
    if not rule.description.en:
        yield complain("no description", "description")
    if not rule.falsepositives:
        yield complain("no falsepositives: say when this is harmless", "falsepositives")
    if not rule.runbook.en:
        yield complain("no runbook: say what to look at first", "kubewitness", "runbook")


def _both_languages(rule: AnyRule, document: Document, complain: Complain) -> Iterator[Issue]:
    texts = {"title": rule.title.zh, "description": rule.description.zh, "runbook": rule.runbook.zh}
    for key, text in texts.items():
        yield from _chinese(text, _find(document, "kubewitness", "zh", key), complain, key)
    given = _find(document, "kubewitness", "zh", "falsepositives")
    count = len(given) if isinstance(given, list) else 0
    if count != len(rule.falsepositives):
        message = f"{len(rule.falsepositives)} falsepositives in English, {count} in Chinese"
        yield complain(message, "kubewitness", "zh", "falsepositives")
        return
    for reason in rule.falsepositives:
        yield from _chinese(reason.zh, reason.zh, complain, "falsepositives")


def _chinese(text: str, given: object, complain: Complain, key: str) -> Iterator[Issue]:
    if not given or not _CHINESE.search(text):
        yield complain(f"no Chinese {key}", "kubewitness", "zh", key)
    elif found := _HALF_WIDTH.search(text):
        yield complain(f"half-width mark after Chinese: {found[0].strip()!r}", "kubewitness", "zh", key)


def _rows(rule: AnyRule, _: Document, complain: Complain) -> Iterator[Issue]:
    path = rule.path.with_name(rule.path.stem + ".test.yml")
    try:
        documents = read_documents(path)
    except ContentError as error:
        yield complain(f"test rows: {error.message} ({path.name})")
        return
    rows = documents[0].value if documents else {}
    for key, least in (("match", 1), ("near_miss", 2)):
        given = rows.get(key)
        count = len(given) if isinstance(given, list) else 0
        if count < least:
            yield complain(f"{path.name} has {count} rows under {key}, needs {least}")


def _used(rule: AnyRule, document: Document, complain: Complain) -> Iterator[Issue]:
    section = _find(document, "detection")
    if not isinstance(rule, Rule) or not isinstance(section, Mapping):
        return
    history = _find(document, "kubewitness", "first_seen", "history")
    words = re.findall(r"[\w*-]+", f"{section.get('condition')} {history}")
    for name in section:
        if name != "condition" and "them" not in words and not any(fnmatchcase(str(name), word) for word in words):
            yield complain(f"the condition does not use {name!r}", "detection", str(name))


def _cheap(rule: AnyRule, document: Document, complain: Complain) -> Iterator[Issue]:
    """Most audit events must be refuted by their request line, user, source, agent or outcome alone."""
    reason = _find(document, "kubewitness", "broad")
    if isinstance(rule, Rule) and not rule.log_source and not reason and not _constrained(rule.condition):
        message = "asks nothing of verb, resource, user, source, agent or refusal; do, or say why in kubewitness.broad"
        yield complain(message, "detection", "condition")


def _constrained(node: Node) -> bool:
    if isinstance(node, Predicate):
        if facet_of(node.field) not in _CHEAP or node.op in ("null", "exists"):
            return False
        return (node.field.lower(), str(node.value).lower()) not in _SUCCESS
    if isinstance(node, AllOf):
        return any(map(_constrained, node.parts))
    return isinstance(node, AnyOf) and bool(node.parts) and all(map(_constrained, node.parts))


_CHECKS: dict[str, Check] = {
    "name is path": _name_is_path,
    "technique": _techniques,
    "judgement": _judgement,
    "guidance": _guidance,
    "both languages": _both_languages,
    "test rows": _rows,
    "unused detection": _used,
    "cheap part": _cheap,
}
