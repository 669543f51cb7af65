"""`kubewitness investigate`: where results go, who may read them, what the exit code says."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from kubewitness.cli import investigate as command
from kubewitness.cli import pipeline
from kubewitness.cli.main import program
from kubewitness.cli.progress import progress
from kubewitness.cli.session import language_of
from kubewitness.incident.investigate import Progress
from kubewitness.model.document import Document
from kubewitness.model.errors import ContentError
from kubewitness.report.formats import FORMATS, Format, View
from kubewitness.rules.loader import RuleSet, load_rules
from tests.cli.fake import Fake
from tests.report.small import INTRUSION, QUIET
from tests.sources.reading import event

COMPLETE = msgspec.structs.replace(
    INTRUSION, complete=True, coverage=msgspec.structs.replace(INTRUSION.coverage, rules_failed=())
)
UNRULED = msgspec.structs.replace(QUIET.coverage, rules_failed=("r.yml:1: unknown field",))


@pytest.fixture(autouse=True)
def html(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page itself has its own tests."""
    monkeypatch.setitem(FORMATS, "html", Format("html", ".html", lambda document, view: f"<p>{view.language}".encode()))


def _run(*args: str) -> Result:
    return CliRunner().invoke(program, ["investigate", *args])


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (QUIET, 0),
        (COMPLETE, 1),
        (INTRUSION, 3),
        (msgspec.structs.replace(QUIET, complete=False), 3),
        (msgspec.structs.replace(QUIET, coverage=msgspec.structs.replace(QUIET.coverage, events=0)), 3),
        (msgspec.structs.replace(QUIET, coverage=UNRULED), 3),
        (msgspec.structs.replace(COMPLETE, coverage=UNRULED), 3),
        (msgspec.structs.replace(COMPLETE, incidents=()), 1),
        (msgspec.structs.replace(QUIET, findings=INTRUSION.findings[1:2]), 1),
    ],
    ids=[
        "clean",
        "incident",
        "incident, unread",
        "unread",
        "no event",
        "rule not loaded",
        "incident, rule not loaded",
        "finding high",
        "finding medium",
    ],
)
def test_exit_codes(fake: Fake, document: Document, code: int) -> None:
    fake.answer = document
    assert _run("audit.log").exit_code == code


def test_what_is_asked_reaches_the_investigation(fake: Fake) -> None:
    _run("a.log", "b/", "--workers", "3", "--name", "shop")
    ((paths, _, options, stdin),) = fake.calls
    assert paths == ("a.log", "b/")
    assert (options.workers, options.case, options.label) == (3, "shop", None)
    assert stdin is None
    assert options.now.isoformat() == "2022-10-24T02:53:20+00:00"


@pytest.mark.parametrize(
    ("args", "name"),
    [(["/x/audit.log"], "audit.log"), (["-"], "stdin"), (["a", "b", "c"], "a + 2"), (["a", "--case", "c1"], "c1")],
)
def test_a_case_without_a_name_is_called_after_its_evidence(fake: Fake, args: list[str], name: str) -> None:
    _run(*args)
    assert fake.calls[0][2].case == name


def test_standard_input_is_handed_on_as_bytes(fake: Fake) -> None:
    _run("-")
    assert fake.calls[0][3] is not None


def test_text_goes_to_standard_output_and_nothing_else_does(fake: Fake) -> None:
    result = _run("audit.log")
    assert result.stdout.startswith("Kubewitness report · shop-prod")
    assert "\x1b" not in result.stdout
    assert result.stderr == ""


def test_json_is_the_contract(fake: Fake) -> None:
    assert json.loads(_run("audit.log", "--format", "json").stdout)["incidents"][0]["id"] == "INC-20221023-01"


def test_language_follows_the_locale_unless_told(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert "攻击链" in _run("audit.log").stdout
    assert "Attack chain" in _run("audit.log", "--lang", "en").stdout


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "zh_TW", "LANG": "C"}, "zh"),
        ({"LANG": "de_DE"}, "en"),
    ],
)
def test_the_locale_is_read_as_posix_says(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language


def test_a_report_file_is_for_its_owner_only(fake: Fake) -> None:
    path = Path("report.md")
    path.write_text("old")
    path.chmod(0o644)
    result = _run("audit.log", "--format", "md", "-o", str(path))
    assert path.read_text().startswith("Kubewitness report")
    assert path.stat().st_mode & 0o777 == 0o600
    assert result.stdout == ""
    assert "Wrote report.md" in result.stderr
    assert [one.name for one in Path().iterdir()] == ["report.md"]


def test_a_device_is_written_to_not_replaced(fake: Fake) -> None:
    assert _run("audit.log", "--format", "json", "--output", "/dev/null").exit_code == 3
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_standard_output_has_names(fake: Fake, name: str) -> None:
    assert "Attack chain" in _run("audit.log", "-o", name).stdout


@pytest.mark.parametrize("output", ["no/such/folder/x.json", "."])
def test_an_impossible_place_is_refused_before_reading(fake: Fake, output: str) -> None:
    assert _run("audit.log", "-o", output).exit_code == 2
    assert fake.calls == []


def test_html_on_a_terminal_becomes_a_file(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run("audit.log", "--format", "html").stdout == "<p>en"
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    result = _run("audit.log", "--format", "html", "--no-progress")
    assert result.stdout == ""
    assert Path("kubewitness-report.html").read_text() == "<p>en"
    assert "Wrote kubewitness-report.html" in result.stderr


def test_a_case_folder_holds_everything_for_its_owner_only(fake: Fake) -> None:
    result = _run("audit.log", "--case", "cases/one", "--lang", "zh")
    folder = Path("cases/one")
    assert sorted(one.name for one in folder.iterdir()) == ["evidence.jsonl", "report.html", "report.json", "report.md"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {one.stat().st_mode & 0o777 for one in folder.iterdir()} == {0o600}
    assert "已写入 cases/one/" in result.stderr
    assert "攻击链" in result.stdout


def test_cited_events_are_kept_once_each_as_found(fake: Fake) -> None:
    _run("audit.log", "--case", "c")
    lines = Path("c/evidence.jsonl").read_bytes().splitlines()
    cited = {one.original for step in INTRUSION.incidents[0].steps for one in step.evidence}
    assert len(lines) == len(set(lines))
    assert cited <= {one.decode() for one in lines}
    assert all(json.loads(one)["auditID"] for one in lines)


def test_a_pretty_printed_event_becomes_one_line(fake: Fake) -> None:
    finding = INTRUSION.findings[0]
    pretty = msgspec.structs.replace(finding.evidence[0], original='{\n  "auditID": "x"\r\n}')
    fake.answer = msgspec.structs.replace(
        QUIET, findings=(msgspec.structs.replace(finding, evidence=(pretty, pretty)),)
    )
    _run("audit.log", "--case", "c")
    assert [json.loads(one) for one in Path("c/evidence.jsonl").read_text().splitlines()] == [{"auditID": "x"}]


def test_a_case_folder_of_ours_is_written_again(fake: Fake) -> None:
    _run("audit.log", "--case", "c")
    fake.answer = QUIET
    assert _run("audit.log", "--case", "c").exit_code == 0
    assert json.loads(Path("c/report.json").read_text())["incidents"] == []


def test_a_folder_with_other_files_is_never_touched(fake: Fake) -> None:
    Path("c").mkdir()
    Path("c/thesis.tex").write_text("mine")
    result = _run("audit.log", "--case", "c")
    assert result.exit_code == 2
    assert "thesis.tex" in result.stderr
    assert [one.name for one in Path("c").iterdir()] == ["thesis.tex"]
    assert fake.calls == []


def test_results_inside_the_evidence_are_no_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/audit.log").write_bytes(event())
    call = ("logs", "logs/*", "--case", "logs/case", "-o", "logs/report.txt", "--quiet", "--workers", "1")
    codes = [_run(*call).exit_code for _ in range(2)]
    items = json.loads(Path("logs/case/report.json").read_text())["coverage"]["items"]
    assert codes[0] == codes[1] != 3
    assert [item["name"] for item in items] == ["logs/audit.log"]


def test_a_call_that_names_nothing_that_exists_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = _run("no.log", "*.gz", "--case", "c")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: no.log, *.gz: no such file or directory\n"
    assert list(tmp_path.iterdir()) == []


def test_one_path_that_exists_is_enough_for_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("audit.log").write_bytes(event())
    result = _run("no.log", "audit.log", "--workers", "1", "--quiet")
    assert result.exit_code == 3
    assert "Kubewitness" in result.stdout


def test_a_link_in_the_case_folder_is_replaced_by_our_file_never_followed_out(fake: Fake, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    Path("c").mkdir()
    Path("c/report.json").symlink_to(outside)
    _run("audit.log", "--case", "c")
    assert outside.read_text() == "precious"
    assert json.loads(Path("c/report.json").read_text())["case"] == "shop-prod"
    assert not Path("c/report.json").is_symlink()


def test_rules_that_cannot_be_loaded_are_counted_on_standard_error(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = tuple(ContentError(f"bad {number}", Path("r.yml"), number) for number in range(1, 8))
    monkeypatch.setattr(pipeline, "load_rules", lambda _folders, *, shipped: RuleSet(errors=errors))
    result = _run("audit.log", "--quiet")
    assert "7 rules could not be loaded" in result.stderr
    assert "r.yml:1: bad 1" in result.stderr
    assert "and 2 more" in result.stderr


def test_a_folder_of_rules_that_gives_none_is_told(fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake.answer = QUIET
    monkeypatch.setattr(pipeline, "load_rules", load_rules)
    empty, other = tmp_path / "empty", tmp_path / "other"
    empty.mkdir()
    other.mkdir()
    (other / "w.yml").write_text("title: W\nlogsource: {product: windows}\ndetection: {a: {b: c}, condition: a}\n")
    said = _run("audit.log", "--rules", str(empty), "--rules", str(other)).stderr
    assert f"no rule file (.yml) in {empty}" in said
    assert f"1 file of {other} not used, such as w.yml" in said


def test_findings_below_the_wish_are_not_listed(fake: Fake) -> None:
    fake.answer = QUIET
    assert "A namespace was made" in _run("audit.log", "--min-severity", "informational").stdout
    assert "A namespace was made" not in _run("audit.log").stdout


def test_the_bar_is_only_for_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("en", shown=True) as report:
        assert report is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress("zh", shown=True) as report:
        assert report is not None
        report(Progress(50, 100, 1_234, "read"))
    with progress("en", shown=False) as report:
        assert report is None
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "1,234 个事件" in shown.err


def test_no_color_and_a_dumb_terminal_are_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert command.for_stdout(View()).colour
    monkeypatch.setenv("NO_COLOR", "1")
    assert not command.for_stdout(View()).colour
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not command.for_stdout(View()).colour
    assert os.environ["TERM"] == "dumb"
