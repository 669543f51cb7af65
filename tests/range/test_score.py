"""The scoreboard: a right answer scores fully, and every figure falls when it should."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from kubewitness.model.document import Document
from kubewitness.model.incident import Evidence, RootCause
from kubewitness.model.judgement import Severity
from range import score as scoreboard
from range.labels import LabelledActor, LabelledRequest, LabelledStep, Labels, write_labels
from range.score_figures import matched, score
from range.score_page import PageError, compare, page, rows_of, table
from range.score_recording import RecordingError, contradictions, read
from range.score_row import Accusation, Row, Share
from range.script import ExpectedIncident, Script
from tests.incident.logs import DOOR, Log, binding
from tests.range.made_up import LABELS, OFFICE, THIEF, USER, WANTED, cited, finding, incident, report, script, step

ATTACK = script(WANTED)
PRESENT = frozenset(request.audit_id for request in LABELS.requests)


def row_of(found: Document, played: Script = ATTACK, labels: Labels = LABELS) -> Row:
    return score("made_up", played, labels, found).row


PERFECT = row_of(report(incident()))


def fallen(now: Row, before: Row = PERFECT) -> set[str]:
    return {change.figure for change in compare(before, now) if change.better < 0}


# -- figures -----------------------------------------------------------------------------------------------------------


def test_a_right_report_scores_fully_and_nothing_against_it() -> None:
    assert Row(
        "made_up", "attack", recall=Share(4, 4), precision=Share(4, 4), steps=Share(3, 3), order=Share(2, 2),
        entry=Share(1, 1), cause=Share(1, 1), identities=Share(1, 1), addresses=Share(1, 1), seen=Share(1, 1),
        evidence=3,
    ) == PERFECT  # fmt: skip
    assert score("made_up", ATTACK, LABELS, report(incident())).remarks == ()


def test_a_missed_request_lowers_recall_alone_and_is_named() -> None:
    found = report(incident(("t1", "t3", "t4")))
    assert fallen(row_of(found)) == {"recall"}
    assert row_of(found).recall == Share(3, 4)
    assert any("missed" in remark and "t2" in remark for remark in score("made_up", ATTACK, LABELS, found).remarks)


def test_a_benign_request_attributed_lowers_precision_alone_and_its_owner_is_named() -> None:
    found = report(incident(("t1", "t2", "t3", "t4", "b1")))
    assert fallen(row_of(found)) == {"precision"}
    assert row_of(found).precision == Share(4, 5)
    assert any("ci" in remark and "b1" in remark for remark in score("made_up", ATTACK, LABELS, found).remarks)


def test_a_request_listed_twice_counts_once() -> None:
    assert row_of(report(incident(("t1", "t1", "t2", "t3", "t4")))) == PERFECT


def test_a_step_that_no_step_cites_is_missing_and_breaks_both_its_neighbours() -> None:
    now = row_of(report(incident(steps=(("t1",), ("t4",)))))
    assert (now.steps, now.order) == (Share(2, 3), Share(0, 2))


def test_steps_told_in_the_wrong_order_lower_order_alone() -> None:
    now = row_of(report(incident(steps=(("t3",), ("t1", "t2"), ("t4",)))))
    assert (now.steps, now.order) == (Share(3, 3), Share(1, 2))
    assert fallen(now) == {"steps in order"}


def test_labelled_steps_folded_into_one_keep_their_order_within_it() -> None:
    assert row_of(report(incident(steps=(("t1", "t3"), ("t4",))))).order == Share(2, 2)
    assert row_of(report(incident(steps=(("t3", "t1"), ("t4",))))).order == Share(1, 2)


def test_a_step_done_again_later_stands_where_it_was_done_first() -> None:
    again = LabelledStep("thief", "looks", "end", "2026-03-02T11:30:00.000000Z", "2026-03-02T11:30:01.000000Z")
    labels = replace(LABELS, steps=(again, *LABELS.steps))
    assert row_of(report(incident()), labels=labels).order == Share(2, 2)


@pytest.mark.parametrize("entry", [("somebody", THIEF), (USER, OFFICE), None])
def test_an_entry_point_is_right_only_with_its_identity_and_its_address(entry: tuple[str, str] | None) -> None:
    assert fallen(row_of(report(incident(entry=entry)))) >= {"entry points right"}


@pytest.mark.parametrize("cause", [("ClusterRoleBinding", "other"), ("Setting", "jane"), None])
def test_a_wrong_or_no_root_cause_falls(cause: tuple[str, str] | None) -> None:
    assert fallen(row_of(report(incident(cause=cause)))) == {"root causes right"}


def test_any_expected_root_cause_is_right_a_namespaced_one_with_or_without_its_namespace() -> None:
    cause = RootCause("RoleBinding", "open", "shop")
    for name in ("RoleBinding/open", "RoleBinding/shop/open"):
        wanted = replace(WANTED, root_causes=("Setting/other", name))
        assert row_of(report(replace(incident(), root_causes=(cause,))), script(wanted)).cause == Share(1, 1)


def test_identities_and_addresses_fall_when_one_lacks_and_when_one_is_too_many() -> None:
    assert fallen(row_of(report(incident(identities=())))) == {"identities complete"}
    assert fallen(row_of(report(incident(identities=(USER, "joe"))))) == {"identities too many"}
    assert fallen(row_of(report(incident(addresses=())))) == {"addresses complete"}
    assert fallen(row_of(report(incident(addresses=(THIEF, OFFICE))))) == {"addresses too many"}


def test_an_address_written_as_an_actors_name_or_left_out_is_the_labelled_one() -> None:
    for written in ("thief", ""):
        wanted = replace(WANTED, entry_address=written, addresses=(written,) if written else ())
        assert row_of(report(incident()), script(wanted)) == PERFECT
        assert row_of(report(incident(entry=(USER, OFFICE))), script(wanted)).entry == Share(0, 1)


def test_the_address_a_pod_got_belongs_to_its_intruder_though_the_script_cannot_know_it() -> None:
    pod = "10.244.1.7"
    actors = {
        **LABELS.actors,
        "inside": LabelledActor("intruder", (pod,)),
        "unheard": LabelledActor("intruder", ("x",)),
    }
    labels = replace(LABELS, actors=actors, requests=(*LABELS.requests, LabelledRequest("i1", "inside")))
    played = script(replace(WANTED, actors=("thief", "inside", "unheard"), entry_address=""))
    now = row_of(report(incident(addresses=(THIEF, pod), entry=(USER, pod))), played, labels)
    assert (now.addresses, now.addresses_surplus, now.entry) == (Share(2, 2), 0, Share(1, 1))


def test_what_the_script_does_not_expect_is_not_asked() -> None:
    now = row_of(report(incident()), script(ExpectedIncident(("thief",), "", THIEF)))
    assert (now.cause, now.identities, now.identities_surplus) == (Share(), Share(), 0)
    assert now.entry == Share(1, 1)


def test_an_incident_that_was_missed_has_every_answer_wrong() -> None:
    now = row_of(report())
    assert (now.seen, now.too_few, now.recall, now.entry, now.order) == (
        Share(0, 1), 1, Share(0, 4), Share(0, 1), Share(0, 2),
    )  # fmt: skip
    assert fallen(now) >= {"incidents seen", "incidents too few", "recall", "root causes right", "identities complete"}


def test_an_incident_that_is_nobodys_is_too_many_and_all_its_requests_are_wrong() -> None:
    now = row_of(report(incident(), incident(("b1", "s1"), steps=())))
    assert fallen(now) == {"incidents too many", "precision"}
    assert now.precision == Share(4, 6)
    assert now.accusations == (Accusation("", "high", 2),)


def test_one_intruder_told_as_two_incidents_is_one_too_many() -> None:
    now = row_of(report(incident(("t4",), steps=(("t4",),)), incident(("t1", "t2", "t3"))))
    assert (now.seen, now.too_many, now.recall) == (Share(1, 1), 1, Share(3, 4))


def test_incidents_are_paired_one_to_one_so_that_most_is_shared() -> None:
    labels = replace(
        LABELS,
        actors={**LABELS.actors, "other": LabelledActor("intruder", ("198.51.100.4",))},
        requests=(*LABELS.requests, *(LabelledRequest(f"o{n}", "other", "") for n in (1, 2, 3))),
    )
    played = script(WANTED, ExpectedIncident(("other",), "", "198.51.100.4"))
    merged = incident(("t1", "t2", "t3", "o1", "o2", "o3"))
    now = row_of(report(merged, incident(("t1", "t4"))), played, labels)
    # The thief shares more with the first (3), but then the other would have none: 2 + 3 is more than 3.
    assert (now.seen, now.recall) == (Share(2, 2), Share(2 + 3, 4 + 3))
    assert row_of(report(merged), played, labels).too_few == 1
    assert matched((), (incident(),)) == ()


def test_on_a_benign_day_every_incident_and_every_high_finding_counts() -> None:
    quiet = script(kind="benign")
    labels = replace(LABELS, requests=tuple(request for request in LABELS.requests if request.actor != "thief"))
    calm = row_of(report(findings=[finding("medium", "a1")]), quiet, labels)
    assert (calm.too_many, calm.benign_high) == (0, 0)
    severe = [finding("high", "a1"), finding("high", "s1"), finding("critical", "b1")]
    loud = row_of(report(incident(("b1",), steps=()), findings=severe), quiet, labels)
    assert (loud.too_many, loud.benign_high) == (1, 3)
    assert {"incidents too many", "high findings on a benign scenario"} <= fallen(loud, calm)
    assert loud.accusations[1:] == (Accusation("made_up_rule", "critical", 1), Accusation("made_up_rule", "high", 2))
    assert "- made_up (benign): rule made_up_rule, high, findings: 2" in page([loud]).splitlines()


@pytest.mark.parametrize(
    ("severity", "requests", "accused"),
    [
        ("high", ("b1",), 1),
        ("critical", ("b1", "s1"), 1),
        ("high", ("b1", "t1"), 0),  # the intruder is among them
        ("high", ("a1",), 0),  # the administrator's mistake may be the way in
        ("high", ("s1",), 0),  # the cluster carries out what others asked
        ("medium", ("b1",), 0),
    ],
)
def test_on_an_attack_a_high_finding_accuses_falsely_if_it_cites_benign_actors_only(
    severity: Severity, requests: tuple[str, ...], accused: int
) -> None:
    now = row_of(report(incident(), findings=[finding(severity, *requests)]))
    assert (now.accused, now.benign_high) == (accused, 0)
    assert fallen(now) == ({"findings that accuse only benign actors"} if accused else set())


def test_a_piece_of_evidence_cited_twice_is_read_once() -> None:
    assert PERFECT.evidence == 3  # t1 proves the entry, the cause and a step
    now = row_of(report(replace(incident(), steps=(*incident().steps, step(4, "b1")))))
    assert now.evidence == 4
    assert fallen(now) == {"evidence to read"}


def test_more_evidence_for_a_better_answer_is_no_fall() -> None:
    worse = row_of(report(incident(("t1", "t2"), steps=(("t1",),))))
    assert fallen(PERFECT, worse) == set()


# -- what the audit log cannot show ------------------------------------------------------------------------------------

SILENT = script(replace(WANTED, identities=(), entry_identity="", root_causes=("Setting/kubelet",)), silent=True)
MUTE = replace(LABELS, requests=tuple(request for request in LABELS.requests if request.actor != "thief"))


def test_an_attack_that_only_host_evidence_shows_is_not_asked_of_the_audit_log() -> None:
    now = row_of(report(), SILENT, MUTE)
    assert (now.seen, now.needs_host_evidence, now.too_few, now.recall, now.cause) == (
        Share(0, 1), 1, 0, Share(), Share(),
    )  # fmt: skip
    assert any("needs host evidence" in line for line in table([now]))


def test_an_incident_invented_for_it_is_too_many() -> None:
    before, now = (row_of(found, SILENT, MUTE) for found in (report(), report(incident(("b1",), addresses=(OFFICE,)))))
    assert now.seen == Share(0, 1)
    assert "incidents too many" in fallen(now, before)


def test_citing_a_labelled_line_of_a_node_shows_it_and_is_better() -> None:
    line = Evidence("", "evidence/nodes/node1/kubelet.log.gz", 7, 0, "")
    entry = RootCause("Setting", "kubelet", evidence=(line,))
    shown = replace(incident((), steps=(), addresses=(), entry=None), root_causes=(entry,))
    before, now = row_of(report(), SILENT, MUTE), row_of(report(shown), SILENT, MUTE)
    assert (now.seen, now.needs_host_evidence, now.cause, now.too_many) == (Share(1, 1), 0, Share(1, 1), 0)
    assert fallen(now, before) == set()
    assert "incidents seen" in fallen(before, now)


# -- recordings that contradict themselves -----------------------------------------------------------------------------


def test_a_recording_whose_parts_fit_has_no_contradiction() -> None:
    assert tuple(contradictions(ATTACK, LABELS, PRESENT)) == ()


def test_audit_ids_on_one_side_only_are_named() -> None:
    assert [*contradictions(ATTACK, LABELS, PRESENT - {"t3"})] == ["labelled but not in the evidence: t3"]
    assert [*contradictions(ATTACK, LABELS, PRESENT | {"x9"})] == ["in the evidence but not labelled: x9"]


def test_labels_that_name_unknown_actors_or_steps_are_refused() -> None:
    strange = (LabelledRequest("t1", "nobody"), LabelledRequest("t2", "thief", "sings"), LabelledRequest("t3", "thief"))
    found = "\n".join(contradictions(ATTACK, replace(LABELS, requests=strange), frozenset({"t1", "t2", "t3"})))
    assert "'nobody'" in found
    assert "'sings'" in found


def test_a_script_that_is_wrong_about_what_the_log_shows_is_refused() -> None:
    assert "are in the log" in "".join(contradictions(script(WANTED, silent=True), LABELS, PRESENT))
    mute = frozenset(request.audit_id for request in MUTE.requests)
    assert "no request of thief is in the log" in "".join(contradictions(ATTACK, MUTE, mute))


# -- page and comparison -----------------------------------------------------------------------------------------------


def test_the_page_gives_its_figures_back_and_has_the_same_bytes_in_any_order() -> None:
    rows = (PERFECT, replace(PERFECT, scenario="another", too_many=3, accusations=(Accusation("r", "high", 2),)))
    assert rows_of(page(rows)) == (rows[1], rows[0])
    assert page(rows) == page(rows[::-1])
    assert all(len(line) == len(table(rows)[0]) for line in table(rows))


@pytest.mark.parametrize("text", ["", "# Scoreboard\n", page([PERFECT]).replace("format 1", "format 99")])
def test_a_page_without_readable_figures_is_refused(text: str) -> None:
    with pytest.raises(PageError):
        rows_of(text)


def test_all_is_said_only_of_all() -> None:
    assert "1999/2000 = 99.9 %" in table([replace(PERFECT, recall=Share(1999, 2000))])[2]


def test_a_share_falls_when_less_is_right_or_it_is_no_longer_asked_not_when_only_its_size_changes() -> None:
    before = replace(PERFECT, recall=Share(4, 8))
    assert fallen(replace(before, recall=Share(5, 11)), before) == {"recall"}
    assert fallen(replace(before, recall=Share()), before) == {"recall"}
    assert [change.better for change in compare(before, replace(before, recall=Share(2, 4)))] == [0]
    assert [change.better for change in compare(before, replace(before, recall=Share(5, 8)))] == [1]


# -- the command -------------------------------------------------------------------------------------------------------

SCRIPT = f"""
title: {{en: made up, zh: 虚构}}
about: {{en: made up, zh: 虚构}}
actors:
  thief: {{role: intruder, address: {THIEF}}}
  office: {{role: administrator, address: 198.51.100.20}}
phases:
  - name: attack
    steps:
      - {{actor: thief, as: anonymous, step: steals, request: {{path: /api/v1/secrets}}}}
expected:
  incidents:
    - actors: [thief]
      entry_identity: system:anonymous
      entry_address: {THIEF}
      root_causes: [ClusterRoleBinding/anonymous-admin]
      identities: [system:anonymous]
      addresses: [{THIEF}]
"""


def record(scenarios: Path, name: str = "open_door") -> Path:
    """A recorded scenario: an anonymous intruder behind an open door, and the quiet cluster around."""
    folder = scenarios / "recorded" / name
    (folder / "evidence" / "control-plane").mkdir(parents=True)
    (folder / "scenario.yaml").write_text(SCRIPT)
    log = Log()
    log.quiet_day(11, 13)
    log.admin("create", "clusterrolebindings", at="11:59", name="anonymous-admin",
              body=binding("anonymous-admin", "ClusterRole cluster-admin", "User system:anonymous"))  # fmt: skip
    thief = [
        log.request(verb, resource, at=f"12:{minute}", by="system:anonymous", address=THIEF, reason=DOOR,
                    agent="curl/7.64.0", namespace="kube-system", name=name)
        for minute, verb, resource, name in (
            (30, "list", "secrets", ""), (31, "get", "secrets", "bootstrap"), (32, "delete", "deployments", "api"),
        )
    ]  # fmt: skip
    log.write(folder / "evidence" / "control-plane" / "audit.log.gz")
    ids = dict.fromkeys(event["auditID"] for event in log.events)
    labels = Labels(
        scenario=name, recorded="2026-03-02T13:00:00.000000Z", kubernetes="v1.34.4",
        actors={"thief": LabelledActor("intruder", (THIEF,)), "others": LabelledActor("benign")},
        steps=(LabelledStep("thief", "steals", "attack", "2026-03-02T12:30:00.000000Z", "2026-03-02T12:33:00Z"),),
        requests=tuple(
            LabelledRequest(one, "thief", "steals") if one in thief else LabelledRequest(one, "others") for one in ids
        ),
    )  # fmt: skip
    write_labels(folder / "labels.json", labels)
    return folder


@pytest.fixture
def answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of scenarios with one recorded, whose investigation finds nothing at once."""
    record(tmp_path)
    monkeypatch.setattr(scoreboard, "investigate", lambda evidence: report())
    return tmp_path


def test_a_recorded_scenario_is_investigated_scored_written_and_found_unchanged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path)
    assert scoreboard.main(["--json", str(tmp_path / "score.json")], tmp_path) == 0
    (row,) = rows_of((tmp_path / "SCORE.md").read_text())
    assert (row.recall, row.precision, row.seen, row.entry, row.cause) == (
        Share(3, 3), Share(3, 3), Share(1, 1), Share(1, 1), Share(1, 1),
    )  # fmt: skip
    assert json.loads((tmp_path / "score.json").read_text())["total"]["recall"] == [3, 3]
    assert scoreboard.main(["--check"], tmp_path) == 0
    assert "No figure differs" in capsys.readouterr().out


def test_a_fallen_figure_is_told_with_scenario_and_both_values_and_fails(
    answered: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scoreboard.main([], answered)
    committed = answered / "SCORE.md"
    (row,) = rows_of(committed.read_text())
    committed.write_text(page([replace(row, recall=Share(2, 3))]))
    assert scoreboard.main(["--check"], answered) == 1
    assert "open_door: recall: 2/3 -> 0/3" in capsys.readouterr().out
    assert rows_of(committed.read_text())[0].recall == Share(2, 3)  # --check writes nothing


def test_an_improved_figure_is_told_and_passes(answered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scoreboard.main([], answered)
    (row,) = rows_of((answered / "SCORE.md").read_text())
    (answered / "SCORE.md").write_text(page([replace(row, too_many=2)]))
    assert scoreboard.main(["--check"], answered) == 0
    assert "open_door: incidents too many: 2 -> 0" in capsys.readouterr().out


def test_a_scenario_only_on_one_side_and_a_page_changed_by_hand_fail(
    answered: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scoreboard.main(["--check"], answered) == 1
    assert "SCORE.md: it is missing; run make score" in capsys.readouterr().err
    scoreboard.main([], answered)
    committed = answered / "SCORE.md"
    honest = committed.read_text()
    for changed, told in (
        (page([]), "open_door: not in SCORE.md; run make score"),
        (page([*rows_of(honest), PERFECT]), "made_up: in SCORE.md but not recorded"),
        (honest.replace("0/3 = 0 %", "3/3 = 100 %"), "its words and table are not what its figures make"),
    ):
        committed.write_text(changed)
        assert scoreboard.main(["--check"], answered) == 1
        assert told in capsys.readouterr().out


def test_scoring_named_scenarios_keeps_the_rows_of_the_others(answered: Path) -> None:
    record(answered, "second")
    scoreboard.main([], answered)
    committed = answered / "SCORE.md"
    first, second = rows_of(committed.read_text())
    committed.write_text(page([replace(first, too_few=7), second, PERFECT]))
    assert scoreboard.main(["second"], answered) == 0
    assert rows_of(committed.read_text()) == (replace(first, too_few=7), second)  # what is not recorded went
    assert scoreboard.main(["second", "--check"], answered) == 0


def test_labels_and_evidence_of_two_recordings_stop_it_before_anything_is_written(
    answered: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = answered / "recorded" / "open_door" / "evidence" / "control-plane" / "audit.log.gz"
    line = b'{"auditID": "stranger\x1b"}\n'.replace(b"\x1b", rb"\u001b")
    log.write_bytes(gzip.compress(gzip.decompress(log.read_bytes()) + line))
    assert scoreboard.main([], answered) == 2
    assert "open_door: in the evidence but not labelled: stranger\u241b" in capsys.readouterr().err
    assert not (answered / "SCORE.md").exists()


def test_batches_of_the_webhook_count_as_evidence_and_a_broken_log_is_named(tmp_path: Path) -> None:
    folder = record(tmp_path)
    batches = folder / "evidence" / "control-plane" / "webhook.jsonl.gz"
    batches.write_bytes(gzip.compress(b'{"kind":"EventList","items":[{"auditID":"only-here"}]}\n'))
    with pytest.raises(RecordingError, match="not labelled: only-here"):
        read(folder)
    batches.write_bytes(gzip.compress(b'{"items":[]}\n{"items":')[:-9])
    with pytest.raises(RecordingError, match=r"webhook\.jsonl\.gz: broken at line"):
        read(folder)


def test_names_of_no_scenario_and_folders_without_recording_are_told(
    answered: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scoreboard.main(["nonsense"], answered) == 2
    assert "nonsense: no such scenario" in capsys.readouterr().err
    (answered / "recorded" / "planned").mkdir()
    assert scoreboard.main([], answered) == 0
    assert "planned: not recorded yet, not scored" in capsys.readouterr().out
    assert scoreboard.main([], answered / "empty") == 2


def test_a_program_that_gives_no_report_is_told_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(scoreboard.ProgramError, match=r"exit code 2: Error: .*no such file"):
        scoreboard.investigate(tmp_path / "nothing")


def test_evidence_of_the_made_up_report_is_told_apart_by_line() -> None:
    assert len({one.line for one in cited(*sorted(PRESENT))}) == len(PRESENT)
