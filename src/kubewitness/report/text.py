"""The terminal report: the overview within two screens, then the details.

Content comes from `overview` and `details`; here it is only laid out. Lines are broken by our own `lines.wrap`, since
Chinese needs other break points than spaces; rich colours them. The output is the same bytes for the same document,
language, width and colour, whatever the environment says.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text as RichText

from kubewitness.model.judgement import Severity
from kubewitness.model.text import Language
from kubewitness.report import words
from kubewitness.report.blocks import (
    Block,
    Bullets,
    Citation,
    Column,
    Command,
    Facts,
    Heading,
    Inline,
    Paragraph,
    Role,
    Span,
    Table,
    line,
    span,
)
from kubewitness.report.details import details
from kubewitness.report.document import Document
from kubewitness.report.lines import cut, width_of, wrap
from kubewitness.report.overview import LADDER, overview

_STYLE: dict[Role, str] = {
    "plain": "",
    "strong": "bold",
    "dim": "dim",
    "code": "cyan",
    "warn": "yellow",
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "low": "blue",
    "informational": "dim",
}
_NARROWEST, _PROSE = 40, 120  # below the first nothing is readable, above the second running text is not
_TABLE_FROM = 76  # narrower tables become records
_CELL_LINES = 2
_TWO_SCREENS = 96  # of 50 lines, less the line that leads to the details


def render(
    document: Document,
    language: Language = "en",
    width: int = 100,
    *,
    colour: bool = False,
    minimum: Severity = "low",
    with_details: bool = True,
) -> str:
    """The report as text with a newline at its end, with or without what follows the two screens."""
    width = max(width, _NARROWEST)
    lines: list[Inline] = []
    for limits in LADDER:
        lines = [*_lay_out(overview(document, language, minimum, limits), width)]
        if len(lines) <= _TWO_SCREENS:
            break
    if not with_details:
        return _print(lines, width, colour=colour)
    lines += [(), *wrap(line(span(words.DETAILS_BELOW.in_(language), "dim")), width), ()]
    lines += [line(span(f"──── {words.DETAILS.in_(language)} ────", "dim")), ()]
    lines += _lay_out(details(document, language, minimum), width)
    return _print(lines, width, colour=colour)


def draw(blocks: Iterable[Block], width: int = 100, *, colour: bool = False) -> str:
    """Any blocks as text with a newline at its end."""
    width = max(width, _NARROWEST)
    return _print(_lay_out(blocks, width), width, colour=colour)


def _print(lines: Iterable[Inline], width: int, *, colour: bool) -> str:
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=colour, color_system="standard" if colour else None, no_color=not colour,
        markup=False, emoji=False, highlight=False, legacy_windows=False, _environ={},
    )  # fmt: skip
    for content in lines:
        text = RichText(no_wrap=True, overflow="ignore", end="\n")
        for one in content:
            text.append(one.text, _STYLE[one.role] or None)
        console.print(text, crop=False, soft_wrap=True)
    return out.getvalue()


def _lay_out(blocks: Iterable[Block], width: int) -> Iterator[Inline]:
    prose = min(width, _PROSE)
    previous: Block | None = None
    for block in blocks:
        if previous and _apart(previous, block):
            yield ()
        previous = block
        match block:
            case Heading(1, content):
                yield from wrap(content, prose)
            case Heading(2, content):
                yield from wrap(
                    tuple(Span(one.text, "strong" if one.role == "plain" else one.role) for one in content), prose
                )
            case Heading(_, content):
                yield from wrap(content, prose)
            case Paragraph(content):
                yield from wrap(content, prose)
            case Facts(rows):
                yield from _facts(rows, prose)
            case Bullets(items, numbered):
                yield from _bullets(items, prose, numbered=numbered)
            case Table(columns, rows):
                yield from _table(columns, rows, width)
            case Citation():
                yield from _citation(block, prose)
            case Command(text):
                yield from (line("    ", span(one, "code")) for one in text.split("\n"))


def _apart(before: Block, after: Block) -> bool:
    """Whether an empty line stands between two blocks: above headings, around the story, and below a command."""
    if isinstance(after, Heading):
        return not (isinstance(before, Heading) and before.level <= after.level and after.level == 3)
    if isinstance(before, Command):
        return isinstance(after, Command | Facts | Paragraph)
    return isinstance(before, Paragraph) and isinstance(after, Paragraph)


def _hanging(lead: Inline, content: Inline, indent: int, width: int) -> Iterator[Inline]:
    """`lead` padded to `indent`, the content after it, its further lines below its first."""
    pad = Span(" " * max(indent - width_of(lead), 0))
    for number, one in enumerate(wrap(content, width - indent)):
        yield (*lead, pad, *one) if number == 0 else (Span(" " * indent), *one)


def _facts(rows: tuple[tuple[str, Inline], ...], width: int) -> Iterator[Inline]:
    labels = [span(label, "dim") for label, _ in rows]
    indent = 2 + max(width_of((label,)) for label in labels) + 2
    if indent > width // 3:  # a narrow window: the label above its value
        for label, (_, content) in zip(labels, rows, strict=True):
            if label.text:
                yield (Span("  "), label)
            yield from _hanging((), content, 4, width)
        return
    for label, (_, content) in zip(labels, rows, strict=True):
        yield from _hanging((Span("  "), label), content, indent, width)


def _bullets(items: tuple[Inline, ...], width: int, *, numbered: bool) -> Iterator[Inline]:
    indent = 2 + (len(str(len(items))) + 2 if numbered else 2)
    for number, content in enumerate(items, 1):
        lead = f"  {number}" if numbered else "  -"
        yield from _hanging((Span(lead, "dim"),), content, indent, width)


def _citation(citation: Citation, width: int) -> Iterator[Inline]:
    yield from _hanging((Span("  >", "dim"),), citation.place, 4, width)
    if citation.summary:
        yield from _hanging((), citation.summary, 4, width)
    for field, value in citation.decisive:
        content = line(span(field, "dim"), span(" = ", "dim"), span(value, "warn"))
        yield from _hanging((), content, 6, width)


def _table(columns: tuple[Column, ...], rows: tuple[tuple[Inline, ...], ...], width: int) -> Iterator[Inline]:
    if width < _TABLE_FROM:
        yield from _records(columns, rows, width)
        return
    shown = [
        index for index, column in enumerate(columns) if width >= column.from_width and any(row[index] for row in rows)
    ]
    sizes = {
        index: max(width_of((Span(columns[index].label),)), *(width_of(row[index]) for row in rows)) for index in shown
    }
    wide = next((index for index in shown if columns[index].wide), shown[-1])
    room = width - 2 - sum(size for index, size in sizes.items() if index != wide) - 2 * (len(shown) - 1)
    sizes[wide] = max(min(sizes[wide], room), 16)
    yield _row(tuple((Span(columns[index].label, "dim"),) for index in shown), shown, columns, sizes)
    for row in rows:
        cells = [cut(row[index], sizes[index], _CELL_LINES) for index in shown]
        for number in range(max(len(cell) for cell in cells)):
            yield _row(tuple(cell[number] if number < len(cell) else () for cell in cells), shown, columns, sizes)


def _row(cells: tuple[Inline, ...], shown: list[int], columns: tuple[Column, ...], sizes: dict[int, int]) -> Inline:
    out: list[Span] = []
    for position, (index, cell) in enumerate(zip(shown, cells, strict=True)):
        pad = Span(" " * max(sizes[index] - width_of(cell), 0))
        out.append(Span("  "))
        last = position == len(shown) - 1
        out.extend((pad, *cell) if columns[index].right else cell if last else (*cell, pad))
    while out and not out[-1].text.strip():
        out.pop()
    return tuple(out)


def _records(columns: tuple[Column, ...], rows: tuple[tuple[Inline, ...], ...], width: int) -> Iterator[Inline]:
    """A narrow window: what happened on lines of its own, the other cells on one line above it."""
    for row in rows:
        small: list[Span] = []
        for column, cell in zip(columns, row, strict=True):
            if not cell or column.wide or column.from_width > _TABLE_FROM:
                continue
            small += [Span("  "), *([Span("×")] if column.right and small else []), *cell]
        yield from cut(tuple(small), width, _CELL_LINES)
        for column, cell in zip(columns, row, strict=True):
            if column.wide:
                yield from ((Span("    "), *one) for one in cut(cell, width - 4, _CELL_LINES))
