"""The explicit table of report formats. To add one: write its renderer beside this file, add one row here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from kubewitness.model.judgement import Severity
from kubewitness.model.text import Language
from kubewitness.report.document import Document, to_json


@dataclass(frozen=True)
class View:
    """How a person wants to see it; a format uses what concerns it."""

    language: Language = "en"
    width: int = 100
    colour: bool = False
    minimum: Severity = "low"
    details: bool = True  # of the text form: also what follows the two screens


@dataclass(frozen=True)
class Format:
    """One rendering of the document."""

    name: str
    suffix: str
    render: Callable[[Document, View], bytes]


# Renderers are imported on use: Jinja2 and rich together cost more than the rest of the start of the program.
def _text(document: Document, view: View) -> bytes:
    render = import_module("kubewitness.report.text").render
    rendered: str = render(
        document, view.language, view.width, colour=view.colour, minimum=view.minimum, with_details=view.details
    )
    return rendered.encode()


def _markdown(document: Document, view: View) -> bytes:
    rendered: str = import_module("kubewitness.report.markdown").render(document, view.language, minimum=view.minimum)
    return rendered.encode()


def _html(document: Document, view: View) -> bytes:
    rendered: str = import_module("kubewitness.report.html.page").render(document, view.language)
    return rendered.encode()


def _json(document: Document, view: View) -> bytes:  # noqa: ARG001 - the JSON form is one, whoever looks
    return to_json(document)


def _export(name: str) -> Callable[[Document, View], bytes]:
    def render(document: Document, view: View) -> bytes:
        made = import_module(f"kubewitness.report.exports.{name.replace('-', '_')}").render(document, view.language)
        assert isinstance(made, bytes)
        return made

    return render


# Formats of other tools, with the ending that those expect.
EXPORTS: Final = {
    "stix": ".json", "attack-flow": ".json", "navigator": ".json", "timesketch": ".jsonl", "ocsf": ".jsonl",
}  # fmt: skip
FORMATS: Final[dict[str, Format]] = {
    one.name: one
    for one in (
        Format("text", ".txt", _text),
        Format("json", ".json", _json),
        Format("html", ".html", _html),
        Format("md", ".md", _markdown),
        *(Format(name, suffix, _export(name)) for name, suffix in EXPORTS.items()),
    )
}
