"""Kinds of evidence: absent, partial and present are told apart, and what is missing is told for the case at hand."""

from __future__ import annotations

from pathlib import Path

from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.incident import SourceCoverage
from kubewitness.rules.loader import RuleSet
from tests.incident.conftest import Investigate
from tests.incident.logs import Log
from tests.incident.verdicts.test_pace import STOLEN, log_of_a_theft

LOGIN = "Nov 20 03:59:12 node1 sshd[812]: Accepted password for root from 192.0.2.1 port 9 ssh2\n"


def sources(judged: Investigate, log: Log) -> dict[str, SourceCoverage]:
    return {one.source: one for one in judged(log).coverage.sources}


def test_of_an_audit_log_alone_all_else_is_absent_and_says_what_it_would_have_shown(judged: Investigate) -> None:
    found = sources(judged, log_of_a_theft())
    absent = {name for name, one in found.items() if one.state == "absent"}
    assert absent == found.keys() - {"k8s_audit"}
    assert all(found[name].would_show.en and found[name].would_show.zh for name in absent)


def test_no_audit_log_is_absent_and_claims_nothing(tmp_path: Path, rules: RuleSet) -> None:
    (tmp_path / "auth.log").write_text(LOGIN)
    document = investigate([str(tmp_path)], rules=rules, options=Options())
    found = {one.source: one for one in document.coverage.sources}
    assert (found["k8s_audit"].state, found["logins"].state) == ("absent", "present")
    assert "says nothing about whether an intrusion took place" in found["k8s_audit"].detail.en


def test_a_level_without_bodies_is_partial_and_names_the_intruders_writes(judged: Investigate) -> None:
    log = log_of_a_theft()
    log.request("patch", "deployments", at="14:01", namespace="shop", name="web", **STOLEN)
    one = sources(judged, log)["k8s_audit"]
    assert one.state == "partial"
    assert "what 1 of the intruder's writes contained" in one.would_show.en
    assert "which values its reads returned" in one.would_show.en


def test_a_shell_makes_the_typed_commands_what_is_missing(judged: Investigate) -> None:
    log = log_of_a_theft()
    log.request("create", "pods", at="14:03", namespace="shop", name="web-1", subresource="exec", code=101,
                query="?command=sh", **STOLEN)  # fmt: skip
    assert "typed into the shell in shop/web-1" in sources(judged, log)["process_events"].would_show.en


def test_what_a_source_says_no_limitation_repeats(judged: Investigate) -> None:
    document = judged(log_of_a_theft())
    said = " ".join(text.en for text in document.coverage.limitations)
    assert "level Metadata" not in said
    assert "kubelet" not in said
