"""The fast engine says of every event what the readable one says: over the whole shipped pack, real and mutated events.

Here it is the scanner that is compared, with its memory, masks and literals, not the matcher alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.detect.part import Part
from kubewitness.detect.reading import readings
from kubewitness.detect.scan import Scanner
from kubewitness.detect.seen import Recent
from kubewitness.model.event import Event
from kubewitness.model.evidence import Place
from kubewitness.rules.compile import Matcher
from kubewitness.rules.ir import Negate, Rule
from kubewitness.rules.loader import RuleSet, content_folder, shipped_rules
from tests.content.rows import read_rows
from tests.corpus import CORPUS, needs_corpus
from tests.detect.scanning import blocks, equals, rule, rule_set
from tests.rules.naive import matching

PACK = shipped_rules()
# Kinds and first_seen decide what is told of a match, not whether there is one.
LOUD = RuleSet(tuple(msgspec.structs.replace(r, kind="intrusion", first_seen=None) for r in PACK.rules))
MATCHER = Matcher(LOUD.rules)
Found = Counter[tuple[str, str]]  # (rule, auditID) → groups it is in


def scanned(lines: Sequence[bytes], rules: RuleSet, matcher: Matcher, memory: int = 1 << 16) -> Found:
    scanner = Scanner(matcher, Part("log", rules), Recent(), memory)
    scanner.lines(blocks(b"\n".join(lines), ()), 0, lambda *_: None)
    part = scanner.finish()
    for mask, event in part.unanswered:
        scanner.answer(mask, event)
    return Counter(
        (r.id, audit_id)
        for key, group in part.matches.items()
        for r in matcher.of(key.rules)
        for audit_id in {audit_id for audit_id, _ in group.requests}
    )


def naive(lines: Iterable[bytes], rules: Sequence[Rule]) -> Found:
    events = [event for line in lines for event in readings(line, Place("log", 1, 0)) if isinstance(event, Event)]
    return Counter((r.id, event.audit_id) for event in events for r in matching(rules, event))


def numbered(events: Iterable[dict[str, Any]]) -> list[bytes]:
    """One stage a request, so that every event is judged."""
    return [
        msgspec.json.encode(event | {"auditID": f"id-{number}", "stage": "ResponseComplete", "level": "Request",
                                     "requestReceivedTimestamp": "2026-03-02T12:00:00.000000Z"})
        for number, event in enumerate(events)
    ]  # fmt: skip


def row_events() -> list[dict[str, Any]]:
    """Every event that matches or nearly matches some shipped rule."""
    out = []
    for path in sorted(content_folder().rglob("*.test.yml")):
        for row in read_rows(path):
            out += [msgspec.json.decode(event.original) for event in row.events[:1]]
    return out


ROWS = row_events()


def test_the_scanner_agrees_on_every_test_row_of_the_pack() -> None:
    lines = numbered(ROWS)
    assert len(lines) > 500
    expected = naive(lines, LOUD.rules)
    assert scanned(lines, LOUD, MATCHER) == expected
    assert len({rule_id for rule_id, _ in expected}) > 150


def test_a_memory_too_small_for_the_log_changes_nothing() -> None:
    lines = numbered(ROWS)
    few = Matcher(LOUD.rules, memo=2)
    assert scanned(lines, LOUD, few, memory=2) == scanned(lines, LOUD, MATCHER)


VALUES = st.sampled_from([None, "", "system:anonymous", "system:masters", "kube-system", "get", "delete", "pods", "*",
                          "secrets", "exec", "curl/8.5.0", "203.0.113.9", 200, 403, True, "cluster-admin"])  # fmt: skip
PLACES = [("user", "username"), ("user", "groups"), ("user", "extra"), ("impersonatedUser", "username"), ("verb",),
          ("sourceIPs",), ("userAgent",), ("objectRef",), ("objectRef", "resource"), ("objectRef", "namespace"),
          ("objectRef", "name"), ("objectRef", "subresource"), ("objectRef", "apiGroup"), ("responseStatus", "code"),
          ("annotations", "authorization.k8s.io/reason"), ("annotations", "authorization.k8s.io/decision"),
          ("requestURI",), ("requestObject",)]  # fmt: skip


def mutated(event: dict[str, Any], place: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The event with one value changed; lists stay lists, so that it stays an audit event."""
    changed: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(event))
    holder: dict[str, Any] = changed
    for key in place[:-1]:
        if not isinstance(holder.get(key), dict):
            holder[key] = {}
        holder = holder[key]
    last = place[-1]
    if last in ("groups", "sourceIPs"):
        value = [str(value)] if value else []
    elif last == "extra":
        value = {"authentication.kubernetes.io/pod-name": [str(value)]}
    elif last == "objectRef" or (last == "requestObject" and not isinstance(value, str)):
        value = None
    elif last != "code" and value is not None:
        value = str(value)
    if value is None:
        holder.pop(last, None)
    else:
        holder[last] = value
    return changed


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_scanner_agrees_on_mutated_events(data: st.DataObject) -> None:
    """Neighbours in one log: events alike but for one part must not be taken for each other."""
    events = []
    for number in data.draw(st.lists(st.integers(0, len(ROWS) - 1), min_size=1, max_size=6)):
        event = ROWS[number]
        events.append(event)
        for _ in range(data.draw(st.integers(0, 5))):
            event = mutated(event, data.draw(st.sampled_from(PLACES)), data.draw(VALUES))
            events.append(event)
    lines = numbered(events)
    assert scanned(lines, LOUD, MATCHER) == naive(lines, LOUD.rules)


@pytest.mark.parametrize(
    ("field", "place", "one", "other"),
    [
        ("user.groups", ("user", "groups"), "admins", "users"),
        ("user.extra.authentication.kubernetes.io/pod-name", ("user", "extra"), "admins", "users"),
        ("annotations.note", ("annotations", "note"), "admins", "users"),
        ("impersonatedUser.username", ("impersonatedUser", "username"), "admins", "users"),
        ("requestURI", ("requestURI",), "admins", "users"),
        ("request.path", ("requestURI",), "admins", "users"),
        ("objectRef.name", ("objectRef", "name"), "admins", "users"),
        ("requestObject", ("requestObject",), "admins", "users"),
    ],
)
@pytest.mark.parametrize("resource", ["pods", ""])
def test_events_that_differ_in_one_part_alone_are_told_apart(
    field: str, place: tuple[str, ...], one: str, other: str, resource: str
) -> None:
    event: dict[str, Any] = {"kind": "Event", "verb": "get", "user": {"username": "jane"}, "sourceIPs": ["10.0.0.5"],
                             "userAgent": "x", "requestURI": "/x", "annotations": {}}  # fmt: skip
    if resource:
        event["objectRef"] = {"resource": resource}
    lines = numbered([mutated(event, place, value) for value in (one, other, one, None, other)])
    rules = rule_set(rule("is", equals(field, one)), rule("is_not", Negate(equals(field, one))))
    assert scanned(lines, rules, Matcher(rules.rules)) == naive(lines, rules.rules)


def corpus_lines() -> Iterable[bytes]:
    assert CORPUS is not None
    paths = [
        CORPUS / "falcosecurity__falco/test/trace_files/k8s_audit",
        CORPUS / "liggitt__audit2rbac/testdata/demo.log",
    ]
    files: list[Path] = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    for file in files:
        yield from file.read_bytes().splitlines()


@needs_corpus
def test_the_scanner_agrees_on_real_events() -> None:
    lines = list(islice(corpus_lines(), 400))
    once = list(dict.fromkeys(lines))
    found, expected = scanned(once, LOUD, MATCHER), naive(once, LOUD.rules)
    assert found.keys() == expected.keys()
    assert len(expected) > 50
