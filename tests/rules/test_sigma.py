"""Sigma's language, translated: values, modifiers, conditions. What cannot be translated is refused with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import re2

from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.evidence import Place
from kubewitness.rules.compile import compile_node
from kubewitness.rules.ir import AllOf, AnyOf, Negate, Predicate
from tests.content.rows import make_event
from tests.rules.naive import matches
from tests.rules.writing import condition_of, does_match, error_of, load_one, load_texts, rule_text


@pytest.mark.parametrize(
    ("item", "predicate"),
    [
        ({"verb": "get"}, Predicate("verb", "eq", "get")),
        ({"verb|cased": "Get"}, Predicate("verb", "eq", "Get", cased=True)),
        ({"verb": ""}, Predicate("verb", "eq", "")),
        ({"userAgent|contains": "curl"}, Predicate("userAgent", "contains", "curl")),
        ({"userAgent": "*curl*"}, Predicate("userAgent", "contains", "curl")),
        ({"userAgent|startswith|cased": "Curl"}, Predicate("userAgent", "startswith", "Curl", cased=True)),
        ({"userAgent": "curl*"}, Predicate("userAgent", "startswith", "curl")),
        ({"userAgent|endswith": "x"}, Predicate("userAgent", "endswith", "x")),
        ({"userAgent": "c?rl*x"}, Predicate("userAgent", "wildcard", "c?rl*x")),
        ({"userAgent": "*"}, Predicate("userAgent", "wildcard", "*")),
        ({"userAgent": r"a\*b"}, Predicate("userAgent", "eq", "a*b")),
        ({"userAgent": r"a\*b*c\?"}, Predicate("userAgent", "wildcard", r"a\*b*c\?")),
        ({"userAgent": r"C:\x\\*"}, Predicate("userAgent", "startswith", "C:\\x\\")),
        ({"userAgent": r"a\b*c"}, Predicate("userAgent", "wildcard", r"a\\b*c")),
        ({"userAgent|re": "^curl/[0-9]+"}, Predicate("userAgent", "re", "^curl/[0-9]+", cased=True)),
        ({"userAgent|re|i|s": "a.b"}, Predicate("userAgent", "re", "(?is)a.b", cased=True)),
        ({"userAgent|re": r"\*\d?\\"}, Predicate("userAgent", "re", r"\*\d?\\", cased=True)),
        ({"sourceIPs|cidr": "10.0.0.0/8"}, Predicate("sourceIPs", "cidr", "10.0.0.0/8")),
        ({"objectRef.name|exists": False}, Predicate("objectRef.name", "exists", False)),
        ({"objectRef.name": None}, Predicate("objectRef.name", "null", None)),
        ({"responseStatus.code": 403}, Predicate("responseStatus.code", "eq", 403)),
        ({"requestObject.spec.hostPID": True}, Predicate("requestObject.spec.hostPID", "eq", True)),
        ({"responseStatus.code|gte": 400}, Predicate("responseStatus.code", "gte", 400)),
        ({"user.username|fieldref": "impersonatedUser.username"},
         Predicate("user.username", "fieldeq", "impersonatedUser.username")),
        ({"requestURI|base64": "sh"}, Predicate("requestURI", "eq", "c2g=")),
        ({"hostPath": "/etc"}, Predicate("podSpec.hostPath", "eq", "/etc")),
        ({"apiGroup": "apps"}, Predicate("objectRef.apiGroup", "eq", "apps")),
        (["stratum"], Predicate("*", "contains", "stratum")),
        (["a*b"], Predicate("*", "wildcard", "*a*b*")),
        ([4444], Predicate("*", "contains", "4444")),
    ],
    ids=str,
)  # fmt: skip
def test_an_item_becomes_the_simplest_predicate_that_means_the_same(
    item: Any, predicate: Predicate, tmp_path: Path
) -> None:
    assert condition_of(tmp_path, item) == predicate


def test_lists_are_alternatives_and_all_makes_them_demands(tmp_path: Path) -> None:
    get, post = Predicate("requestURI", "contains", "get"), Predicate("requestURI", "contains", "post")
    assert condition_of(tmp_path, {"requestURI|contains": ["get", "post"]}) == AnyOf((get, post))
    assert condition_of(tmp_path, {"requestURI|contains|all": ["get", "post"]}) == AllOf((get, post))


def test_neq_negates_the_whole_item(tmp_path: Path) -> None:
    either = AnyOf((Predicate("verb", "eq", "get"), Predicate("verb", "eq", "list")))
    assert condition_of(tmp_path, {"verb|neq": ["get", "list"]}) == Negate(either)


def test_maps_are_demands_and_lists_of_maps_alternatives(tmp_path: Path) -> None:
    a, b, c = (Predicate("verb", "eq", x) for x in "abc")
    item = [{"verb": "a", "objectRef.name": None}, {"verb": ["b", "c"]}]
    assert condition_of(tmp_path, item) == AnyOf((AllOf((a, Predicate("objectRef.name", "null", None))), AnyOf((b, c))))


@pytest.mark.parametrize(
    ("condition", "verbs"),
    [
        ("s_a or s_b and not s_c", "ab"),
        ("(s_a or s_b) and not s_b", "a"),
        ("1 of s_*", "abc"),
        ("all of s_*", ""),
        ("not 1 of s_*", "dz"),
        ("1 of them", "abcd"),
        ("any of them", "abcd"),
        ("not (s_a or not s_b)", "b"),
        (["s_a", "s_c"], "ac"),
        ("notepad", "d"),
    ],
)
def test_conditions_mean_what_the_specification_says(condition: str, verbs: str, tmp_path: Path) -> None:
    detection = {f"s_{verb}": {"verb": verb} for verb in "abc"}
    rule = load_one(tmp_path, {**detection, "notepad": {"verb": "d"}, "_hidden": {"verb": "z"}, "condition": condition})
    assert "".join(verb for verb in "abcdz" if matches(rule.condition, make_event({"verb": verb}))) == verbs


# -- meaning


def test_an_absent_field_makes_a_negation_true(tmp_path: Path) -> None:
    rule = load_one(tmp_path, {"selection": {"objectRef.namespace": "x"}, "condition": "not selection"})
    assert matches(rule.condition, make_event({"objectRef": {"resource": "nodes"}}))
    assert not matches(rule.condition, make_event({"objectRef": {"resource": "pods", "namespace": "X"}}))


def test_a_list_in_the_event_counts_as_its_elements(tmp_path: Path) -> None:
    item = {"user.groups": "system:masters"}
    assert does_match(tmp_path, item, user={"groups": ["dev", "system:masters"]})
    assert not does_match(tmp_path, item, user={"groups": ["dev", "system:masters2"]})
    assert not does_match(tmp_path, item, user={"groups": []})


def test_case_counts_only_if_the_rule_says_so(tmp_path: Path) -> None:
    assert does_match(tmp_path, {"userAgent|contains": "KUBE-Hunter"}, userAgent="x kube-hunter/1")
    assert not does_match(tmp_path, {"userAgent|contains|cased": "KUBE-Hunter"}, userAgent="x kube-hunter/1")
    assert not does_match(tmp_path, {"userAgent|re": "Hunter"}, userAgent="kube-hunter")
    assert does_match(tmp_path, {"userAgent|re|i": "Hunter"}, userAgent="kube-hunter")


def test_numbers_and_booleans_compare_with_their_text(tmp_path: Path) -> None:
    assert does_match(tmp_path, {"responseStatus.code": "403"}, responseStatus={"code": 403})
    assert does_match(tmp_path, {"responseStatus.code": 403}, responseStatus={"code": "403"})
    assert does_match(tmp_path, {"requestObject.a": "True"}, requestObject={"a": True})
    assert not does_match(tmp_path, {"requestObject.a": 1}, requestObject={"a": True})
    assert does_match(tmp_path, {"responseStatus.code|gt": 399}, responseStatus={"code": 403})
    assert not does_match(tmp_path, {"requestObject.a|lt": 5}, requestObject={"a": False})


def test_null_is_absent_or_null(tmp_path: Path) -> None:
    assert does_match(tmp_path, {"requestObject.a": None}, requestObject={"b": 1})
    assert does_match(tmp_path, {"requestObject.a": None}, requestObject={"b": 1, "a": [None]})
    assert not does_match(tmp_path, {"requestObject.a": None}, requestObject={"a": ""})


def test_escaped_wildcards_are_plain_characters(tmp_path: Path) -> None:
    assert does_match(tmp_path, {"rbac.permissions": r"\* \*"}, **_role("*", "*"))
    assert not does_match(tmp_path, {"rbac.permissions": r"\* \*"}, **_role("get", "pods"))


def _role(verb: str, resource: str) -> dict[str, Any]:
    rule = {"apiGroups": ["*"], "resources": [resource], "verbs": [verb]}
    return {
        "verb": "create",
        "objectRef": {"resource": "clusterroles", "apiGroup": "rbac.authorization.k8s.io", "name": "x"},
        "requestObject": {"kind": "ClusterRole", "metadata": {"name": "x"}, "rules": [rule]},
    }


def test_keywords_search_the_whole_record(tmp_path: Path) -> None:
    assert does_match(tmp_path, ["xmrig", "minerd"], requestObject={"spec": {"command": ["/tmp/XMRig"]}})
    assert not does_match(tmp_path, ["xmrig"], requestObject={"spec": {"command": ["nginx"]}})


def test_a_keyword_is_found_however_json_writes_it(tmp_path: Path) -> None:
    condition = condition_of(tmp_path, ['bash -i >& "x"', "矿池"])
    for written in (r"bash -i >& \"x\"", r"bash -i \u003e\u0026 \"x\"", "矿池", r"\u77ff\u6c60"):
        data = b'{"verb":"create","requestURI":"' + written.encode() + b'"}'
        event = Event(msgspec.json.decode(data, type=AuditRecord), Place("x", 1, 0), data)
        assert matches(condition, event), written


def test_a_regular_expression_that_would_explode_elsewhere_ends_quickly(tmp_path: Path) -> None:
    assert not does_match(tmp_path, {"userAgent|re": "^(a+)+$"}, userAgent="a" * 5000 + "!")


# -- what is refused


@pytest.mark.parametrize(
    ("detection", "complaint"),
    [
        ({"s": {"verb|frobnicate": "x"}}, "frobnicate"),
        ({"s": {"verb|expand": "%admins%"}}, "expand"),
        ({"s": {"user.username|re": "(?=x)"}}, "invalid"),
        ({"s": {"user.username|re": "(a{1000}){1000}"}}, "invalid"),
        ({"s": {"user.username|re": 5}}, "must be text"),
        ({"s": {"user.username|re|startswith": "x"}}, "anchor"),
        ({"s": {"sourceIPs|cidr": "10.0.0.1/8"}}, "host bits"),
        ({"s": {"responseStatus.code|gte": "many"}}, "incompatible"),
        ({"s": {"verb|fieldref|contains": "level"}}, "another field"),
        ({"s": {"requestReceivedTimestamp|hour": 3}}, "parts of a time"),
        ({"s": {"CommandLine": "x"}}, "no audit event has a field 'CommandLine'"),
        ({"s": {"podSpec.privilegd": True}}, "podSpec.privilegd"),
        ({"s": {"verb": {"a": 1}}}, "Unsupported type"),
        ({"s": {"verb": []}}, "empty list"),
        ({"s": {}}, "empty detection"),
        ({"s": [None]}, "keyword"),
        ({"s": {"|startswith": "x"}}, "keyword"),
        ({"s": {"verb": "x"}, "timeframe": "5m"}, "correlation"),
        ({"s": {"verb": "x"}, "condition": "s and t"}, "'t', which is not defined"),
        ({"s": {"verb": "x"}, "condition": "1 of t*"}, "no detection"),
        ({"s": {"verb": "x"}, "condition": "s | count() > 5"}, "correlation"),
        ({"s": {"verb": "x"}, "condition": "s and"}, "cannot be parsed"),
        ({"s": {"verb": "x"}, "condition": 5}, "condition"),
        ({"s": {"verb": "x"}, "condition": "not " * 900 + "s"}, "nested too deeply"),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_what_cannot_be_expressed_is_an_error_with_its_place(
    detection: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    message = error_of(tmp_path, {"condition": "s", **detection})
    assert message.startswith("rule.yml:")
    assert complaint in message


def test_an_error_names_the_line_of_the_field_and_all_errors_are_told(tmp_path: Path) -> None:
    text = (
        "title: t\nlogsource: {product: kubernetes, service: audit}\ndetection:\n  good: {verb: get}\n"
        "  bad:\n    - verb: get\n    - objectRef.nme: x\n      verb|foo: y\n"
        "  condition: good and bad or ugly\nlevel: grave\n"
    )
    loaded = load_texts(tmp_path, r=text)
    assert loaded.rules == ()
    assert [error.line for error in loaded.errors] == [7, 8, 9, 10]


def test_rules_for_other_logs_are_skipped_not_errors(tmp_path: Path) -> None:
    windows = rule_text({"s": {"Image|foo": "x"}, "condition": "s"}, logsource={"product": "windows"})
    deprecated = rule_text({"s": {"verb": "x"}, "condition": "s"}, status="deprecated")
    loaded = load_texts(tmp_path, windows=windows, deprecated=deprecated, workflow="on: push\n")
    assert (loaded.rules, loaded.errors) == ((), ())
    assert [reason for _, reason in loaded.skipped] == [
        "status deprecated",
        "log source windows is not read",
        "not a Sigma rule",
    ]


# -- what the file says about itself


def test_rules_of_others_get_careful_defaults(tmp_path: Path) -> None:
    detection = {"s": {"verb": "get"}, "condition": "s"}
    rule = load_one(tmp_path, detection, tags=["attack.t1552.007", "attack.credential-access"], falsepositives=["x"])
    assert (rule.kind, rule.severity, rule.confidence) == ("activity", "medium", "medium")
    assert rule.techniques == ("T1552.007",)
    assert (rule.title.zh, rule.falsepositives[0].zh) == ("A rule", "x")
    assert load_one(tmp_path, detection, level="low").confidence == "low"


def test_our_own_block_sets_the_rest(tmp_path: Path) -> None:
    zh = {"title": "规则", "description": "说明", "runbook": "看", "falsepositives": ["甲"]}
    block = {"confidence": "high", "kind": "intrusion", "runbook": "Look.", "zh": zh}
    rule = load_one(
        tmp_path,
        {"s": {"verb": "get"}, "condition": "s"},
        description="d\n", level="critical", falsepositives=["a"], kubewitness=block,
    )  # fmt: skip
    assert (rule.severity, rule.confidence, rule.kind) == ("critical", "high", "intrusion")
    assert (rule.description.en, rule.description.zh, rule.runbook.zh) == ("d", "说明", "看")
    assert [(text.en, text.zh) for text in rule.falsepositives] == [("a", "甲")]


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"kubewitness": {"kind": "attack"}}, "kind 'attack' is none of"),
        ({"kubewitness": {"confidnce": "high"}}, "unknown key 'confidnce'"),
        ({"kubewitness": ["high"]}, "must be a mapping"),
        ({"level": "severe"}, "level 'severe' is none of"),
        ({"falsepositives": "none"}, "must be a list"),
        ({"title": None}, "needs a title"),
        ({"action": "global"}, "no longer part of Sigma"),
    ],
    ids=str,
)
def test_wrong_metadata_is_an_error(more: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    assert complaint in error_of(tmp_path, {"s": {"verb": "get"}, "condition": "s"}, **more)


def test_a_bad_pattern_is_told_by_its_error_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(re2.error):
        compile_node(Predicate("userAgent", "re", "(a"))
    for value in ("(a", ["b", "(?=a)"]):
        assert "regular expression" in error_of(tmp_path, {"a": {"userAgent|re": value}, "condition": "a"}).lower()
    assert capfd.readouterr() == ("", "")


def test_a_value_of_countless_wildcards_is_an_error_of_that_rule(tmp_path: Path) -> None:
    """RE2 would refuse it only when all rules are compiled, and take the others down with it."""
    value = "*a" * 2_000 + "*b?c"
    assert "wildcards" in error_of(tmp_path, {"a": {"userAgent": value}, "condition": "a"})
