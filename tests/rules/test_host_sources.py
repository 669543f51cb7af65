"""Rules that name a log source of Linux load with its fields, apart from those about audit events of Kubernetes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kubewitness.rules.ir import Predicate
from kubewitness.rules.loader import load_rules
from tests.rules.writing import LOGSOURCE, load_texts, rule_text

CREATION = {"product": "linux", "category": "process_creation"}
CURL = {"s": {"Image|endswith": "/curl"}, "condition": "s"}


def refused(folder: Path, item: dict[str, Any], logsource: dict[str, str]) -> str:
    loaded = load_texts(folder, rule=rule_text({"s": item, "condition": "s"}, logsource=logsource))
    assert loaded.host_rules == ()
    (error,) = loaded.errors
    return str(error).removeprefix(f"{folder}/")


@pytest.mark.parametrize(
    ("logsource", "name"),
    [
        ({"product": "linux"}, "linux"),
        (CREATION, "process_creation"),
        ({"product": "linux", "service": "auditd"}, "auditd"),
        ({"product": "linux", "service": "sudo"}, "sudo"),
    ],
)
def test_a_rule_knows_its_log_source(logsource: dict[str, str], name: str, tmp_path: Path) -> None:
    loaded = load_texts(tmp_path, rule=rule_text({"s": ["word"], "condition": "s"}, logsource=logsource))
    assert [rule.log_source for rule in loaded.host_rules] == [name]
    assert loaded.rules == ()


@pytest.mark.parametrize(
    "logsource",
    [
        {"product": "linux", "service": "postfix"},
        {"product": "linux", "category": "dns_query"},
        {**CREATION, "service": "auditd"},
        {"category": "process_creation"},
        {"product": "windows", "category": "process_creation"},
    ],
)
def test_what_is_never_read_is_skipped_with_the_reason(logsource: dict[str, str], tmp_path: Path) -> None:
    loaded = load_texts(tmp_path, rule=rule_text(CURL, logsource=logsource))
    assert (loaded.rules, loaded.host_rules, loaded.errors) == ((), (), ())
    assert [reason for _, reason in loaded.skipped] == [f"log source {'/'.join(_named(logsource))} is not read"]


def _named(logsource: dict[str, str]) -> list[str]:
    return [logsource[key] for key in ("product", "category", "service") if key in logsource]


def test_a_misspelt_field_is_an_error_with_its_line(tmp_path: Path) -> None:
    told = refused(tmp_path, {"Image|endswith": "/curl", "Commandline|contains": "x"}, CREATION)
    assert told == (
        "rule.yml:8: Commandline|contains: process_creation has no field 'Commandline'; did you mean 'CommandLine'?"
    )
    auditd = {"product": "linux", "service": "auditd"}
    assert "auditd has no field 'exee'" in refused(tmp_path, {"exee": "/bin/sh"}, auditd)
    assert "file_event has no field 'DestinationIp'" in refused(
        tmp_path, {"DestinationIp": "192.0.2.1"}, {"product": "linux", "category": "file_event"}
    )


def test_a_field_that_no_evidence_tells_is_none(tmp_path: Path) -> None:
    item = {"OriginalFileName": "x", "Hashes|contains": "SHA256="}
    loaded = load_texts(tmp_path, rule=rule_text({"s": item, "condition": "s"}, logsource=CREATION))
    assert [rule.fields for rule in loaded.host_rules] == [("Hashes", "OriginalFileName")]


def test_keywords_of_a_machine_are_sought_as_they_are_written(tmp_path: Path) -> None:
    """The lines are text, no JSON: `<` has one spelling."""
    loaded = load_texts(tmp_path, rule=rule_text({"s": ["a < b"], "condition": "s"}, logsource={"product": "linux"}))
    assert loaded.host_rules[0].condition == Predicate("*", "contains", "a < b")


def filter_text(logsource: dict[str, str], field: str = "User") -> str:
    section = {"rules": "any", "ours": {field: "backup"}, "condition": "not ours"}
    return yaml.safe_dump({"title": "F", "logsource": logsource, "filter": section})


def test_a_filter_reaches_the_rules_of_its_log_source_alone(tmp_path: Path) -> None:
    texts = {
        "curl": rule_text(CURL, logsource=CREATION),
        "words": rule_text({"s": ["word"], "condition": "s"}, logsource={"product": "linux", "service": "sshd"}),
        "cluster": rule_text({"s": {"verb": "get"}, "condition": "s"}, logsource=LOGSOURCE),
    }
    load_texts(tmp_path, **texts)
    plain = load_rules([tmp_path])
    narrow = load_texts(tmp_path, f=filter_text(CREATION))
    assert narrow.errors == ()
    assert [rule.fields for rule in narrow.host_rules] == [("Image", "User"), ("*",)]
    wide = load_texts(tmp_path, f=filter_text({"product": "linux"}))
    assert [rule.fields for rule in wide.host_rules] == [("Image", "User"), ("*", "User")]
    cluster = load_texts(tmp_path, f=filter_text(LOGSOURCE, "user.username"))
    assert cluster.host_rules == plain.host_rules
    assert narrow.rules == wide.rules == plain.rules != cluster.rules


def test_correlations_and_first_seen_are_refused_not_weakened(tmp_path: Path) -> None:
    correlation = {"type": "event_count", "rules": ["curl"], "group-by": ["user.username"], "timespan": "5m"}
    loaded = load_texts(
        tmp_path,
        curl=rule_text(CURL, logsource=CREATION),
        many=yaml.safe_dump({"title": "C", "correlation": {**correlation, "condition": {"gte": 3}}}),
        new=rule_text(CURL, logsource=CREATION, kubewitness={"first_seen": {"fields": ["verb"]}}),
    )
    assert [rule.id for rule in loaded.host_rules] == ["curl"]
    assert [error.message for error in loaded.errors] == [
        "correlates rule 'curl', which is about machines: only audit events are correlated",
        "first_seen is for audit events: it needs a whole log",
    ]
