"""`kubewitness export`: a report that is there already, in the format of another tool. Needs no evidence."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO, Final

import click
import msgspec

from kubewitness.cli.case_folder import REPORTS
from kubewitness.cli.investigate import note
from kubewitness.cli.main import context_settings
from kubewitness.cli.output import check_writable, is_stdout, to_file, to_stdout
from kubewitness.cli.session import Session, language_of
from kubewitness.model.document import SCHEMA_VERSION, Document
from kubewitness.model.errors import EvidenceError, UsageError
from kubewitness.model.text import Language, Text
from kubewitness.report.formats import EXPORTS, FORMATS, View
from kubewitness.report.hostile import inert

_EPILOG = """\b
Examples:
  kubewitness export case-1 --format stix --output case-1.stix.json
  kubewitness export report.json --format attack-flow --incident INC-20221023-01 -o flow.json
  kubewitness export case-1 --format navigator --lang zh -o layer.json
  kubewitness export case-1 --format timesketch -o case-1.jsonl
  kubewitness investigate audit.log --format json | kubewitness export - --format ocsf

\b
Exit codes: 0 written, 2 wrong call, 3 the report could not be read or the file
not be written."""

_MOST: Final = 1 << 30  # bytes of a report
_REPORT: Final = next(name for name, form in REPORTS.items() if form == "json")
_WROTE = Text("Wrote {}", "已写入 {}")


@click.command(epilog=_EPILOG, context_settings=context_settings())
@click.argument("report", type=click.Path(path_type=Path), metavar="REPORT.json|CASE")
@click.option("--format", "form", type=click.Choice(list(EXPORTS)), required=True, help="What to write.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it here instead of standard output; the file is readable by you only.",
)
@click.option("--incident", metavar="ID", help="Only this incident and its findings  [default: everything]")
@click.option(
    "--lang", "language", type=click.Choice(["en", "zh"]), help="Language of the texts  [default: from the locale]"
)
@click.option("-q", "--quiet", is_flag=True, help="No notes.")
@click.pass_obj
def export(
    session: Session, *, report: Path, form: str, output: Path | None, incident: str | None,
    language: Language | None, quiet: bool,
) -> int:  # fmt: skip
    """Write a report in the format of another tool.

    REPORT.json is what `investigate --format json` printed, CASE a folder of `investigate --case`, - is standard
    input. stix: STIX 2.1 with Attack Flow. attack-flow: the chain alone. navigator: ATT&CK Navigator layer.
    timesketch: timeline, JSON Lines. ocsf: findings as events, JSON Lines.
    """
    chosen = language or language_of(os.environ)
    if output:
        check_writable(output)
    document = read(report)
    if incident is not None:
        document = only(document, incident)
    made = FORMATS[form].render(document, View(language=chosen))
    if output is None or is_stdout(output):
        to_stdout(made)
    else:
        to_file(output, made, session)
        note(_WROTE.in_(chosen).format(output), quiet=quiet)
    return 0


def read(path: Path) -> Document:
    """A report of ours.

    Raises:
        UsageError: there is none at that place.
        EvidenceError: what is there cannot be read, or is no report that this version understands.
    """
    place = inert(str(path))
    try:
        if str(path) == "-":
            data = _bounded(sys.stdin.buffer, place)
        else:
            with (path / _REPORT if path.is_dir() else path).open("rb") as stream:
                data = _bounded(stream, place)
    except FileNotFoundError as error:
        missing = f"no {_REPORT} in this folder" if path.is_dir() else "no such file or directory"
        raise UsageError(f"{place}: {missing}") from error
    except OSError as error:
        raise EvidenceError(f"{place} could not be read: {error.strerror or error}") from error
    try:
        document = msgspec.json.decode(data, type=Document)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        why = inert(str(error).splitlines()[0][:200]) if str(error) else "cannot be decoded"
        raise EvidenceError(f"{place} is no JSON report of kubewitness: {why}") from error
    if document.schema_version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        version = inert(document.schema_version[:20])
        raise EvidenceError(f"{place} has schema version {version}, this program reads {SCHEMA_VERSION}")
    return document


def _bounded(stream: BinaryIO, place: str) -> bytes:
    data = stream.read(_MOST + 1)
    if len(data) > _MOST:
        raise EvidenceError(f"{place} is larger than 1 GiB")
    return data


def only(document: Document, incident: str) -> Document:
    """The document with one incident and its findings.

    Raises:
        UsageError: it has no such incident.
    """
    chosen = tuple(one for one in document.incidents if one.id == incident)
    if not chosen:
        known = ", ".join(inert(one.id) for one in document.incidents[:10]) or "none"
        raise UsageError(f"--incident {inert(incident)}: not in the report, which has: {known}")
    findings = tuple(one for one in document.findings if one.incident == incident)
    return msgspec.structs.replace(document, incidents=chosen, findings=findings)
