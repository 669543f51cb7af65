"""One rule file → its rules, correlations and filters, or complaints with path and line.

A file holds one or more YAML documents. All complaints about a document are collected, and a document with any gives no
rule. Documents for log sources that are never read are skipped with the reason: a folder may hold rules for everything.

Source: Sigma specification 2.x: rules, correlation rules, filters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from kubewitness.model.errors import ContentError
from kubewitness.rules.documents import Document, read_documents
from kubewitness.rules.first_seen import parse_first_seen
from kubewitness.rules.host_sources import log_source_of
from kubewitness.rules.ir import AnyOf, CorrelationRule, Node, Rule, RuleId, walk_fields
from kubewitness.rules.metadata import read_metadata
from kubewitness.rules.parsed import ParsedCorrelation, ParsedFile, ParsedFilter, ParsedRule
from kubewitness.rules.sigma import (
    AUDIT_EVENTS,
    all_of,
    any_of,
    check_aliases,
    language_of,
    parse_condition,
    parse_correlation,
    parse_item,
)


def parse_file(path: Path, rule_id: str) -> ParsedFile:
    """Read the rule file at `path`; its rule is called `rule_id` (several documents: `rule_id#name` or `#number`)."""
    try:
        documents = read_documents(path)
    except ContentError as error:
        return ParsedFile(errors=(error,))
    rules, correlations, filters = list[ParsedRule](), list[ParsedCorrelation](), list[ParsedFilter]()
    errors, skipped = list[ContentError](), list[tuple[str, tuple[str, ...]]]()
    several = sum("filter" not in document.value for document in documents) > 1
    for number, document in enumerate(documents, 1):
        reason = _reason_to_skip(document)
        if reason:
            skipped.append((reason, _names(document)))
            continue
        suffix = f"#{document.value.get('name') or number}" if several else ""
        parse = _Parse(document, RuleId(rule_id + suffix))
        try:
            check_aliases(document)
            if "action" in document.value:
                raise document.error(
                    "collections (action: ...) are no longer part of Sigma: write whole rules", "action"
                )
            if "correlation" in document.value:
                correlations.extend(parse.correlation())
            elif "filter" in document.value:
                filters.extend(parse.filter())
            else:
                rules.extend(parse.rule())
        except ContentError as error:
            parse.errors.append(error)
        except RecursionError:
            parse.errors.append(document.error("nested too deeply"))
        errors.extend(parse.errors)
    return ParsedFile(tuple(rules), tuple(correlations), tuple(filters), tuple(errors), tuple(skipped))


def _names(document: Document) -> tuple[str, ...]:
    return tuple(str(document.value[key]) for key in ("name", "id") if document.value.get(key))


def _reason_to_skip(document: Document) -> str:
    """Why this document is not for us; empty if it is."""
    value = document.value
    if not {"detection", "correlation", "filter", "logsource", "action"} & value.keys():
        return "not a Sigma rule"
    status = value.get("status")
    if status in ("deprecated", "unsupported"):
        return f"status {status}"
    source = value.get("logsource")
    if "correlation" in value or "action" in value or not isinstance(source, Mapping):
        return ""
    product, service = source.get("product"), source.get("service")
    # A filter may name less than a rule does; it then covers more rules.
    if product == "kubernetes" and (service == "audit" or (service is None and "filter" in value)):
        return ""
    named = "/".join(str(source[key]) for key in ("product", "category", "service") if source.get(key))
    if _log_source(document):
        return ""
    return f"log source {named or 'unknown'} is not read"


def _log_source(document: Document) -> str:
    """The log source of a machine that a rule is for; empty: the audit log of Kubernetes."""
    source = document.value.get("logsource")
    return log_source_of(source) if isinstance(source, Mapping) else ""


class _Parse:
    """One document being translated; complaints collect in `errors`, a result is given only if there are none."""

    def __init__(self, document: Document, rule_id: RuleId) -> None:
        self.document, self.rule_id = document, rule_id
        self.log_source = _log_source(document)
        self.language = language_of(self.log_source) if self.log_source else AUDIT_EVENTS
        self.errors: list[ContentError] = []
        self.nodes: dict[str, Node] = {}  # named detections

    def rule(self) -> Iterable[ParsedRule]:
        document = self.document
        metadata = read_metadata(document, self.errors)
        source = document.value.get("logsource")
        if not isinstance(source, Mapping):
            self.errors.append(document.error("a rule needs a logsource", "logsource"))
        condition = self._detection("detection", reserved=frozenset({"condition"}))
        if self.errors or condition is None or not isinstance(source, Mapping):
            return
        first_seen, condition = parse_first_seen(document, condition, self.nodes)
        if first_seen and self.log_source:
            raise document.error("first_seen is for audit events: it needs a whole log", "kubewitness", "first_seen")
        read = walk_fields(condition) | (set(first_seen.fields) if first_seen else set())
        rule = Rule(
            id=self.rule_id,
            title=metadata.title,
            description=metadata.description,
            severity=metadata.severity,
            confidence=metadata.confidence,
            kind=metadata.kind,
            techniques=metadata.techniques,
            falsepositives=metadata.falsepositives,
            runbook=metadata.runbook,
            condition=condition,
            fields=tuple(sorted(read)),
            path=document.path,
            line=document.line(),
            first_seen=first_seen,
            log_source=self.log_source,
        )
        yield ParsedRule(rule, metadata.names, metadata.kind_given, str(source.get("category") or ""))

    def filter(self) -> Iterable[ParsedFilter]:
        document = self.document
        section, source = document.value.get("filter"), document.value.get("logsource")
        if not isinstance(section, Mapping) or not isinstance(source, Mapping):
            raise document.error("a filter needs a logsource and a mapping under 'filter'", "filter")
        named = section.get("rules")
        rules: tuple[str, ...] | None
        if named == [] or (isinstance(named, str) and named.lower() == "any"):
            rules = None
        elif isinstance(named, str):
            rules = (named,)
        elif isinstance(named, list) and all(isinstance(name, str) for name in named):
            rules = tuple(named)
        else:
            raise document.error("a filter needs 'rules': any, or names or ids of rules", "filter", "rules")
        condition = self._detection("filter", reserved=frozenset({"condition", "rules"}))
        if condition is not None and not self.errors:
            category = str(source.get("category") or "")
            yield ParsedFilter(condition, rules, category, document.path, document.line(), self.log_source)

    def _detection(self, section: str, reserved: frozenset[str]) -> Node | None:
        """The condition of a `detection` or `filter` section, its names replaced by what they stand for."""
        document = self.document
        value = document.value.get(section)
        if not isinstance(value, Mapping):
            self.errors.append(document.error(f"'{section}' must be a mapping of named detections", section))
            return None
        if "timeframe" in value:
            self.errors.append(
                document.error(
                    "timeframe and aggregations are not supported: write a correlation", section, "timeframe"
                )
            )
            reserved |= {"timeframe"}
        nodes = self.nodes
        for name, definition in value.items():
            if name not in reserved:
                nodes[str(name)] = self._named(definition, section, str(name))
        conditions = value.get("condition")
        given = conditions if isinstance(conditions, list) else [conditions]
        texts = [text for text in given if isinstance(text, str)]
        if not nodes or not texts or len(texts) < len(given):
            self.errors.append(document.error("needs detections and a condition over them", section, "condition"))
            return None
        try:
            parts = [parse_condition(text, nodes) for text in texts]
        except ContentError as error:
            self.errors.append(document.error(error.message, section, "condition"))
            return None
        return any_of(parts)

    def _named(self, definition: object, *keys: str | int) -> Node:
        """A named detection: a mapping (all items), a list (any element), or keywords."""
        if isinstance(definition, Mapping) and definition:
            return all_of([self._item(key, value, *keys, str(key)) for key, value in definition.items()])
        if isinstance(definition, list) and any(isinstance(element, Mapping | list) for element in definition):
            return any_of([self._named(element, *keys, i) for i, element in enumerate(definition)])
        if isinstance(definition, Mapping | list) and not definition:
            self.errors.append(self.document.error("an empty detection matches nothing meaningful", *keys))
            return AnyOf(())
        return self._item(None, definition, *keys)

    def _item(self, key: object, value: object, *keys: str | int) -> Node:
        try:
            return parse_item(key, value, self.language)
        except ContentError as error:
            where = f"{key}: " if key else ""
            self.errors.append(self.document.error(where + error.message, *keys))
            return AnyOf(())

    def correlation(self) -> Iterable[ParsedCorrelation]:
        document = self.document
        metadata = read_metadata(document, self.errors)
        parsed = parse_correlation(document)
        if self.errors:
            return
        correlation = CorrelationRule(
            id=self.rule_id,
            title=metadata.title,
            description=metadata.description,
            severity=metadata.severity,
            confidence=metadata.confidence,
            kind=metadata.kind,
            techniques=metadata.techniques,
            type=parsed.type,
            rules=tuple(RuleId(rule) for rule in parsed.rules),
            group_by=parsed.group_by,
            timespan=parsed.timespan,
            threshold=parsed.threshold,
            value_field=parsed.value_field,
            aliases=parsed.aliases,
            falsepositives=metadata.falsepositives,
            runbook=metadata.runbook,
            path=document.path,
            line=document.line(),
        )
        yield ParsedCorrelation(correlation, metadata.names, parsed.generate)
