"""The explicit table of a check's forms. To add one: write its renderer beside this file, add one row here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from kubewitness.model.judgement import Severity
from kubewitness.model.posture import PostureReport
from kubewitness.model.text import Language
from kubewitness.report.check.document import to_json


@dataclass(frozen=True)
class View:
    """How a person wants to see it; a form uses what concerns it."""

    language: Language = "en"
    width: int = 100
    colour: bool = False
    minimum: Severity = "low"
    everything: bool = False  # what passed, too


Render = Callable[[PostureReport, View], bytes]


# Renderers are imported on use: Jinja2 and rich together cost more than the rest of the start of the program.
def _table(report: PostureReport, view: View) -> bytes:
    overview = import_module("kubewitness.report.check.overview")
    blocks = overview.blocks(report, view.language, view.minimum, everything=view.everything)
    drawn: str = import_module("kubewitness.report.text").draw(blocks, view.width, colour=view.colour)
    return drawn.encode()


def _markdown(report: PostureReport, view: View) -> bytes:
    overview = import_module("kubewitness.report.check.overview")
    blocks = overview.blocks(report, view.language, view.minimum, everything=view.everything, limits=overview.LONG)
    drawn: str = import_module("kubewitness.report.markdown").draw(blocks, view.language)
    return drawn.encode()


def _html(report: PostureReport, view: View) -> bytes:
    rendered: str = import_module("kubewitness.report.check.page").render(report, view.language, view.minimum)
    return rendered.encode()


def _json(report: PostureReport, view: View) -> bytes:  # noqa: ARG001 - the JSON form is one, whoever looks
    return to_json(report)


def _sarif(report: PostureReport, view: View) -> bytes:
    rendered: bytes = import_module("kubewitness.report.check.sarif").render(report, view.language)
    return rendered


FORMATS: Final[dict[str, Render]] = {
    "table": _table, "json": _json, "sarif": _sarif, "html": _html, "md": _markdown,
}  # fmt: skip
