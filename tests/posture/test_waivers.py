"""Waivers: an owner, a reason and an end, or none at all."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kubewitness.model.errors import ContentError
from kubewitness.model.posture import Result
from kubewitness.posture.waivers import Rule, read, waived

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
GOOD = "owner: jane\n  reason: it is needed\n  expires: 2027-01-31"


def rules(tmp_path: Path, *entries: str) -> tuple[Rule, ...]:
    path = tmp_path / "waivers.yml"
    path.write_text("waivers:\n" + "".join(f"- {one}\n" for one in entries), "utf-8")
    return read(path)


def result(
    subject: str = "ClusterRoleBinding a", check: str = "checks/access/grant", target: str = "cluster"
) -> Result:
    return Result("fail", target, subject, check=check)


@pytest.mark.parametrize("check", ["grant", "access/grant", "checks/access/grant", "access/*", "gr?nt", "*"])
def test_a_check_is_named_by_its_id_its_last_part_or_a_pattern(tmp_path: Path, check: str) -> None:
    done = waived([result()], rules(tmp_path, f"check: '{check}'\n  {GOOD}"), NOW)
    assert done.results[0].waiver is not None
    assert (done.results[0].waiver.owner, done.results[0].waiver.line) == ("jane", 2)


@pytest.mark.parametrize(
    "about",
    ["check: grants", "check: nodes/grant", "check: access", "check: grant\n  subject: ClusterRoleBinding b",
     "check: grant\n  target: node/*", "check: GRANT"],
)  # fmt: skip
def test_what_a_waiver_does_not_name_it_does_not_waive(tmp_path: Path, about: str) -> None:
    done = waived([result()], rules(tmp_path, f"{about}\n  {GOOD}"), NOW)
    assert done.results[0].waiver is None
    assert [rule.line for rule in done.unused] == [2]


def test_only_failures_are_waived(tmp_path: Path) -> None:
    passed = Result("pass", "cluster", "ClusterRoleBinding a", check="checks/access/grant")
    assert waived([passed], rules(tmp_path, f"check: grant\n  {GOOD}"), NOW).results[0].waiver is None


@pytest.mark.parametrize(
    ("expires", "valid"), [("2026-11-22", True), ("2026-11-21", False), ("'2026-11-23'", True), ("2020-01-01", False)]
)
def test_behind_its_last_day_a_waiver_waives_nothing_and_is_named(tmp_path: Path, expires: str, valid: bool) -> None:
    entry = f"check: grant\n  owner: jane\n  reason: r\n  expires: {expires}"
    done = waived([result()], rules(tmp_path, entry), NOW)
    assert (done.results[0].waiver is not None) == valid
    assert [one.rpartition("/")[2] for one in done.expired] == (
        [] if valid else [f"waivers.yml:2: grant (jane, {expires})"]
    )
    assert not done.unused


def test_a_valid_waiver_counts_where_another_has_ended(tmp_path: Path) -> None:
    old = "check: grant\n  owner: joe\n  reason: r\n  expires: 2020-01-01"
    done = waived([result()], rules(tmp_path, old, f"check: grant\n  {GOOD}"), NOW)
    assert done.results[0].waiver is not None
    assert done.results[0].waiver.owner == "jane"
    assert not done.expired


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("check: grant\n  reason: r\n  expires: 2027-01-31", ":2: a waiver needs 'owner'"),
        ("check: grant\n  owner: jane\n  expires: 2027-01-31", ":2: a waiver needs 'reason'"),
        ("check: grant\n  owner: jane\n  reason: ''\n  expires: 2027-01-31", ":2: a waiver needs 'reason'"),
        ("check: grant\n  owner: jane\n  reason: r", ":2: a waiver needs 'expires'"),
        (GOOD.replace("\n  ", "\n  ", 1), ":2: a waiver needs 'check'"),
        ("check: grant\n  owner: jane\n  reason: r\n  expires: never", ":5: 'expires' is no day"),
        ("check: grant\n  owner: jane\n  reason: r\n  expires: '2027-02-30'", ":5: 'expires' is no day"),
        (f"check: grant\n  resource: x\n  {GOOD}", ":3: unknown key 'resource'"),
        (f"check: grant\n  subject: [a]\n  {GOOD}", ":3: 'subject' is no text"),
        (f"check: '{'*a' * 9}'\n  {GOOD}", ":2: 'check' has more than eight *"),
        ("just text", ":2: a waiver is a mapping"),
    ],
)
def test_a_waiver_that_lacks_something_is_an_error_with_its_line(tmp_path: Path, entry: str, complaint: str) -> None:
    with pytest.raises(ContentError) as error:
        rules(tmp_path, entry)
    assert complaint in str(error.value)


@pytest.mark.parametrize("text", ["", "- check: grant\n", "waivers: x\n", "waiver:\n- check: x\n", "a: [\n", "\x00"])
def test_what_is_no_file_of_waivers_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "w.yml").write_text(text)
    with pytest.raises(ContentError):
        read(tmp_path / "w.yml")
