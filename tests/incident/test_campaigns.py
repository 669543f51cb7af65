"""Known campaigns: told of what runs like them, in order, with what could not be seen; silent on what is only alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from kubewitness.detect.indicators.pack import shipped
from kubewitness.incident.campaign_templates import SourceKind, Template, read, templates
from kubewitness.incident.campaigns import Trace, match, traces_of
from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.document import Document
from kubewitness.model.errors import ContentError
from kubewitness.model.incident import Evidence, Finding, ObjectName
from kubewitness.model.text import Text
from kubewitness.report.campaign_words import statement
from kubewitness.rules.loader import RuleSet, content_folder

RECORDED = Path(__file__).resolve().parents[2] / "scenarios" / "recorded"
NODE = frozenset[SourceKind](("kubelet_log", "processes", "sockets", "files"))
AUDIT = frozenset[SourceKind](("k8s_audit",))
EVIDENCE = (Evidence("", "item", 1, 0, ""),)


def template(name: str) -> Template:
    return next(one for one in templates() if one.id == f"campaigns/{name}")


def trace(
    rule: str = "", text: str = "", *, act: str = "", obj: str = "", at: float | None = None, identity: str = ""
) -> Trace:
    kind, namespace, name = obj.split("/") if obj else ("", "", "")
    return Trace(
        frozenset((rule,)), act, (ObjectName(kind, namespace, name),) if obj else (), (text,), identity,
        frozenset(), "", at, at, EVIDENCE,
    )  # fmt: skip


FAN_OUT = trace("host/kubelet_exec_fan_out", "apt update --fix-missing", at=10)
SCRIPT = trace("host/download_and_run", "sh /tmp/.x1mr", at=20)
SCAN = trace("host/scanner_process", "/tmp/masscan 10.0.0.0/8 -p10250 --rate=20000", at=90)
CLEAN = trace("host/history_wiped", "history -c", at=40)


def judged(scenario: Path, rules: RuleSet) -> Document:
    return investigate([str(scenario)], rules=rules, options=Options(indicators=shipped()))


@pytest.mark.recordings
@pytest.mark.parametrize("name", ["kubelet_config_commented_out", "kubelet_config_commented_out_1_20"])
def test_the_recorded_worm_runs_like_chimaera_and_what_its_node_cannot_show_is_told(name: str, rules: RuleSet) -> None:
    (incident,) = judged(RECORDED / name / "evidence", rules).incidents
    (found,) = incident.campaigns
    assert found.id == "campaigns/teamtnt_chimaera_kube"
    assert [step.state for step in found.steps] == ["not_visible"] * 4 + ["seen"] * 4
    assert all(step.evidence for step in found.steps if step.state == "seen")
    assert "4 of 8 steps seen, steps 1–4 not visible from this evidence" in statement(found).en
    assert "8 个步骤中已见 4 个，第 1–4 步在现有证据中无法看到" in statement(found).zh


def test_the_honeypots_log_runs_like_rbac_buster(rules: RuleSet) -> None:
    (incident,) = judged(content_folder() / "scenarios" / "rbac_buster", rules).incidents
    (found,) = incident.campaigns
    assert (found.id, found.seen, found.total, found.confidence) == ("campaigns/rbac_buster", 10, 10, "high")


@pytest.mark.recordings
@pytest.mark.parametrize(
    "name",
    [
        "ci_debug_node", "csr_client_certificate", "impersonating_controller", "kube_system_exec", "leaked_kubeconfig",
        "lookalike_cronjob", "malicious_webhook", "nodes_proxy", "pod_token_theft", "quiet_gap_and_rotation",
        "slow_insider", "tenant_breakout",
    ],
)  # fmt: skip
def test_other_intrusions_are_no_known_campaign(name: str, rules: RuleSet) -> None:
    document = judged(RECORDED / name / "evidence", rules)
    assert document.incidents
    assert not any(incident.campaigns for incident in document.incidents)


@pytest.mark.recordings
@pytest.mark.parametrize(
    "name",
    ["backup_and_scanners", "benign_day_quiet", "kubelet_config_twin", "on_call_night", "upgrade_weekend"],
)
def test_a_benign_day_shows_no_indicator_and_no_campaign(name: str, rules: RuleSet) -> None:
    document = judged(RECORDED / name / "evidence", rules)
    assert document.coverage.events
    assert document.incidents == ()
    assert document.findings
    assert not any(finding.rule.startswith("indicators/") for finding in document.findings)


def test_a_campaign_needs_three_steps_one_of_them_its_own() -> None:
    chimaera = template("teamtnt_chimaera_kube")
    assert match(chimaera, [FAN_OUT, SCRIPT, SCAN, CLEAN], NODE)
    assert match(chimaera, [FAN_OUT, SCRIPT], NODE) is None, "two steps"
    assert match(chimaera, [FAN_OUT, SCAN, CLEAN], NODE) is None, "nothing that is theirs alone"
    assert match(chimaera, [FAN_OUT], NODE) is None, "a fan-out alone"


def test_another_miner_in_a_daemonset_is_not_rbac_buster() -> None:
    anonymous = "system:anonymous"
    seen = [
        trace("k8s_audit/credential_access/secrets_accessed_anonymously", act="read", obj="secrets//", at=1),
        trace(act="create", obj="clusterrolebindings//helper", at=2, identity=anonymous),
        trace(act="read", obj="secrets/kube-system/", at=3),
        trace(act="create", obj="daemonsets/kube-system/kube-proxy-helper", at=4),
        trace(act="refused", at=5, identity="system:serviceaccount:kube-system:default"),
    ]
    assert match(template("rbac_buster"), seen, AUDIT) is None


def test_steps_in_the_wrong_order_do_not_count() -> None:
    chimaera = template("teamtnt_chimaera_kube")
    early = CLEAN._replace(first=0.0, last=0.0)
    found = match(chimaera, [FAN_OUT, SCRIPT, SCAN, early], NODE)
    assert found is not None
    assert found.steps[7].state == "out_of_order"
    assert found.seen == 3
    assert match(chimaera, [FAN_OUT, SCRIPT, early], NODE) is None


def test_a_time_that_is_not_known_fits_anywhere_and_a_span_where_it_reaches() -> None:
    chimaera = template("teamtnt_chimaera_kube")
    unknown = CLEAN._replace(first=None, last=None)
    spanning = CLEAN._replace(first=0.0, last=60.0)
    for clean in (unknown, spanning):
        found = match(chimaera, [FAN_OUT, SCRIPT, SCAN, clean], NODE)
        assert found is not None
        assert found.seen == 4


def test_one_thing_seen_counts_for_one_step() -> None:
    everything = trace("host/kubelet_exec_fan_out", "sh /tmp/.x1mr; rm -f /tmp/.x1mr; masscan -p10250 scan_threads.dat")
    assert match(template("teamtnt_chimaera_kube"), [everything], NODE) is None


def test_half_of_what_could_be_seen_must_be_seen() -> None:
    buster = template("rbac_buster")
    some = [
        trace(act="create", obj="daemonsets/kube-system/kube-controller", at=1),
        trace(act="delete", obj="clusterrolebindings//cluster-system-anonymous", at=2),
        trace(act="delete", obj="clusterrolebindings//kube-controller-manager", at=3),
    ]
    assert match(buster, some, AUDIT) is None, "three of ten"
    assert match(buster, some, NODE) is not None, "the rest could not be seen"


def test_the_likeness_of_few_steps_is_called_a_likeness() -> None:
    found = match(template("teamtnt_chimaera_kube"), [FAN_OUT, SCRIPT, SCAN, CLEAN], NODE)
    assert found is not None
    assert statement(replace(found, confidence="low")).en.startswith("resembles")
    assert statement(replace(found, confidence="low")).zh.startswith("类似")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("distinctive: true", "distinctive: false", "could never be told"),
        ("- rule: host/history_wiped", "- command: '('", "command"),
        ("- rule: host/history_wiped", "- {}", "holds of everything"),
        ("seen_in: [kubelet_log]", "seen_in: [crystal_ball]", "crystal_ball"),
        ("active:", "activ:", "activ"),
    ],
)
def test_a_wrong_template_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    text = (content_folder() / "campaigns" / "teamtnt_chimaera_kube.yml").read_text(encoding="utf-8")
    path = tmp_path / "a.yml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ContentError, match=reason):
        read(path)


def test_every_template_names_rules_that_exist(rules: RuleSet) -> None:
    from kubewitness.detect.descriptions import descriptions

    known = {rule.id for rule in rules.rules} | {rule.id for rule in descriptions("host").values()}
    known |= {rule.id for rule in rules.host_rules}
    campaigns = {f"{one.campaign}/{one.type}" for one in shipped().indicators}
    for one in templates():
        for step in one.steps:
            for pattern in step.patterns:
                assert not pattern.rule or pattern.rule in known, pattern.rule
                assert not pattern.indicator or pattern.indicator in campaigns, pattern.indicator
            assert step.title.en
            assert step.title.zh


def test_several_values_of_a_campaign_in_one_file_may_each_show_a_step(rules: RuleSet) -> None:
    (incident,) = judged(RECORDED / "kubelet_config_commented_out" / "evidence", rules).incidents
    matched = {"type": "wallet", "types": "wallet, file_path", "seen": "4abc", "also": "/tmp/.x1mr"}
    nothing = Text("", "")
    one = Finding(
        "F-1", "indicators/teamtnt-chimaera-kube", nothing, nothing, "medium", "high", "activity", (), "n", "", 2,
        "", "", matched=matched, incident=incident.id, evidence=EVIDENCE,
    )  # fmt: skip
    shown = list(traces_of(replace(incident, steps=(), edges=()), [one]))
    assert [sorted(trace.indicators) for trace in shown] == [
        ["teamtnt-chimaera-kube/wallet"],
        ["teamtnt-chimaera-kube/file_path"],
    ]
    assert [trace.texts for trace in shown] == [("4abc", "/tmp/.x1mr"), ()]
