"""Breaking styled lines to a width, in English and in Chinese.

A terminal column is the unit (a Chinese character takes two). Lines break at spaces and beside any wide character, but
no line begins with closing punctuation or ends with an opening bracket; a word longer than the line is cut through.

Source: Unicode UAX #14 for where lines may break, reduced to what reports contain; widths by `rich.cells`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len, chop_cells, set_cell_size

from kubewitness.report.blocks import Inline, Role, Span

_WIDE = "\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6"
_CLOSING = "，。；：、！？）】》」』”’…"
_OPENING = "（【《「『“‘"
_UNIT = re.compile(rf"\s+|[{_OPENING}]*(?:[{_WIDE}]|[^\s{_WIDE}]+)[{_CLOSING}]*")
_CHARACTERS = 8  # for a column, counting marks that take none

_Piece = tuple[str, Role]


def width_of(content: Inline) -> int:
    """Columns on a terminal."""
    return sum(cell_len(span.text) for span in content)


def _units(content: Inline) -> Iterator[list[_Piece]]:
    """Unbreakable runs; one run may cross spans ("name" + ",")."""
    current: list[_Piece] = []
    for span in content:
        for match in _UNIT.finditer(span.text):
            unit = match.group()
            glued = current and not current[-1][0][-1].isspace() and not unit[0].isspace()
            if glued and not _breaks(current[-1][0][-1], unit[0]):
                current.append((unit, span.role))
                continue
            if current:
                yield current
            current = [(unit, span.role)]
    if current:
        yield current


def _breaks(before: str, after: str) -> bool:
    """Whether a line may end between two characters that no space separates."""
    if after in _CLOSING or before in _OPENING:
        return False
    return cell_len(before) == 2 or cell_len(after) == 2


def _joint(part: str, whole: str) -> str:
    """A name too long for a line ends at one of its joints if there is one in the second half of the line."""
    if part == whole:
        return part
    end = max(part.rfind(joint) for joint in "/:-._,") + 1
    return part[:end] if end > len(part) // 2 else part


def _spans(pieces: list[_Piece]) -> Inline:
    out: list[Span] = []
    for text, role in pieces:
        if out and out[-1].role == role:
            out[-1] = Span(out[-1].text + text, role)
        else:
            out.append(Span(text, role))
    if out:
        out[-1] = Span(out[-1].text.rstrip(), out[-1].role)
    return tuple(span for span in out if span.text)


def wrap(content: Inline, width: int) -> list[Inline]:
    """`content` in lines of at most `width` columns; at least one line, maybe empty."""
    width = max(width, 2)
    lines: list[list[_Piece]] = [[]]
    used = 0
    for unit in _units(content):
        size = sum(cell_len(text) for text, _ in unit)
        if unit[0][0].isspace():
            if used and used + size < width:
                lines[-1].extend(unit)
                used += size
            elif used:
                used = width  # the next word starts a line
            continue
        if used and used + size > width:
            lines.append([])
            used = 0
        if size <= width:
            lines[-1].extend(unit)
            used += size
            continue
        for text, role in unit:
            while text:
                room = width - used
                # of a huge word only what may stand in this line is looked at, or its square would be the time
                # (nothing, for letters without a width of their own)
                chopped = chop_cells(text[: room * _CHARACTERS], room) if room >= 2 else []
                part = _joint(chopped[0], text) if chopped else ""
                if not used:
                    part = part or text[0]  # whatever it is, go on
                elif not part or cell_len(part) > room:
                    lines.append([])
                    used = 0
                    continue
                lines[-1].append((part, role))
                used += cell_len(part)
                text = text[len(part) :]  # noqa: PLW2901 - consumed piece by piece
    return [_spans(pieces) for pieces in lines]


def cut(content: Inline, width: int, most: int) -> list[Inline]:
    """As `wrap`, at most `most` lines; the last ends in an ellipsis if something was left out."""
    lines = wrap(content, width)
    if len(lines) <= most:
        return lines
    kept, last = lines[: most - 1], lines[most - 1]
    out: list[Span] = []
    room = width - 1
    for span in last:
        text = span.text if cell_len(span.text) <= room else set_cell_size(span.text, room)
        out.append(Span(text, span.role))
        room -= cell_len(text)
        if room <= 0:
            break
    if out:
        out[-1] = Span(out[-1].text.rstrip() + "…", out[-1].role)
    return [*kept, tuple(out)]
