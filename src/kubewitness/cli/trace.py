"""`kubewitness trace`: from one thing of a report back to the intruder, and forward to what came of it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click
import msgspec
from click.shell_completion import CompletionItem

from kubewitness.cli.export import read
from kubewitness.cli.main import context_settings
from kubewitness.cli.output import to_stdout
from kubewitness.cli.session import language_of
from kubewitness.model.errors import KubewitnessError, UsageError
from kubewitness.model.text import Language
from kubewitness.report.document import Document, inert_json
from kubewitness.report.hostile import inert
from kubewitness.report.text import draw
from kubewitness.report.trace_subjects import (
    KINDS,
    Subject,
    all_subjects,
    finding_named,
    known_subjects,
    near_subjects,
    subject_of,
)
from kubewitness.report.tracing import traces
from kubewitness.report.tracing_words import blocks

_EPILOG = """\b
Examples:
  kubewitness trace case-1 --from pid:4411@node2
  kubewitness trace report.json --from pod:kube-system/kube-controller-x7k2p --lang zh
  kubewitness trace case-1 --from identity:system:anonymous --forward
  kubewitness trace case-1 --from address:203.0.113.7 --format json | jq '.[].reached'
  kubewitness trace case-1 --from F-0003 --back

\b
Exit codes: 0 traced, 2 wrong call or nothing of that name in the report,
3 the report could not be read."""

_COMPLETED = 200  # names offered to a shell


def _complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What the report that was named knows, else the kinds there are."""
    offered = [f"{kind}:" for kind in KINDS]
    # Of a line whose last option still lacks its value, click leaves the words unassigned.
    report = context.params.get("report") or next((one for one in context.args if not one.startswith("--")), None)
    if report is not None and str(report) != "-":
        try:
            offered = all_subjects(read(Path(report)))
        except KubewitnessError:
            return []
    fitting = [inert(one) for one in offered if one.startswith(incomplete)]
    return [CompletionItem(one) for one in fitting[:_COMPLETED]]


@click.command(epilog=_EPILOG, context_settings=context_settings())
@click.argument("report", type=click.Path(path_type=Path), metavar="REPORT.json|CASE")
@click.option("--from", "subject", required=True, metavar="KIND:NAME", shell_complete=_complete,
              help="Where to begin: pid:N@NODE, pod:NAMESPACE/NAME, node:, container:, address:, identity:, file:, "
              "socket:, object:RESOURCE/NAMESPACE/NAME, setting:, request:AUDIT_ID, step:N, finding:F-N.")  # fmt: skip
@click.option("--back", "direction", flag_value="back", help="Only the way back to the intruder.")
@click.option("--forward", "direction", flag_value="forward", help="Only what came of it, all of it.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--lang", "language", type=click.Choice(["en", "zh"]), help="Language  [default: from the locale]")
def trace(*, report: Path, subject: str, direction: str | None, form: str, language: Language | None) -> int:
    """Trace one thing: what it came of, through which door, and what came of it.

    REPORT.json is what `investigate --format json` printed, CASE a folder of `investigate --case`, - is standard
    input. Needs no evidence; every arrow names the link that made it and the line that carries it.
    """
    chosen = language or language_of(os.environ)
    document = read(report)
    wanted = _wanted(document, inert(subject))
    found = traces(document, wanted)
    if not found:
        raise UsageError(f"--from {wanted}: {_why_not(document, wanted)}")
    if form == "json":
        text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
        to_stdout(inert_json(text).encode() + b"\n")
    else:
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        width = shutil.get_terminal_size((100, 50)).columns
        told = blocks(document, found, chosen, direction or "both")
        to_stdout(draw(told, width, colour=colour).encode())
    return 0


def _wanted(document: Document, text: str) -> Subject:
    try:
        return subject_of(text)
    except UsageError as error:
        near = _listed(near_subjects(document, text))
        raise UsageError(f"{error}; did you mean {near}?" if near else str(error)) from error


def _why_not(document: Document, wanted: Subject) -> str:
    finding = finding_named(document, wanted) if wanted.kind == "finding" else None
    if finding is not None:
        return "that finding belongs to no incident: nothing is known of where it came from"
    if near := _listed(near_subjects(document, str(wanted))):
        return f"no incident of this report knows it; did you mean {near}?"
    offered = _listed(known_subjects(document))
    return "no incident of this report knows it" + (f"; it knows for example {offered}" if offered else "; it has none")


def _listed(names: list[str]) -> str:
    return ", ".join(inert(one)[:200] for one in names)
