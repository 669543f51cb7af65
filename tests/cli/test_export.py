"""`kubewitness export`: a report that is there already becomes another tool's file, and nothing else is touched."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from kubewitness.cli.main import program
from kubewitness.model.document import Document
from kubewitness.report.document import to_json
from kubewitness.report.formats import EXPORTS, FORMATS, View
from tests.cli.fake import Fake
from tests.report.small import HOSTILE, INTRUSION, SEVERAL


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C")


def _run(*args: str, document: Document | None = None, stdin: bytes | None = None) -> Result:
    if document is not None:
        Path("report.json").write_bytes(to_json(document))
    return CliRunner().invoke(program, ["export", *args], input=stdin)


@pytest.mark.parametrize("form", EXPORTS)
def test_every_format_is_written_from_a_report_as_from_evidence(fake: Fake, form: str) -> None:
    from_report = _run("report.json", "--format", form, document=INTRUSION)
    from_evidence = CliRunner().invoke(program, ["investigate", "audit.log", "--format", form])
    assert from_report.exit_code == 0
    assert from_report.stdout_bytes == from_evidence.stdout_bytes == FORMATS[form].render(INTRUSION, View())
    assert from_report.stderr == ""


def test_a_case_folder_is_a_report(fake: Fake) -> None:
    CliRunner().invoke(program, ["investigate", "audit.log", "--case", "case-1", "--quiet"])
    assert _run("case-1", "--format", "stix").stdout_bytes == FORMATS["stix"].render(INTRUSION, View())


def test_standard_input_is_a_report() -> None:
    result = _run("-", "--format", "ocsf", stdin=to_json(INTRUSION))
    assert (result.exit_code, result.stdout_bytes) == (0, FORMATS["ocsf"].render(INTRUSION, View()))


def test_a_file_is_for_its_owner_only_and_said_in_the_language_asked_for() -> None:
    result = _run("report.json", "--format", "navigator", "-o", "layer.json", "--lang", "zh", document=INTRUSION)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "已写入 layer.json\n")
    assert Path("layer.json").stat().st_mode & 0o777 == 0o600
    assert json.loads(Path("layer.json").read_bytes())["legendItems"][4]["label"] == "严重"
    assert _run("report.json", "--format", "navigator", "-o", "layer.json", "-q").stderr == ""


def test_one_incident_comes_with_its_findings_and_no_other() -> None:
    result = _run("report.json", "--format", "ocsf", "--incident", "INC-20221023-03", document=SEVERAL)
    incident, *findings = [json.loads(line) for line in result.stdout.splitlines()]
    assert incident["unmapped"]["incident"] == "INC-20221023-03"
    assert findings == []  # those of the sample are of the first
    first = _run("report.json", "--format", "ocsf", "--incident", "INC-20221023-01")
    told = [json.loads(line)["unmapped"]["incident"] for line in first.stdout.splitlines()]
    assert told == ["INC-20221023-01"] * len(told)
    assert len(told) == 1 + sum(one.incident == "INC-20221023-01" for one in SEVERAL.findings)


def test_an_incident_that_is_not_there_is_a_wrong_call_that_names_those_that_are() -> None:
    result = _run("report.json", "--format", "stix", "--incident", "INC-1\x1b[2J", document=SEVERAL)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "INC-20221023-01, INC-20221023-02" in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize("place", ["no.json", "empty"])
def test_a_report_that_is_not_there_is_a_wrong_call(place: str) -> None:
    Path("empty").mkdir()
    assert _run(place, "--format", "stix").exit_code == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"kind":"Event","auditID":"x"}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"schema_version":' + b"[" * 100_000,
        to_json(INTRUSION).replace(b'"severity": "critical"', b'"severity": "\\u001b[2J"', 1),
        to_json(msgspec.structs.replace(INTRUSION, schema_version="2.0")),
        to_json(INTRUSION)[:-3],
    ],
    ids=["empty", "cut", "list", "object", "event", "binary", "nested", "nested value", "word", "version", "tail"],
)
def test_what_is_no_report_is_refused_in_a_sentence_and_nothing_is_written(content: bytes) -> None:
    Path("report.json").write_bytes(content)
    result = _run("report.json", "--format", "stix", "-o", "out.json")
    assert result.exit_code == 3
    assert result.stderr.startswith("Error: report.json ")
    assert "kubewitness itself" not in result.stderr
    assert "\x1b" not in result.stderr
    assert not Path("out.json").exists()


def test_keys_of_a_newer_minor_version_are_passed_over() -> None:
    newer = json.loads(to_json(INTRUSION)) | {"schema_version": "1.9", "surprise": {"a": 1}}
    Path("report.json").write_text(json.dumps(newer))
    assert _run("report.json", "--format", "timesketch").exit_code == 0


@pytest.mark.parametrize("form", EXPORTS)
def test_hostile_reports_reach_the_terminal_inert(form: str) -> None:
    document = msgspec.convert(_mended(msgspec.to_builtins(HOSTILE)), Document)
    result = _run("report.json", "--format", form, document=document)
    assert result.exit_code == 0
    assert not set(result.stdout) & set("\x1b\x9b\x07\u202e\u200b")


def _mended(value: object) -> object:
    """JSON has no halves of surrogate pairs, so a report that was written never has."""
    if isinstance(value, str):
        return value.replace("\ud800", "")
    if isinstance(value, dict):
        return {_mended(key): _mended(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mended(one) for one in value]
    return value


def test_a_format_must_be_named_and_be_one() -> None:
    assert _run("report.json", document=INTRUSION).exit_code == 2
    assert _run("report.json", "--format", "html").exit_code == 2


def test_formats_complete() -> None:
    found = ShellComplete(program, {}, "kubewitness", "_X").get_completions(["export", "r.json", "--format"], "")
    assert [one.value for one in found] == list(EXPORTS)
    (command,) = ShellComplete(program, {}, "kubewitness", "_X").get_completions([], "exp")
    assert command.value == "export"
