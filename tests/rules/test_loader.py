"""Folders of rules become one set: ids, filters, correlations; nothing wrong in them stops the rest."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubewitness.model.errors import UsageError
from kubewitness.rules.ir import AllOf, Predicate
from kubewitness.rules.loader import RuleSet, load_rules, shipped_rules
from tests.content.rows import make_event
from tests.rules.naive import matches
from tests.rules.writing import LOGSOURCE, load_texts, rule_text

GET = {"s": {"verb": "get"}, "condition": "s"}


def correlation_text(rules: list[str], kind: str = "event_count", title: str = "C", **more: Any) -> str:
    body = {"type": kind, "rules": rules, "group-by": more.pop("group_by", ["user.username"]), "timespan": "5m", **more}
    if kind == "event_count":
        body.setdefault("condition", {"gte": 3})
    return yaml.safe_dump({"title": title, "correlation": body, "level": "high"})


def filter_text(rules: Any, logsource: Any = LOGSOURCE) -> str:
    section = {"rules": rules, "ours": {"user.username": "robot"}, "condition": "not ours"}
    return yaml.safe_dump({"title": "F", "logsource": logsource, "filter": section})


def complaints(loaded: RuleSet, folder: Path) -> list[str]:
    return [str(error).removeprefix(f"{folder}/") for error in loaded.errors]


def test_the_id_is_the_path_below_the_folder_and_the_order_is_that_of_the_ids(tmp_path: Path) -> None:
    loaded = load_texts(tmp_path, z=rule_text(GET), a__deep__x=rule_text(GET), b=rule_text(GET))
    assert [rule.id for rule in loaded.rules] == ["a/deep/x", "b", "z"]


def test_test_rows_hidden_folders_and_other_files_are_no_rules(tmp_path: Path) -> None:
    (tmp_path / "x.test.yml").write_text("match: []")
    (tmp_path / "notes.txt").write_text("- [")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.yml").write_text("- [")
    assert load_rules([tmp_path]) == RuleSet()


def test_a_broken_file_is_reported_and_the_others_load(tmp_path: Path) -> None:
    loaded = load_texts(
        tmp_path,
        bad="title: x\ndetection: [",
        list="- a\n- b",
        twice="title: x\ndetection:\n  s:\n    verb: get\n    verb: list\n  condition: s",
        deep="[" * 100_000,
        alias="a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ndetection: [*d,*d,*d,*d]",
        good=rule_text(GET),
    )
    (tmp_path / "latin.yml").write_bytes(b"title: ok\ndescription: \xe9\n")
    loaded = load_rules([tmp_path])
    assert [rule.id for rule in loaded.rules] == ["good"]
    told = complaints(loaded, tmp_path)
    assert [text.split(": ")[0] for text in told] == [
        "alias.yml:1", "bad.yml:2", "deep.yml:1", "latin.yml:2", "list.yml:1", "twice.yml:5",
    ]  # fmt: skip
    assert "written twice" in told[5]


def test_a_folder_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        load_rules([tmp_path / "x"])


def test_a_single_file_may_be_named(tmp_path: Path) -> None:
    load_texts(tmp_path, a__x=rule_text(GET), a__y=rule_text(GET))
    assert [rule.id for rule in load_rules([tmp_path / "a" / "x.yml"]).rules] == ["x"]


def test_several_documents_in_a_file_are_several_rules(tmp_path: Path) -> None:
    text = rule_text(GET, name="base") + "---\n" + correlation_text(["base"], title="burst") + "---\n"
    loaded = load_texts(tmp_path, both=text)
    assert (complaints(loaded, tmp_path), [rule.id for rule in loaded.rules]) == ([], ["both#base"])
    assert [(c.id, c.rules) for c in loaded.correlations] == [("both#2", ("both#base",))]


def test_a_name_taken_twice_is_an_error(tmp_path: Path) -> None:
    loaded = load_texts(tmp_path, a=rule_text(GET, name="x"), b=rule_text(GET, name="X"))
    assert [rule.id for rule in loaded.rules] == ["a"]
    assert complaints(loaded, tmp_path) == ["b.yml:1: 'x' is already the name of a"]


def test_the_same_file_named_by_two_folders_is_loaded_once(tmp_path: Path) -> None:
    load_texts(tmp_path, a__x=rule_text(GET))
    loaded = load_rules([tmp_path, tmp_path / "a"])
    assert ([rule.id for rule in loaded.rules], loaded.errors) == (["a/x"], ())


# -- filters


def test_a_filter_excludes_from_the_rules_it_names_and_no_other(tmp_path: Path) -> None:
    identifier = "5013f332-a38b-4b8a-a2f6-1ec5f0ce7a3f"
    loaded = load_texts(
        tmp_path, a=rule_text(GET, id=identifier), b=rule_text(GET), c=rule_text(GET, name="see"),
        f=filter_text([identifier.upper(), "see"]),
    )  # fmt: skip
    robot = make_event({"verb": "get", "user": {"username": "robot"}})
    assert loaded.errors == ()
    assert [rule.id for rule in loaded.rules if matches(rule.condition, robot)] == ["b"]
    assert all(matches(rule.condition, make_event({"verb": "get"})) for rule in loaded.rules)
    assert loaded.rules[0].fields == ("user.username", "verb")


def test_a_filter_for_any_rule_of_a_category_leaves_the_others(tmp_path: Path) -> None:
    loaded = load_texts(
        tmp_path,
        a=rule_text(GET, logsource={**LOGSOURCE, "category": "application"}),
        b=rule_text(GET),
        f=filter_text("any", {"product": "kubernetes", "category": "application"}),
    )
    assert [isinstance(rule.condition, AllOf) for rule in loaded.rules] == [True, False]


def test_a_filter_that_names_no_rule_is_an_error(tmp_path: Path) -> None:
    loaded = load_texts(tmp_path, a=rule_text(GET), f=filter_text(["a", "bb"]))
    assert complaints(loaded, tmp_path) == ["f.yml:1: filter names rule 'bb', which is not loaded"]
    assert isinstance(loaded.rules[0].condition, AllOf)


def test_a_shipped_rule_can_be_tuned_by_a_filter_of_the_site(tmp_path: Path) -> None:
    shipped = shipped_rules().rules
    if not shipped:
        pytest.skip("no rule is shipped yet")
    (tmp_path / "f.yml").write_text(filter_text([shipped[0].id]))
    loaded = load_rules([tmp_path], shipped=True)
    assert not [error for error in loaded.errors if error.path == tmp_path / "f.yml"]
    tuned = next(rule for rule in loaded.rules if rule.id == shipped[0].id)
    assert isinstance(tuned.condition, AllOf)
    assert tuned.condition.parts[0] == shipped[0].condition


# -- correlations


def test_a_correlation_is_read_with_ids_in_place_of_names(tmp_path: Path) -> None:
    text = correlation_text(
        ["one", "b"],
        "value_count",
        condition={"gt": 4, "field": "requestURI"},
        timespan="2h",
        group_by=["who", "hostPath"],
        aliases={"who": {"one": "user.username", "b": "apiGroup"}},
    )
    loaded = load_texts(tmp_path, a=rule_text(GET, name="one"), b=rule_text(GET), c=text)
    assert loaded.errors == ()
    (correlation,) = loaded.correlations
    assert (correlation.type, correlation.rules, correlation.threshold) == ("value_count", ("a", "b"), 5)
    assert (correlation.timespan, correlation.value_field) == (7200.0, "requestURI")
    assert correlation.group_by == ("who", "podSpec.hostPath")
    assert correlation.aliases == {"who": {"a": "user.username", "b": "objectRef.apiGroup"}}


def test_base_rules_of_others_only_feed_their_correlation_unless_it_says_generate(tmp_path: Path) -> None:
    texts = {
        "a": rule_text(GET),
        "b": rule_text(GET),
        "c": rule_text(GET, kubewitness={"kind": "exposure"}),
        "d": correlation_text(["a", "c"], "temporal"),
        "e": correlation_text(["b"], generate=True),
    }
    loaded = load_texts(tmp_path, **texts)
    assert [rule.kind for rule in loaded.rules] == ["context", "activity", "exposure"]
    assert [c.threshold for c in loaded.correlations] == [2, 3]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (correlation_text(["nowhere"]), "correlates rule 'nowhere', which is not loaded"),
        (correlation_text(["c"]), "correlates rule 'c', which is itself a correlation"),
        (correlation_text(["a"], "value_sum", condition={"gte": 3, "field": "verb"}), "value_sum is not supported"),
        (correlation_text(["a"], "near", condition={"gte": 1}), "no valid Sigma correlation type"),
        (correlation_text(["a"], condition={"lte": 3}), "only gte and gt"),
        (correlation_text(["a"], condition={"gte": 2.5}), "whole number"),
        (correlation_text(["a"], "value_count", condition={"gte": 3}), "without field reference"),
        (correlation_text(["a"], "value_count", condition={"gte": 3, "field": ["verb", "level"]}), "one field"),
        (correlation_text(["a"], timespan="soon"), "Timespan"),
        (correlation_text(["a"], group_by=["User"]), "no audit event has a field 'User'"),
        (correlation_text(["a", "b"], "temporal", condition="a or b"), "only 'and'"),
        (correlation_text(["a", "b"], "temporal", condition={"gte": 1}), "needs all its rules"),
        (correlation_text(["a"], aliases={"x": {"b": "verb"}}), "aliases name b"),
    ],
)
def test_a_correlation_that_cannot_be_run_is_an_error(text: str, complaint: str, tmp_path: Path) -> None:
    loaded = load_texts(tmp_path, a=rule_text(GET), b=rule_text(GET), c=text)
    assert loaded.correlations == ()
    assert len(loaded.errors) == 1
    assert complaint in str(loaded.errors[0])
    assert loaded.errors[0].line


def test_a_correlation_over_rules_for_other_logs_is_skipped_with_them(tmp_path: Path) -> None:
    windows = rule_text(GET, logsource={"product": "windows"}, name="win")
    loaded = load_texts(tmp_path, a=windows, c=correlation_text(["win"]))
    assert (loaded.correlations, loaded.errors) == ((), ())
    assert loaded.skipped[1] == (tmp_path / "c.yml", "rule 'win' was skipped")


# -- the package's own


def test_the_shipped_pack_loads_without_a_complaint() -> None:
    assert [str(error) for error in shipped_rules().errors] == []


def test_a_pack_of_150_rules_loads_well_under_a_second(tmp_path: Path) -> None:
    detection = {
        "a": {"verb": ["create", "patch"], "objectRef.resource": "pods"},
        "b": {"podSpec.images|contains": ["x", "y"]},
        "c": {"user.kind": ["controlPlane", "node"]},
        "condition": "a and 1 of b* and not c",
    }
    for i in range(150):
        (tmp_path / f"r{i}.yml").write_text(rule_text({**detection, "d": {"verb": f"v{i}"}}))
    start = time.process_time()
    loaded = load_rules([tmp_path])
    assert time.process_time() - start < 1.0
    assert len(loaded.rules) == 150
    assert isinstance(loaded.rules[0].condition, AllOf)
    assert isinstance(loaded.rules[0].condition.parts[0], AllOf | Predicate)
