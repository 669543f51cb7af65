"""`kubewitness demo`: investigate the scenario that comes with the program."""

from __future__ import annotations

import os
from pathlib import Path

import click
import yaml

from kubewitness.cli import pipeline
from kubewitness.cli.investigate import deliver
from kubewitness.cli.main import INCOMPLETE, context_settings
from kubewitness.cli.output import check_writable, to_file, to_stdout
from kubewitness.cli.session import Session, language_of
from kubewitness.model.errors import ContentError
from kubewitness.model.text import Language, Text
from kubewitness.report.formats import FORMATS, View
from kubewitness.rules.loader import content_folder

_SCENARIO = "rbac_buster"
_EPILOG = """\b
Examples:
  kubewitness demo
  kubewitness demo --lang zh --output demo.html"""
_OPEN = Text("The page with the picture of the chain and all evidence: {}", "带攻击链图与全部证据的网页：{}")
_YOURS = Text(
    "Next, on your own evidence: kubewitness investigate PATH", "接下来分析你自己的日志：kubewitness investigate PATH"
)


@click.command(epilog=_EPILOG, context_settings=context_settings())
@click.option("--lang", "language", type=click.Choice(["en", "zh"]), help="Language  [default: from the locale]")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("kubewitness-demo.html"),
    show_default=True,
    metavar="FILE",
    help="Where to write the HTML report.",
)
@click.pass_obj
def demo(session: Session, language: Language | None, output: Path) -> int:
    """Investigate a shipped scenario: a real intrusion, written out as audit events within a benign day.

    Prints the overview and writes the whole report as HTML. Needs no cluster and no network.
    """  # fmt: skip
    chosen = language or language_of(os.environ)
    check_writable(output)
    folder = content_folder() / "scenarios" / _SCENARIO
    title, label = read_scenario(folder / "scenario.yml")
    document = pipeline.investigate(
        (str(folder / "audit.log.gz"),), case=title.in_(chosen), label=label, language=chosen
    )
    view = View(language=chosen, details=False)
    to_file(output, FORMATS["html"].render(document, view), session)
    deliver(document, FORMATS["text"], None, view, session)
    to_stdout(f"\n{_OPEN.in_(chosen).format(output.resolve())}\n{_YOURS.in_(chosen)}\n".encode())
    return 0 if document.incidents else INCOMPLETE  # the shipped scenario has one; not finding it is a failure


def read_scenario(path: Path) -> tuple[Text, Text]:
    """Title and label of a scenario.

    Raises:
        ContentError: the file is not there or has no title and label in both languages.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Text(**content["title"]), Text(**content["label"])
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ContentError(f"not a scenario: {error}", path) from error
