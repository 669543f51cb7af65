"""Any condition, printed as a Sigma rule and parsed again, judges any event as before."""

from __future__ import annotations

import string
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.model.event import Event
from kubewitness.rules.compile import Matcher
from kubewitness.rules.ir import AllOf, AnyOf, Negate, Node, Predicate
from tests.content.rows import make_event
from tests.rules.naive import matches
from tests.rules.writing import load_one

# Small pools, so that rules and events meet; with every character that means something to Sigma, YAML or JSON.
TEXTS = st.one_of(
    st.sampled_from(
        ["get", "GET", "g*t", "g?t", "a\\b", "\\", "*", "?", "", "true", "403", " x ", "- #:", '"', "null"]
    ),
    st.text(alphabet="aA*?\\%1Éé中" + string.punctuation, max_size=4),
)
TEXT_FIELDS = st.sampled_from(["verb", "userAgent", "user.groups", "objectRef.name", "requestObject.a", "level"])
NUMBERS = st.one_of(st.integers(-2, 3), st.sampled_from([200, 403, 0.5, -1.5]))


def escaped(text: str) -> str:
    return "".join("\\" + char if char in "\\*?" else char for char in text)


WILDCARDS = st.lists(st.one_of(st.sampled_from("*?"), TEXTS.map(escaped)), max_size=4).map("".join)

PREDICATES: st.SearchStrategy[Node] = st.one_of(
    st.builds(
        Predicate, TEXT_FIELDS, st.sampled_from(["eq", "contains", "startswith", "endswith"]), TEXTS, st.booleans()
    ),
    st.builds(Predicate, TEXT_FIELDS, st.just("wildcard"), WILDCARDS, st.booleans()),
    st.builds(Predicate, TEXT_FIELDS, st.just("re"), st.sampled_from(["^g.t$", r"\*", "(?i)A", "[?]+"]), st.just(True)),
    st.builds(Predicate, TEXT_FIELDS, st.just("eq"), st.one_of(NUMBERS, st.booleans())),
    st.builds(Predicate, TEXT_FIELDS, st.sampled_from(["lt", "lte", "gt", "gte"]), NUMBERS),
    st.builds(Predicate, TEXT_FIELDS, st.just("exists"), st.booleans()),
    st.builds(Predicate, TEXT_FIELDS, st.just("null"), st.none()),
    st.builds(Predicate, TEXT_FIELDS, st.just("fieldeq"), TEXT_FIELDS, st.booleans()),
    st.builds(
        Predicate, st.just("sourceIPs"), st.just("cidr"), st.sampled_from(["10.0.0.0/8", "::1/128", "0.0.0.0/0"])
    ),
)
CONDITIONS = st.recursive(
    PREDICATES,
    lambda inner: st.one_of(
        st.builds(Negate, inner),
        st.builds(AllOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)
VALUES = st.one_of(TEXTS, NUMBERS, st.booleans(), st.none(), st.lists(st.one_of(TEXTS, NUMBERS, st.none()), max_size=3))
EVENTS = st.builds(
    lambda verb, agent, groups, name, value, address: make_event(
        {
            "verb": verb,
            "userAgent": agent,
            "user": {"groups": groups},
            "objectRef": {"resource": "pods", "name": name},
            "requestObject": {"a": value},
            "sourceIPs": [address],
        }
    ),
    TEXTS, TEXTS, st.lists(TEXTS, max_size=3), TEXTS, VALUES, st.sampled_from(["10.1.2.3", "192.0.2.1", "::1", "x"]),
)  # fmt: skip


def printed(node: Node, detections: dict[str, Any]) -> str:
    """`node` as a Sigma condition; its predicates become named detections."""
    if isinstance(node, Negate):
        return f"not ({printed(node.part, detections)})"
    if isinstance(node, AllOf | AnyOf):
        word = " and " if isinstance(node, AllOf) else " or "
        return word.join(f"({printed(part, detections)})" for part in node.parts)
    name = f"s{len(detections)}"
    detections[name] = dict([item(node)])
    return name


def item(predicate: Predicate) -> tuple[str, Any]:
    """The `field|modifiers: value` of a predicate."""
    modifiers = {"eq": [], "wildcard": [], "null": [], "fieldeq": ["fieldref"]}.get(predicate.op, [predicate.op])
    value = predicate.value
    if isinstance(value, str) and predicate.op in ("eq", "contains", "startswith", "endswith"):
        value = escaped(value)
    cased = ["cased"] if predicate.cased and predicate.op != "re" and isinstance(value, str) else []
    return "|".join([predicate.field, *cased, *modifiers]), value


@settings(max_examples=300, deadline=None)
@given(CONDITIONS, st.lists(EVENTS, min_size=1, max_size=3))
def test_print_parse_evaluate(condition: Node, events: list[Event]) -> None:
    detections: dict[str, Any] = {}
    text = printed(condition, detections)
    with tempfile.TemporaryDirectory() as folder:
        rule = load_one(Path(folder), {**detections, "condition": text})
    matcher = Matcher([rule])
    for event in events:
        expected = matches(condition, event)
        assert matches(rule.condition, event) == expected
        assert bool(matcher.match(event)) == expected
