r"""Sigma's language → the intermediate form of `rules.ir`. The only module that knows the Sigma parser.

pySigma parses conditions, values, modifiers and correlations (it knows the language best); this module walks its
objects and writes `Predicate`, `AllOf`, `AnyOf`, `Negate`. Whatever has no exact counterpart is a `ContentError`, never
a weaker rule. `rules.rule_file` calls it for the parts of a file and adds the line.

Conventions of the result, beyond what `rules.ir` says:

* `wildcard`: `*` is any run of characters, `?` exactly one, `\*` `\?` `\\` are the characters themselves. The pattern
  always covers the whole string. `*x*`, `x*` and `*x` become contains, startswith and endswith.
* `re`: RE2 syntax (linear time, so no expression of a foreign rule can hang a run), *searched* in the value,
  case-sensitive unless the expression says `(?i)`; Sigma's flags i, m, s are put in front as inline flags.
* keywords: `contains`, `wildcard` or `re` on the field "*", the record's own JSON text; a keyword is also sought in the
  spellings that JSON writers give it (`\u003c` for `<`), an expression is not. Of a machine's events it is the line.

Which fields there are depends on the log source (`Language`).

Source: Sigma specification 2.x: rules, modifiers, correlation rules, filters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import NamedTuple, cast

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
from kubewitness.rules.documents import Document
from kubewitness.rules.fields import ALIASES, is_known
from kubewitness.rules.host_sources import field_of
from kubewitness.rules.ir import (
    RECORD,
    AllOf,
    AnyOf,
    CorrelationType,
    Negate,
    Node,
    Op,
    Predicate,
)

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
_WILDCARD_LIMIT = 1000  # pieces of one value; RE2 refuses far larger patterns, and only when they are compiled
_CONDITION_LIMIT = 4000  # characters; the condition parser is slow on very long ones

_REGEX_OPTIONS = re2.Options()
_REGEX_OPTIONS.log_errors = False


Spelling = Callable[[str], str]


def _field(name: str) -> str:
    """The proper name of a field."""
    name = ALIASES.get(name, name)
    if not is_known(name):
        raise ContentError(f"no audit event has a field {name!r}")
    return name


def _as_go_writes(text: str) -> str:
    escaped = json.dumps(text, ensure_ascii=False)[1:-1]
    return re.sub("[<>&\u2028\u2029]", lambda m: f"\\u{ord(m[0]):04x}", escaped)


def _as_ascii(text: str) -> str:
    return json.dumps(text)[1:-1]


class Language(NamedTuple):
    """What the rules of a log source may say."""

    field: Callable[[str], str]  # the proper name of a field; raises ContentError if there is none
    spellings: tuple[Spelling, ...]  # how a keyword may stand in a record


AUDIT_EVENTS = Language(_field, (str, _as_go_writes, _as_ascii))


def language_of(source: str) -> Language:
    """How rules of a log source of Linux may speak: of its own fields, and of text as it was written."""
    return Language(partial(field_of, source), (str,))


def check_aliases(document: Document) -> None:
    """Refuse YAML whose aliases expand without bounds.

    Raises:
        ContentError: they do.
    """
    try:
        check_alias_expansion(document.value)
    except SigmaError as error:
        raise document.error(str(error)) from error


# -- conditions


def all_of(parts: Sequence[Node]) -> Node:
    """All parts, without a wrapper around a single one."""
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def any_of(parts: Sequence[Node]) -> Node:
    """Any part, without a wrapper around a single one."""
    return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))


def parse_condition(text: str, nodes: Mapping[str, Node]) -> Node:
    """A condition over named detections.

    Raises:
        ContentError: it is not one, or names what is not there.
    """
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
            return all_of(parts)
        if isinstance(tree, ConditionOR):
            return any_of(parts)
    raise ContentError(f"{type(tree).__name__} is not supported in conditions")


def _select(selector: ConditionSelector, nodes: Mapping[str, Node]) -> Node:
    """`1 of x*`, `all of them`. Names starting with "_" count only if the pattern starts so (specification)."""
    pattern = "*" if selector.pattern == "them" else selector.pattern
    found = [
        node
        for name, node in nodes.items()
        if fnmatchcase(name, pattern) and (pattern.startswith("_") or not name.startswith("_"))
    ]
    if not found:
        raise ContentError(f"no detection is called {selector.pattern}")
    return all_of(found) if selector.cond_class is ConditionAND else any_of(found)


# -- detection items: field, modifiers, values


def parse_item(key: object, value: object, language: Language = AUDIT_EVENTS) -> Node:
    """One `field|modifiers: values`; `key` None is a keyword search.

    Raises:
        ContentError: it has no exact counterpart.
    """
    try:
        return _item(key, value, language)
    except (SigmaError, AttributeError, TypeError) as error:
        raise ContentError(str(error)) from error


def _item(key: object, value: object, language: Language) -> Node:
    if key is not None and not isinstance(key, str):
        raise ContentError("a field name must be text")
    if value == []:
        raise ContentError("an empty list of values")
    if key is not None and "re" in key.split("|")[1:]:
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str):
                _check_regex(text)  # before the parser tries it, which lets RE2 write to standard error
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
    field = RECORD if item.field is None else language.field(item.field)
    cased = SigmaCaseSensitiveModifier in modifiers
    parts = [_value(field, v, cased, language) for v in item.value]
    node = all_of(parts) if item.value_linking is ConditionAND else any_of(parts)
    return Negate(node) if item.negated else node


def _value(field: str, value: SigmaType, cased: bool, language: Language) -> Node:
    """One value after its modifiers."""
    if isinstance(value, SigmaExpansion):
        return any_of([_value(field, v, cased, language) for v in value.values])
    if isinstance(value, SigmaString):
        return _keyword(value, cased, language) if field == RECORD else _string(field, _pieces(value), cased)
    if isinstance(value, SigmaRegularExpression):
        return Predicate(field, "re", _regex(value), cased=True)
    if isinstance(value, SigmaTimestampPart):
        raise ContentError("parts of a time (minute, hour, ...) are not supported")
    if field == RECORD:
        if isinstance(value, SigmaNumber):
            return Predicate(field, "contains", str(value.number))
        raise ContentError("a keyword must be text, a number or a regular expression")
    return _typed(field, value, cased, language)


def _typed(field: str, value: SigmaType, cased: bool, language: Language) -> Predicate:
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
        return Predicate(field, "fieldeq", language.field(value.field), cased)
    if isinstance(value, SigmaCompareExpression) and value.op in _COMPARISONS:
        if isinstance(value.number, SigmaTimestampPart):
            raise ContentError("parts of a time (minute, hour, ...) are not supported")
        return Predicate(field, _COMPARISONS[value.op], value.number.number)
    raise ContentError(f"values of type {type(value).__name__} are not supported")


_MANY, _ONE = SpecialChars.WILDCARD_MULTI, SpecialChars.WILDCARD_SINGLE


def _pieces(value: SigmaString) -> list[str | SpecialChars]:
    """Text and wildcards in turn: texts joined, repeated `*` once."""
    pieces = list[str | SpecialChars]()
    for piece in value.s:
        if not isinstance(piece, str | SpecialChars):
            raise ContentError("placeholders have no values here")
        last = pieces[-1] if pieces else None
        if isinstance(piece, str) and isinstance(last, str):
            pieces[-1] = last + piece
        elif piece is not _MANY or last is not _MANY:
            pieces.append(piece)
    return pieces


def _string(field: str, pieces: list[str | SpecialChars], cased: bool) -> Predicate:
    """The simplest operator that means the same."""
    match pieces:
        case []:
            return Predicate(field, "eq", "", cased)
        case [str(text)]:
            return Predicate(field, "eq", text, cased)
        case [first, str(text), last] if first is _MANY and last is _MANY:
            return Predicate(field, "contains", text, cased)
        case [str(text), last] if last is _MANY:
            return Predicate(field, "startswith", text, cased)
        case [first, str(text)] if first is _MANY:
            return Predicate(field, "endswith", text, cased)
    if len(pieces) > _WILDCARD_LIMIT:
        raise ContentError(f"more than {_WILDCARD_LIMIT} wildcards and texts in one value")
    written = [re.sub(r"[\\*?]", r"\\\g<0>", p) if isinstance(p, str) else "*" if p is _MANY else "?" for p in pieces]
    return Predicate(field, "wildcard", "".join(written), cased)


def _keyword(value: SigmaString, cased: bool, language: Language) -> Node:
    """A text anywhere in the record, as it is or as JSON is written: Go escapes <, > and &, others all but ASCII."""
    pieces = _pieces(value)
    pieces = [*([] if pieces[:1] == [_MANY] else [_MANY]), *pieces, *([] if pieces[-1:] == [_MANY] else [_MANY])]
    found = list[Predicate]()
    for spell in language.spellings:
        predicate = _string(RECORD, [spell(p) if isinstance(p, str) else p for p in pieces], cased)
        if predicate not in found:
            found.append(predicate)
    return any_of(found)


def _regex(value: SigmaRegularExpression) -> str:
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    text = str(value.regexp)
    expression = f"(?{flags})" + text if flags else text
    _check_regex(expression)
    return expression


def _check_regex(expression: str) -> None:
    try:
        re2.compile(expression, _REGEX_OPTIONS)
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ContentError(f"regular expression cannot be run: {reason}") from error


# -- correlations


class Correlation(msgspec.Struct, frozen=True):
    """A `correlation:` section; `rules` and `aliases` name rules as the file does."""

    type: CorrelationType
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    timespan: float
    threshold: int
    value_field: str
    aliases: dict[str, dict[str, str]]
    generate: bool  # its base rules are findings of their own as well


def parse_correlation(document: Document) -> Correlation:
    """The correlation of a document.

    Raises:
        ContentError: it cannot be run as written.
    """
    try:
        parsed = SigmaCorrelationRule.from_dict(dict(document.value), collect_errors=True)
    except (SigmaError, TypeError, ValueError, AttributeError) as error:
        raise document.error(str(error), "correlation") from error
    if parsed.errors:
        raise document.error("; ".join(str(error) for error in parsed.errors), "correlation")
    kind = _CORRELATION_TYPES.get(parsed.type.name)
    if kind is None:
        raise document.error(f"correlation type {parsed.type.name.lower()} is not supported", "correlation", "type")
    rules = _references(parsed)
    if not rules:
        raise document.error("a correlation needs rules", "correlation", "rules")

    def field(name: str, key: str) -> str:
        try:
            return _field(name)
        except ContentError as error:
            raise document.error(error.message, "correlation", key) from error

    aliases = {
        alias.alias: {ref.reference: field(name, "aliases") for ref, name in alias.mapping.items()}
        for alias in parsed.aliases
    }
    strangers = {rule for mapping in aliases.values() for rule in mapping} - set(rules)
    if strangers:
        message = f"aliases name {', '.join(sorted(strangers))}: no rule of it"
        raise document.error(message, "correlation", "aliases")
    try:
        threshold = _threshold(parsed, kind, len(rules))
        counted = _counted_field(parsed, kind)
    except ContentError as error:
        raise document.error(error.message, "correlation", "condition") from error
    return Correlation(
        type=kind,
        rules=rules,
        group_by=tuple(name if name in aliases else field(name, "group-by") for name in parsed.group_by or ()),
        timespan=float(parsed.timespan.seconds),
        threshold=threshold,
        value_field=counted,
        aliases=aliases,
        generate=parsed.generate,
    )


def _counted_field(correlation: SigmaCorrelationRule, kind: CorrelationType) -> str:
    """The field whose distinct values a value_count counts."""
    if kind != "value_count" or isinstance(correlation.condition, SigmaExtendedCorrelationCondition):
        return ""
    if not isinstance(correlation.condition.fieldref, str):
        raise ContentError("value_count needs one field to count")
    return _field(correlation.condition.fieldref)


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
