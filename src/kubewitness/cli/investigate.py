"""`kubewitness investigate`: evidence in, report out."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import click

from kubewitness.cli import case_folder, pipeline
from kubewitness.cli.main import FINDINGS, INCOMPLETE, context_settings
from kubewitness.cli.output import check_writable, is_stdout, screen, to_file, to_stdout
from kubewitness.cli.session import Session, language_of
from kubewitness.evidence.opening import anything_there
from kubewitness.model.document import Document
from kubewitness.model.errors import UsageError
from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.text import Language, Text
from kubewitness.report.formats import FORMATS, Format, View
from kubewitness.report.hostile import inert

_EPILOG = """\b
Examples:
  kubewitness investigate /var/log/kubernetes/audit/
  kubewitness investigate 'audit-*.log.gz' --case case-1
  kubewitness investigate logs.tar.zst --format html --output report.html --lang zh
  aws logs tail ... | kubewitness investigate - --format json | jq .incidents
  kubewitness investigate audit.log --rules ./my-sigma-rules

\b
Exit codes: 0 no incident and no finding of medium severity or above, 1 there is,
2 wrong call, 3 some evidence could not be read, nothing in it was understood, or
a rule could not be loaded (the report is still written)."""

_HTML_NAME = "kubewitness-report.html"
_WROTE = Text("Wrote {}", "已写入 {}")
_WORTH_A_LOOK = SEVERITIES.index("medium")


@click.command(epilog=_EPILOG, context_settings=context_settings())
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--case",
    "case",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Also write report.json, report.html, report.md and the cited events into DIR (new or empty).",
)
@click.option(
    "--rules",
    "rules",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="More Sigma rules, besides the shipped ones. May be repeated.",
)
@click.option(
    "--indicators",
    "indicators",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Indicators to look for: STIX bundle, MISP event, CSV or a plain list. May be repeated.",
)
@click.option("--no-indicators", is_flag=True, help="Do not look for the shipped indicators of known campaigns.")
@click.option(
    "--yara",
    "yara",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="More YARA rules for programs and scripts of machines, besides the shipped ones. May be repeated.",
)
@click.option(
    "--baseline",
    "baseline",
    multiple=True,
    metavar="PATH",
    help="Audit log of quiet days, to learn what is usual from; nothing is found in it. May be repeated.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="text",
    show_default=True,
    help="What to print or write.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it here instead of standard output; the file is readable by you only.",
)
@click.option(
    "--lang", "language", type=click.Choice(["en", "zh"]), help="Language of the report  [default: from the locale]"
)
@click.option(
    "--workers", type=click.IntRange(1, 256), metavar="N", help="Processes to read with  [default: all cores]"
)
@click.option(
    "--min-severity",
    "minimum",
    type=click.Choice(SEVERITIES),
    default="low",
    show_default=True,
    help="Least severity of the findings that text and Markdown list. JSON always has all.",
)
@click.option("--no-details", is_flag=True, help="Text only: end after the two screens of overview.")
@click.option("--name", metavar="CASE", help="Name of the case in the report  [default: from --case or PATH]")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no notes, only the report and warnings.")
@click.option("--no-progress", is_flag=True, help="No progress bar.")
@click.pass_obj
def investigate(
    session: Session, *, paths: tuple[str, ...], case: Path | None, rules: tuple[Path, ...], form: str,
    output: Path | None, language: Language | None, workers: int | None, minimum: Severity, name: str | None,
    quiet: bool, no_progress: bool, no_details: bool, indicators: tuple[Path, ...], no_indicators: bool,
    yara: tuple[Path, ...], baseline: tuple[str, ...],
) -> int:  # fmt: skip
    """Investigate audit logs and nodes: who came in, through which door, what they did, and what to do now.

    PATH is a file, a folder, a glob, a tar archive or - for standard input; plain, gzip or zstd. What it holds is
    recognised by its content: audit log lines or lists, exports of EKS, GKE, AKS, Alibaba Cloud and OpenShift; archives
    of `kubewitness collect` and UAC, copied file systems, process lists, logs and sensors of nodes.
    """
    chosen = language or language_of(os.environ)
    if not anything_there(paths):
        raise UsageError(f"{inert(', '.join(paths[:3]))}{' ...' if paths[3:] else ''}: no such file or directory")
    for one in baseline:
        if one == "-" or not anything_there((one,)):
            raise UsageError(f"--baseline {inert(one)}: no such file or directory")
    for path in (*indicators, *yara):
        if not path.exists():
            raise UsageError(f"{inert(str(path))}: no such file or directory")
    if output:
        check_writable(output)
    if case:
        case_folder.prepare(case)
    document = pipeline.investigate(
        paths, case=name or _name(paths, case), rules=rules, workers=workers or 0, language=chosen,
        quiet=quiet or no_progress, exclude=[place for place in (case, output) if place],
        indicators=indicators, known=not no_indicators, yara=yara, baseline=baseline,
    )  # fmt: skip
    view = View(language=chosen, minimum=minimum, details=not no_details)
    if case:
        case_folder.write(case, document, view, session)
        note(_WROTE.in_(chosen).format(f"{case}/"), quiet=quiet)
    deliver(document, FORMATS[form], output, view, session, quiet=quiet)
    return exit_code(document)


def exit_code(document: Document) -> int:
    """What was not read or not asked outweighs findings: such a report must not look like an answer."""
    if not document.complete or not document.coverage.understood or document.coverage.rules_failed:
        return INCOMPLETE
    worth = any(SEVERITIES.index(finding.severity) >= _WORTH_A_LOOK for finding in document.findings)
    return FINDINGS if document.incidents or worth else 0


def deliver(
    document: Document, form: Format, output: Path | None, view: View, session: Session, *, quiet: bool = False
) -> None:
    """Render the document and put it where it belongs."""
    on_terminal = sys.stdout.isatty()
    if output is None and form.name == "html" and on_terminal:
        output = Path(_HTML_NAME)  # a page of markup on a terminal helps nobody
        check_writable(output)
    if output is None or is_stdout(output):
        to_stdout(form.render(document, for_stdout(view)))
        return
    to_file(output, form.render(document, view), session)
    note(_WROTE.in_(view.language).format(output), quiet=quiet)


def for_stdout(view: View) -> View:
    """As wide as the window and coloured if a person sees it; else plain, 100 columns (or COLUMNS)."""
    width, colour = screen()
    return replace(view, width=width, colour=colour)


def note(message: str, *, quiet: bool) -> None:
    """A line for the person at the terminal, never mixed into the report."""
    if not quiet:
        click.echo(message, err=True)


def _name(paths: tuple[str, ...], case: Path | None) -> str:
    if case:
        return case.resolve().name
    first = "stdin" if paths[0] == "-" else Path(paths[0]).name or Path(paths[0]).resolve().name
    return first if len(paths) == 1 else f"{first} + {len(paths) - 1}"
