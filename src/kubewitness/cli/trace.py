"""`kubewitness trace`: from one thing of a report back to the intruder, and forward to what came of it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click
import msgspec

from kubewitness.cli.export import read
from kubewitness.cli.main import context_settings
from kubewitness.cli.output import to_stdout
from kubewitness.cli.session import language_of
from kubewitness.model.errors import UsageError
from kubewitness.model.text import Language
from kubewitness.report.document import inert_json
from kubewitness.report.hostile import inert
from kubewitness.report.text import draw
from kubewitness.report.tracing import known_subjects, subject_of, traces
from kubewitness.report.tracing_words import blocks

_EPILOG = """\b
Examples:
  kubewitness trace case-1 --from pid:4411@node2
  kubewitness trace report.json --from pod:kube-system/kube-controller-x7k2p --lang zh
  kubewitness trace case-1 --from address:203.0.113.7 --format json | jq '.[].forward'
  kubewitness trace case-1 --from finding:F-0003

\b
Exit codes: 0 traced, 2 wrong call or nothing of that name in the report,
3 the report could not be read."""


@click.command(epilog=_EPILOG, context_settings=context_settings())
@click.argument("report", type=click.Path(path_type=Path), metavar="REPORT.json|CASE")
@click.option("--from", "subject", required=True, metavar="KIND:NAME",
              help="Where to begin: pid:N@NODE, pod:NAMESPACE/NAME, node:, container:, address:, identity:, file:, "
              "socket:, object:, request:AUDIT_ID, step:N, finding:F-N.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--lang", "language", type=click.Choice(["en", "zh"]), help="Language  [default: from the locale]")
def trace(*, report: Path, subject: str, form: str, language: Language | None) -> int:
    """Trace one thing: what it came of, through which door, and what came of it.

    REPORT.json is what `investigate --format json` printed, CASE a folder of `investigate --case`, - is standard
    input. Needs no evidence; every arrow names the link that made it and the line that carries it.
    """
    chosen = language or language_of(os.environ)
    wanted = subject_of(inert(subject))
    document = read(report)
    found = traces(document, wanted)
    if not found:
        offered = ", ".join(inert(one) for one in known_subjects(document))
        hint = f"; it knows for example {offered}" if offered else "; it has no incident"
        raise UsageError(f"--from {wanted}: no incident of this report knows it{hint}")
    if form == "json":
        text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
        to_stdout(inert_json(text).encode() + b"\n")
    else:
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        width = shutil.get_terminal_size((100, 50)).columns
        to_stdout(draw(blocks(document, found, chosen), width, colour=colour).encode())
    return 0
