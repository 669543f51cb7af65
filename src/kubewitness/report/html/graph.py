"""The chain's skeleton as a drawing: what let the intruder in on the left, what came of it on the right.

Every station is a frame with two lines of text, a step with its mark, so that it lights up with the picture and the
list. A line says that the right one came of the left one; what it was gained by stands on it, and an inferred one is
dashed and carries its confidence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from kubewitness.model.incident import Incident
from kubewitness.model.text import Text
from kubewitness.report.html.glyphs import data, shape, words
from kubewitness.report.html.inert import clipped, columns, middle, one_line
from kubewitness.report.html.words import WORDS, kind_word, name_attributes, word
from kubewitness.report.skeleton import Line, Skeleton, Station, skeleton

_FULL: Final = 1200.0
_NARROWEST, _WIDEST = 146.0, 270.0
_BETWEEN: Final = 56.0  # columns
_HIGH, _ROW = 60.0, 74.0
_TOP: Final = 34.0
_MOST_ROWS: Final = 9
_LETTER: Final = 6.9
# A line may break behind each of these; no mark begins one.
_PIECES: Final = re.compile(
    r"[\u2e80-\uffef][，。；：、）”]?|[^\s/\u2e80-\uffef]{0,400}/|[^\s/\u2e80-\uffef]{1,400}[，。；：、）”\s]{0,9}|\s"
)


def draw_graph(incident: Incident, prefix: str, language: str) -> Markup:
    """The drawing; empty markup where there is too little to draw."""
    found = skeleton(incident)
    return _Drawing(found, prefix, language).drawn() if found.stations else Markup("")


class _Drawing:
    def __init__(self, found: Skeleton, prefix: str, language: str) -> None:
        self.prefix, self.language = prefix, language
        columns = [list[Station]() for _ in range(max(one.layer for one in found.stations) + 1)]
        for station in found.stations:
            columns[station.layer].append(station)
        self.columns = [column for column in columns if column]
        self.hidden = sum(max(0, len(column) - _MOST_ROWS) for column in self.columns)
        self.columns = [column[:_MOST_ROWS] for column in self.columns]
        count = len(self.columns)
        room = (_FULL - 6 - _BETWEEN * (count - 1)) / count
        self.wide = min(max(room, _NARROWEST), _WIDEST)
        self.at = dict[tuple[str, ...], tuple[float, float]]()  # left, middle of the frame
        self.lines = found.lines
        self._place()

    def _place(self) -> None:
        """Rows: each station as near as may be to what leads to it."""
        tallest = max(len(column) for column in self.columns)
        for number, column in enumerate(self.columns):
            x = 3 + number * (self.wide + _BETWEEN)
            if number:
                column.sort(key=lambda one: (self._above(one), min(one.steps, default=0)))
            free = 0
            for index, station in enumerate(column):
                wished = round((self._above(station) - _TOP) / _ROW) if number else index
                row = max(free, min(wished, tallest - (len(column) - index)))
                self.at[station.key] = (x, _TOP + row * _ROW)
                free = row + 1
        self.bottom = max(y for _, y in self.at.values()) + _HIGH / 2 + 6
        self.right = 6 + len(self.columns) * self.wide + (len(self.columns) - 1) * _BETWEEN

    def _above(self, station: Station) -> float:
        ys = [self.at[one.source][1] for one in self.lines if one.target == station.key and one.source in self.at]
        return sum(ys) / len(ys) if ys else _TOP

    def drawn(self) -> Markup:
        full = max(self.right, _FULL)
        pieces = [self._line(one) for one in self.lines if one.source in self.at and one.target in self.at]
        pieces += self._labels([one for one in self.lines if one.source in self.at and one.target in self.at])
        pieces += [self._station(one) for column in self.columns for one in column]
        if self.hidden:
            pieces.append(words(full, self.bottom + 8, word("and_more", n=self.hidden), "t-sub", anchor="end"))
        form = Markup('<svg class="pic graph" viewBox="0 0 {:g} {:g}" width="{:g}" role="group" {}>{}</svg>')
        high = self.bottom + (14 if self.hidden else 0)
        named = name_attributes(WORDS["graph"], self.language)
        return form.format(full, high, full, named, Markup("\n").join(pieces))

    def _ids(self, key: tuple[str, ...]) -> str:
        station = next(one for column in self.columns for one in column if one.key == key)
        return " ".join(f"{self.prefix}s{number}" for number in station.steps)

    def _line(self, one: Line) -> Markup:
        (left, top), (right, low) = self.at[one.source], self.at[one.target]
        start, end = left + self.wide, right - 7
        bend = max(24.0, (end - start) / 2)
        ids = " ".join(filter(None, (self._ids(one.source), self._ids(one.target))))
        return Markup(
            '<path d="M{0:g} {1:g}C{2:g} {1:g} {3:g} {4:g} {5:g} {4:g}" class="edge{6}"{7}/>'
            '<path d="M{5:g} {4:g}m0 -4.5l7 4.5l-7 4.5Z" class="cap make"{7}/>'
        ).format(start, top, start + bend, end - bend, low, end, " inf" if one.inferred else "", data(ids))

    def _labels(self, lines: Sequence[Line]) -> list[Markup]:
        """What was gained stands where its lines begin, once a station; confidences at the end of their lines."""
        out, said = list[Markup](), set[tuple[tuple[str, ...], str]]()
        for one in lines:
            (left, top), (right, low) = self.at[one.source], self.at[one.target]
            if one.label is not None and (one.source, one.label.en) not in said:
                said.add((one.source, one.label.en))
                out.append(words(left + self.wide + 5, top - 6, one.label, "t-note"))
            if one.inferred:
                out.append(words(right - 10, low - 7, f"{one.confidence:.2f}", "t-conf", anchor="end"))
        return out

    def _station(self, one: Station) -> Markup:
        x, y = self.at[one.key]
        ids = " ".join(f"{self.prefix}s{number}" for number in one.steps)
        kind = "let" if one.key[0] in ("object", "setting") else one.key[0]
        indent = 34.0 if one.act else 10.0
        room = int((self.wide - indent - 6) / _LETTER)
        title, sub = _title(one), _sub(one)
        titles = _rows(title, room)[:2] if one.act or not sub.en else (_fitted(title, room, ends=True),)
        rows = (*titles, *((_fitted(sub, room, ends=True),) if one.act else _rows(sub, room)[:2]))
        first = y + 4 - 8 * (len(rows) - 1)
        lines = [
            words(x + indent, first + 16 * index, row, "t-row" if index < len(titles) else "t-sub",
                  title="" if index else _told(one))
            for index, row in enumerate(rows)
        ]  # fmt: skip
        frame = Markup('<rect x="{:g}" y="{:g}" width="{:g}" height="{:g}" rx="4" class="st {}"/>').format(
            x, y - _HIGH / 2, self.wide, _HIGH, kind
        )
        if one.act:
            mark = shape(one.act, x + 18, y, str(one.steps[0]))
            lines.insert(0, Markup('<g class="mk {}">{}</g>').format(one.act, mark))
        body = frame + Markup("").join(lines)
        if not one.steps:
            return body
        target = f"{self.prefix}s{one.steps[0]}"
        return Markup('<a href="#{}"{}>{}</a>').format(target, data(ids), body)


def _title(one: Station) -> Text:
    if one.key[0] == "thing" and one.count > 1:
        return word("things_n", n=one.count)
    if one.key[0] in ("pod", "pods") and one.count > 1:
        return word("pods_n", n=one.count)
    if one.key[0] == "object":
        name = one.key[1].rpartition("/")[2]
        return Text(name, name)
    return one.title


def _sub(one: Station) -> Text:
    """What stands below: of one of many pods the name, of what let them in its kind, of folded steps the others."""
    if one.key[0] in ("pod", "pods") and one.count > 1:
        return one.title
    if one.key[0] == "object":
        kind = kind_word(one.key[1].partition("/")[0])
        return Text(f"{kind} {one.sub.en}", f"{kind}，{one.sub.zh}")
    if one.act and one.count > 1:
        return word("also_steps", n=one.count - 1)
    return one.sub


def _told(one: Station) -> str:
    return one_line("; ".join([*one.full[:20], one.sub.en]), 400)


def _rows(text: Text, room: int) -> tuple[Text, ...]:
    """A sentence on at most two lines; each language breaks where it must."""
    en, zh = _broken(text.en, room), _broken(text.zh, room)
    count = max(len(en), len(zh))
    return tuple(Text(*(lines[index] if index < len(lines) else "" for lines in (en, zh))) for index in range(count))


def _broken(text: str, room: int) -> list[str]:
    text = one_line(text, 400)
    if columns(text) <= room:
        return [text] if text else []
    first = ""
    for piece in _PIECES.findall(text):
        if columns(first + piece) > room:
            break
        first += piece
    first = first or clipped(text, room)
    return [first.rstrip(), clipped(text[len(first.removesuffix("…")) :].lstrip(), room)]


def _fitted(text: Text, room: int, *, ends: bool) -> Text:
    """In the room there is; of names both ends are kept."""
    cut = middle if ends and text.en == text.zh else clipped
    return Text(cut(text.en, room), cut(text.zh, room))
