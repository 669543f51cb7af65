"""What the evidence covers, as bars: the span with its gaps and the intrusions in it, and the audit levels."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from markupsafe import Markup

from kubewitness.model.event import parse_time
from kubewitness.report.document import Document
from kubewitness.report.html.amounts import clock, duration, epoch, instant, short_day
from kubewitness.report.html.glyphs import width, words
from kubewitness.report.html.lanes import same
from kubewitness.report.html.words import WORDS, name_attributes, word

_LEFT, _RIGHT, _Y = 200.0, 1190.0, 56.0
_STEPS = (60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000)
_MOST_GAPS = 400


def coverage_picture(document: Document, language: str) -> Markup:
    """One bar from the first to the last event: gaps cut out and labelled, intrusions outlined."""
    first, last = epoch(document.coverage.first), epoch(document.coverage.last)
    if first is None or last is None:
        return Markup("")
    length = max(last - first, 1.0)

    def x(stamp: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * min(1.0, max(0.0, (stamp - first) / length)), 1)

    pieces: list[Markup] = []
    for tick in _ticks(first, last):
        pieces.append(Markup('<path d="M{:g} 38V80" class="grid"/>').format(x(tick)))
        text = instant(tick)
        midnight = clock(text) == "00:00:00"
        shown = short_day(text) if midnight and length > 100_000 else same(clock(text)[:5])
        if _LEFT + 20 <= x(tick) <= _RIGHT - 16:
            pieces.append(words(x(tick), 30, shown, "t-time", anchor="middle"))
    pieces.append(words(0, _Y + 5, word("cover_span"), ""))
    bar = Markup('<rect x="{:g}" y="{:g}" width="{:g}" height="14" class="{}"/>')
    pieces.append(bar.format(_LEFT, _Y - 6, max(x(last) - _LEFT, 3), "cbar"))
    free = _LEFT
    for gap in document.coverage.gaps[:_MOST_GAPS]:
        start, end = epoch(gap.first), epoch(gap.last)
        if start is None or end is None:
            continue
        pieces.append(bar.format(x(start), _Y - 7, max(x(end) - x(start), 2), "cgap"))
        label = word("cover_gap", length=duration(gap.seconds))
        at = max(x(start), _LEFT + width(label) / 2)
        if at - width(label) / 2 >= free:
            pieces.append(words(min(at, _RIGHT - width(label) / 2), _Y + 36, label, "t-note", anchor="middle"))
            free = at + width(label) / 2 + 10
    pieces += _windows(document, x)
    return Markup('<svg class="cov" viewBox="0 0 1200 100" role="img" {}>{}</svg>').format(
        name_attributes(WORDS["unseen"], language), Markup("\n").join(pieces)
    )


def _windows(document: Document, x: object) -> Iterator[Markup]:
    free = _LEFT - 100
    place = x if callable(x) else float
    for incident in document.incidents:
        start, end = epoch(incident.first), epoch(incident.last)
        if start is None or end is None:
            continue
        left = float(place(start)) - 3
        wide = max(float(place(end)) + 3 - left, 8)
        yield Markup('<rect x="{:g}" y="{:g}" width="{:g}" height="24" class="cwin"/>').format(left, _Y - 11, wide)
        text = same(f"{clock(incident.first)[:5]}–{clock(incident.last)[:5]}")
        named = word("cover_incident")
        label = type(named)(f"{named.en} {text.en}", f"{named.zh} {text.zh}")
        centre = min(max(left + wide / 2, _LEFT + width(label) / 2), _RIGHT - width(label) / 2)
        if centre - width(label) / 2 >= free:
            yield words(centre, 12, label, "b", anchor="middle")
            free = centre + width(label) / 2 + 12


def _ticks(first: float, last: float) -> Iterator[float]:
    """Eight or fewer round times in the span."""
    step = next((s for s in _STEPS if (last - first) / s <= 9), max(_STEPS[-1], (last - first) / 9))
    start = parse_time(instant(first))
    if start is None:
        return
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    tick = midnight + timedelta(seconds=step * ((first - midnight.timestamp()) // step + 1))
    while tick.timestamp() < last:
        yield tick.timestamp()
        tick += timedelta(seconds=step)


def level_bar(levels: dict[str, int]) -> Markup:
    """The share of each audit level as one stacked bar; the words stand beside it in the table."""
    total = sum(levels.values())
    if total <= 0:
        return Markup("")
    pieces, left = [], 0.0
    for index, (_, count) in enumerate(ordered_levels(levels)):
        wide = 400 * count / total
        piece = Markup('<rect x="{:.1f}" y="0" width="{:.1f}" height="12" class="lv{}"/>')
        pieces.append(piece.format(left, max(wide, 1), index % 4))
        left += wide
    return Markup(
        '<svg class="lvbar" viewBox="0 0 400 12" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(Markup("").join(pieces))


def ordered_levels(levels: dict[str, int]) -> list[tuple[str, int]]:
    """Least telling first."""
    order = ("None", "Metadata", "Request", "RequestResponse")
    return sorted(levels.items(), key=lambda pair: (order.index(pair[0]) if pair[0] in order else 9, pair[0]))
