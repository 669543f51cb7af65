"""The test rows that lie beside the rules: `<name>.test.yml`.

    match:     [{why: ..., event: {...}}]      the rule must match
    near_miss: [{why: ..., event: {...}}]      it must not: benign neighbours

An `event` is merged into TEMPLATE: mappings deeply, lists as a whole, a null takes a key away. What a row leaves out is
filled in as an API server would: requestURI from objectRef, the decision from the status code. Rules about machines
have events of `host_rows`. Correlations and rules with `first_seen` have `events: [{at: seconds, event: {...}}, ...]`
in place of `event`: the whole log.

For authors: `.venv/bin/python -m tests.content.rows [PATH...]` runs the rows of the rules named (files, folders or
words of their id; all without arguments) and prints what fails.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import yaml

from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.evidence import Place
from kubewitness.rules.ir import CorrelationRule, Rule
from kubewitness.rules.loader import RuleSet, content_folder, load_rules, shipped_rules
from tests.content.engines import run_correlation, run_first_seen, run_rule
from tests.content.host_rows import make_host_event, run_host_rule

TEMPLATE: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "RequestResponse",
    "stage": "ResponseComplete",
    "verb": "get",
    "user": {"username": "alice", "groups": ["system:authenticated"]},
    "sourceIPs": ["10.0.0.5"],
    "userAgent": "kubectl/v1.31.0 (linux/amd64) kubernetes/9edcffc",
    "responseStatus": {"metadata": {}, "code": 200},
    "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
}
_START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
_DECISION = "authorization.k8s.io/decision"


@dataclass(frozen=True)
class Row:
    """One test row: what happens, and whether the rule must speak."""

    path: Path
    line: int
    why: str
    expected: bool
    events: tuple[Any, ...]  # of the audit log, or of a machine

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {'match' if self.expected else 'near_miss'}: {self.why}"


def rows_of(rule: Rule | CorrelationRule) -> tuple[Row, ...]:
    """The rows beside a rule. Raises ValueError with path and line if they are none."""
    about_machines = isinstance(rule, Rule) and rule.log_source
    return read_rows(rows_file(rule), make_host_event if about_machines else make_event)


def read_rows(path: Path, make: Callable[[Mapping[str, Any], float, int], Any] | None = None) -> tuple[Row, ...]:
    """The rows of a test file, in its order. Raises ValueError with path and line if it is not one."""
    make = make or make_event
    text = path.read_text(encoding="utf-8")
    document = yaml.load(text, Loader=yaml.CSafeLoader)
    if not isinstance(document, dict) or not set(document) <= {"match", "near_miss"}:
        raise ValueError(f"{path}:1: test rows have the keys match and near_miss")
    lines = _row_lines(text)
    return tuple(
        _row(path, lines[key][i], key == "match", row, make)
        for key in document
        for i, row in enumerate(document[key] or ())
    )


def _row(path: Path, line: int, expected: bool, row: Any, make: Callable[[Mapping[str, Any], float, int], Any]) -> Row:
    if not isinstance(row, dict) or not set(row) <= {"why", "event", "events"} or not isinstance(row.get("why"), str):
        raise ValueError(
            f"{path}:{line}: a row has why (text, in quotes if it is a word like no) and event (or events)"
        )
    given = row["events"] if "events" in row else [{"at": 0, "event": row.get("event") or {}}]
    try:
        events = tuple(make(item.get("event") or {}, item.get("at", 0), i) for i, item in enumerate(given))
    except (ValueError, msgspec.ValidationError) as error:
        raise ValueError(f"{path}:{line}: {error}") from error
    return Row(path, line, str(row["why"]), expected, events)


def _row_lines(text: str) -> dict[str, list[int]]:
    node = yaml.compose(text, Loader=yaml.CSafeLoader)
    assert isinstance(node, yaml.MappingNode)
    return {
        key.value: [item.start_mark.line + 1 for item in value.value]
        for key, value in node.value
        if isinstance(value, yaml.SequenceNode)
    }


def make_event(given: Mapping[str, Any], at: float = 0, number: int = 0) -> Event:
    """An audit event out of the few keys a row names."""
    event = merged(TEMPLATE, given)
    time = (_START + timedelta(seconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    event.setdefault("auditID", f"00000000-0000-4000-8000-{number:012d}")
    event.setdefault("requestReceivedTimestamp", time)
    event.setdefault("stageTimestamp", time)
    if "requestURI" not in given:
        event["requestURI"] = request_uri(event)
    if event["stage"] == "RequestReceived" and "responseStatus" not in given:
        event.pop("responseStatus", None)
    code = (event.get("responseStatus") or {}).get("code")
    if code in (401, 403) and _DECISION not in (given.get("annotations") or {}):
        # 403 is the authorizer's answer; a credential refused with 401 never got as far as the authorizer.
        event["annotations"] = merged(event.get("annotations") or {}, {_DECISION: "forbid" if code == 403 else None})
    data = msgspec.json.encode(event)
    return Event(msgspec.json.decode(data, type=AuditRecord), Place("row", number + 1, 0, len(data)), data)


def merged(template: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` over `template`: mappings deeply, null deletes, all else replaces."""
    result = deepcopy(dict(template))
    for key, value in given.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        else:
            result[key] = deepcopy(value)
    return result


def request_uri(event: Mapping[str, Any]) -> str:
    """The path a client asks for to reach `objectRef`."""
    ref = event.get("objectRef") or {}
    if not ref.get("resource"):
        return "/"
    group, version = ref.get("apiGroup"), ref.get("apiVersion") or "v1"
    parts = [f"/apis/{group}/{version}" if group else f"/api/{version}"]
    if ref.get("namespace") and ref["resource"] != "namespaces":
        parts += ["namespaces", ref["namespace"]]
    # A create names its object in the body, not in the path (unless it creates a subresource).
    name = ref.get("name") if event.get("verb") != "create" or ref.get("subresource") else None
    parts += [ref["resource"], *([name] if name else []), *([ref["subresource"]] if ref.get("subresource") else [])]
    query = "?watch=true" if event.get("verb") == "watch" else ""
    return "/".join(str(part) if i == 0 else quote(str(part)) for i, part in enumerate(parts)) + query


def rows_file(rule: Rule | CorrelationRule) -> Path:
    """Where a rule's rows lie."""
    return rule.path.with_name(rule.path.stem + ".test.yml")


def failures(rule: Rule | CorrelationRule, rules: RuleSet) -> Iterator[str]:
    """What is wrong with a rule, judged by its rows."""
    path = rows_file(rule)
    if not path.is_file():
        yield f"{rule.path}:1: no test rows beside it ({path.name})"
        return
    try:
        rows = rows_of(rule)
    except (ValueError, yaml.YAMLError) as error:
        yield str(error)
        return
    for row in rows:
        if isinstance(rule, CorrelationRule):
            spoke = run_correlation(rule, rules, row.events)
        elif rule.log_source:
            spoke = any(run_host_rule(rule, event) for event in row.events)
        elif rule.first_seen is not None:
            spoke = run_first_seen(rule, row.events)
        else:
            spoke = any(run_rule(rule, event) for event in row.events)
        if spoke != row.expected:
            yield f"{row} — the rule {'matched' if spoke else 'did not match'}"


def _chosen(rules: RuleSet, words: Sequence[str]) -> list[Rule | CorrelationRule]:
    everything: list[Rule | CorrelationRule] = [*rules.rules, *rules.host_rules, *rules.correlations]
    if not words:
        return everything
    return [rule for rule in everything if any(_means(word, rule) for word in words)]


def _means(word: str, rule: Rule | CorrelationRule) -> bool:
    path = Path(word)
    if path.exists():
        place = (
            Path(str(path.resolve()).removesuffix(".test.yml") + ".yml")
            if word.endswith(".test.yml")
            else path.resolve()
        )
        return rule.path.resolve().is_relative_to(place)
    return word in rule.id


def main(words: Sequence[str]) -> int:
    """Run the rows of the rules that `words` mean; paths outside the shipped content are loaded in addition."""
    content = content_folder().resolve()
    outside = [Path(word) for word in words if Path(word).exists() and not Path(word).resolve().is_relative_to(content)]
    rules = load_rules(outside, shipped=True) if outside else shipped_rules()
    chosen = _chosen(rules, words)
    complaints = [str(error) for error in rules.errors]
    for rule in chosen:
        complaints.extend(failures(rule, rules))
    for complaint in complaints:
        print(complaint.replace(f"{Path.cwd()}/", ""))  # noqa: T201
    print(f"{len(chosen)} rules run, {len(_chosen(rules, ()))} loaded, {len(complaints)} complaints")  # noqa: T201
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
