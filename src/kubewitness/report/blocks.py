"""The neutral parts of a report: `overview` and `details` decide the content once, `text` and `markdown` draw it.

A `Span` is made only by `span`, which makes evidence inert, so a renderer adds its own escaping and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from kubewitness.model.judgement import Severity
from kubewitness.report.hostile import inert, short, short_path

# "code" is something one could type or find: a name, address, field, command
Role = Literal["plain", "strong", "dim", "code", "warn"] | Severity


@dataclass(frozen=True)
class Span:
    """A piece of a line with one meaning."""

    text: str
    role: Role = "plain"


Inline = tuple[Span, ...]


@dataclass(frozen=True)
class Heading:
    """Level 1 is the headline of an incident, 2 a part of it, 3 an entry in the details."""

    level: int
    content: Inline


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    content: Inline


@dataclass(frozen=True)
class Facts:
    """Labels with their values."""

    rows: tuple[tuple[str, Inline], ...]


@dataclass(frozen=True)
class Bullets:
    """A list; numbered where order matters."""

    items: tuple[Inline, ...]
    numbered: bool = False


@dataclass(frozen=True)
class Column:
    """A table column. The one `wide` column takes the room that is left; `from_width` hides a column on less."""

    label: str
    wide: bool = False
    right: bool = False
    from_width: int = 0


@dataclass(frozen=True)
class Table:
    """Rows of cells, one cell a column."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Inline, ...], ...]


@dataclass(frozen=True)
class Citation:
    """One original event: where it is, what in it carries the claim, and the event itself (Markdown folds it open)."""

    place: Inline
    summary: Inline
    decisive: tuple[tuple[str, str], ...]  # field, value
    original: str = ""


@dataclass(frozen=True)
class Command:
    """Shell to be copied, several lines."""

    text: str


Block = Heading | Paragraph | Facts | Bullets | Table | Citation | Command


def span(text: str, role: Role = "plain", cells: int = 0) -> Span:
    """Evidence or words as a span: inert, cut to `cells` columns if given."""
    return Span(short(text, cells) if cells else inert(text), role)


def place(item: str, number: int, offset: int = -1, cells: int = 100) -> Span:
    """Where a record is: `file:line`, or `file@offset` where the format has no lines."""
    where = f":{number}" if number or offset < 0 else f"@{offset}"
    return Span(short_path(item, cells) + where, "code")


def line(*parts: str | Span) -> Inline:
    """A line out of words and spans."""
    return tuple(part if isinstance(part, Span) else span(part) for part in parts if part)


def command(text: str) -> Command:
    """Shell text as a block: inert, its line feeds kept."""
    return Command(inert(text, lines=True).strip("\n"))


def joined(parts: Iterable[Span | Inline], separator: str = ", ") -> Inline:
    """Several pieces with a separator between them."""
    out: list[Span] = []
    for part in parts:
        if out:
            out.append(Span(separator))
        out.extend((part,) if isinstance(part, Span) else part)
    return tuple(out)
