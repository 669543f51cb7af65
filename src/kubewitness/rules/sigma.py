r"""Sigma rule files → the intermediate form of `rules.ir`. The only module that knows the Sigma parser.

pySigma parses conditions, values and modifiers (it knows the language best); this module walks its objects and writes
`Predicate`, `AllOf`, `AnyOf`, `Negate`. Whatever has no exact counterpart is a `ContentError` with path and line, and
the rule is not loaded: a rule is never silently weakened. Rules for other log sources are skipped with a reason.

Conventions of the result, beyond what `rules.ir` says:

* `wildcard`: `*` is any run of characters, `?` exactly one, `\*` `\?` `\\` are the characters themselves. The pattern
  always covers the whole string. `*x*`, `x*` and `*x` become contains, startswith and endswith.
* `re`: RE2 syntax (linear time, so no expression of a foreign rule can hang a run), *searched* in the value,
  case-sensitive unless the expression says `(?i)`; Sigma's flags i, m, s are put in front as inline flags.
* keywords: `contains`, `wildcard` or `re` on the field "*".

Source: Sigma specification 2.x: rules, modifiers, correlation rules, filters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import msgspec
import re2
from sigma.conditions import (
    ConditionAND,
    ConditionIdentifier,
    ConditionItem,
    ConditionNOT,
    ConditionOR,
    ConditionSelector,
    SigmaCondition,
)
from sigma.correlations import (
    CorrelationConditionAND,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationRule,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)
from sigma.exceptions import SigmaError
from sigma.modifiers import (
    SigmaCaseSensitiveModifier,
    SigmaEndswithModifier,
    SigmaExpandModifier,
    SigmaRegularExpressionModifier,
    SigmaStartswithModifier,
)
from sigma.rule import SigmaDetectionItem, SigmaDetections
from sigma.rule.base import check_alias_expansion
from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from kubewitness.model.errors import ContentError
from kubewitness.rules.documents import Document, read_documents
from kubewitness.rules.fields import ALIASES, is_known
from kubewitness.rules.ir import (
    AllOf,
    AnyOf,
    CorrelationRule,
    CorrelationType,
    Negate,
    Node,
    Op,
    Predicate,
    Rule,
    RuleId,
    walk_fields,
)
from kubewitness.rules.metadata import read_metadata

RECORD = "*"  # the field of keyword searches: the whole original record

_COMPARISONS: dict[CompareOperators, Op] = {
    CompareOperators.LT: "lt",
    CompareOperators.LTE: "lte",
    CompareOperators.GT: "gt",
    CompareOperators.GTE: "gte",
}
_CORRELATION_TYPES: dict[str, CorrelationType] = {
    "EVENT_COUNT": "event_count",
    "VALUE_COUNT": "value_count",
    "TEMPORAL": "temporal",
    "TEMPORAL_ORDERED": "temporal_ordered",
}
_CONDITION_LIMIT = 4000  # characters; the condition parser is slow on very long ones

_REGEX_OPTIONS = re2.Options()
_REGEX_OPTIONS.log_errors = False


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


class ParsedFile(msgspec.Struct, frozen=True):
    """Everything of one rule file."""

    rules: tuple[ParsedRule, ...] = ()
    correlations: tuple[ParsedCorrelation, ...] = ()
    filters: tuple[ParsedFilter, ...] = ()
    errors: tuple[ContentError, ...] = ()
    skipped: tuple[tuple[str, tuple[str, ...]], ...] = ()  # reason, names of the skipped rule


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
            parse.check_size()
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
    return f"log source {named or 'unknown'}, not kubernetes/audit"


class _Parse:
    """One document being translated; complaints collect in `errors`, a result is given only if there are none."""

    def __init__(self, document: Document, rule_id: RuleId) -> None:
        self.document, self.rule_id = document, rule_id
        self.errors: list[ContentError] = []

    def check_size(self) -> None:
        try:
            check_alias_expansion(self.document.value)
        except SigmaError as error:
            raise self.document.error(str(error)) from error

    # -- rules and filters

    def rule(self) -> Iterable[ParsedRule]:
        document = self.document
        metadata = read_metadata(document, self.errors)
        source = document.value.get("logsource")
        if not isinstance(source, Mapping):
            self.errors.append(document.error("a rule needs a logsource", "logsource"))
        condition = self._detection("detection", reserved=frozenset({"condition"}))
        if self.errors or condition is None or not isinstance(source, Mapping):
            return
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
            fields=tuple(sorted(walk_fields(condition))),
            path=document.path,
            line=document.line(),
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
            yield ParsedFilter(condition, rules, str(source.get("category") or ""), document.path, document.line())

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
        nodes = dict[str, Node]()
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
            parts = [_condition(text, nodes) for text in texts]
        except ContentError as error:
            self.errors.append(document.error(error.message, section, "condition"))
            return None
        return _any(parts)

    def _named(self, definition: object, *keys: str | int) -> Node:
        """A named detection: a mapping (all items), a list (any element), or keywords."""
        if isinstance(definition, Mapping) and definition:
            return _all([self._item(key, value, *keys, str(key)) for key, value in definition.items()])
        if isinstance(definition, list) and any(isinstance(element, Mapping | list) for element in definition):
            return _any([self._named(element, *keys, i) for i, element in enumerate(definition)])
        if isinstance(definition, Mapping | list) and not definition:
            self.errors.append(self.document.error("an empty detection matches nothing meaningful", *keys))
            return AnyOf(())
        return self._item(None, definition, *keys)

    def _item(self, key: object, value: object, *keys: str | int) -> Node:
        try:
            return _item(key, value)
        except (SigmaError, ContentError, AttributeError, TypeError) as error:
            message = error.message if isinstance(error, ContentError) else str(error)
            where = f"{key}: " if key else ""
            self.errors.append(self.document.error(where + message, *keys))
            return AnyOf(())

    # -- correlations

    def correlation(self) -> Iterable[ParsedCorrelation]:
        document = self.document
        metadata = read_metadata(document, self.errors)
        try:
            parsed = SigmaCorrelationRule.from_dict(dict(document.value), collect_errors=True)
        except (SigmaError, TypeError, ValueError, AttributeError) as error:
            raise document.error(str(error), "correlation") from error
        self.errors += [document.error(str(error), "correlation") for error in parsed.errors]
        if self.errors:
            return
        kind = _CORRELATION_TYPES.get(parsed.type.name)
        if kind is None:
            raise document.error(f"correlation type {parsed.type.name.lower()} is not supported", "correlation", "type")
        rules = _references(parsed)
        if not rules:
            raise document.error("a correlation needs rules", "correlation", "rules")
        aliases = {
            alias.alias: {ref.reference: self._named_field(name, "aliases") for ref, name in alias.mapping.items()}
            for alias in parsed.aliases
        }
        unaliased = {rule for mapping in aliases.values() for rule in mapping} - set(rules)
        if unaliased:
            raise document.error(
                f"aliases name {', '.join(sorted(unaliased))}: no rule of it", "correlation", "aliases"
            )
        try:
            threshold = _threshold(parsed, kind, len(rules))
        except ContentError as error:
            raise document.error(error.message, "correlation", "condition") from error
        value_field = ""
        if kind == "value_count" and not isinstance(parsed.condition, SigmaExtendedCorrelationCondition):
            if not isinstance(parsed.condition.fieldref, str):
                raise document.error("value_count needs one field to count", "correlation", "condition")
            value_field = self._named_field(parsed.condition.fieldref, "condition")
        correlation = CorrelationRule(
            id=self.rule_id,
            type=kind,
            rules=tuple(RuleId(rule) for rule in rules),
            group_by=tuple(
                name if name in aliases else self._named_field(name, "group-by") for name in parsed.group_by or ()
            ),
            timespan=float(parsed.timespan.seconds),
            threshold=threshold,
            value_field=value_field,
            aliases=aliases,
            path=document.path,
            line=document.line(),
            title=metadata.title,
            description=metadata.description,
            severity=metadata.severity,
            confidence=metadata.confidence,
            kind=metadata.kind,
            techniques=metadata.techniques,
            falsepositives=metadata.falsepositives,
            runbook=metadata.runbook,
        )
        yield ParsedCorrelation(correlation, metadata.names, parsed.generate)

    def _named_field(self, name: str, key: str) -> str:
        try:
            return _field(name)
        except ContentError as error:
            raise self.document.error(error.message, "correlation", key) from error


def _field(name: str) -> str:
    """The proper name of a field."""
    name = ALIASES.get(name, name)
    if not is_known(name):
        raise ContentError(f"no audit event has a field {name!r}")
    return name


# -- conditions


def _all(parts: Sequence[Node]) -> Node:
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _any(parts: Sequence[Node]) -> Node:
    return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))


def _condition(text: str, nodes: Mapping[str, Node]) -> Node:
    if "|" in text:
        raise ContentError("aggregations after '|' are no longer part of Sigma: write a correlation")
    if len(text) > _CONDITION_LIMIT:
        raise ContentError(f"longer than {_CONDITION_LIMIT} characters")
    try:
        tree = SigmaCondition(text, cast("SigmaDetections", None)).parse(postprocess=False)
    except SigmaError as error:
        raise ContentError(f"cannot be parsed: {error}") from error
    return _resolve(tree, nodes)


def _resolve(tree: object, nodes: Mapping[str, Node]) -> Node:
    """A parsed condition with names replaced by their nodes."""
    if isinstance(tree, ConditionIdentifier):
        if tree.identifier not in nodes:
            raise ContentError(f"names '{tree.identifier}', which is not defined")
        return nodes[tree.identifier]
    if isinstance(tree, ConditionSelector):
        return _select(tree, nodes)
    if isinstance(tree, ConditionItem):
        parts = [_resolve(part, nodes) for part in tree.args]
        if isinstance(tree, ConditionNOT):
            return Negate(parts[0])
        if isinstance(tree, ConditionAND):
            return _all(parts)
        if isinstance(tree, ConditionOR):
            return _any(parts)
    raise ContentError(f"{type(tree).__name__} is not supported in conditions")


def _select(selector: ConditionSelector, nodes: Mapping[str, Node]) -> Node:
    """`1 of x*`, `all of them`. Names starting with "_" count only if the pattern starts so (specification)."""
    pattern = "*" if selector.pattern == "them" else selector.pattern
    expression = re.compile(".*".join(map(re.escape, pattern.split("*"))))
    found = [
        node
        for name, node in nodes.items()
        if expression.fullmatch(name) and (pattern.startswith("_") or not name.startswith("_"))
    ]
    if not found:
        raise ContentError(f"no detection is called {selector.pattern}")
    return _all(found) if selector.cond_class is ConditionAND else _any(found)


# -- detection items: field, modifiers, values


def _item(key: object, value: object) -> Node:
    """One `field|modifiers: values`; `key` None is a keyword search."""
    if key is not None and not isinstance(key, str):
        raise ContentError("a field name must be text")
    if value == []:
        raise ContentError("an empty list of values")
    item = SigmaDetectionItem.from_mapping(key, value)  # type: ignore[arg-type]  # it checks the types itself
    modifiers = set(item.modifiers)
    if SigmaExpandModifier in modifiers:
        raise ContentError("placeholders (modifier expand) have no values here")
    if SigmaRegularExpressionModifier in modifiers:
        if not all(isinstance(v, str) for v in (value if isinstance(value, list) else [value])):
            raise ContentError("a regular expression must be text")
        if modifiers & {SigmaStartswithModifier, SigmaEndswithModifier}:
            raise ContentError("anchor a regular expression with ^ or $ instead of startswith or endswith")
    elif item.field is None and modifiers & {SigmaStartswithModifier, SigmaEndswithModifier}:
        raise ContentError("a keyword has no start or end to compare with")
    field = RECORD if item.field is None else _field(item.field)
    cased = SigmaCaseSensitiveModifier in modifiers
    parts = [_value(field, v, cased) for v in item.value]
    node = _all(parts) if item.value_linking is ConditionAND else _any(parts)
    return Negate(node) if item.negated else node


def _value(field: str, value: SigmaType, cased: bool) -> Node:
    """One value after its modifiers."""
    if isinstance(value, SigmaExpansion):
        return _any([_value(field, v, cased) for v in value.values])
    if isinstance(value, SigmaString):
        return _string(field, value, cased)
    if isinstance(value, SigmaRegularExpression):
        return Predicate(field, "re", _regex(value), cased=True)
    if isinstance(value, SigmaTimestampPart):
        raise ContentError("parts of a time (minute, hour, ...) are not supported")
    if field == RECORD:
        if isinstance(value, SigmaNumber):
            return Predicate(field, "contains", str(value.number))
        raise ContentError("a keyword must be text, a number or a regular expression")
    return _typed(field, value, cased)


def _typed(field: str, value: SigmaType, cased: bool) -> Predicate:
    if isinstance(value, SigmaNumber):
        return Predicate(field, "eq", value.number)
    if isinstance(value, SigmaBool):
        return Predicate(field, "eq", value.boolean)
    if isinstance(value, SigmaNull):
        return Predicate(field, "null", None)
    if isinstance(value, SigmaExists):
        return Predicate(field, "exists", value.exists)
    if isinstance(value, SigmaCIDRExpression):
        return Predicate(field, "cidr", str(value.network))
    if isinstance(value, SigmaFieldReference):
        if value.starts_with or value.ends_with:
            raise ContentError(
                "parts of another field's value (fieldref with contains, startswith, ...) cannot be compared"
            )
        return Predicate(field, "fieldeq", _field(value.field), cased)
    if isinstance(value, SigmaCompareExpression) and value.op in _COMPARISONS:
        if isinstance(value.number, SigmaTimestampPart):
            raise ContentError("parts of a time (minute, hour, ...) are not supported")
        return Predicate(field, _COMPARISONS[value.op], value.number.number)
    raise ContentError(f"values of type {type(value).__name__} are not supported")


def _string(field: str, value: SigmaString, cased: bool) -> Predicate:
    """A string, perhaps with wildcards, as the simplest operator that means the same."""
    many, one = SpecialChars.WILDCARD_MULTI, SpecialChars.WILDCARD_SINGLE
    parts = list[object]()
    for part in value.s:
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        elif not (part is many and parts and parts[-1] is many):
            parts.append(part)
    if not all(isinstance(part, str) or part in (many, one) for part in parts):
        raise ContentError("placeholders have no values here")
    if field == RECORD:  # a keyword may stand anywhere in the record
        parts = [*([] if parts[:1] == [many] else [many]), *parts, *([] if parts[-1:] == [many] else [many])]
    match parts:
        case []:
            return Predicate(field, "eq", "", cased)
        case [str(text)]:
            return Predicate(field, "eq", text, cased)
        case [first, str(text), last] if first is many and last is many:
            return Predicate(field, "contains", text, cased)
        case [str(text), last] if last is many:
            return Predicate(field, "startswith", text, cased)
        case [first, str(text)] if first is many:
            return Predicate(field, "endswith", text, cased)
    written = "".join("*" if p is many else "?" if p is one else re.sub(r"[\\*?]", r"\\\g<0>", str(p)) for p in parts)
    return Predicate(field, "wildcard", written, cased)


def _regex(value: SigmaRegularExpression) -> str:
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    text = str(value.regexp)
    expression = f"(?{flags})" + text if flags else text
    try:
        re2.compile(expression, _REGEX_OPTIONS)
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ContentError(f"regular expression cannot be run: {reason}") from error
    return expression


# -- correlation details


def _references(correlation: SigmaCorrelationRule) -> tuple[str, ...]:
    if correlation.rules:
        return tuple(dict.fromkeys(reference.reference for reference in correlation.rules))
    if isinstance(correlation.condition, SigmaExtendedCorrelationCondition):
        return tuple(correlation.condition.get_referenced_rules())
    return ()


def _threshold(correlation: SigmaCorrelationRule, kind: CorrelationType, rules: int) -> int:
    """How many (events, distinct values, rules) the correlation asks for at least."""
    condition = correlation.condition
    if isinstance(condition, SigmaExtendedCorrelationCondition):
        tree = condition.parsed
        plain = isinstance(tree, CorrelationConditionAND) and all(isinstance(a, SigmaRuleReference) for a in tree.args)
        if not plain and not isinstance(tree, SigmaRuleReference):
            raise ContentError("only 'and' over rules is supported in a temporal condition")
        return rules
    operators = SigmaCorrelationConditionOperator
    if condition.op not in (operators.GTE, operators.GT) or condition.count != int(condition.count):
        raise ContentError("only gte and gt with a whole number are supported")
    threshold = int(condition.count) + (condition.op is operators.GT)
    if kind in ("temporal", "temporal_ordered") and threshold != rules:
        raise ContentError("a temporal correlation needs all its rules")
    if threshold < 1:
        raise ContentError("the number must be at least 1")
    return threshold
