"""The report for a ticket or a wiki: GitHub-flavoured Markdown, the same content as the terminal report.

Evidence may not become markup. In running text every character that Markdown or HTML reads is escaped, and anything
that a wiki would turn into a link or a mention (an address with `://`, `www.`, `@`) becomes a code span. Code spans and
fenced blocks get a fence longer than any run of backticks inside them.

Source: CommonMark 0.31 (backslash escapes, code spans, fences), GitHub Flavored Markdown (tables, autolinks).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kubewitness.model.judgement import Severity
from kubewitness.model.text import Language
from kubewitness.report import words
from kubewitness.report.blocks import Block, Bullets, Citation, Command, Facts, Heading, Inline, Paragraph, Span, Table
from kubewitness.report.details import details
from kubewitness.report.document import Document
from kubewitness.report.hostile import inert
from kubewitness.report.incident_overview import Limits
from kubewitness.report.overview import overview

_LIMITS = Limits(steps=200, incidents=20, actions=20, limitations=40, findings=50, reasons=20, sentences=40)
_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")
_AT_THE_START = re.compile(r"(?:[#+=-]|\d+[.)])")  # heading, list, rule: markup only where a block begins
_WORD = re.compile(r"[\x21-\x7e]+")
_LINKED = re.compile(
    r"@|://|www\.", re.IGNORECASE
)  # apart from _WORD: one pattern of both takes the square of the length
_ENTITY = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_MAX_ORIGINAL = 20_000  # characters of an event; the whole one is in the JSON form


def render(document: Document, language: Language = "en", *, minimum: Severity = "low") -> str:
    """The whole report as Markdown."""
    parts = [*_blocks(overview(document, language, minimum, _LIMITS), language)]
    parts += [f"---\n\n## {words.DETAILS.in_(language)}"]
    parts += _blocks(details(document, language, minimum, originals=True), language, deeper=1)
    return "\n\n".join(parts) + "\n"


def draw(blocks: list[Block], language: Language) -> str:
    """Any blocks as Markdown."""
    return "\n\n".join(_blocks(blocks, language)) + "\n"


def _blocks(blocks: list[Block], language: Language, deeper: int = 0) -> Iterator[str]:
    for block in blocks:
        match block:
            case Heading(level, content):
                yield f"{'#' * (level + deeper)} {inline(content)}"
            case Paragraph(content):
                yield inline(content)
            case Facts(rows):
                yield "\n".join(
                    f"- {f'**{escape(label)}:** ' if label else ''}{inline(value)}" for label, value in rows
                )
            case Bullets(items, numbered):
                yield "\n".join(
                    f"{f'{number}.' if numbered else '-'} {inline(item)}" for number, item in enumerate(items, 1)
                )
            case Table(columns, rows):
                head = [" | ".join(escape(column.label) for column in columns)]
                head.append(" | ".join("---:" if column.right else "---" for column in columns))
                body = [" | ".join(inline(cell) for cell in row) for row in rows]
                yield "\n".join(f"| {one} |" for one in (*head, *body))
            case Citation():
                yield _citation(block, language)
            case Command(text):
                yield fenced(text, "sh")


def escape(text: str) -> str:
    """Running text: nothing in it is markup, a link or a mention."""
    out: list[str] = []
    end = 0
    for match in _WORD.finditer(text):
        if not _LINKED.search(match.group()):
            continue
        out += [_escape(text[end : match.start()]), code(match.group())]
        end = match.end()
    return "".join((*out, _escape(text[end:])))


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text).translate(_ENTITY)


def code(text: str) -> str:
    """A code span. A pipe would end a table cell even here, so it is written as its look-alike U+2502."""
    text = text.replace("|", "\u2502").strip() or " "
    fence = "`" * (_longest_run(text) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def fenced(text: str, language: str = "") -> str:
    """A fenced block that its content cannot close."""
    fence = "`" * max(_longest_run(text) + 1, 3)
    return f"{fence}{language}\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def inline(content: Inline) -> str:
    """A line of spans, as a block may begin with it. Spaces at their edges stay outside the emphasis."""
    text = "".join(_span(one) for one in content).strip()
    start = _AT_THE_START.match(text)
    return f"{text[: start.end() - 1]}\\{text[start.end() - 1 :]}" if start else text


def _span(one: Span) -> str:
    text = one.text.strip()
    if not text:
        return one.text
    before, after = one.text[: len(one.text) - len(one.text.lstrip())], one.text[len(one.text.rstrip()) :]
    if one.role == "code":
        return f"{before}{code(text)}{after}"
    if one.role in {"strong", "critical", "high", "warn"}:
        return f"{before}**{escape(text)}**{after}"
    return f"{before}{escape(text)}{after}"


def _citation(citation: Citation, language: Language) -> str:
    rows = [f"- {inline(citation.place)}{f': {inline(citation.summary)}' if citation.summary else ''}"]
    rows += [f"  - {code(field)} = {code(value)}" for field, value in citation.decisive]
    if citation.original:
        original = inert(citation.original[:_MAX_ORIGINAL], lines=True)
        if len(citation.original) > _MAX_ORIGINAL:
            original += "…"
        # the blank line ends the HTML block, so that the fence is read as Markdown again
        fold = f"<details><summary>{words.ORIGINAL.in_(language)}</summary>\n\n{fenced(original, 'json')}\n\n</details>"
        return "\n".join(rows) + "\n\n" + fold
    return "\n".join(rows)
